//! How far event time has come in one partition. `[pure]`

use super::window::Window;
use crate::timestamp::Timestamp;
use std::time::Duration;

/// The greatest event time seen minus the lateness allowed; it never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    lateness: Duration,
    latest: Option<Timestamp>,
}

/// How far a topic has come, from the watermark of each partition and whether it is idle: the least one over the
/// partitions that are not idle, none when one of them has none yet; when all are idle, the least that any reached,
/// because idleness closes only what no watermark has passed.
pub fn closing(partitions: &[(Option<Timestamp>, bool)]) -> Option<Timestamp> {
    let mut awake = partitions.iter().filter(|(_, idle)| !idle).map(|(mark, _)| *mark).peekable();
    if awake.peek().is_none() {
        return partitions.iter().filter_map(|(mark, _)| *mark).min();
    }
    awake.collect::<Option<Vec<_>>>()?.into_iter().min()
}

impl Watermark {
    /// Goes on from the greatest event time seen before, if any.
    pub fn new(lateness: Duration, latest: Option<Timestamp>) -> Self {
        Self { lateness, latest }
    }

    /// Takes note of an event time.
    pub fn observe(&mut self, at: Timestamp) {
        self.latest = self.latest.max(Some(at));
    }

    /// The greatest event time seen.
    pub fn latest(&self) -> Option<Timestamp> {
        self.latest
    }

    /// The watermark itself; none before the first event.
    pub fn at(&self) -> Option<Timestamp> {
        self.latest.map(|latest| latest.minus(self.lateness))
    }

    /// How far `at` lies behind the watermark, in seconds, when its window is already final; else `None`.
    pub fn late(&self, at: Timestamp, window: Window) -> Option<f64> {
        let mark = self.at()?;
        (window.end <= mark).then(|| (mark.as_micros() - at.as_micros()) as f64 / 1e6)
    }
}
