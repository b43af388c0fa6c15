//! How long to wait between two attempts: full jitter, doubling to a cap. [pure but for its random numbers]

use std::time::Duration;

/// The time limits of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Without a byte for so long, heartbeats included, a connection is dead; 45 s by default.
    pub silence: Duration,
    /// The least time between two attempts, and the first wait; 1 s by default.
    pub first_wait: Duration,
    /// The longest wait; 60 s by default.
    pub longest_wait: Duration,
    /// The least wait after 429 where the server does not say when; 60 s by default.
    pub busy: Duration,
    /// How often the iterator says that nothing came; 200 ms by default.
    pub tick: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            silence: Duration::from_secs(45),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(60),
            busy: Duration::from_secs(60),
            tick: Duration::from_millis(200),
        }
    }
}

/// The waits after failures in a row.
#[derive(Debug)]
pub struct Backoff {
    patience: Patience,
    failures: u32,
}

impl Backoff {
    /// Before the first attempt.
    pub fn new(patience: Patience) -> Self {
        Self { patience, failures: 0 }
    }

    /// How many attempts failed in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Forgets the failures: the connection has proved itself.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure: between the least one and the doubled cap, `random` (0 to 1) deciding.
    pub fn next(&mut self, random: f64) -> Duration {
        let cap = self.patience.first_wait.saturating_mul(1 << self.failures.min(16)).min(self.patience.longest_wait);
        self.failures = self.failures.saturating_add(1);
        cap.mul_f64(random.clamp(0.0, 1.0)).max(self.patience.first_wait)
    }
}

/// A number from 0 to 1, or 1 when the system gives no random bytes.
pub(super) fn random() -> f64 {
    let mut bytes = [0; 4];
    match rustls::crypto::ring::default_provider().secure_random.fill(&mut bytes) {
        Ok(()) => f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX),
        Err(_) => 1.0,
    }
}
