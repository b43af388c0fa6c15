//! One run of the listener, from its first event to the last acknowledgement.

use super::Ingest;
use super::counters::IngestReport;
use super::end::End;
use super::health::Watch;
use crate::error::{Error, Result};
use crate::job::Control;
use crate::kafka::{Deliveries, Waiting, errors_topic, gaps_topic};
use crate::mastodon::{Incoming, Origin};
use crate::timestamp::Timestamp;
use crate::toot::{Change, Message, Status, Verdict, judge};
use serde::Serialize;
use std::time::{Duration, Instant};

/// How long a run that failed already waits for the last acknowledgements.
const FAREWELL: Duration = Duration::from_secs(5);
/// Streams that break again and again are told this often, however many they are.
const LOST: Duration = Duration::from_secs(5);
/// How often a background job keeps its counters for who asks.
const RECORD: Duration = Duration::from_secs(1);
/// The longest body that the errors topic keeps, in bytes.
const BODY: usize = 16 * 1024;

/// The state of one run.
pub(super) struct Run<'a> {
    ingest: &'a Ingest,
    control: &'a Control,
    end: End,
    counters: IngestReport,
    before: Deliveries,
    told: Instant,
    recorded: Instant,
    watch: Watch,
    lost_told: Option<Instant>,
    waiting: Waiting,
}

/// An event that could not be read, or a message that Kafka did not take.
#[derive(Serialize)]
struct Failure<'a> {
    at: String,
    source: &'a str,
    origin: &'a str,
    event: &'a str,
    cause: &'a str,
    body: &'a str,
    truncated: bool,
}

impl<'a> Run<'a> {
    pub fn new(ingest: &'a Ingest, end: End, control: &'a Control) -> Self {
        let before = ingest.producer.deliveries();
        let watch = Watch::new(ingest.config.quiet);
        let (counters, now) = (IngestReport::default(), Instant::now());
        let waiting = Waiting::of(&ingest.config);
        Self { ingest, control, end, counters, before, told: now, recorded: now, watch, lost_told: None, waiting }
    }

    /// Takes the items until the end is reached, then waits for Kafka.
    pub fn finish(mut self, items: impl Iterator<Item = Result<Incoming>>) -> Result<IngestReport> {
        let outcome = self.send_kept().and_then(|()| self.each(items));
        // One flush, whole, also after a failure: what was read is not lost by it.
        let away = self.ingest.config.away;
        let flushed = self.flush(if outcome.is_ok() { away } else { FAREWELL.min(away) });
        self.record();
        let taken = outcome.and(flushed).and_then(|()| self.ingest.producer.nothing_left());
        let kept = taken.map_err(|e| self.ingest.producer.set_aside(e));
        self.note_waiting();
        kept?;
        if self.end.is_exhausted() {
            self.control.say(
                "Le serveur local a rejoint le présent : aucune tranche ne suit. Effacez son dossier pour recommencer.",
            );
        }
        self.control.say(self.counters.to_string());
        Ok(self.counters)
    }

    /// Notes since when messages wait for Kafka. Where that cannot be written, it is told, and toots still go on.
    fn note_waiting(&mut self) {
        if let Err(e) = self.waiting.note(self.ingest.producer.waiting_since()) {
            self.control.say(e.to_string());
        }
    }

    /// What an earlier run had to keep goes before everything else.
    fn send_kept(&mut self) -> Result<()> {
        let Ingest { config, producer, .. } = self.ingest;
        let kept = producer.send_kept(|| self.flush(config.away).and_then(|()| producer.nothing_left()))?;
        if kept > 0 {
            self.control.say(format!("Messages gardés d'une écoute interrompue, envoyés maintenant : {kept}."));
        }
        self.before = self.ingest.producer.deliveries();
        Ok(())
    }

    /// Waits for Kafka. What it refuses goes to the errors topic, and that is waited for too.
    fn flush(&mut self, limit: Duration) -> Result<()> {
        for _ in 0..2 {
            self.ingest.producer.flush(limit)?;
            self.keep_undelivered()?;
        }
        Ok(())
    }

    fn each(&mut self, items: impl Iterator<Item = Result<Incoming>>) -> Result<()> {
        for item in items {
            let item = item?;
            let idle = item == Incoming::Quiet;
            self.take(item)?;
            self.keep_undelivered()?;
            if self.waiting.is_due() {
                self.note_waiting();
            }
            if self.control.stopping() || self.end.reached(&self.counters, idle)? {
                break;
            }
            if idle && self.watch.look() {
                self.counters.silences += 1;
                self.tell_quiet();
            }
            if self.recorded.elapsed() >= RECORD {
                self.record();
            }
            if self.ingest.journal.due(&mut self.told) {
                self.count_deliveries();
                self.control.say(self.counters.to_string());
            }
        }
        Ok(())
    }

    /// Takes one thing: sends its message, or counts why there is none.
    fn take(&mut self, item: Incoming) -> Result<()> {
        match item {
            Incoming::Event { origin, name, data } => self.event(origin, &name, &data),
            Incoming::Unreadable { body, cause } => {
                self.end.heard();
                self.counters.received += 1;
                self.fail("stream", "", &cause, &String::from_utf8_lossy(&body))
            }
            Incoming::Gap(gap) => {
                self.counters.gaps += 1;
                let json = serde_json::to_vec(&gap).map_err(|e| Error::cannot("write a gap as JSON", e))?;
                self.send(&gaps_topic(&self.ingest.config.topic), Some(&gap.id), &json)
            }
            Incoming::Opened => {
                self.end.opened();
                self.watch.opened();
                self.tell_state();
                Ok(())
            }
            Incoming::Lost { cause, attempt, wait, others } => {
                // The others go on; what this one misses is in its gap.
                if others == 0 {
                    self.end.lost(&cause);
                    self.watch.lost(&cause);
                    self.tell_state();
                }
                if self.lost_told.is_none_or(|told| told.elapsed() >= LOST) {
                    self.lost_told = Some(Instant::now());
                    let wait = wait.as_secs_f64();
                    self.control.say(format!("Flux interrompu ({cause}) : essai n° {attempt} dans {wait:.1} s"));
                }
                Ok(())
            }
            Incoming::Quiet => Ok(()),
        }
    }

    /// Shows a background job's reader how the stream goes.
    fn tell_state(&self) {
        self.control.set_state(&self.watch.health.to_string());
    }

    fn tell_quiet(&self) {
        self.tell_state();
        let why = if self.ingest.config.is_local() {
            "la tranche du serveur local est finie"
        } else {
            "l'instance a-t-elle fermé ses flux ?"
        };
        self.control.say(format!("Attention, {} : {why}", self.watch.health));
    }

    fn event(&mut self, origin: Origin, name: &str, data: &str) -> Result<()> {
        self.end.heard();
        if matches!(name, "update" | "status.update") && self.watch.toot() {
            self.tell_state();
            self.control.say("Le flux porte de nouveau des toots.");
        }
        self.counters.received += 1;
        let origin = match origin {
            Origin::Stream => "stream",
            Origin::Backfill => "backfill",
        };
        let message = match self.message(name, data) {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(()),
            Err(cause) => return self.fail(origin, name, &cause.to_string(), data),
        };
        match self.send(&self.ingest.config.topic, Some(&message.id), &message.to_json()?) {
            // Too large for Kafka: kept like an event that cannot be read.
            Err(e) if e.is_invalid() => self.fail(origin, name, &e.to_string(), data),
            sent => sent,
        }
    }

    /// The message of an event, if there is one to send.
    fn message(&mut self, name: &str, data: &str) -> Result<Option<Message>> {
        let Ingest { config, keywords, .. } = self.ingest;
        let counters = &mut self.counters;
        let edited = match name {
            "update" => false,
            "status.update" => true,
            "delete" => {
                let id = data.trim();
                if id.is_empty() {
                    return Err(Error::cannot("read a delete", "it names no toot").invalid());
                }
                counters.deleted += 1;
                return Ok(Some(Message::deleted(id, &config.source)));
            }
            _ => {
                counters.other += 1;
                return Ok(None);
            }
        };
        let status: Status = serde_json::from_str(data).map_err(|e| Error::cannot("read a status", e).invalid())?;
        match judge(&status, keywords) {
            Verdict::Kept { text, tags } => {
                let change = if edited { Change::Edit } else { Change::New };
                let message = Message::kept(status, text, tags, change, &config.source)?;
                *(if edited { &mut counters.edited } else { &mut counters.kept }) += 1;
                Ok(Some(message))
            }
            Verdict::NoKeyword | Verdict::Refused(_) if edited => {
                let message = Message::retracted(&status.id, status.edited_at, &config.source)?;
                counters.retracted += 1;
                Ok(Some(message))
            }
            Verdict::NoKeyword => {
                counters.no_keyword += 1;
                Ok(None)
            }
            Verdict::Refused(_) => {
                counters.refused += 1;
                Ok(None)
            }
        }
    }

    /// Keeps what cannot go further in the errors topic, with its cause.
    fn fail(&mut self, origin: &str, event: &str, cause: &str, body: &str) -> Result<()> {
        self.counters.errors += 1;
        let json = self.failure(origin, event, cause, body)?;
        self.send(&errors_topic(&self.ingest.config.topic), None, &json)
    }

    fn failure(&self, origin: &str, event: &str, cause: &str, body: &str) -> Result<Vec<u8>> {
        let failure = Failure {
            at: Timestamp::now().to_offset_form(),
            source: &self.ingest.config.source,
            origin,
            event: start_of(event, 100),
            cause: start_of(cause, 1000),
            body: start_of(body, BODY),
            truncated: body.len() > BODY,
        };
        serde_json::to_vec(&failure).map_err(|e| Error::cannot("write an error as JSON", e))
    }

    /// Sends; while Kafka's queue is full nothing more is read. A background job waits as long as it must.
    fn send(&self, topic: &str, key: Option<&str>, json: &[u8]) -> Result<()> {
        self.ingest.producer.send(topic, key, json, |waiting| self.gives_up(waiting))
    }

    fn gives_up(&self, waiting: Duration) -> bool {
        self.control.stopping() || (self.end.is_bounded() && waiting > self.ingest.config.away)
    }

    /// Sends what Kafka refused to the errors topic, and fails if that one did not take it either.
    fn keep_undelivered(&mut self) -> Result<()> {
        let mut messages = self.ingest.producer.take_undelivered().into_iter();
        let errors = errors_topic(&self.ingest.config.topic);
        while let Some(message) = messages.next() {
            let kept = if message.topic == errors {
                Err(Error::cannot(format!("keep errors in {errors}"), &message.cause)
                    .next("create it with the cell that creates the topics, then run this one again"))
            } else {
                // The message itself is given back, so the record of its failure need not be kept.
                self.failure("kafka", &message.topic, &message.cause, &String::from_utf8_lossy(&message.payload))
                    .and_then(|json| self.ingest.producer.offer(&errors, &json, |waiting| self.gives_up(waiting)))
            };
            self.counters.errors += u64::from(kept.is_ok());
            if let Err(e) = kept {
                self.ingest.producer.give_back(std::iter::once(message).chain(messages));
                return Err(e);
            }
        }
        Ok(())
    }

    /// Keeps how the counters stand, for the reader of a background job.
    fn record(&mut self) {
        self.count_deliveries();
        self.recorded = Instant::now();
        let c = &self.counters;
        let values = [
            ("reçus", c.received),
            ("gardés", c.kept),
            ("édités", c.edited),
            ("supprimés", c.deleted),
            ("erreurs", c.errors),
            ("envoyés", c.sent),
            ("acquittés", c.acknowledged),
        ];
        self.control.record(&values.map(|(name, n)| (name, i64::try_from(n).unwrap_or(i64::MAX))));
    }

    fn count_deliveries(&mut self) {
        let now = self.ingest.producer.deliveries();
        self.counters.sent = now.sent - self.before.sent;
        self.counters.acknowledged = now.acknowledged - self.before.acknowledged;
    }
}

/// The first `most` bytes of `text`, cut between characters.
fn start_of(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
