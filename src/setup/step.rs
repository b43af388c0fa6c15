//! A step of the set-up: a stamp, a log, a line while it works.

use super::reason::Reader;
use crate::error::{Error, Result};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One thing to install.
pub(super) trait Step {
    /// A short name, also of its stamp and log.
    fn name(&self) -> &'static str;
    /// What it does and how long that usually takes.
    fn about(&self) -> &'static str;
    /// What must be the same for the step to count as done: versions, lists, programs.
    fn key(&self) -> String;
    /// True when what it installs is still there, and whole.
    fn is_there(&self, tools: &Path) -> bool;
    /// Installs it.
    fn install(&self, tools: &Path, work: &Work) -> Result<()>;
}

/// What every failure of the set-up ends with.
const AGAIN: &str = "then run the same command again: it goes on from here";

fn stamp(step: &dyn Step, tools: &Path) -> PathBuf {
    tools.join("stamps").join(step.name())
}

pub(super) fn is_done(step: &dyn Step, tools: &Path) -> bool {
    std::fs::read_to_string(stamp(step, tools)).is_ok_and(|key| key == step.key()) && step.is_there(tools)
}

/// Does one step; `lock` is what keeps other set-ups out.
pub(super) fn run(step: &dyn Step, tools: &Path, at: usize, of: usize, lock: &File) -> Result<()> {
    let log = tools.join("logs").join(format!("{}.log", step.name()));
    let stamp = stamp(step, tools);
    for folder in [log.parent(), stamp.parent()].into_iter().flatten() {
        std::fs::create_dir_all(folder).map_err(|e| unwritable(folder, &e))?;
    }
    // From now on it is not done, whatever becomes of this program.
    match std::fs::remove_file(&stamp) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(unwritable(&stamp, &e)),
        _ => {}
    }
    eprintln!("[{at}/{of}] {}", step.about());
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("      {spinner} {elapsed} {wide_msg:.dim}").expect("a valid template"));
    bar.enable_steady_tick(Duration::from_millis(200));
    let work = Work { bar: bar.clone(), log: &log, lock };
    let started = Instant::now();
    let outcome = step.install(tools, &work);
    bar.finish_and_clear();
    outcome?;
    std::fs::write(&stamp, step.key()).map_err(|e| unwritable(&stamp, &e))?;
    eprintln!("      done in {}", HumanDuration(started.elapsed()));
    Ok(())
}

/// A file or folder of the tools that the system refuses, with the way out.
pub(super) fn unwritable(path: &Path, cause: &std::io::Error) -> Error {
    let step = match cause.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "free about 2 GB there, or set SPAR_TOOLS to a folder on another disk"
        }
        _ => "set SPAR_TOOLS to a folder that you may write to",
    };
    Error::cannot(format!("write {}", path.display()), cause).next(format!("{step}, {AGAIN}"))
}

/// True when there is no room worth the name where `file` should be.
fn is_full(file: &Path) -> bool {
    let folder = file.parent().unwrap_or(file);
    rustix::fs::statvfs(folder).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < 32 << 20)
}

/// Where a step's commands tell how they go.
pub(super) struct Work<'a> {
    bar: ProgressBar,
    log: &'a Path,
    lock: &'a File,
}

/// How many of a command's last lines an error repeats.
const LAST_LINES: usize = 12;

impl Work<'_> {
    /// Runs a command to its end; its output goes to the log, the newest line to the screen.
    pub(super) fn run(&self, what: &str, command: &mut Command) -> Result<()> {
        let cannot = |e: std::io::Error| Error::cannot(what, e);
        // A full disk takes the log first; what the command itself says about that is worth more.
        let mut log = File::options().create(true).append(true).open(self.log).ok();
        let (reader, writer) = std::io::pipe().map_err(cannot)?;
        let mut child = command
            // As its stdin the lock lives as long as the command, also when it outlives a killed set-up for a moment.
            .stdin(self.lock.try_clone().map_err(cannot)?)
            .stdout(writer.try_clone().map_err(cannot)?)
            .stderr(writer)
            .spawn()
            .map_err(cannot)?;
        // The builder still holds the writing end; as long as it does the pipe never ends.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let (newest, mut last, mut why) = (Mutex::new(String::new()), VecDeque::new(), Reader::default());
        let (ended, is_over) = channel::<()>();
        std::thread::scope(|scope| {
            if self.bar.is_hidden() {
                let newest = &newest;
                scope.spawn(move || tell_now_and_then(newest, &is_over));
            }
            for line in BufReader::new(reader).split(b'\n').map_while(std::io::Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if log.as_mut().is_some_and(|log| writeln!(log, "{line}").is_err()) {
                    log = None;
                }
                let shown = line.trim();
                if !shown.is_empty() {
                    why.read(shown);
                    self.bar.set_message(shown.to_owned());
                    shown.clone_into(&mut newest.lock().unwrap_or_else(PoisonError::into_inner));
                    if last.len() == LAST_LINES {
                        last.pop_front();
                    }
                    last.push_back(shown.to_owned());
                }
            }
            drop(ended);
        });
        let status = child.wait().map_err(cannot)?;
        if status.success() {
            return Ok(());
        }
        self.bar.finish_and_clear();
        for line in &last {
            eprintln!("      | {line}");
        }
        let place = format!("all it said is in {}", self.log.display());
        let full = || is_full(self.log).then(Reader::full_disk);
        Err(match why.reason().or_else(full) {
            Some((why, next)) => Error::cannot(what, format!("{why}; {place}")).next(format!("{next}, {AGAIN}")),
            None => Error::cannot(what, format!("{status}; the last lines are above, {place}"))
                .next(format!("mend what they name, {AGAIN}")),
        })
    }
}

/// The first sign of life without a terminal, and the longest silence later.
const SILENCE: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// Without a terminal: a line now and then, ever more seldom, so that a log shows that something goes on.
fn tell_now_and_then(newest: &Mutex<String>, is_over: &Receiver<()>) {
    let (mut wait, longest) = SILENCE;
    let started = Instant::now();
    while is_over.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        let line = newest.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let line = if line.is_empty() { "at work, without a word so far" } else { &line };
        eprintln!("      {:>4} s  {}", started.elapsed().as_secs(), crate::display::shorten(line, 100));
        wait = (wait * 2).min(longest);
    }
}
