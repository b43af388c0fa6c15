//! Sending without loss: idempotent, acknowledged by all, and slow rather than forgetful when Kafka is.

use super::{client, failed, probe};
use crate::config::Config;
use crate::display::Report;
use crate::error::{Error, Result};
use rdkafka::ClientContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message as _};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the broker may take to answer at all.
const ASK: Duration = Duration::from_secs(10);
/// How long a dropped producer waits for its last acknowledgements.
const FAREWELL: Duration = Duration::from_secs(10);
/// Messages whose delivery failed, kept for the errors topic; more are only counted.
const KEPT: usize = 1000;

/// A message that Kafka did not take.
pub(crate) struct Undelivered {
    pub topic: String,
    pub payload: Vec<u8>,
    pub cause: String,
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
}

struct Context(Arc<Reports>);

impl ClientContext for Context {}

impl ProducerContext for Context {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        match result {
            Ok(_) => {
                self.0.acknowledged.fetch_add(1, Ordering::Release);
            }
            Err((error, message)) => {
                let mut kept = self.0.undelivered.lock().unwrap_or_else(PoisonError::into_inner);
                if kept.len() < KEPT {
                    kept.push(Undelivered {
                        topic: message.topic().to_owned(),
                        payload: message.payload().unwrap_or_default().to_owned(),
                        cause: error.rdkafka_error_code().map_or_else(|| error.to_string(), |c| c.to_string()),
                    });
                }
                drop(kept);
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
    broker: String,
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
        Ok(Self(Arc::new(Inner { producer, reports, sent: AtomicU64::new(0), broker })))
    }

    /// Queues a record. While the queue is full it waits, and asks `give_up` now and then whether to go on.
    ///
    /// # Errors
    ///
    /// Fails if the record is refused for good (`is_invalid` when it is too large), or when `give_up` says so.
    pub(crate) fn send(
        &self,
        topic: &str,
        key: Option<&str>,
        payload: &[u8],
        mut give_up: impl FnMut(Duration) -> bool,
    ) -> Result<()> {
        let full_since = Instant::now();
        let mut record = BaseRecord::<str, [u8]>::to(topic).payload(payload);
        if let Some(key) = key {
            record = record.key(key);
        }
        loop {
            let (error, back) = match self.0.producer.send(record) {
                Ok(()) => {
                    self.0.sent.fetch_add(1, Ordering::Relaxed);
                    return Ok(());
                }
                Err(refused) => refused,
            };
            let code = error.rdkafka_error_code();
            if code != Some(RDKafkaErrorCode::QueueFull) {
                let failure =
                    self.fatal().unwrap_or_else(|| failed(&format!("send to {topic}"), &self.0.broker, &error));
                if code != Some(RDKafkaErrorCode::MessageSizeTooLarge) {
                    return Err(failure);
                }
                return Err(failure.invalid());
            }
            if give_up(full_since.elapsed()) {
                return Err(self.stuck("its queue stayed full"));
            }
            record = back;
            self.0.producer.poll(Duration::from_millis(50));
        }
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

    /// The messages given up since the last call.
    pub(crate) fn take_undelivered(&self) -> Vec<Undelivered> {
        std::mem::take(&mut *self.0.reports.undelivered.lock().unwrap_or_else(PoisonError::into_inner))
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
            .next("look at it with `./spar services status`, then run the cell again")
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

impl Drop for Inner {
    fn drop(&mut self) {
        // The library would throw away what is queued; a bound, because the broker may be gone.
        if self.producer.flush(FAREWELL).is_err() {
            log::error!("{} messages were not acknowledged by {}", self.producer.in_flight_count(), self.broker);
        }
    }
}
