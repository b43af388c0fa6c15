//! Signals to processes that a test started. By the system call: a small machine has no program for it.

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

/// True when the process was there to get it.
pub fn send(pid: i32, signal: Signal) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| kill_process(pid, signal).is_ok())
}
