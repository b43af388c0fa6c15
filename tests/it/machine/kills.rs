//! `spar` killed with SIGKILL at any moment: no process, no lock is left, and the next start works.

use super::ground::{Ground, LIMIT, processes_of, told};
use super::tools::Tools;
use crate::place::runs;
use crate::support::eventually;
use std::fs;
use std::path::Path;

#[test]
fn services_up_that_is_killed_at_any_moment_leaves_nobody_and_starts_again() {
    let moments = ["guard.json", "logs/postgres.init.log", "postgres/process.json"];
    for moment in moments {
        let ground = Ground::new();
        let up = ground.start(&["services", "up"]);
        eventually(moment, LIMIT, || ground.state(moment).exists());
        up.kill();
        ground.wait_until_nobody_is_left();
        assert!(!ground.state("endpoints.json").exists(), "nobody is sent to a server that is gone ({moment})");

        let (said, code) = told(&ground.spar(&["services", "up"]));
        assert_eq!(code, Some(0), "{moment}: {said}");
        let (said, code) = told(&ground.spar(&["services", "down"]));
        assert!(code == Some(0) && said.contains("2 embedded services stopped"), "{moment}: {said}");
        ground.wait_until_nobody_is_left();
    }
    println!("{} moments of `services up` killed: nobody left, the next start worked", moments.len());
}

#[test]
fn spar_test_that_is_killed_takes_cargo_and_its_tests_along() {
    let ground = Ground::new();
    let tools = Tools::finished();
    let home = ground.path("home");
    project_whose_test_waits(&home);
    let waiting = ground.path("waiting");
    let mut command = ground.command(&["test"]);
    command.env("SPAR_HOME", &home).env("SPAR_TOOLS", tools.path()).env("CARGO_TARGET_DIR", ground.path("target"));
    command.env("WAITING", &waiting);
    let mut test = command.spawn().unwrap();
    eventually("the test of the test waits", LIMIT, || {
        assert!(test.try_wait().unwrap().is_none(), "`spar test` ended early");
        waiting.exists()
    });
    let pid: i32 = fs::read_to_string(&waiting).unwrap().parse().unwrap();
    assert!(runs(pid));
    test.kill().unwrap();
    test.wait().unwrap();
    ground.wait_until_nobody_is_left();
    assert!(!runs(pid));
}

/// A crate without dependencies whose one test waits for ever; its set-up counts as done.
fn project_whose_test_waits(home: &Path) {
    fs::create_dir_all(home.join("tests")).unwrap();
    let manifest =
        "[package]\nname = \"waits\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[lib]\npath = \"lib.rs\"\n";
    fs::write(home.join("Cargo.toml"), manifest).unwrap();
    fs::write(home.join("Cargo.lock"), "version = 4\n\n[[package]]\nname = \"waits\"\nversion = \"0.0.0\"\n").unwrap();
    fs::write(home.join("lib.rs"), "").unwrap();
    let test = "#[test]\nfn waits() {\n    let file = std::env::var(\"WAITING\").unwrap();\n    let fresh = format!(\"{file}.new\");\n    \
                std::fs::write(&fresh, std::process::id().to_string()).unwrap();\n    \
                std::fs::rename(fresh, file).unwrap();\n    loop {\n        std::thread::park();\n    }\n}\n";
    fs::write(home.join("tests/waits.rs"), test).unwrap();
}

#[test]
fn a_set_up_that_is_killed_leaves_no_program_at_work_and_the_next_one_begins_the_step_again() {
    let ground = Ground::new();
    let tools = Tools::empty();
    let setup = |again: &str| {
        let mut command = ground.command(&["setup"]);
        // Nobody listens there: the step gets as far as the network.
        tools.without_network(&mut command);
        let child = command.stderr(fs::File::create(ground.path(again)).unwrap()).spawn().unwrap();
        (child, ground.path(again))
    };
    let (mut first, _) = setup("first");
    eventually("the environment is being made", LIMIT, || tools.path().join("venv/pyvenv.cfg").exists());
    first.kill().unwrap();
    first.wait().unwrap();
    let (mut second, words) = setup("second");
    assert_eq!(second.wait().unwrap().code(), Some(1));
    let said = fs::read_to_string(words).unwrap();
    assert!(said.contains("[1/") && said.contains("cannot fetch and install the Python packages"), "{said}");
    assert!(tools.path().join("venv/bin/pip").exists(), "the environment was made again: {said}");
    eventually("nobody works there", LIMIT, || processes_of(tools.path()).is_empty());
}
