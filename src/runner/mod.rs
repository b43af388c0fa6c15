//! Runs notebooks as a person would, tells how they go, and judges them by what they show.

mod child;
mod driver;
mod index;
mod judge;
mod page;
mod plan;
mod progress;
mod scratch;
mod turn;

pub use child::{cargo_test, doc, lab, lab_options};
pub use judge::{Ended, failure};
pub use plan::{NOTEBOOKS, Situation, plan};
pub use scratch::Scratch;
pub use turn::Turn;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::setup::{Kernel, Tools};
use driver::{Driver, Event};
use index::Facts;
use page::Pages;
use progress::Progress;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What to run, and where its results go.
#[derive(Clone, Debug)]
pub struct Run {
    /// Names without `.ipynb`, in order.
    pub notebooks: Vec<String>,
    /// The folder that holds them; it is the kernel's working folder too.
    pub folder: PathBuf,
    /// Executed copies, pages and the index go here.
    pub out: PathBuf,
    /// A cell that takes longer is stopped and counts as failed.
    pub cell_limit: Duration,
    /// The notebooks work on the services of the configuration: the index tells what they left there.
    pub with_services: bool,
    /// What the kernel finds in its environment beside ours.
    pub environment: Vec<(String, String)>,
}

/// A cell that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The notebook.
    pub notebook: String,
    /// Which code cell, from 1.
    pub cell: usize,
    /// The cell's first line.
    pub line: String,
    /// What went wrong, in a few lines.
    pub message: String,
}

/// One notebook of a finished run.
#[derive(Clone, Debug)]
pub struct Ran {
    /// The notebook.
    pub notebook: String,
    /// How many code cells ran, the failed one included.
    pub cells: usize,
    /// Seconds that the kernel took to start; all but the first start beside the notebook before.
    pub start: f64,
    /// Seconds from the kernel's readiness to the last cell's end.
    pub seconds: f64,
    /// Seconds of each cell.
    pub cell_seconds: Vec<f64>,
    /// The cell that ended it before its time.
    pub failure: Option<Failure>,
}

/// How a run went.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The notebooks that ran, in order; after a failure no other starts.
    pub ran: Vec<Ran>,
    /// The index page.
    pub index: PathBuf,
}

impl Outcome {
    /// The failing cell, if one failed.
    pub fn failure(&self) -> Option<&Failure> {
        self.ran.iter().find_map(|r| r.failure.as_ref())
    }
}

/// Runs the notebooks in order; the first failing cell ends the run, and what ran is rendered all the same.
///
/// # Errors
///
/// Fails if a notebook is not there, a kernel does not start or the results cannot be written. A failing cell is no
/// error of this function: it is in the [`Outcome`].
pub fn run(config: &Config, tools: &Tools, kernel: &Kernel, run: &Run) -> Result<Outcome> {
    for name in &run.notebooks {
        let source = source(run, name);
        if !source.is_file() {
            return Err(Error::cannot(format!("run {}", source.display()), "no such file").invalid());
        }
    }
    let started = Instant::now();
    clear(&run.out, &run.notebooks)?;
    let mut pages = Pages::start(tools, kernel, &run.out)?;
    let progress = Progress::new();
    let mut environment = run.environment.clone();
    environment.push(("SPAR_OUT".into(), run.out.display().to_string()));
    let start = |name: &String| {
        Driver::start(tools, kernel, &environment, &source(run, name), &executed(run, name), run.cell_limit)
    };
    let mut ran = Vec::new();
    let mut next = run.notebooks.first().map(start).transpose()?;
    for (at, name) in run.notebooks.iter().enumerate() {
        let Some(mut driver) = next.take() else { break };
        let one = notebook(config, &mut driver, name, &run.out, &progress, || {
            // The next kernel comes up while this notebook works.
            next = run.notebooks.get(at + 1).map(start).transpose()?;
            Ok(())
        })?;
        drop(driver);
        pages.render(&executed(run, name))?;
        let failed = one.failure.is_some();
        progress.finished(&one);
        ran.push(one);
        if failed {
            break;
        }
    }
    let mut facts = Facts::gather(config, run.with_services);
    pages.finish()?;
    facts.duration = started.elapsed();
    let index = run.out.join("index.html");
    std::fs::write(&index, index::html(config, &ran, &facts, &run.out))
        .map_err(|e| Error::cannot(format!("write {}", index.display()), e).next(page::ROOM))?;
    Ok(Outcome { ran, index })
}

fn source(run: &Run, name: &str) -> PathBuf {
    run.folder.join(format!("{name}.ipynb"))
}

fn executed(run: &Run, name: &str) -> PathBuf {
    run.out.join(format!("{name}.ipynb"))
}

/// Results of an earlier run must not pass for this one's.
fn clear(out: &Path, notebooks: &[String]) -> Result<()> {
    let cannot = |e: std::io::Error| {
        Error::cannot(format!("prepare {}", out.display()), e).next("choose another folder with --out")
    };
    std::fs::create_dir_all(out).map_err(cannot)?;
    for name in notebooks {
        for kind in ["ipynb", "html"] {
            match std::fs::remove_file(out.join(format!("{name}.{kind}"))) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(cannot(e)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// Runs one notebook; `started` is called once its cells are under way.
fn notebook(
    config: &Config,
    driver: &mut Driver,
    name: &str,
    out: &Path,
    progress: &Progress,
    started: impl FnOnce() -> Result<()>,
) -> Result<Ran> {
    let mut started = Some(started);
    progress.notebook(name);
    let mut ran =
        Ran { notebook: name.into(), cells: 0, start: 0.0, seconds: 0.0, cell_seconds: Vec::new(), failure: None };
    let mut begin = Instant::now();
    let mut lines: Vec<String> = Vec::new();
    loop {
        match driver.hear()? {
            Event::Ready { seconds } => {
                ran.start = seconds;
                begin = Instant::now();
                driver.say("go")?;
            }
            Event::Cell { index, of, source } => {
                let line = first_line(&source);
                progress.cell(name, index + 1, of, &line);
                lines.push(line);
                // The opening cell is the busiest; a kernel that starts beside it would slow both.
                if (index == 1 || of == 1)
                    && let Some(started) = started.take()
                {
                    started()?;
                }
            }
            Event::Input { outputs } => driver.say(&progress.hidden(|| answer(config, &outputs)))?,
            Event::Done { index, seconds, ended, outputs } => {
                ran.cells = index + 1;
                ran.cell_seconds.push(seconds);
                ran.seconds = begin.elapsed().as_secs_f64();
                if let Some(message) = failure(ended, &outputs) {
                    ran.failure = Some(Failure {
                        notebook: name.into(),
                        cell: index + 1,
                        line: lines.get(index).cloned().unwrap_or_default(),
                        message,
                    });
                    if ended == Ended::Complete {
                        driver.say("stop")?;
                    }
                } else {
                    driver.say("next")?;
                }
            }
            Event::Failed { why } => {
                return Err(Error::cannot(format!("start the kernel for {name}"), why)
                    .next("run `./spar setup`, then the same command again"));
            }
            Event::Unwritten { why } => {
                return Err(Error::cannot(format!("write the executed {name}.ipynb into {}", out.display()), why)
                    .next(page::ROOM));
            }
            Event::End => {
                if let Some(started) = started.take().filter(|_| ran.failure.is_none()) {
                    started()?;
                }
                return Ok(ran);
            }
        }
    }
}

/// The answer to a prompt: the code that the local server's consent page shows, fetched as a person would.
///
/// Any other prompt gets an empty answer, which every cell must bear.
fn answer(config: &Config, outputs: &serde_json::Value) -> String {
    let Some(address) = address(config, outputs) else { return String::new() };
    crate::mastodon::consent(config, &address).unwrap_or_else(|e| {
        eprintln!("{e}");
        String::new()
    })
}

/// The consent page's address among what a cell printed, on the local instance only.
fn address(config: &Config, outputs: &serde_json::Value) -> Option<String> {
    let base = config.local_pages.as_deref().or(config.mastodon_url.as_deref()).filter(|_| config.is_local())?;
    let start = format!("{base}/oauth/authorize?");
    let printed = outputs.as_array()?.iter().filter_map(|o| o["text"].as_str());
    printed.flat_map(str::split_whitespace).find(|word| word.starts_with(&start)).map(str::to_owned)
}

fn first_line(source: &str) -> String {
    source.lines().find(|l| !l.trim().is_empty()).unwrap_or_default().trim().to_owned()
}

impl Outcome {
    /// Seconds of every kernel's start and of every cell, `{"partie1": {"start": 3.1, "cells": [2.1, …]}, …}` on one line.
    pub fn timings(&self) -> String {
        let one = |r: &Ran| serde_json::json!({"start": r.start, "cells": r.cell_seconds});
        let all: serde_json::Map<_, _> = self.ran.iter().map(|r| (r.notebook.clone(), one(r))).collect();
        serde_json::Value::Object(all).to_string()
    }
}
