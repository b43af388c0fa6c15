//! Reading a topic: offsets come from the database, records are lent for as long as a call lasts.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::timestamp::Timestamp;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message as _;
use rdkafka::{ClientConfig, Offset, Statistics, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The longest that a question to the broker may take.
const ASK: Duration = Duration::from_secs(10);

/// How often the library tells how far the partitions reach.
const TELL: Duration = Duration::from_secs(1);

/// What one poll brought.
pub enum Polled<'a> {
    /// A record, lent.
    Record {
        /// Its partition.
        part: i32,
        /// Its offset.
        offset: i64,
        /// Kafka's timestamp.
        timestamp: Timestamp,
        /// Its key.
        key: Option<&'a [u8]>,
        /// Its value.
        value: Option<&'a [u8]>,
    },
    /// The end of a partition was reached.
    End(i32),
    /// Nothing came in time.
    Nothing,
}

/// The end of each partition, as the broker told it last.
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<BTreeMap<i32, i64>>>);

impl ClientContext for Ends {
    fn stats(&self, told: Statistics) {
        let parts = told.topics.values().flat_map(|topic| topic.partitions.values());
        let known = parts.filter(|p| p.partition >= 0 && p.ls_offset >= 0).map(|p| (p.partition, p.ls_offset));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(known);
    }
}

impl ConsumerContext for Ends {}

/// A consumer of one topic. It joins no group and commits nothing to Kafka: positions live in the database.
pub struct Consumer {
    inner: BaseConsumer<Ends>,
    ends: Ends,
    topic: String,
    broker: String,
    away: Duration,
    /// How long a question to the broker may take.
    ask: Duration,
    /// When the broker last gave a sign of life.
    heard: Instant,
    /// What the library has complained of since.
    trouble: Option<String>,
}

impl Consumer {
    /// Prepares a consumer; the broker is first asked by [`Consumer::partitions`].
    ///
    /// # Errors
    ///
    /// Fails if Kafka's address is not known or a setting is refused.
    pub fn new(config: &Config, topic: &str) -> Result<Self> {
        let broker = config.kafka()?.to_owned();
        let ends = Ends::default();
        let inner = ClientConfig::new()
            .set("bootstrap.servers", &broker)
            .set("client.id", "spar-partie2")
            // The library wants a group to assign partitions by hand; nothing is ever stored under this name.
            .set("group.id", "spar-partie2")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            // A position that retention has passed must be an error, never a silent jump.
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("check.crcs", "true")
            .set("enable.partition.eof", "true")
            .set("fetch.queue.backoff.ms", "50")
            .set("fetch.wait.max.ms", "100")
            .set("queued.max.messages.kbytes", "32768")
            .set("queued.min.messages", "100000")
            .set("reconnect.backoff.max.ms", "2000")
            .set("socket.keepalive.enable", "true")
            .set("allow.auto.create.topics", "false")
            .set("statistics.interval.ms", TELL.as_millis().to_string())
            .create_with_context(ends.clone())
            .map_err(|e| Error::cannot(format!("prepare a consumer of {topic} at {broker}"), e))?;
        let heard = Instant::now();
        Ok(Self {
            inner,
            ends,
            topic: topic.to_owned(),
            broker,
            away: config.away,
            ask: ASK.min(config.away),
            heard,
            trouble: None,
        })
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The partitions of the topic, ascending; none when it does not exist.
    ///
    /// # Errors
    ///
    /// Fails if the broker does not answer.
    pub fn partitions(&self) -> Result<Vec<i32>> {
        let metadata = self.inner.fetch_metadata(Some(&self.topic), self.ask).map_err(|e| self.away(&e))?;
        let mut parts: Vec<i32> = metadata
            .topics()
            .iter()
            .filter(|topic| topic.name() == self.topic)
            .flat_map(|topic| topic.partitions().iter().map(|p| p.id()))
            .collect();
        parts.sort_unstable();
        Ok(parts)
    }

    /// The first offset of a partition and the one after its last.
    ///
    /// # Errors
    ///
    /// Fails if the broker does not answer.
    pub fn bounds(&self, part: i32) -> Result<(i64, i64)> {
        self.inner.fetch_watermarks(&self.topic, part, self.ask).map_err(|e| self.away(&e))
    }

    /// The end of each partition that is read, at most a second old; those of which nothing was heard yet are absent.
    pub fn ends(&self) -> BTreeMap<i32, i64> {
        self.ends.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads on from these offsets; once, and always explicit.
    ///
    /// # Errors
    ///
    /// Fails if the library refuses the list.
    pub fn assign(&self, starts: &[(i32, i64)]) -> Result<()> {
        let mut list = TopicPartitionList::with_capacity(starts.len());
        let cannot = |e: KafkaError| Error::cannot(format!("read {} at {}", self.topic, self.broker), e);
        for (part, offset) in starts {
            list.add_partition_offset(&self.topic, *part, Offset::Offset(*offset)).map_err(cannot)?;
        }
        self.inner.assign(&list).map_err(cannot)
    }

    /// Waits up to `timeout` for one event and hands it to `take`.
    ///
    /// # Errors
    ///
    /// Fails if a position no longer exists, if the topic is gone, or if the broker stays away (`SPAR_AWAY_SECONDS`).
    pub fn poll<T>(&mut self, timeout: Duration, take: impl FnOnce(Polled<'_>) -> T) -> Result<T> {
        let code = match self.inner.poll(timeout) {
            None => {
                self.still_away()?;
                return Ok(take(Polled::Nothing));
            }
            Some(Ok(record)) => {
                self.heard = Instant::now();
                self.trouble = None;
                let timestamp = record.timestamp().to_millis().filter(|ms| *ms >= 0);
                return Ok(take(Polled::Record {
                    part: record.partition(),
                    offset: record.offset(),
                    timestamp: timestamp.map_or_else(Timestamp::now, Timestamp::from_millis),
                    key: record.key(),
                    value: record.payload(),
                }));
            }
            Some(Err(KafkaError::PartitionEOF(part))) => {
                self.heard = Instant::now();
                self.trouble = None;
                return Ok(take(Polled::End(part)));
            }
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                return Err(Error::cannot(format!("read {} at {}", self.topic, self.broker), code));
            }
            Some(Err(KafkaError::MessageConsumption(code))) => code,
            Some(Err(other)) => return Err(Error::cannot(format!("read {} at {}", self.topic, self.broker), other)),
        };
        match code {
            RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset => Err(Error::cannot(
                format!("read {} at {}", self.topic, self.broker),
                "a stored position is no longer in the topic: retention passed it, or the topic was created anew",
            )
            .next("do the same again: it then says which, and what to do")
            .refused()),
            // A broker that has just started may not know its topics yet.
            RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic
                if self.partitions()?.is_empty() =>
            {
                Err(Error::cannot(format!("read {} at {}", self.topic, self.broker), "the topic is gone")
                    .next("run partie1: it creates the topic"))
            }
            // The library goes on trying by itself.
            code => {
                self.trouble.get_or_insert_with(|| code.to_string());
                self.still_away()?;
                Ok(take(Polled::Nothing))
            }
        }
    }

    /// Nothing was heard for a while: ask whether the broker is really away. It need not have complained: its last
    /// word may have come before the last records that were still on their way.
    fn still_away(&mut self) -> Result<()> {
        if self.heard.elapsed() < self.away {
            return Ok(());
        }
        // The leader of each partition is asked too: it may be away while another broker answers.
        let answer = self.partitions().and_then(|parts| parts.into_iter().try_for_each(|p| self.bounds(p).map(drop)));
        match answer {
            Ok(()) => {
                self.heard = Instant::now();
                self.trouble = None;
                Ok(())
            }
            Err(e) => {
                let silence = format!("nothing came for {} s", self.heard.elapsed().as_secs());
                Err(e.and(self.trouble.take().map_or_else(|| silence.clone(), |what| format!("{silence} ({what})"))))
            }
        }
    }

    fn away(&self, e: &KafkaError) -> Error {
        let code = e.rdkafka_error_code().map_or_else(|| e.to_string(), |code| code.to_string());
        Error::cannot(format!("read {} from Kafka at {}", self.topic, self.broker), code)
            .next("start it (the embedded one: `./spar services up`), then run the cell again: it goes on where it was")
            .transient()
    }
}
