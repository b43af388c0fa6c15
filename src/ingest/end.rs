//! When a bounded ingestion is over.

use super::counters::IngestReport;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::job::Until;
use crate::mastodon::{LocalControl, Slice};
use std::time::{Duration, Instant};

/// How often the local Mastodon is asked whether its slice is over.
const ASK: Duration = Duration::from_millis(250);
/// A slice that is over has nothing left on the way after so long without an event.
const DRAINED: Duration = Duration::from_secs(3);
/// A local slice starts within this time, and the stream is never away for longer.
const AWAY: Duration = Duration::from_secs(60);

/// The end of one run.
pub(super) struct End {
    until: Until,
    started: Instant,
    local: Option<Local>,
    last_event: Instant,
    /// Since when the stream is down.
    down: Option<(Instant, String)>,
    /// On a real instance, how long nothing must come before a run that waits for a number of toots gives up.
    longest_silence: Option<Duration>,
    exhausted: bool,
}

/// The local Mastodon's slice, as seen before and during the run.
struct Local {
    control: LocalControl,
    before: Slice,
    asked: Instant,
    begun: bool,
    /// Since when it does not answer.
    mute: Option<Instant>,
}

impl End {
    /// Looks at the local Mastodon before its stream is opened: opening it starts the next slice.
    pub fn new(config: &Config, until: Until) -> Result<Self> {
        let now = Instant::now();
        let (until, local) = match (until, &config.mastodon_control) {
            (Until::CaughtUp | Until::Toots(_), Some(address)) => {
                let control = LocalControl::new(address)?;
                let before = control.slice()?;
                let begun = before.is_running();
                (until, Some(Local { control, before, asked: now, begun, mute: None }))
            }
            // A real instance has no end: listen for the time that is set.
            (Until::CaughtUp, None) => (Until::Elapsed(config.listen), None),
            _ => (until, None),
        };
        let longest_silence = local.is_none().then_some(config.listen);
        Ok(Self { until, started: now, local, last_event: now, down: None, longest_silence, exhausted: false })
    }

    /// An end that depends on nothing but the events themselves.
    pub fn of_items() -> Self {
        let now = Instant::now();
        Self {
            until: Until::CaughtUp,
            started: now,
            local: None,
            last_event: now,
            down: None,
            longest_silence: None,
            exhausted: false,
        }
    }

    /// True when the local timeline has reached the present: no slice will follow.
    pub fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// False for a background job.
    pub fn is_bounded(&self) -> bool {
        self.until != Until::Stopped
    }

    pub fn heard(&mut self) {
        self.last_event = Instant::now();
        self.down = None;
    }

    /// How long the stream has been open and silent but for its heartbeats.
    pub fn silence(&self) -> Duration {
        if self.down.is_some() { Duration::ZERO } else { self.last_event.elapsed() }
    }

    pub fn opened(&mut self) {
        self.down = None;
    }

    pub fn lost(&mut self, cause: &str) {
        self.down.get_or_insert_with(|| (Instant::now(), cause.to_owned()));
    }

    /// True when the run is over. `idle` says that nothing is waiting to be read.
    ///
    /// # Errors
    ///
    /// Fails if the bounded run can no longer come to its end.
    pub fn reached(&mut self, counters: &IngestReport, idle: bool) -> Result<bool> {
        if self.is_bounded()
            && let Some((since, cause)) = &self.down
            && since.elapsed() > AWAY
        {
            return Err(Error::cannot(format!("hear the stream for {} s", AWAY.as_secs()), cause)
                .next("check the instance with `./spar check`, then run the cell again")
                .transient());
        }
        match self.until {
            Until::Stopped => Ok(false),
            Until::Toots(toots) if counters.received >= toots => Ok(true),
            // A stream that gives no more must not keep a bounded call for ever.
            Until::Toots(_) if self.longest_silence.is_some_and(|most| self.silence() > most) => Ok(true),
            Until::Toots(_) => self.slice_over(counters, idle),
            Until::Elapsed(time) => Ok(self.started.elapsed() >= time),
            Until::CaughtUp => self.slice_over(counters, idle),
        }
    }

    fn slice_over(&mut self, counters: &IngestReport, idle: bool) -> Result<bool> {
        let Some(local) = &mut self.local else { return Ok(false) };
        // While events come in there is no need to ask.
        if !idle || local.asked.elapsed() < ASK {
            return Ok(false);
        }
        local.asked = Instant::now();
        let now = match local.control.slice() {
            Ok(now) => now,
            // It may be restarting, like the stream, which reconnects by itself.
            Err(e) if e.is_transient() && local.mute.get_or_insert_with(Instant::now).elapsed() < AWAY => {
                return Ok(false);
            }
            Err(e) => return Err(e),
        };
        local.mute = None;
        local.begun |= now.is_running() || now.slice != local.before.slice || counters.received > 0;
        if !local.begun {
            if now.exhausted && (now.is_over() || now.slice == 0) {
                self.exhausted = true;
                return Ok(true);
            }
            if self.started.elapsed() > AWAY {
                return Err(Error::cannot("hear the local Mastodon", "its timeline did not start")
                    .next("restart it with `./spar services down`, then `./spar services up`")
                    .transient());
            }
            return Ok(false);
        }
        let earlier = if now.slice == local.before.slice { local.before.sent } else { 0 };
        let all_read = counters.received >= now.sent.saturating_sub(earlier);
        Ok(!now.is_running() && (all_read || self.last_event.elapsed() > DRAINED))
    }
}
