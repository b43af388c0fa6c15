//! How the stream goes, told to whoever asks: a line when it changes, and the state of a background job.

use std::fmt;
use std::time::{Duration, Instant};

/// How the stream goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is being opened for the first time.
    Connecting,
    /// It is open, and toots come.
    Receiving,
    /// It is open and says nothing about toots: heartbeats only, or deletes.
    Quiet {
        /// For at least so long.
        since: Duration,
    },
    /// It is closed and will be opened again.
    Lost {
        /// Why.
        cause: String,
    },
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connecting => f.write_str("connexion au flux"),
            Self::Receiving => f.write_str("flux ouvert"),
            Self::Quiet { since } => write!(f, "flux ouvert mais muet : aucun toot depuis {} s", since.as_secs()),
            Self::Lost { cause } => write!(f, "flux interrompu ({cause})"),
        }
    }
}

/// What decides the health of one run.
pub(super) struct Watch {
    /// Without a toot for so long, an open stream is quiet.
    patience: Duration,
    /// When the last toot came, or when the run began.
    last: Instant,
    pub health: Health,
}

impl Watch {
    pub fn new(patience: Duration) -> Self {
        Self { patience, last: Instant::now(), health: Health::Connecting }
    }

    /// A toot came, new or edited; true when that ends a silence. A delete is no toot: an instance that has closed its
    /// streams still sends those.
    pub fn toot(&mut self) -> bool {
        self.last = Instant::now();
        let was_quiet = matches!(self.health, Health::Quiet { .. });
        if self.health != Health::Receiving {
            self.health = Health::Receiving;
        }
        was_quiet
    }

    /// The stream opened. That alone does not end a silence.
    pub fn opened(&mut self) {
        let is_quiet = self.last.elapsed() >= self.patience;
        self.health = if is_quiet { Health::Quiet { since: self.patience } } else { Health::Receiving };
    }

    /// The stream broke.
    pub fn lost(&mut self, cause: &str) {
        self.health = Health::Lost { cause: cause.to_owned() };
    }

    /// Looks at the clock; true when the stream has just become quiet.
    pub fn look(&mut self) -> bool {
        let becomes_quiet = self.health == Health::Receiving && self.last.elapsed() >= self.patience;
        if becomes_quiet {
            self.health = Health::Quiet { since: self.patience };
        }
        becomes_quiet
    }
}
