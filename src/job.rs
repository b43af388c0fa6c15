//! Long work: bounded in a cell, or in the background as a [`Job`] that can be asked and stopped.

use crate::display::{Report, say};
use crate::error::{Error, Result};
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Until when a bounded call works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until nothing is left to read: the end of every partition, or of the local Mastodon's slice.
    CaughtUp,
    /// Until so many toots were read.
    Toots(u64),
    /// Until so much time has passed.
    Elapsed(Duration),
    /// Until [`Job::stop`]; only for background jobs.
    Stopped,
}

/// How many of its latest lines a background job keeps.
const LINES: usize = 200;

/// What the work itself sees: where its lines go, and whether it should end.
#[derive(Clone)]
pub struct Control {
    stop: Arc<AtomicBool>,
    /// The work of which this one is a part.
    whole: Option<Arc<AtomicBool>>,
    lines: Option<Arc<Mutex<VecDeque<String>>>>,
    state: Arc<Mutex<String>>,
}

impl Control {
    /// For work in a cell or a terminal: lines are printed.
    pub fn printing() -> Self {
        Self { stop: Arc::default(), whole: None, lines: None, state: Arc::default() }
    }

    /// For work whose lines nobody reads: they are kept, not printed.
    pub fn quiet() -> Self {
        Self { stop: Arc::default(), whole: None, lines: Some(Arc::default()), state: Arc::default() }
    }

    /// True when lines are printed, false when they are kept.
    pub fn is_printing(&self) -> bool {
        self.lines.is_none()
    }

    /// For a part of this work: it ends with the whole, and may be asked to end before.
    pub fn part(&self) -> Self {
        Self {
            stop: Arc::default(),
            whole: Some(self.stop.clone()),
            lines: self.lines.clone(),
            state: self.state.clone(),
        }
    }

    /// The work of which this is a part, or this itself: it hears only who asks all of it to end.
    pub fn whole(&self) -> Self {
        Self { stop: self.whole.clone().unwrap_or_else(|| self.stop.clone()), whole: None, ..self.clone() }
    }

    /// True once someone asked the work to end.
    pub fn stopping(&self) -> bool {
        let asked = |stop: &Arc<AtomicBool>| stop.load(Ordering::Relaxed);
        asked(&self.stop) || self.whole.as_ref().is_some_and(asked)
    }

    /// Waits for `time`, or until the work is asked to end.
    pub fn pause(&self, time: Duration) {
        let deadline = Instant::now() + time;
        while !self.stopping() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Asks the work to end.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Tells a line of progress.
    pub fn say(&self, line: impl AsRef<str>) {
        match &self.lines {
            None => say(line),
            Some(lines) => {
                let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
                if lines.len() == LINES {
                    lines.pop_front();
                }
                lines.push_back(line.as_ref().to_owned());
            }
        }
    }

    /// Tells in a few words how the work stands now; the next words replace them.
    pub fn set_state(&self, state: &str) {
        state.clone_into(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// How the work stands, if it said so.
    pub fn state(&self) -> String {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The lines kept so far (none when they are printed).
    pub fn lines(&self) -> Vec<String> {
        match &self.lines {
            None => Vec::new(),
            Some(lines) => lines.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect(),
        }
    }
}

/// Named work on a thread of its own. It prints nothing; [`Job::status`] tells how it goes; dropping it stops it.
pub struct Job {
    name: String,
    control: Control,
    started: Instant,
    thread: Option<JoinHandle<Result<Report>>>,
}

impl Job {
    /// Starts `work` in the background.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread.
    pub fn start(name: &str, work: impl FnOnce(&Control) -> Result<Report> + Send + 'static) -> Result<Self> {
        let control = Control::quiet();
        let seen = control.clone();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&seen).inspect_err(|e| seen.say(e.to_string())))
            .map_err(|e| Error::cannot(format!("start the job {name}"), e))?;
        Ok(Self { name: name.to_owned(), control, started: Instant::now(), thread: Some(thread) })
    }

    /// True while the work goes on.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|t| !t.is_finished())
    }

    /// How the work goes: running or ended, since when, and its latest lines.
    pub fn status(&self) -> Report {
        let running = self.is_running();
        let state = if running { "en cours" } else { "terminé" };
        let mut text = format!("{} : {state} ({:.0} s)", self.name, self.started.elapsed().as_secs_f64());
        let told = self.control.state();
        if running && !told.is_empty() {
            text.push_str(", ");
            text.push_str(&told);
        }
        for line in self.control.lines().iter().rev().take(5).rev() {
            text.push_str("\n  ");
            text.push_str(line);
        }
        Report::new(text)
    }

    /// Asks the work to end, waits for it and gives its result.
    ///
    /// # Errors
    ///
    /// Fails as the work itself failed.
    pub fn stop(&mut self) -> Result<Report> {
        self.control.stop();
        self.join()
    }

    /// Waits for the work to end by itself and gives its result.
    ///
    /// # Errors
    ///
    /// Fails as the work itself failed.
    pub fn join(&mut self) -> Result<Report> {
        match self.thread.take() {
            None => Ok(Report::new(format!("{} : déjà arrêté", self.name))),
            Some(thread) => thread
                .join()
                .unwrap_or_else(|_| Err(Error::cannot(format!("finish the job {}", self.name), "its thread panicked"))),
        }
    }

    /// Shows [`Job::status`] in a notebook.
    pub fn evcxr_display(&self) {
        self.status().evcxr_display();
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status().fmt(f)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.control.stop();
        if let Some(thread) = self.thread.take() {
            // A panic inside the thread has already been told by the panic hook.
            let _ = thread.join();
        }
    }
}
