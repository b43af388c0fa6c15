//! Plays the timeline: begins a slice when someone listens, and leads its events to the open streams.

use super::generator::clock::iso;
use super::generator::{Schedule, Slice};
use super::ledger::{Ledger, SliceLedger};
use super::lines::{Happening, Lines};
use super::past::Played;
use crate::Timestamp;
use crate::error::{Error, Result};
use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Events per second when nobody listens and no speed is set: those who come back soon hear the rest.
const UNHEARD: u32 = 4000;

/// The timeline in play.
pub(super) struct Player {
    seed: u64,
    statuses: u32,
    speed: Option<f64>,
    pub ledger: Ledger,
    pub lines: Arc<Lines>,
    playing: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    schedule: Mutex<Option<Arc<Schedule>>>,
}

/// How the timeline stands, as the control address tells it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Standing {
    /// The slice that began last, from 1; 0 when none has begun.
    pub slice: u32,
    /// `idle`, `running` or `over`.
    pub state: &'static str,
    /// Events of it that were written whole to an open stream.
    pub sent: u32,
    /// Events of it that are past, heard or not.
    pub played: u32,
    /// Events of it.
    pub total: u32,
    /// Event time at its start.
    pub from: Option<String>,
    /// Event time at its end.
    pub to: Option<String>,
    /// True when the next slice would pass the present: nothing more can come.
    pub exhausted: bool,
}

impl Player {
    pub fn new(ledger: Ledger, seed: u64, statuses: u32, speed: Option<f64>) -> Self {
        Self {
            seed,
            statuses,
            speed,
            ledger,
            lines: Arc::default(),
            playing: tokio::sync::Mutex::new(None),
            schedule: Mutex::new(None),
        }
    }

    /// The slice that would come after the last one; none when it would pass the present.
    fn next_slice(&self) -> Option<Slice> {
        let last = self.ledger.last().map(|last| last.slice);
        let next = Slice::after(last.as_ref(), self.seed, self.statuses);
        (next.end() <= Timestamp::now().as_millis()).then_some(next)
    }

    /// How the timeline stands. The books are asked in an order that never shows "over" too early.
    pub async fn standing(&self) -> Standing {
        let running = self.playing.lock().await.as_ref().is_some_and(|task| !task.is_finished());
        let exhausted = self.next_slice().is_none();
        let Some(last) = self.ledger.last() else {
            let (from, to) = (None, None);
            return Standing { slice: 0, state: "idle", sent: 0, played: 0, total: 0, from, to, exhausted };
        };
        Standing {
            slice: last.slice.number,
            state: if last.is_over() {
                "over"
            } else if running {
                "running"
            } else {
                "idle"
            },
            sent: last.sent_count(),
            played: last.position(),
            total: last.steps,
            from: Some(iso(last.slice.start)),
            to: Some(iso(last.slice.end())),
            exhausted,
        }
    }

    /// How far the timeline has come, for those who ask for its past.
    pub fn played(&self) -> Played {
        let ledgers = self.ledger.slices();
        let next = ledgers.last().and_then(|last| {
            let schedule = self.schedule_of(last).ok()?;
            schedule.steps.get(last.position() as usize).copied()
        });
        Played { slices: ledgers.iter().map(|ledger| ledger.slice).collect(), next }
    }

    /// The schedule of the slice that began last; worked out once.
    fn schedule_of(&self, ledger: &SliceLedger) -> Result<Arc<Schedule>> {
        let mut kept = self.schedule.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schedule) = kept.as_ref().filter(|kept| kept.slice == ledger.slice) {
            return Ok(Arc::clone(schedule));
        }
        let before = self.ledger.slices().into_iter().rev().map(|l| l.slice).find(|s| s.number < ledger.slice.number);
        let schedule = Arc::new(Schedule::of(ledger.slice, before));
        if schedule.steps.len() != ledger.steps as usize {
            let cause = "another version of the generator wrote it";
            return Err(Error::cannot(format!("go on with slice {}", ledger.slice.number), cause)
                .next("remove the folder of the local Mastodon to start a new timeline"));
        }
        *kept = Some(Arc::clone(&schedule));
        Ok(schedule)
    }

    /// Begins the next slice, or goes on with an interrupted one, unless one is being played.
    ///
    /// # Errors
    ///
    /// Fails if the ledger cannot be written.
    pub async fn begin(self: &Arc<Self>) -> Result<()> {
        let mut playing = self.playing.lock().await;
        if playing.as_ref().is_some_and(|task| !task.is_finished()) {
            return Ok(());
        }
        let player = Arc::clone(self);
        let prepared = tokio::task::spawn_blocking(move || player.prepare()).await;
        let prepared = prepared.map_err(|e| Error::cannot("prepare a slice", e))??;
        if let Some((ledger, schedule)) = prepared {
            *playing = Some(tokio::spawn(Arc::clone(self).play(ledger, schedule)));
        }
        Ok(())
    }

    fn prepare(&self) -> Result<Option<(Arc<SliceLedger>, Arc<Schedule>)>> {
        if let Some(last) = self.ledger.last().filter(|last| !last.is_over()) {
            let schedule = self.schedule_of(&last)?;
            return Ok(Some((last, schedule)));
        }
        let Some(next) = self.next_slice() else {
            log::warn!("the generated timeline has reached the present: no more slices");
            return Ok(None);
        };
        let schedule = Arc::new(Schedule::of(next, self.ledger.last().map(|last| last.slice)));
        let ledger = self.ledger.begin(next, schedule.steps.len() as u32)?;
        *self.schedule.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&schedule));
        Ok(Some((ledger, schedule)))
    }

    async fn play(self: Arc<Self>, ledger: Arc<SliceLedger>, schedule: Arc<Schedule>) {
        let first = ledger.position();
        let origin = schedule.steps.get(first as usize).map_or(0, |step| step.at);
        let started = Instant::now();
        for position in first..ledger.steps {
            let step = schedule.steps[position as usize];
            match self.speed {
                Some(speed) => {
                    let due = started + Duration::from_secs_f64(f64::from(step.at - origin) / 1000.0 / speed);
                    tokio::time::sleep_until(due).await;
                }
                None if position % 64 == 0 && self.lines.listeners() == 0 => {
                    tokio::time::sleep(Duration::from_secs(64) / UNHEARD).await;
                }
                None => {}
            }
            if self.lines.listeners() > 0 {
                let happening = Arc::new(Happening::from(schedule.write(&step)));
                self.lines.tell(&happening, &ledger, position).await;
            }
            ledger.move_to(position + 1);
        }
        self.lines.drained().await;
        ledger.end();
    }

    /// Stops playing; what was handed over is still written.
    pub async fn stop(&self) {
        if let Some(task) = self.playing.lock().await.take() {
            task.abort();
            let _ = task.await;
        }
        self.lines.close_all();
    }
}
