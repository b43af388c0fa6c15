//! The image of the project: its set-up is the README's, its prerequisites the launcher's.

use super::{services, strings, text};
use std::collections::BTreeSet;

/// The instructions of the file, continued lines joined.
pub fn instructions() -> Vec<String> {
    let lines: String = text("Dockerfile").lines().filter(|l| !l.starts_with('#')).map(|l| format!("{l}\n")).collect();
    lines.replace("\\\n", " ").lines().filter(|l| !l.is_empty()).map(str::to_owned).collect()
}

#[test]
fn the_image_is_set_up_by_the_command_of_the_readme() {
    let all = instructions();
    let setup = all.iter().position(|l| l.starts_with("RUN ./spar setup")).expect("one source of the set-up");
    let user = all[..setup].iter().rev().find(|l| l.starts_with("USER ")).unwrap();
    assert_eq!(user, "USER 1000:100", "an ordinary user sets up");
    assert!(!all[setup..].iter().any(|l| l.starts_with("USER ")), "and stays");
    assert!(
        all.iter().any(|l| l == "WORKDIR /home/jovyan/spar")
            && all.iter().any(|l| l.starts_with("COPY --chown=1000:100 . "))
    );
    for service in ["jupyter", "mastodon"] {
        assert_eq!(services()[service]["user"], "1000:100");
        assert_eq!(services()[service]["image"], services()["jupyter"]["image"]);
    }
    assert!(!services()["jupyter"]["build"].is_null(), "the image is built, not fetched");
    assert_eq!(services()["mastodon"]["pull_policy"], "never");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(services()["jupyter"]["image"], format!("spar-jupyter:{version}"));
}

#[test]
fn the_image_gets_the_prerequisites_that_the_launcher_names() {
    let install = instructions().into_iter().find(|l| l.contains("apt-get install")).unwrap();
    let installed: BTreeSet<&str> = install
        .split("--no-install-recommends")
        .nth(1)
        .unwrap()
        .split("&&")
        .next()
        .unwrap()
        .split_whitespace()
        .collect();
    let launcher = text("spar");
    for package in &installed {
        assert!(launcher.contains(package), "./spar does not name {package}");
    }
    assert_eq!(installed, ["gcc", "g++", "libc6-dev", "make"].into());
}

#[test]
fn what_covers_a_folder_of_the_image_finds_it_there() {
    let made = instructions().into_iter().find(|l| l.contains("mkdir --parents")).unwrap();
    let made: BTreeSet<&str> = made.split("--parents").nth(1).unwrap().split_whitespace().collect();
    let folder = "/home/jovyan/spar/";
    for service in ["jupyter", "mastodon"] {
        for volume in strings(&services()[service]["volumes"]) {
            let inside = volume.split(':').nth(1).unwrap().strip_prefix(folder).unwrap().to_owned();
            assert!(made.contains(&*inside), "{inside} would belong to root");
        }
    }
}

#[test]
fn the_build_takes_no_secret_and_no_result_along() {
    let ignored = text(".dockerignore");
    let ignored: BTreeSet<&str> = ignored.lines().collect();
    for name in [".env", ".git", ".spar", "out", "target", "data", "notebooks"] {
        assert!(ignored.contains(name), "{name}");
    }
    // What the image's build and the health checks need must not be among them.
    for name in ["src", "tests", "benches", "kernel", "spar", "docker", ".cargo", "Cargo.toml", "Cargo.lock"] {
        assert!(!ignored.contains(name), "{name}");
    }
}

#[test]
fn jupyter_listens_for_the_published_port_and_is_given_a_token() {
    let command = instructions().into_iter().find_map(|l| Some(l.strip_prefix("CMD ")?.to_owned())).unwrap();
    let words: Vec<String> = serde_json::from_str(&command).unwrap();
    assert_eq!(words[..3], ["./spar", "lab", "--"]);
    assert!(words.contains(&"--ServerApp.ip=0.0.0.0".to_owned()));
    assert!(!command.to_lowercase().contains("token"), "the token comes from the environment");
    assert_eq!(strings(&services()["jupyter"]["ports"]), ["127.0.0.1:8888:8888"]);
    assert!(services()["jupyter"]["command"].is_null(), "the image's own command runs");
}
