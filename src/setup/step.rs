//! A step of the set-up: a stamp, a log, a line while it works.

use crate::error::{Error, Result};
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// One thing to install.
pub(super) trait Step {
    /// A short name, also of its stamp and log.
    fn name(&self) -> &'static str;
    /// What it does and how long that usually takes.
    fn about(&self) -> &'static str;
    /// What must be the same for the step to count as done: versions, lists, programs.
    fn key(&self) -> String;
    /// True when what it installs is still there.
    fn is_there(&self, tools: &Path) -> bool;
    /// Installs it.
    fn install(&self, tools: &Path, work: &Work) -> Result<()>;
}

fn stamp(step: &dyn Step, tools: &Path) -> std::path::PathBuf {
    tools.join("stamps").join(step.name())
}

pub(super) fn is_done(step: &dyn Step, tools: &Path) -> bool {
    std::fs::read_to_string(stamp(step, tools)).is_ok_and(|key| key == step.key()) && step.is_there(tools)
}

pub(super) fn run(step: &dyn Step, tools: &Path, at: usize, of: usize) -> Result<()> {
    let log = tools.join("logs").join(format!("{}.log", step.name()));
    let stamp = stamp(step, tools);
    for folder in [log.parent(), stamp.parent()].into_iter().flatten() {
        std::fs::create_dir_all(folder).map_err(|e| Error::cannot(format!("create {}", folder.display()), e))?;
    }
    eprintln!("[{at}/{of}] {}", step.about());
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("      {spinner} {elapsed} {wide_msg:.dim}").expect("a valid template"));
    bar.enable_steady_tick(Duration::from_millis(200));
    let work = Work { bar: bar.clone(), log: &log };
    let started = Instant::now();
    let outcome = step.install(tools, &work);
    bar.finish_and_clear();
    outcome?;
    std::fs::write(&stamp, step.key()).map_err(|e| Error::cannot(format!("write {}", stamp.display()), e))?;
    eprintln!("      done in {}", HumanDuration(started.elapsed()));
    Ok(())
}

/// Where a step's commands tell how they go.
pub(super) struct Work<'a> {
    bar: ProgressBar,
    log: &'a Path,
}

/// How many of a command's last lines an error repeats.
const LAST_LINES: usize = 12;

impl Work<'_> {
    /// Runs a command to its end; its output goes to the log, the newest line to the screen.
    pub(super) fn run(&self, what: &str, command: &mut Command) -> Result<()> {
        let cannot = |e: std::io::Error| Error::cannot(what, e);
        let mut log = std::fs::File::options().create(true).append(true).open(self.log).map_err(cannot)?;
        let (reader, writer) = std::io::pipe().map_err(cannot)?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(writer.try_clone().map_err(cannot)?)
            .stderr(writer)
            .spawn()
            .map_err(cannot)?;
        // The builder still holds the writing end; as long as it does the pipe never ends.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut last = std::collections::VecDeque::new();
        for line in BufReader::new(reader).split(b'\n') {
            let line = String::from_utf8_lossy(&line.map_err(cannot)?).into_owned();
            writeln!(log, "{line}").map_err(cannot)?;
            let shown = line.trim();
            if !shown.is_empty() {
                self.bar.set_message(shown.to_owned());
                if last.len() == LAST_LINES {
                    last.pop_front();
                }
                last.push_back(shown.to_owned());
            }
        }
        let status = child.wait().map_err(cannot)?;
        if status.success() {
            return Ok(());
        }
        self.bar.finish_and_clear();
        for line in &last {
            eprintln!("      | {line}");
        }
        Err(Error::cannot(what, format!("{status}; the last lines are above, all of them in {}", self.log.display()))
            .next("check network and free space, then run the same command again: it goes on from here"))
    }
}
