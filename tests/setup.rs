//! Each step of the set-up on the real network, killed in its middle and completed by the next. Takes about ten minutes
//! on 2 cores, so it has a command of its own: `./spar test -- --test setup -- --nocapture`.

#[path = "it/support.rs"]
mod support;
#[path = "it/machine/tools.rs"]
mod tools;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::{command, eventually, home};
use tools::Tools;

/// A set-up into these tools; what compilers write goes beside them.
fn set_up(tools: &Tools) -> Command {
    let mut setup = Command::new(command());
    setup.arg("setup").env("SPAR_HOME", home()).env("SPAR_TOOLS", tools.path()).stdin(Stdio::null());
    setup.env("CARGO_TARGET_DIR", tools.path().join("target"));
    setup
}

/// How many entries there are below `folder`, or lines in the file.
fn size(path: &Path) -> usize {
    if path.is_file() {
        return fs::read_to_string(path).unwrap_or_default().lines().count();
    }
    fs::read_dir(path).into_iter().flatten().flatten().map(|entry| 1 + size(&entry.path())).sum()
}

/// True when the step has begun its work and is far from its end.
fn is_under_way(step: &str, tools: &Path) -> bool {
    match step {
        "python" => size(&tools.join("logs/python.log")) > 60,
        "evcxr" => size(&tools.join("logs/evcxr.log")) > 40,
        "kafka" => size(&tools.join("jgo")) > 3,
        _ => tools.join(format!("logs/{step}.log")).exists(),
    }
}

#[test]
fn a_killed_python_environment_is_completed() {
    is_completed("python");
}

#[test]
fn a_killed_build_of_the_kernel_is_completed() {
    is_completed("evcxr");
}

#[test]
fn a_killed_fetch_of_the_rust_packages_is_completed() {
    is_completed("packages");
}

#[test]
fn a_killed_fetch_of_kafka_is_completed() {
    is_completed("kafka");
}

#[test]
fn a_killed_fetch_of_the_training_set_is_completed() {
    is_completed("training");
}

/// Kills the step in its middle, and lets the next set-up do it.
fn is_completed(step: &str) {
    let tools = Tools::without(step);
    let mut first = set_up(&tools).spawn().unwrap();
    eventually(step, Duration::from_secs(300), || is_under_way(step, tools.path()));
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(!tools.stamp(step).exists(), "killed too late");

    let began = Instant::now();
    assert!(set_up(&tools).status().unwrap().success());
    println!("{step}: killed, then completed in {:.0} s", began.elapsed().as_secs_f64());
    let stamp = |of: &Path| fs::read_to_string(of).unwrap();
    assert_eq!(stamp(&tools.stamp(step)), stamp(&tools::real().join("stamps").join(step)));
    let again = set_up(&tools).output().unwrap();
    assert!(again.status.success() && again.stderr.is_empty(), "it is done, and nothing is left to do");
}
