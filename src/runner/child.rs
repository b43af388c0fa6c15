//! The programs that a person works in: JupyterLab and the tests.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::setup::{Kernel, Tools};
use rustix::process::{Pid, Signal};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Opens JupyterLab on the notebooks: loopback only, with its token, and waits until it ends.
///
/// # Errors
///
/// Fails if JupyterLab cannot be started.
pub fn lab(
    config: &Config,
    tools: &Tools,
    kernel: &Kernel,
    environment: Vec<(String, String)>,
    arguments: &[String],
) -> Result<ExitCode> {
    let mut lab = Command::new(&tools.python);
    lab.args(["-m", "jupyterlab"])
        .args(lab_options(&config.home, arguments))
        .args(rustix::process::geteuid().is_root().then_some("--allow-root"))
        .envs(kernel.environment())
        .envs(environment);
    wait(lab, "start JupyterLab")
}

/// JupyterLab's options: ours, but for those that `arguments` set otherwise, then `arguments`. It refuses an option
/// that is given twice.
pub fn lab_options(home: &Path, arguments: &[String]) -> Vec<String> {
    let ours = [
        ("--ServerApp.ip", "127.0.0.1".to_owned()),
        ("--ServerApp.open_browser", "True".to_owned()),
        ("--ServerApp.root_dir", home.display().to_string()),
        ("--LabApp.default_url", "/lab/tree/notebooks/partie1.ipynb".to_owned()),
    ];
    let is_given = |name: &str| arguments.iter().any(|a| a.split('=').next() == Some(name));
    let left = ours.iter().filter(|(name, _)| !is_given(name)).map(|(name, value)| format!("{name}={value}"));
    left.chain(arguments.iter().cloned()).collect()
}

/// Runs `cargo test` in the project.
///
/// # Errors
///
/// Fails if cargo cannot be started.
pub fn cargo_test(config: &Config, arguments: &[String]) -> Result<ExitCode> {
    let mut tests = Command::new("cargo");
    tests.args(["test", "--locked"]).args(arguments).current_dir(&config.home).env("SPAR_TOOLS", &config.tools);
    wait(tests, "run the tests")
}

/// How often the program is looked at, and a request to end passed on.
const TICK: Duration = Duration::from_millis(100);

/// Waits for a program that shares our terminal: Ctrl-C is its business (JupyterLab asks before it ends), and what
/// it uses must not go away before it does. A SIGTERM, which only we get, is passed on.
fn wait(mut command: Command, what: &str) -> Result<ExitCode> {
    let cannot = |e: std::io::Error| Error::cannot(what, e);
    let asked = Arc::new(AtomicBool::new(false));
    flag::register(SIGTERM, Arc::clone(&asked)).map_err(cannot)?;
    flag::register(SIGINT, Arc::default()).map_err(cannot)?;
    let mut child = command.spawn().map_err(cannot)?;
    loop {
        if let Some(status) = child.try_wait().map_err(cannot)? {
            return Ok(status.code().map_or(ExitCode::FAILURE, |code| ExitCode::from(code.clamp(0, 255) as u8)));
        }
        if asked.swap(false, Ordering::Relaxed) {
            // It is ours and not waited for yet, so the pid is still its own.
            let _ = rustix::process::kill_process(Pid::from_child(&child), Signal::TERM);
        }
        std::thread::sleep(TICK);
    }
}
