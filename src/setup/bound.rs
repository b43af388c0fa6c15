//! Programs that end with the one that started them, however that one ends: a killed command leaves neither JupyterLab,
//! cargo nor pip at work. Only the program itself is told, and what it has started is its own to end: a compiler that
//! cargo has just called finishes the crate it is at, and nobody calls the next one.

use crate::error::{Error, Result};
use rustix::process::{Pid, getppid};
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The words that make this program another one, which gets a SIGTERM when its parent ends.
pub(crate) fn binding() -> Result<Vec<OsString>> {
    Ok(vec![crate::config::command()?.into(), "bound".into(), "--".into()])
}

/// A command for `program`, bound to this process.
pub(crate) fn bound(program: impl AsRef<OsStr>) -> Result<Command> {
    let mut command = Command::new(crate::config::command()?);
    command.args(["bound", "--parent", &std::process::id().to_string(), "--"]).arg(program);
    Ok(command)
}

/// Becomes the program that `words` call: the body of the hidden command `spar bound`.
///
/// # Errors
///
/// Fails if `parent` has ended already, or if the program cannot be run.
pub fn become_bound(parent: Option<i32>, words: &[OsString]) -> Result<()> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Error::cannot("run a bound program", "it is not named").invalid());
    };
    let refused = |why: String| Error::cannot(format!("run {}", program.display()), why);
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::TERM))
        .map_err(|e| refused(e.to_string()))?;
    // It may have ended before the system knew whom to tell.
    if parent.is_some_and(|parent| Pid::as_raw(getppid()) != parent) {
        return Err(refused("the command that started it has ended".into()));
    }
    let failure = Command::new(program).args(arguments).exec();
    Err(refused(failure.to_string()))
}
