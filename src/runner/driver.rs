//! The driver: a Python process that holds a kernel and talks in lines of JSON.

use super::judge::Ended;
use crate::error::{Error, Result};
use crate::setup::{Kernel, Tools};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

const SCRIPT: &str = include_str!("execute.py");

/// What a driver tells.
#[derive(Debug)]
pub(super) enum Event {
    /// The kernel answers, so many seconds after it was started.
    Ready { seconds: f64 },
    /// A cell begins.
    Cell { index: usize, of: usize, source: String },
    /// A cell asks its reader something; `outputs` is what it showed so far.
    Input { outputs: Value },
    /// A cell ended.
    Done { index: usize, seconds: f64, ended: Ended, outputs: Value },
    /// The kernel did not start.
    Failed { why: String },
    /// The executed notebook could not be written.
    Unwritten { why: String },
    /// The notebook is written and the kernel gone.
    End,
}

/// A kernel that starts, or has started, for one notebook.
pub(super) struct Driver {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
}

impl Driver {
    /// Starts a driver; its kernel comes up while the caller does something else.
    pub(super) fn start(
        tools: &Tools,
        kernel: &Kernel,
        environment: &[(String, String)],
        source: &Path,
        executed: &Path,
        limit: Duration,
    ) -> Result<Self> {
        let cannot = |e: std::io::Error| {
            Error::cannot(format!("start {}", tools.python.display()), e).next("run `./spar setup`")
        };
        let mut child = Command::new(&tools.python)
            .arg("-c")
            .arg(SCRIPT)
            .arg(source)
            .arg(executed)
            .arg(limit.as_secs_f64().to_string())
            .envs(kernel.environment())
            .envs(environment.iter().map(|(k, v)| (k, v)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Out of the terminal's reach: it ends its kernel when its stdin ends, however this program does.
            .process_group(0)
            .spawn()
            .map_err(cannot)?;
        let to = child.stdin.take();
        let from = child.stdout.take().ok_or_else(|| Error::cannot("hear the driver", "it has no stdout"))?;
        Ok(Self { child, to, from: BufReader::new(from) })
    }

    /// Says one line: `go`, `next`, `stop`, or the answer to a prompt.
    pub(super) fn say(&mut self, line: &str) -> Result<()> {
        let to = self.to.as_mut().ok_or_else(|| Error::cannot("talk to the driver", "its stdin is closed"))?;
        writeln!(to, "{line}").and_then(|()| to.flush()).map_err(|e| Error::cannot("talk to the driver", e))
    }

    /// Waits for the next event.
    pub(super) fn hear(&mut self) -> Result<Event> {
        let mut line = String::new();
        let read = self.from.read_line(&mut line).map_err(|e| Error::cannot("hear the driver", e))?;
        if read == 0 {
            let status = self.child.wait().map_err(|e| Error::cannot("wait for the driver", e))?;
            return Err(Error::cannot("run the notebook", format!("its driver ended early ({status})")));
        }
        let value: Value = serde_json::from_str(&line).map_err(|e| {
            Error::cannot("understand the driver", format!("{e} in {:?}", line.get(..200).unwrap_or(&line)))
        })?;
        let number = |key: &str| value[key].as_u64().unwrap_or(0) as usize;
        let seconds = || value["seconds"].as_f64().unwrap_or(0.0);
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        Ok(match value["event"].as_str() {
            Some("ready") => Event::Ready { seconds: seconds() },
            Some("cell") => Event::Cell { index: number("index"), of: number("of"), source: text("source") },
            Some("input") => Event::Input { outputs: value["outputs"].clone() },
            Some("done") => Event::Done {
                index: number("index"),
                seconds: seconds(),
                ended: match value["ended"].as_str() {
                    Some("complete") => Ended::Complete,
                    Some("gone") => Ended::Gone,
                    _ => Ended::TooLong,
                },
                outputs: value["outputs"].clone(),
            },
            Some("failed") => Event::Failed { why: text("why") },
            Some("unwritten") => Event::Unwritten { why: text("why") },
            Some("end") => Event::End,
            other => return Err(Error::cannot("understand the driver", format!("unknown event {other:?}"))),
        })
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // At the end of its stdin a driver ends its kernel and itself, also in the middle of a cell.
        self.to = None;
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while std::time::Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(50)),
                _ => return,
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
