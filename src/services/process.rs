//! One process of a service: started in a session of its own, known again by pid and start, stopped for sure.

use super::lock::Lock;
use super::site;
use crate::config::write_private;
use crate::error::{Error, Result};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often a process is looked at again.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// What tells a process from a later one with the same pid: the tick it started at, and the machine's boot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    started: u64,
    boot: String,
}

impl Identity {
    /// The process that runs under `pid` now; `None` if there is none or it has ended.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may itself hold spaces and parentheses.
        let fields: Vec<&str> = stat[stat.rfind(')')? + 1..].split_whitespace().collect();
        // The first thread may end before the others, which still hold ports and files.
        let ended = matches!(*fields.first()?, "Z" | "X") && fields.get(17).is_none_or(|threads| *threads <= "1");
        let started = fields.get(19)?.parse().ok()?;
        (!ended).then(|| Self { pid, started, boot: boot() })
    }

    /// This very process.
    pub(crate) fn current() -> Result<Self> {
        Self::of(std::process::id() as i32).ok_or_else(|| {
            Error::cannot("find this process in /proc", "it is not there")
                .next("the embedded services need Linux; set the addresses of other services in .env")
        })
    }

    /// The process that the file names, alive or not.
    pub(crate) fn read(file: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(file).ok()?).ok()
    }

    /// Notes the process in the file.
    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        write_private(file, &serde_json::to_vec(self).map_err(|e| Error::cannot("note a process", e))?)
    }

    /// True while this very process runs.
    pub(crate) fn is_alive(&self) -> bool {
        Self::of(self.pid).as_ref() == Some(self)
    }

    /// True when it was started since the machine was.
    pub(crate) fn is_of_this_boot(&self) -> bool {
        self.boot == boot()
    }

    /// Sends a signal to this very process, never to a later one with its pid.
    fn signal(&self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid) else { return };
        // The descriptor pins the process: what is checked after it was opened is what gets the signal.
        if let Ok(pinned) = pidfd_open(pid, PidfdFlags::empty())
            && self.is_alive()
        {
            // It may have ended in between, and that is what is wanted.
            let _ = pidfd_send_signal(&pinned, signal);
        }
    }

    /// Sends each signal in turn and waits so long for the process to end; true when it has.
    pub(crate) fn stop(&self, steps: &[(Signal, Duration)]) -> bool {
        steps.iter().any(|(signal, limit)| {
            self.signal(*signal);
            let deadline = Instant::now() + *limit;
            while self.is_alive() && Instant::now() < deadline {
                std::thread::sleep(PAUSE);
            }
            !self.is_alive()
        })
    }
}

fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// What a service's process is started with; kept in its folder, so that ports are used again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Plan {
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<OsString>,
    pub(crate) ports: Vec<u16>,
}

impl Plan {
    /// The last plan of the service in `folder`, if there was one.
    pub(crate) fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(folder.join(site::PLAN)).ok()?).ok()
    }

    /// Starts the process in a session of its own, in its `folder`, its words going to `log`.
    pub(crate) fn start(&self, command: &Path, folder: &Path, log: &Path) -> Result<Identity> {
        let failed = |e: &dyn std::fmt::Display| Error::cannot(format!("start {}", self.program.display()), e);
        write_private(&folder.join(site::PLAN), &serde_json::to_vec(self).map_err(|e| failed(&e))?)?;
        let mut child = detached(command, log)?
            .args(["services", "launch", "--folder"])
            .arg(folder)
            .spawn()
            .map_err(|e| Error::cannot(format!("run {}", command.display()), e))?;
        let started = Identity::of(child.id() as i32);
        // Without someone who waits for it, an ended process would stay in the table.
        std::thread::spawn(move || child.wait());
        started.ok_or_else(|| failed(&format!("it ended at once; {}", tail(log))))
    }
}

/// `command` without a terminal, its words going to a fresh `log`; the last log is kept beside it.
pub(crate) fn detached(command: &Path, log: &Path) -> Result<Command> {
    let cannot = |e: std::io::Error| Error::cannot(format!("write {}", log.display()), e);
    if let Some(folder) = log.parent() {
        fs::create_dir_all(folder).map_err(cannot)?;
    }
    if log.exists() {
        fs::rename(log, log.with_extension("log.1")).map_err(cannot)?;
    }
    let out = File::create(log).map_err(cannot)?;
    let mut detached = Command::new(command);
    detached.stdin(Stdio::null()).stdout(out.try_clone().map_err(cannot)?).stderr(out);
    for secret in ["MASTODON_ACCESS_TOKEN", "DATABASE_URL"] {
        detached.env_remove(secret);
    }
    Ok(detached)
}

/// Ends the process that runs under `pid` now, at once.
pub(crate) fn end(pid: i32) {
    if let Some(process) = Identity::of(pid) {
        process.stop(&[(Signal::KILL, Duration::from_secs(5))]);
    }
}

/// Becomes the service planned in `folder`: the body of the hidden command `spar services launch`.
///
/// # Errors
///
/// Fails if nobody would stop the service later, if an older process still holds its data, or if it cannot be run.
pub fn launch(folder: &Path) -> Result<()> {
    let refused = |why: &str| Error::cannot(format!("start the service in {}", folder.display()), why);
    let plan = Plan::read(folder).ok_or_else(|| refused("its plan is missing"))?;
    // A child of `Command` leads no process group, so this cannot fail in a way that matters.
    let _ = rustix::process::setsid();
    let state = folder.parent().ok_or_else(|| refused("the folder has no parent"))?;
    // As long as this lease is held the guard stops nothing, and then it finds the note about this process.
    let lease = Lock::shared(&state.join(site::LEASE), Duration::from_secs(5), || ())?;
    if !Identity::read(&state.join(site::GUARD)).is_some_and(|guard| guard.is_alive()) {
        return Err(refused("no guard runs that would stop it"));
    }
    let data = Lock::exclusive(&folder.join("running.lock"), Duration::from_secs(15), || ())?;
    // The service inherits this lock: two processes never work on the same data, whatever became of the notes.
    rustix::io::fcntl_setfd(data.file(), rustix::io::FdFlags::empty()).map_err(|e| refused(&e.to_string()))?;
    Identity::current()?.write(&folder.join(site::PROCESS))?;
    let failure = Command::new(&plan.program).args(&plan.args).current_dir(folder).exec();
    drop((lease, data));
    Err(Error::cannot(format!("run {}", plan.program.display()), failure))
}

/// Runs a command that prepares `folder` to its end, within `limit`; its words are given back when it fails.
pub(crate) fn run(command: &mut Command, folder: &Path, limit: Duration, log: &Path) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    // As its stdin the lock lives as long as the command, also when it outlives us; the next start waits for it.
    let preparing = Lock::exclusive(&folder.join("preparing.lock"), limit, || ())?;
    let stdin = preparing.file().try_clone().map_err(|e| Error::cannot(format!("run {name}"), e))?;
    command.stdin(stdin).current_dir(folder);
    let mut child = command.spawn().map_err(|e| Error::cannot(format!("run {name}"), e))?;
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                return Err(Error::cannot(format!("run {name}"), format!("{status}; {}", tail(log))));
            }
            Ok(None) if Instant::now() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Error::cannot(
                    format!("run {name}"),
                    format!("it took more than {} s; {}", limit.as_secs(), tail(log)),
                ));
            }
            Ok(None) => std::thread::sleep(PAUSE),
            Err(e) => return Err(Error::cannot(format!("run {name}"), e)),
        }
    }
}

/// The last lines of a log, on one line.
pub(crate) fn tail(log: &Path) -> String {
    const BYTES: u64 = 4096;
    let text = read_end(log, BYTES).unwrap_or_default();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty()).collect();
    if lines.is_empty() {
        return format!("{} is empty", log.display());
    }
    format!("the last lines of {}: {}", log.display(), lines[lines.len().saturating_sub(8)..].join(" | "))
}

fn read_end(file: &Path, bytes: u64) -> std::io::Result<String> {
    let mut file = File::open(file)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(bytes)))?;
    let mut end = Vec::new();
    file.take(bytes).read_to_end(&mut end)?;
    Ok(String::from_utf8_lossy(&end).into_owned())
}
