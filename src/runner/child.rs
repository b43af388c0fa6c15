//! The programs that a person works in: JupyterLab and the tests.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::setup::{Kernel, Tools, binding, bound};
use rustix::process::{Pid, Signal};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::{Cause, Origin};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
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
    let mut lab = bound(&tools.python)?;
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
        // The kernel's `custom.css`.
        ("--LabApp.custom_css", "True".to_owned()),
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
    // A JSON list of strings is a TOML one too; what cargo starts is bound to cargo as cargo is to us.
    let words: Vec<_> = binding()?.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let runner = format!("target.\"cfg(all())\".runner={}", serde_json::json!(words));
    let mut tests = bound("cargo")?;
    tests.args(["test", "--locked", "--config", &runner]).args(arguments);
    tests.current_dir(&config.home).env("SPAR_TOOLS", &config.tools);
    wait(tests, "run the tests")
}

/// Makes the pages that describe the crate, and gives the first one.
///
/// # Errors
///
/// Fails if cargo cannot be started, or does not make them.
pub fn doc(config: &Config) -> Result<PathBuf> {
    let what = "make the crate's documentation";
    let program = std::env::current_exe().map_err(|e| Error::cannot("find this program's own file", e))?;
    let mut cargo = bound("cargo")?;
    cargo.args(["doc", "--locked", "--no-deps", "--lib"]).current_dir(&config.home);
    // <target>/<triple>/debug/spar
    let page = program.ancestors().nth(2).unwrap_or(Path::new(".")).join("doc/spar/index.html");
    if wait(cargo, what)? == ExitCode::SUCCESS && page.is_file() {
        return Ok(page);
    }
    Err(Error::cannot(what, format!("cargo left no {}", page.display())).next("the reason is above"))
}

/// How often the program is looked at, and a request to end passed on.
const TICK: Duration = Duration::from_millis(100);

/// Waits for a program that shares our terminal: Ctrl-C there is its business (JupyterLab asks before it ends), and
/// what it uses must not go away before it does. A signal that someone sent to us alone is passed on.
fn wait(mut command: Command, what: &str) -> Result<ExitCode> {
    let cannot = |e: std::io::Error| Error::cannot(what, e);
    let mut signals = SignalsInfo::<WithOrigin>::new([SIGTERM, SIGINT]).map_err(cannot)?;
    let mut child = command.spawn().map_err(cannot)?;
    loop {
        if let Some(status) = child.try_wait().map_err(cannot)? {
            return Ok(status.code().map_or(ExitCode::FAILURE, |code| ExitCode::from(code.clamp(0, 255) as u8)));
        }
        for signal in signals.pending().filter_map(|origin| to_pass_on(&origin)) {
            // It is ours and not waited for yet, so the pid is still its own.
            let _ = rustix::process::kill_process(Pid::from_child(&child), signal);
        }
        std::thread::sleep(TICK);
    }
}

/// Ctrl-C comes from the terminal, that is from the kernel, and the program got it too; `kill` comes from a process.
fn to_pass_on(origin: &Origin) -> Option<Signal> {
    match (origin.signal, origin.cause) {
        (SIGINT, Cause::Kernel) => None,
        (SIGINT, _) => Some(Signal::INT),
        _ => Some(Signal::TERM),
    }
}
