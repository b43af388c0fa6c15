//! Notebooks on the real kernel, through the command that users type.

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A state folder of the test's own; the command run on it, its services stopped at the end.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_spar"));
        command.env("SPAR_HOME", root()).env("SPAR_STATE", self.folder.path().join("state"));
        for key in ["MASTODON_URL", "MASTODON_ACCESS_TOKEN", "KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "KAFKA_TOPIC"] {
            command.env_remove(key);
        }
        command
    }

    fn spar(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let out = self.out().display().to_string();
        self.spar(&[&["run", "--out", &out], arguments].concat())
    }

    /// Runs small notebooks of the tests, without services.
    fn run_small(&self, arguments: &[&str]) -> Output {
        let from = root().join("tests/notebooks").display().to_string();
        self.run(&[&["--from", &from], arguments].concat())
    }

    fn page(&self, name: &str) -> String {
        fs::read_to_string(self.out().join(format!("{name}.html"))).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.spar(&["services", "down"]);
    }
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Asserts that the second cell of a small notebook fails the run with `message`, and that what ran is rendered.
fn fails(name: &str, message: &str, arguments: &[&str]) {
    let world = World::new();
    let output = world.run_small(&[&[name, "passes"], arguments].concat());
    let said = told(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(name) && said.contains("cell 2"), "{said}");
    assert!(said.contains(message), "{said}");
    let page = world.page(name);
    assert!(page.contains("let before"), "the page shows the cells that ran");
    assert!(!world.out().join("passes.html").exists(), "no notebook starts after a failure");
    assert!(fs::read_to_string(world.out().join("index.html")).unwrap().contains(name));
}

#[test]
fn a_good_notebook_passes_and_its_page_shows_its_output() {
    let world = World::new();
    let output = world.run_small(&["passes"]);
    assert!(output.status.success(), "{}", told(&output));
    assert!(world.page("passes").contains("bonjour"));
}

#[test]
fn a_failing_question_mark_fails_the_run() {
    fails("question_mark", "invalid digit", &[]);
}

#[test]
fn a_panic_fails_the_run() {
    fails("panics", "the cell panics", &[]);
}

#[test]
fn a_compile_error_fails_the_run() {
    fails("does_not_compile", "mismatched types", &[]);
}

#[test]
fn a_kernel_that_dies_fails_the_run() {
    fails("kernel_dies", "the kernel died", &[]);
}

#[test]
fn a_process_that_aborts_fails_the_run() {
    fails("process_dies", "terminated", &[]);
}

#[test]
fn a_cell_that_hangs_is_stopped_and_fails_the_run() {
    fails("hangs", "did not end in its time", &["--cell-limit", "15"]);
}
