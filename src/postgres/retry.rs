//! Work that outlives a restart of the server.

use crate::error::{Error, Result};
use crate::job::Control;
use std::time::{Duration, Instant};

/// The first pause after a failure; each is twice the one before, up to the longest.
const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(2);

/// Waits between two attempts, until failures have gone on for too long or somebody asks the work to end.
pub(super) struct Patience {
    away: Duration,
    control: Control,
    failing: Option<Instant>,
    pause: Duration,
}

impl Patience {
    /// Before the first attempt; `away` is how long the server may be away, `control` asks the work to end.
    pub fn new(away: Duration, control: Control) -> Self {
        Self { away, control, failing: None, pause: FIRST }
    }

    /// Pauses after a failure that may pass; gives back one that may not, or that comes when the time is over.
    pub fn after(&mut self, error: Error) -> Result<()> {
        if !error.is_transient() || self.failing.get_or_insert_with(Instant::now).elapsed() > self.away {
            return Err(error);
        }
        // Two workers that met once should not meet again at once.
        self.control.pause(self.pause.mul_f64(rand::random_range(1.0..1.5)));
        if self.control.stopping() {
            return Err(error);
        }
        self.pause = (self.pause * 2).min(LONGEST);
        Ok(())
    }
}

/// Does `work`, which writes all or nothing and may be done twice, again and again while it fails for a reason that
/// may pass: a deadlock, a lost connection, a server that restarts; for `away` after its first failure.
pub(crate) fn patiently<T>(away: Duration, mut work: impl FnMut() -> Result<T>) -> Result<T> {
    let mut patience = Patience::new(away, Control::quiet());
    loop {
        match work() {
            Err(e) => patience.after(e)?,
            done => return done,
        }
    }
}
