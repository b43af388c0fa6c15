//! Sending without loss: idempotent, acknowledged by all, and slow rather than forgetful when Kafka is.

use super::spool::{Kept, Spool};
use super::{client, failed, probe};
use crate::config::Config;
use crate::display::{Report, say};
use crate::error::{Error, Result};
use crate::timestamp::Timestamp;
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, PurgeConfig, ThreadedProducer};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long the broker may take to answer at all.
const ASK: Duration = Duration::from_secs(10);
/// How long a dropped producer waits for its last acknowledgements.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long the library may take to give back what it holds.
const GIVE_BACK: Duration = Duration::from_secs(5);

/// A message that Kafka did not take.
pub(crate) struct Undelivered {
    /// Its place among all messages of its producer.
    sequence: usize,
    pub topic: String,
    pub key: Option<String>,
    pub payload: Vec<u8>,
    pub cause: String,
    /// Nothing is wrong with it, it only could not go: it is kept whole, and never cut for the errors topic.
    whole: bool,
}

/// How the messages sent so far fared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// Handed to the library.
    pub sent: u64,
    /// Acknowledged by Kafka.
    pub acknowledged: u64,
    /// Given up.
    pub failed: u64,
}

impl Deliveries {
    /// Shows the counts in a notebook.
    pub fn evcxr_display(&self) {
        Report::new(self.to_string()).evcxr_display();
    }
}

impl fmt::Display for Deliveries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "envoyés {} · acquittés {} · échecs {}", self.sent, self.acknowledged, self.failed)
    }
}

/// What the library's thread reports to.
#[derive(Default)]
struct Reports {
    acknowledged: AtomicU64,
    failed: AtomicU64,
    undelivered: Mutex<Vec<Undelivered>>,
    /// When each message was sent whose fate is not known yet, by its place.
    waiting: Mutex<BTreeMap<usize, Timestamp>>,
    /// While kept messages are sent: the places of all that fail, and whether they are `whole`. The messages themselves
    /// may be taken meanwhile by another run.
    watched: Mutex<Option<HashMap<usize, bool>>>,
}

/// Whatever panicked while it held one of these left a whole value.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Reports {
    fn keep(&self, message: Undelivered) {
        if let Some(failed) = &mut *held(&self.watched) {
            failed.insert(message.sequence, message.whole);
        }
        held(&self.undelivered).push(message);
    }
}

struct Context(Arc<Reports>);

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sequence: usize) {
        held(&self.0.waiting).remove(&sequence);
        match result {
            Ok(_) => {
                self.0.acknowledged.fetch_add(1, Ordering::Release);
            }
            // The library holds at most 128 MiB, so no more comes back at once.
            Err((error, message)) => {
                let code = error.rdkafka_error_code();
                self.0.keep(Undelivered {
                    sequence,
                    topic: message.topic().to_owned(),
                    key: message.key().map(|key| String::from_utf8_lossy(key).into_owned()),
                    payload: message.payload().unwrap_or_default().to_owned(),
                    cause: code.map_or_else(|| error.to_string(), |code| code.to_string()),
                    // Another run with this producer ended, and took back what was on its way.
                    whole: matches!(code, Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight)),
                });
                self.0.failed.fetch_add(1, Ordering::Release);
            }
        }
    }
}

/// A producer to the project's topics; clones share it, and the last one to go waits for what is on its way.
#[derive(Clone)]
pub struct Producer(Arc<Inner>);

struct Inner {
    producer: ThreadedProducer<Context>,
    reports: Arc<Reports>,
    sent: AtomicU64,
    sequence: AtomicUsize,
    broker: String,
    spool: Spool,
    away: Duration,
}

impl Producer {
    /// Connects to Kafka and checks that it answers.
    ///
    /// # Errors
    ///
    /// Fails if the broker is away.
    pub fn connect(config: &Config) -> Result<Self> {
        let broker = config.kafka()?.to_owned();
        probe::cluster(&broker, None, ASK)?;
        let reports = Arc::new(Reports::default());
        let producer: ThreadedProducer<Context> = client(&broker, "spar-partie1")
            .set("enable.idempotence", "true")
            .set("acks", "all")
            // A day: by default the library throws messages away when a broker is gone for five minutes.
            .set("message.timeout.ms", "86400000")
            .set("linger.ms", "50")
            .set("compression.type", "lz4")
            .set("queue.buffering.max.kbytes", "131072")
            // Java's own partitioner, so that another program's messages about a toot meet ours.
            .set("partitioner", "murmur2_random")
            .create_with_context(Context(reports.clone()))
            .map_err(|e| failed("prepare a producer", &broker, &e))?;
        Ok(Self(Arc::new(Inner {
            producer,
            reports,
            sent: AtomicU64::new(0),
            sequence: AtomicUsize::new(0),
            broker,
            spool: Spool::of(config),
            away: config.away,
        })))
    }

    /// Queues a record. While the queue is full it waits, and asks `give_up` now and then whether to go on.
    ///
    /// # Errors
    ///
    /// Fails if the record is refused for good (`is_invalid` when it is too large), or when `give_up` says so; then the
    /// record is among those that [`Producer::set_aside`] keeps.
    pub(crate) fn send(
        &self,
        topic: &str,
        key: Option<&str>,
        payload: &[u8],
        give_up: impl FnMut(Duration) -> bool,
    ) -> Result<()> {
        self.push((topic, key, payload), true, give_up).map(|_| ())
    }

    /// The same; a record that is refused is the caller's to keep.
    pub(crate) fn offer(&self, topic: &str, payload: &[u8], give_up: impl FnMut(Duration) -> bool) -> Result<()> {
        self.push((topic, None, payload), false, give_up).map(|_| ())
    }

    /// Queues a record and gives its place.
    fn push(
        &self,
        (topic, key, payload): (&str, Option<&str>, &[u8]),
        keeps: bool,
        mut give_up: impl FnMut(Duration) -> bool,
    ) -> Result<usize> {
        let keep = |sequence, cause: &str| {
            if keeps {
                let (topic, key, payload) = (topic.to_owned(), key.map(str::to_owned), payload.to_owned());
                self.0.reports.keep(Undelivered {
                    sequence,
                    topic,
                    key,
                    payload,
                    cause: cause.to_owned(),
                    whole: true,
                });
            }
        };
        let full_since = Instant::now();
        let sequence = self.0.sequence.fetch_add(1, Ordering::Relaxed);
        let waiting = || held(&self.0.reports.waiting);
        waiting().insert(sequence, Timestamp::now());
        let mut record = BaseRecord::<str, [u8], usize>::with_opaque_to(topic, sequence).payload(payload);
        if let Some(key) = key {
            record = record.key(key);
        }
        loop {
            let (error, back) = match self.0.producer.send(record) {
                Ok(()) => {
                    self.0.sent.fetch_add(1, Ordering::Relaxed);
                    return Ok(sequence);
                }
                Err(refused) => refused,
            };
            let code = error.rdkafka_error_code();
            if code != Some(RDKafkaErrorCode::QueueFull) {
                waiting().remove(&sequence);
                let failure =
                    self.fatal().unwrap_or_else(|| failed(&format!("send to {topic}"), &self.0.broker, &error));
                if code != Some(RDKafkaErrorCode::MessageSizeTooLarge) {
                    keep(sequence, &error.to_string());
                    return Err(failure);
                }
                return Err(failure.invalid());
            }
            if give_up(full_since.elapsed()) {
                waiting().remove(&sequence);
                let cause = "its queue stayed full";
                keep(sequence, cause);
                return Err(self.stuck(cause));
            }
            record = back;
            self.0.producer.poll(Duration::from_millis(50));
        }
    }

    /// When the oldest message was sent whose fate is not known yet.
    pub(crate) fn waiting_since(&self) -> Option<Timestamp> {
        held(&self.0.reports.waiting).first_key_value().map(|(_, at)| *at)
    }

    /// How the messages sent so far fared.
    pub fn deliveries(&self) -> Deliveries {
        let reports = &self.0.reports;
        Deliveries {
            acknowledged: reports.acknowledged.load(Ordering::Acquire),
            failed: reports.failed.load(Ordering::Acquire),
            sent: self.0.sent.load(Ordering::Relaxed),
        }
    }

    /// The messages that Kafka refused since the last call.
    pub(crate) fn take_undelivered(&self) -> Vec<Undelivered> {
        held(&self.0.reports.undelivered).extract_if(.., |message| !message.whole).collect()
    }

    /// Fails if messages are left that [`Producer::set_aside`] has to keep.
    pub(crate) fn nothing_left(&self) -> Result<()> {
        match held(&self.0.reports.undelivered).len() {
            0 => Ok(()),
            left => Err(self.stuck(&format!("{left} messages came back"))),
        }
    }

    /// Gives back messages taken by [`Producer::take_undelivered`] that nobody could deal with.
    pub(crate) fn give_back(&self, messages: impl IntoIterator<Item = Undelivered>) {
        messages.into_iter().for_each(|message| self.0.reports.keep(message));
    }

    /// Keeps in a file what Kafka has not taken, and adds to `error` how much and where.
    pub(crate) fn set_aside(&self, error: Error) -> Error {
        self.set_aside_beside(&[], error)
    }

    fn set_aside_beside(&self, in_file: &[Kept], error: Error) -> Error {
        let way = match self.fatal() {
            None => "start Kafka (the embedded one: `./spar services up`), then listen again: they are sent first",
            Some(_) => "run the cell that makes the producer again, then listen again: they are sent first",
        };
        match self.0.set_aside(in_file).map(|kept| kept + in_file.len()) {
            Ok(0) => error,
            Ok(kept) => error.and(format!("{kept} messages are kept in {}", self.0.spool.folder().display())).next(way),
            Err(e) => error.and(e),
        }
    }

    /// Sends what earlier producers had to keep, and forgets it once Kafka has it; gives the number of messages.
    ///
    /// # Errors
    ///
    /// Fails if Kafka does not take them in time; they stay kept. What it refuses, `settle` puts into the errors topic;
    /// if it fails they stay kept too.
    pub(crate) fn send_kept(&self, mut settle: impl FnMut() -> Result<()>) -> Result<usize> {
        // What could not be written when a run ended.
        self.0.keep(&[])?;
        let Some((_lock, files)) = self.0.spool.open()? else {
            return Ok(0);
        };
        let mut count = 0;
        for file in files {
            let kept = Spool::read(&file)?;
            self.send_again(&kept, &mut settle).map_err(|error| self.set_aside_beside(&kept, error))?;
            Spool::remove(&file)?;
            count += kept.len();
        }
        Ok(count)
    }

    fn send_again(&self, kept: &[Kept], settle: &mut impl FnMut() -> Result<()>) -> Result<()> {
        // One at a time: the spool is locked.
        *held(&self.0.reports.watched) = Some(HashMap::new());
        let sent = self.send_all(kept);
        let failed = held(&self.0.reports.watched).take().unwrap_or_default();
        let fates: Vec<bool> = sent?.iter().filter_map(|sequence| failed.get(sequence).copied()).collect();
        // The library has nothing left on its way also when all of it failed.
        match (fates.len(), fates.contains(&true)) {
            (0, _) => Ok(()),
            (_, false) => settle(),
            (came_back, true) => Err(self.stuck(&format!("{came_back} of the kept messages came back"))),
        }
    }

    /// Sends the messages, waits until none is on its way, and gives their places.
    fn send_all(&self, kept: &[Kept]) -> Result<Vec<usize>> {
        let away = self.0.away;
        let mut places = Vec::new();
        for message in kept {
            let record = (&*message.topic, message.key.as_deref(), message.payload.as_bytes());
            places.push(self.push(record, false, |waiting| waiting > away)?);
        }
        self.flush(away)?;
        Ok(places)
    }

    /// Waits until each message is acknowledged or given up, `limit` at most.
    ///
    /// # Errors
    ///
    /// Fails if some are still on their way at the end, or the library cannot go on.
    pub fn flush(&self, limit: Duration) -> Result<()> {
        let flushed = self.0.producer.flush(limit);
        match (self.fatal(), flushed) {
            (Some(fatal), _) => Err(fatal),
            (None, Ok(())) => Ok(()),
            (None, Err(KafkaError::Flush(RDKafkaErrorCode::OperationTimedOut))) => {
                Err(self.stuck(&format!("{} messages are not acknowledged", self.0.producer.in_flight_count())))
            }
            (None, Err(e)) => Err(failed("send the last messages", &self.0.broker, &e)),
        }
    }

    fn fatal(&self) -> Option<Error> {
        let (_, cause) = self.0.producer.client().fatal_error()?;
        Some(
            Error::cannot(format!("go on sending to Kafka at {}", self.0.broker), cause)
                .next("run the cell that makes the producer again"),
        )
    }

    fn stuck(&self, cause: &str) -> Error {
        Error::cannot(format!("send to Kafka at {}", self.0.broker), cause)
            .next("start it (the embedded one: `./spar services up`), then run the cell again")
            .transient()
    }

    /// Shows the producer's counts in a notebook.
    pub fn evcxr_display(&self) {
        Report::new(self.to_string()).evcxr_display();
    }
}

impl fmt::Display for Producer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Producteur vers {} : {}", self.0.broker, self.deliveries())
    }
}

impl Inner {
    /// Takes back what the library holds and writes it, with what failed before, to a file, but for what is `in_file`
    /// already; gives the number of messages written.
    fn set_aside(&self, in_file: &[Kept]) -> Result<usize> {
        // Of a message on its way nobody knows whether Kafka has it. Sent again it is there twice, under one key, and
        // the tables take it once.
        self.producer.purge(PurgeConfig::default().queue().inflight());
        let given_back = self.producer.flush(GIVE_BACK);
        let count = self.keep(in_file)?;
        given_back.map(|()| count).map_err(|e| failed("take back the last messages", &self.broker, &e))
    }

    /// Writes what failed to a file, but for what is `in_file` already. If it cannot be written, it stays in memory.
    fn keep(&self, in_file: &[Kept]) -> Result<usize> {
        let mut messages = std::mem::take(&mut *held(&self.reports.undelivered));
        messages.sort_by_key(|message| message.sequence);
        let there: HashSet<_> = in_file.iter().map(|kept| (&*kept.topic, kept.payload.as_bytes())).collect();
        messages.retain(|message| !there.contains(&(&*message.topic, &*message.payload)));
        let count = messages.len();
        if count > 0 {
            let written = self.spool.keep(&messages);
            if let Err(e) = written {
                held(&self.reports.undelivered).append(&mut messages);
                return Err(e
                    .and(format!("{count} messages are still in memory, and are tried again"))
                    .next("make room there or make the folder writable, then listen again before this process ends"));
            }
        }
        Ok(count)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The library would throw away what is queued; a bound, because the broker may be gone.
        let flushed = self.producer.flush(FAREWELL.min(self.away));
        if flushed.is_err() || !held(&self.reports.undelivered).is_empty() {
            match self.set_aside(&[]) {
                Ok(0) => {}
                Ok(kept) => say(format!(
                    "Kafka n'a pas acquitté {kept} messages : ils sont gardés dans {} et partiront à la prochaine écoute.",
                    self.spool.folder().display()
                )),
                Err(e) => {
                    let lost = held(&self.reports.undelivered).len();
                    say(format!("Kafka n'a pas acquitté les derniers messages, et {lost} sont perdus : {e}"));
                }
            }
        }
    }
}
