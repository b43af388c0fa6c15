//! Folders that may not be written, as an ordinary user meets them.

use super::ground::{Ground, fails_with, small_notebooks, told};
use super::tools::Tools;
use crate::namespaces::unshare;
use crate::support::{command, home};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;

/// A folder that nobody but a superuser may write to; it becomes writable again, or it could not be removed.
struct Closed(PathBuf);

impl Closed {
    fn new(path: PathBuf) -> Self {
        fs::create_dir_all(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o555)).unwrap();
        Self(path)
    }

    fn below(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        let _ = fs::set_permissions(&self.0, fs::Permissions::from_mode(0o755));
    }
}

/// Runs `spar` without the rights of a superuser, whoever runs the tests.
fn as_an_ordinary_user(ground: &Ground, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut user = unshare(&["--user", "--map-user=1000"]);
    user.arg(command());
    ground.settle(&mut user);
    user.args(arguments).envs(settings.iter().copied()).output().unwrap()
}

#[test]
fn a_state_that_may_not_be_written_is_named_with_the_way_out() {
    let ground = Ground::new();
    let closed = Closed::new(ground.path("closed"));
    for name in ["state", ""] {
        let state = closed.below(name);
        let output = as_an_ordinary_user(&ground, &[("SPAR_STATE", &state)], &["services", "up"]);
        fails_with(&output, &["cannot create", &state, "Permission denied", "SPAR_STATE"]);
    }
}

#[test]
fn results_that_may_not_be_written_are_told_before_anything_starts() {
    let ground = Ground::new();
    let closed = Closed::new(ground.path("closed"));
    for name in ["out", ""] {
        let out = closed.below(name);
        let output = as_an_ordinary_user(&ground, &[], &["run", "--from", &small_notebooks(), "--out", &out, "passes"]);
        fails_with(&output, &["cannot write into", &out, "Permission denied", "--out"]);
    }
    assert!(!ground.state("kernels").exists(), "nothing was begun");
}

#[test]
fn tools_that_may_not_be_written_are_named_and_finished_ones_do() {
    let ground = Ground::new();
    let closed = Closed::new(ground.path("closed"));
    for name in ["tools", ""] {
        let place = closed.below(name);
        let output = as_an_ordinary_user(&ground, &[("SPAR_TOOLS", &place)], &["setup"]);
        fails_with(&output, &[&place, "Permission denied", "SPAR_TOOLS"]);
    }
    // Someone else's finished tools need no writing.
    let tools = Tools::finished();
    let place = tools.path().display().to_string();
    let _closed = Closed::new(tools.path().to_owned());
    let (said, code) = told(&as_an_ordinary_user(&ground, &[("SPAR_TOOLS", &place)], &["setup"]));
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_project_that_may_not_be_written_is_named_with_the_way_out() {
    let ground = Ground::new();
    let project = ground.path("project");
    fs::create_dir_all(&project).unwrap();
    fs::copy(home().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let closed = Closed::new(project.clone());
    let place = project.display().to_string();
    let tools = Tools::finished();
    let settings = [("SPAR_HOME", place.as_str()), ("SPAR_TOOLS", tools.path().to_str().unwrap())];
    let output = as_an_ordinary_user(&ground, &settings, &["run", "--from", &small_notebooks(), "passes"]);
    fails_with(&output, &[&closed.below(".spar"), "Permission denied", "project's folder"]);
}

#[test]
fn a_folder_for_compiled_files_that_may_not_be_written_is_named_by_the_launcher() {
    let ground = Ground::new();
    let closed = Closed::new(ground.path("closed"));
    for name in ["target", ""] {
        let target = closed.below(name);
        let mut launcher = unshare(&["--user", "--map-user=1000"]);
        launcher.arg("/bin/sh").arg(home().join("spar")).arg("check");
        let (said, code) = told(&launcher.env("CARGO_TARGET_DIR", &target).output().unwrap());
        let wanted = format!("cannot compile into {target}: you may not write there");
        assert!(code == Some(1) && said.starts_with(&wanted) && said.contains("CARGO_TARGET_DIR"), "{said}");
        print!("{said}");
    }
}
