//! What work and its owner share: lines, records of progress, and whether it should end.

use crate::display::say;
use crate::timestamp::Timestamp;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many of its latest lines a background job keeps.
const LINES: usize = 200;

/// How many of its latest progress records.
const RECORDS: usize = 5;

/// How the work stood at one moment: names and numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub at: Timestamp,
    pub values: Vec<(&'static str, i64)>,
}

/// What the work itself sees: where its lines go, and whether it should end.
#[derive(Clone)]
pub struct Control {
    stop: Arc<AtomicBool>,
    /// The work of which this one is a part.
    whole: Option<Arc<AtomicBool>>,
    lines: Option<Arc<Mutex<VecDeque<String>>>>,
    state: Arc<Mutex<String>>,
    records: Arc<Mutex<VecDeque<Record>>>,
}

impl Control {
    /// For work in a cell or a terminal: lines are printed.
    pub fn printing() -> Self {
        Self { stop: Arc::default(), whole: None, lines: None, state: Arc::default(), records: Arc::default() }
    }

    /// For work whose lines nobody reads: they are kept, not printed.
    pub fn quiet() -> Self {
        Self { lines: Some(Arc::default()), ..Self::printing() }
    }

    /// True when lines are printed, false when they are kept.
    pub fn is_printing(&self) -> bool {
        self.lines.is_none()
    }

    /// For a part of this work: it ends with the whole, and may be asked to end before.
    pub fn part(&self) -> Self {
        Self { stop: Arc::default(), whole: Some(self.stop.clone()), ..self.clone() }
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

    /// Keeps how the work stands now, as names and numbers, always the same names; the latest few are kept.
    pub fn record(&self, values: &[(&'static str, i64)]) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() == RECORDS {
            records.pop_front();
        }
        records.push_back(Record { at: Timestamp::now(), values: values.to_vec() });
    }

    /// The records kept so far, oldest first.
    pub(super) fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
