//! The guard: a process of its own that outlives every command and stops the services when nobody needs them.

use super::lock::Lock;
use super::process::{Identity, PAUSE, detached};
use super::site::{ALL, GUARD, LEASE, PINNED, PROCESS, Service};
use crate::config::Endpoints;
use crate::error::{Error, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often the guard looks whether the services are still needed.
const TICK: Duration = Duration::from_millis(250);

/// Guards the services whose state is in `state` until nobody needs them, then stops them: the body of the hidden
/// command `spar services guard`.
///
/// # Errors
///
/// Fails if the state folder cannot be written or locked.
pub fn guard(state: &Path) -> Result<()> {
    // A child of `Command` leads no process group, so this cannot fail in a way that matters.
    let _ = rustix::process::setsid();
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&asked)).map_err(|e| Error::cannot("listen for signals", e))?;
    }
    let note = state.join(GUARD);
    let me = Identity::current()?;
    me.write(&note)?;
    // Kept in memory: someone may remove the whole folder, notes included, while the services run.
    let mut known: Vec<(Service, Identity)> = Vec::new();
    loop {
        known.retain(|(_, process)| process.is_alive());
        for found in running(state) {
            if !known.contains(&found) {
                known.push(found);
            }
        }
        let mine = Identity::read(&note).as_ref() == Some(&me);
        if !mine || asked.load(Ordering::Relaxed) {
            break;
        }
        if !is_pinned(state)
            && let Ok(Some(alone)) = Lock::try_exclusive(&state.join(LEASE))
        {
            stop_all(state);
            let _ = fs::remove_file(&note);
            drop(alone);
            return Ok(());
        }
        std::thread::sleep(TICK);
    }
    stop(&known);
    if Identity::read(&note).as_ref() == Some(&me) {
        stop_all(state);
        let _ = fs::remove_file(note);
    }
    Ok(())
}

/// Starts a guard unless one runs.
pub(crate) fn ensure(command: &Path, state: &Path) -> Result<()> {
    let note = state.join(GUARD);
    let alive = || Identity::read(&note).is_some_and(|guard| guard.is_alive());
    if alive() {
        return Ok(());
    }
    let log = state.join("logs/guard.log");
    let failed = |why: String| Error::cannot("start the services' guard", why).next(format!("read {}", log.display()));
    let mut child = detached(command, &log)?
        .args(["services", "guard", "--folder"])
        .arg(state)
        .spawn()
        .map_err(|e| failed(format!("{}: {e}", command.display())))?;
    let ours = Identity::of(child.id() as i32);
    std::thread::spawn(move || child.wait());
    let deadline = Instant::now() + Duration::from_secs(20);
    while !alive() {
        if Instant::now() > deadline || !ours.as_ref().is_some_and(Identity::is_alive) {
            return Err(failed(super::process::tail(&log)));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Stops every service that runs in `state`; the caller holds the lease alone.
pub(crate) fn stop_all(state: &Path) {
    // First of all, so that nobody is sent to a server that is about to leave.
    let _ = fs::remove_file(endpoints(state));
    stop(&running(state));
    for service in ALL {
        let _ = fs::remove_file(service.folder(state).join(PROCESS));
    }
}

/// The file of the addresses, below the state of one source.
pub(crate) fn endpoints(state: &Path) -> std::path::PathBuf {
    let (folder, source) = (state.parent().unwrap_or(state), state.file_name().unwrap_or_default());
    Endpoints::file(folder, &source.to_string_lossy())
}

/// The services that run, with their processes.
pub(crate) fn running(state: &Path) -> Vec<(Service, Identity)> {
    ALL.into_iter()
        .filter_map(|service| Some((service, Identity::read(&service.folder(state).join(PROCESS))?)))
        .filter(|(_, process)| process.is_alive())
        .collect()
}

fn stop(processes: &[(Service, Identity)]) {
    std::thread::scope(|scope| {
        for (service, process) in processes {
            scope.spawn(move || {
                if !process.stop(&service.stop_steps()) {
                    eprintln!("{} (pid {}) does not end", service.name(), process.pid);
                }
            });
        }
    });
}

/// True when `services up` asked for it since the machine started.
pub(crate) fn is_pinned(state: &Path) -> bool {
    Identity::read(&state.join(PINNED)).is_some_and(|by| by.is_of_this_boot())
}
