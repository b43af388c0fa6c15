//! Programs under the clock: when they begin and end, and how much memory they hold meanwhile.

use super::environment::last_lines;
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

const SAMPLE: Duration = Duration::from_millis(200);
/// How long a program may take to go after its end was told.
const LEAVE: Duration = Duration::from_secs(30);

/// What the clock said.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timed {
    /// From BEGIN to END.
    pub seconds: f64,
    /// From the start of the process to BEGIN.
    pub start_up: f64,
    /// The most that the processes held at a time, in bytes: resident memory, shared pages counted for each.
    pub peak: u64,
    /// Processor seconds of the processes, start-up included.
    pub cpu: f64,
}

/// A command that ends with this process; its words go to `log`.
pub fn bound(program: &Path, log: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_spar"));
    command.args(["bound", "--parent", &std::process::id().to_string(), "--"]).arg(program);
    command.stdin(Stdio::null()).process_group(0);
    if let Ok(file) = File::create(log) {
        command.stderr(file);
    }
    command
}

/// Programs that run; dropping them ends them.
pub struct Running {
    children: Vec<Child>,
    pub peak: u64,
    pub cpu: f64,
    pub started: Instant,
}

impl Running {
    pub fn start(commands: &mut [Command]) -> Result<Self, String> {
        let mut running = Self { children: Vec::new(), peak: 0, cpu: 0.0, started: Instant::now() };
        for command in commands {
            running.children.push(command.spawn().map_err(|e| format!("start it: {e}"))?);
        }
        Ok(running)
    }

    /// Takes a sample of the memory; fails when a process has ended that should not have.
    pub fn look(&mut self) -> Result<(), String> {
        let (resident, cpu) = used(&self.children);
        self.peak = self.peak.max(resident);
        self.cpu = self.cpu.max(cpu);
        for child in &mut self.children {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!("it ended: {status}"));
            }
        }
        Ok(())
    }

    /// Runs `command` from its line BEGIN to its line END.
    pub fn time(mut command: Command, log: &Path, limit: Duration) -> Result<Timed, String> {
        let mut running = Self::start(std::slice::from_mut(command.stdout(Stdio::piped())))?;
        let lines = lines(&mut running.children[0]);
        let timed = running.marks(&lines, limit);
        match timed {
            Ok(timed) => {
                let deadline = Instant::now() + LEAVE;
                while running.look().is_ok() && Instant::now() < deadline {
                    std::thread::sleep(SAMPLE);
                }
                Ok(timed)
            }
            Err(why) => Err(format!("{why}; it said: {}", last_lines(log, 4))),
        }
    }

    fn marks(&mut self, lines: &Receiver<(Instant, String)>, limit: Duration) -> Result<Timed, String> {
        let (mut begin, mut ended) = (None, None);
        loop {
            match lines.recv_timeout(SAMPLE) {
                Ok((at, line)) => match (line.split_once(' ').unwrap_or((&line, "")), begin) {
                    (("BEGIN", _), _) => begin = Some(at),
                    (("END", ago), Some(begin)) => {
                        let _ = self.look();
                        let seconds = (at - begin).as_secs_f64() - ago.parse().unwrap_or(0.0);
                        let start_up = (begin - self.started).as_secs_f64();
                        return Ok(Timed { seconds, start_up, peak: self.peak, cpu: self.cpu });
                    }
                    _ => {}
                },
                // What it said last may still be on its way when its end is seen.
                Err(gone) => {
                    if let Some(why) = ended.take() {
                        return Err(why);
                    }
                    ended = self.look().err();
                    if gone == RecvTimeoutError::Disconnected {
                        std::thread::sleep(SAMPLE);
                    }
                }
            }
            if self.started.elapsed() > limit {
                return Err(format!("not done within {} s", limit.as_secs()));
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for child in &mut self.children {
            if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                let _ = kill_process_group(group, Signal::KILL);
            }
            let _ = child.wait();
        }
    }
}

/// The lines of a child's output, each with the moment of its arrival.
fn lines(child: &mut Child) -> Receiver<(Instant, String)> {
    let (send, receive) = channel();
    let out = child.stdout.take().expect("a pipe");
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if send.send((Instant::now(), line)).is_err() {
                break;
            }
        }
    });
    receive
}

/// Resident bytes, and processor seconds so far, of these processes and of all that they started.
fn used(roots: &[Child]) -> (u64, f64) {
    let mut all: HashMap<u32, (u32, f64)> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // After the name, which may hold anything: state, parent, …
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let field = |n: usize| fields.get(n).and_then(|f| f.parse::<u32>().ok()).unwrap_or(0);
        // In hundredths of a second: user, system, and both of the children that ended.
        all.insert(pid, (field(1), (11..15).map(field).sum::<u32>() as f64 / 100.0));
    }
    let is_ours = |mut pid: u32| {
        for _ in 0..32 {
            if roots.iter().any(|root| root.id() == pid) {
                return true;
            }
            match all.get(&pid) {
                Some((parent, _)) => pid = *parent,
                None => return false,
            }
        }
        false
    };
    let ours = all.iter().filter(|(pid, _)| is_ours(**pid));
    ours.fold((0, 0.0), |(bytes, seconds), (pid, (_, cpu))| (bytes + resident(*pid), seconds + cpu))
}

fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}
