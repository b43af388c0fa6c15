//! What a run came to, and the lines it prints on the way.

use crate::display::Report;
use crate::job::Control;
use crate::postgres::{Committed, Phases};
use crate::stream::{Batch, Books};
use std::fmt;
use std::time::Instant;

/// The tables that every batch writes, in the order of the contract.
pub(super) const TABLES: [&str; 4] =
    ["filtered_toots", "toots_time_window_aggregates", "user_avg_length", "hashtag_avg_length"];

/// What a run read and wrote.
#[derive(Clone, Debug)]
pub struct StreamReport {
    /// What became of every record.
    pub books: Books,
    /// Batches committed.
    pub batches: u64,
    /// The run's duration, in seconds.
    pub seconds: f64,
    /// Batches that had to be tried again.
    pub retries: u64,
    /// Windows closed because nothing came any more.
    pub closed_idle: u64,
    /// Seconds spent filling batches, on the reading thread.
    pub reading: f64,
    /// Seconds spent in each phase of the transactions.
    pub writing: Phases,
    began: Instant,
    last: Option<i64>,
    /// The most records that a batch may have now.
    pub(super) most: u64,
    warned: bool,
}

impl StreamReport {
    pub(super) fn new() -> Self {
        Self {
            books: Books::default(),
            batches: 0,
            seconds: 0.0,
            retries: 0,
            closed_idle: 0,
            reading: 0.0,
            writing: Phases::default(),
            began: Instant::now(),
            last: None,
            most: super::feed::ROWS,
            warned: false,
        }
    }

    /// Says that a batch is tried. Only the first one of a run has its own lines: a replay has thousands.
    pub(super) fn announce(&self, batch: i64, control: &Control) {
        if self.batches == 0 {
            for table in TABLES {
                control.say(format!("Tentative d'écriture du batch {batch} dans la table '{table}'..."));
            }
        }
    }

    pub(super) fn add(&mut self, done: &Committed, batch: &Batch, reading: f64, control: &Control) {
        if self.batches == 0 {
            for table in TABLES {
                control.say(format!("Batch {} écrit avec succès dans '{table}'.", done.batch_id));
            }
        } else if !control.is_printing() {
            control.say(format!("Batch {} : {} messages.", done.batch_id, done.books.read));
        }
        if done.books.other_source > 0 && !self.warned {
            self.warned = true;
            let why = batch.dead.iter().find(|letter| letter.dead.reason.as_str() == "other_source");
            control.say(format!(
                "Attention : des messages d'une autre source vont dans 'dead_letter' ({}).",
                why.map_or("", |letter| letter.dead.error.as_str())
            ));
        }
        self.books += done.books;
        self.batches += 1;
        control.record(&[
            ("batch", done.batch_id),
            ("messages", done.books.read as i64),
            ("toots", (done.books.on_time + done.books.late) as i64),
            ("en retard", done.books.late as i64),
            ("en tout", self.books.read as i64),
            ("écrit (ms)", (done.phases.total * 1000.0).round() as i64),
        ]);
        self.retries += u64::from(done.retries);
        self.reading += reading;
        self.writing.rows += done.phases.rows;
        self.writing.aggregates += done.phases.aggregates;
        self.writing.commit += done.phases.commit;
        self.writing.total += done.phases.total;
        self.last = Some(done.batch_id);
    }

    pub(super) fn closed(&mut self, windows: u64) {
        self.closed_idle += windows;
    }

    pub(super) fn end(&mut self, control: &Control) {
        self.seconds = self.began.elapsed().as_secs_f64();
        if let Some(last) = self.last.filter(|_| self.batches > 1) {
            let others = self.batches - 1;
            control.say(format!(
                "… et {others} autres batchs, jusqu'au {last}, écrits avec succès dans les quatre tables."
            ));
        }
        control.say("Streaming terminé.");
    }

    /// Toots per second over the whole run.
    pub fn rate(&self) -> f64 {
        self.books.read as f64 / self.seconds.max(1e-6)
    }

    /// The run in a few sentences.
    pub fn summary(&self) -> Report {
        Report::new(self.to_string())
    }

    /// Shows the run in a notebook.
    pub fn evcxr_display(&self) {
        self.summary().evcxr_display();
    }
}

impl fmt::Display for StreamReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = &self.books;
        if b.read == 0 {
            write!(f, "Aucun nouveau message : tout était déjà écrit.")?;
        } else {
            write!(
                f,
                "{} messages lus en {:.1} s ({:.0} par seconde), {} batch{}.",
                b.read,
                self.seconds,
                self.rate(),
                self.batches,
                if self.batches > 1 { "s" } else { "" }
            )?;
        }
        let kinds = [
            (b.on_time, "toots écrits à temps"),
            (b.late, "écrits en retard"),
            (b.edits, "modifications"),
            (b.deletes, "suppressions"),
            (b.retracts, "retraits"),
            (b.duplicates, "doublons"),
            (b.stale, "versions dépassées"),
            (b.tombstoned, "toots supprimés auparavant"),
            (b.other_language, "dans une autre langue"),
            (b.null_content, "sans contenu"),
            (b.quarantined, "datés du futur, en quarantaine"),
            (b.dead, "illisibles, dans dead_letter"),
            (b.unknown_event, "événements inconnus"),
            (b.missing_offsets, "positions absentes du sujet"),
            (b.gaps, "trous signalés"),
            (self.retries, "nouvelles tentatives"),
            (self.closed_idle, "fenêtres fermées faute d'activité"),
        ];
        let told: Vec<String> = kinds.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{what} : {n}")).collect();
        if told.is_empty() { Ok(()) } else { write!(f, "\n{}.", told.join(" ; ")) }
    }
}
