//! What ingestion counts, and the line that tells it now and then: numbers only, never a toot's text or author.

use crate::display::{Report, Table};
use crate::error::{Error, Result};
use polars::prelude::df;
use std::fmt;
use std::time::{Duration, Instant};

/// What happened to the events that were read, and to the messages that were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IngestReport {
    /// Events read, of every kind.
    pub received: u64,
    /// New toots that match and consent.
    pub kept: u64,
    /// Edits of toots that match and consent.
    pub edited: u64,
    /// Edits after which the toot no longer matches or consents.
    pub retracted: u64,
    /// Deletes.
    pub deleted: u64,
    /// New toots without a keyword.
    pub no_keyword: u64,
    /// New toots that match and are left out: not public, or their author asks for it.
    pub refused: u64,
    /// Events of a kind that says nothing about toots.
    pub other: u64,
    /// Events that could not be read, and messages that could not be delivered; they are in the errors topic.
    pub errors: u64,
    /// Gaps in the stream, recorded in the topic of gaps.
    pub gaps: u64,
    /// How many times the open stream said nothing about toots for the time that is set.
    pub silences: u64,
    /// Messages handed to Kafka.
    pub sent: u64,
    /// Messages that Kafka acknowledged.
    pub acknowledged: u64,
}

impl IngestReport {
    /// The counters, one a row.
    ///
    /// # Errors
    ///
    /// Fails as polars fails.
    pub fn table(&self) -> Result<Table> {
        let (names, values): (Vec<&str>, Vec<u64>) = self.rows().into_iter().unzip();
        df!("compteur" => names, "valeur" => values).map(Table::new).map_err(|e| Error::cannot("show the counters", e))
    }

    /// Shows the counters in a notebook.
    pub fn evcxr_display(&self) {
        match self.table() {
            Ok(table) => table.evcxr_display(),
            Err(_) => Report::new(self.to_string()).evcxr_display(),
        }
    }

    fn rows(&self) -> [(&'static str, u64); 13] {
        [
            ("événements reçus", self.received),
            ("nouveaux toots gardés", self.kept),
            ("éditions gardées", self.edited),
            ("éditions retirées", self.retracted),
            ("suppressions", self.deleted),
            ("sans mot-clé", self.no_keyword),
            ("écartés (non publics ou sans consentement)", self.refused),
            ("autres événements", self.other),
            ("erreurs (sujet des erreurs)", self.errors),
            ("trous dans le flux", self.gaps),
            ("silences du flux ouvert", self.silences),
            ("messages envoyés", self.sent),
            ("messages acquittés", self.acknowledged),
        ]
    }
}

impl fmt::Display for IngestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "reçus {} · gardés {} · édités {} · retirés {} · supprimés {} · erreurs {} · envoyés {} · acquittés {}",
            self.received,
            self.kept,
            self.edited,
            self.retracted,
            self.deleted,
            self.errors,
            self.sent,
            self.acknowledged
        )
    }
}

/// How often ingestion tells its counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Journal {
    every: Duration,
}

impl Journal {
    /// A line every so many seconds, at least one.
    pub fn every_seconds(seconds: u64) -> Self {
        Self { every: Duration::from_secs(seconds.max(1)) }
    }

    /// True when a line is due, the last one having been told at `last`.
    pub(super) fn due(self, last: &mut Instant) -> bool {
        let due = last.elapsed() >= self.every;
        if due {
            *last = Instant::now();
        }
        due
    }

    /// Shows the setting in a notebook.
    pub fn evcxr_display(&self) {
        Report::new(self.to_string()).evcxr_display();
    }
}

impl Default for Journal {
    fn default() -> Self {
        Self::every_seconds(15)
    }
}

impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Une ligne toutes les {} s : des compteurs, jamais le texte d'un toot ni son auteur.",
            self.every.as_secs()
        )
    }
}
