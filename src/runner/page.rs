//! The pages a reader gets, by nbconvert.

use crate::error::{Error, Result};
use crate::setup::{Kernel, Tools};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = include_str!("render.py");
/// What helps where results cannot be written.
pub(super) const ROOM: &str = "make room there, or choose another folder with --out, then run the same command again";

/// A renderer that works while notebooks run: pages are asked for as they come, and awaited at the end.
pub(super) struct Pages {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    out: PathBuf,
    asked: usize,
}

impl Pages {
    pub(super) fn start(tools: &Tools, kernel: &Kernel, out: &Path) -> Result<Self> {
        let mut child = Command::new(&tools.python)
            .arg("-c")
            .arg(SCRIPT)
            .arg(out)
            .envs(kernel.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Out of the terminal's reach: it ends at the end of its stdin.
            .process_group(0)
            .spawn()
            .map_err(|e| Error::cannot(format!("start {}", tools.python.display()), e).next("run `./spar setup`"))?;
        let to = child.stdin.take();
        let from = child.stdout.take().ok_or_else(|| Error::cannot("hear the renderer", "it has no stdout"))?;
        Ok(Self { child, to, from: BufReader::new(from), out: out.to_owned(), asked: 0 })
    }

    /// Asks for the page of an executed notebook.
    pub(super) fn render(&mut self, executed: &Path) -> Result<()> {
        self.asked += 1;
        match &mut self.to {
            Some(to) => writeln!(to, "{}", executed.display())
                .and_then(|()| to.flush())
                .map_err(|e| Error::cannot("ask for a page", e)),
            None => Err(Error::cannot("ask for a page", "the renderer has ended")),
        }
    }

    /// Waits for all pages.
    pub(super) fn finish(mut self) -> Result<()> {
        self.to = None;
        let (mut pages, mut errors) = (0, Vec::new());
        for line in (&mut self.from).lines() {
            let line = line.map_err(|e| Error::cannot("hear the renderer", e))?;
            let value: Value = serde_json::from_str(&line).map_err(|e| Error::cannot("understand the renderer", e))?;
            if value["page"].is_string() {
                pages += 1;
            } else if let Some(error) = value["error"].as_str() {
                errors.push(error.to_owned());
            }
        }
        if pages != self.asked {
            let why = if errors.is_empty() { "the renderer ended early".into() } else { errors.join("; ") };
            let what = format!("render {} of {} pages into {}", self.asked - pages, self.asked, self.out.display());
            return Err(Error::cannot(what, why).next(ROOM));
        }
        Ok(())
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.to = None;
        // It ends by itself at the end of its input; an error of wait leaves nothing to do.
        let _ = self.child.wait();
    }
}
