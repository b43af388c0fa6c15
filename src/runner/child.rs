//! The programs that a person works in: JupyterLab and the tests.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::setup::{Kernel, Tools};
use std::process::{Command, ExitCode};

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
    lab.args(["-m", "jupyterlab", "--ServerApp.ip=127.0.0.1", "--ServerApp.open_browser=True"])
        .arg(format!("--ServerApp.root_dir={}", config.home.display()))
        .arg("--LabApp.default_url=/lab/tree/notebooks/partie1.ipynb")
        .args(rustix::process::geteuid().is_root().then_some("--allow-root"))
        .args(arguments)
        .envs(kernel.environment())
        .envs(environment);
    wait(lab, "start JupyterLab")
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

fn wait(mut command: Command, what: &str) -> Result<ExitCode> {
    let status = command.status().map_err(|e| Error::cannot(what, e))?;
    Ok(status.code().map_or(ExitCode::FAILURE, |code| ExitCode::from(code.clamp(0, 255) as u8)))
}
