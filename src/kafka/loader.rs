//! Records put into a topic as they are, with any key, partition and time: for replays, benches and tests.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::runtime::block_on;
use crate::timestamp::Timestamp;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication, TopicResult};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _, ProducerContext};
use rdkafka::{ClientConfig, ClientContext, Offset, TopicPartitionList};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long the broker may take for one request, or for the records of one flush.
const ASK: Duration = Duration::from_secs(30);

/// A record to put.
#[derive(Clone, Copy, Debug, Default)]
pub struct Raw<'a> {
    /// Its partition; else its key decides.
    pub part: Option<i32>,
    /// Its key.
    pub key: Option<&'a str>,
    /// Its value.
    pub value: Option<&'a [u8]>,
    /// Kafka's timestamp; else the present.
    pub at: Option<Timestamp>,
    /// Its headers: names and values.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// A producer that changes nothing on the way.
///
/// The library behind it is C inside this crate: behind a trait object, no other crate has to link it to drop one.
pub struct Loader(Box<dyn Load>);

trait Load: Send + Sync {
    fn create_topic(&self, topic: &str, partitions: i32) -> Result<()>;
    fn delete_topic(&self, topic: &str) -> Result<()>;
    fn delete_records(&self, topic: &str, part: i32, before: i64) -> Result<()>;
    fn put(&self, topic: &str, raw: Raw<'_>) -> Result<()>;
    fn flush(&self) -> Result<()>;
}

struct Clients {
    producer: BaseProducer<Refusals>,
    admin: AdminClient<DefaultClientContext>,
    refusals: Refusals,
}

/// Why the broker did not take the first record that it refused since the last flush.
#[derive(Clone, Default)]
struct Refusals(Arc<Mutex<Option<String>>>);

impl ClientContext for Refusals {}

impl ProducerContext for Refusals {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((e, _)) = result {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| e.to_string());
        }
    }
}

impl Loader {
    /// Prepares it; the broker is first asked by a call.
    ///
    /// # Errors
    ///
    /// Fails if Kafka's address is not known.
    pub fn connect(config: &Config) -> Result<Self> {
        let mut client = ClientConfig::new();
        client.set("bootstrap.servers", config.kafka()?).set("client.id", "spar-loader");
        let cannot = |e: KafkaError| Error::cannot("prepare a loader", e);
        let admin = client.create().map_err(cannot)?;
        // A record that comes alone goes at once; when many come they fill batches all the same, while others are sent.
        client.set("enable.idempotence", "true").set("linger.ms", "1").set("compression.type", "lz4");
        // The broker alone says what is too large.
        client.set("message.max.bytes", "100000000");
        let refusals = Refusals::default();
        let producer = client.create_with_context(refusals.clone()).map_err(cannot)?;
        Ok(Self(Box::new(Clients { producer, admin, refusals })))
    }

    /// Creates a topic.
    ///
    /// # Errors
    ///
    /// Fails if the broker is away or the topic exists.
    pub fn create_topic(&self, topic: &str, partitions: i32) -> Result<()> {
        self.0.create_topic(topic, partitions)
    }

    /// Deletes a topic and its records.
    ///
    /// # Errors
    ///
    /// Fails if the broker is away or the topic does not exist.
    pub fn delete_topic(&self, topic: &str) -> Result<()> {
        self.0.delete_topic(topic)
    }

    /// Deletes the records of a partition before an offset, as retention does.
    ///
    /// # Errors
    ///
    /// Fails if the broker is away or has no such partition or offset.
    pub fn delete_records(&self, topic: &str, part: i32, before: i64) -> Result<()> {
        self.0.delete_records(topic, part, before)
    }

    /// Queues a record; while the queue is full it waits.
    ///
    /// # Errors
    ///
    /// Fails if the record is refused, or if the queue stays full for half a minute.
    pub fn put(&self, topic: &str, raw: Raw<'_>) -> Result<()> {
        self.0.put(topic, raw)
    }

    /// Waits until Kafka has all of them.
    ///
    /// # Errors
    ///
    /// Fails if it refused one, or does not have them after half a minute.
    pub fn flush(&self) -> Result<()> {
        self.0.flush()
    }
}

/// The first refusal of a request about topics, if any.
fn settled(action: &str, done: KafkaResult<Vec<TopicResult>>) -> Result<()> {
    for result in done.map_err(|e| Error::cannot(action, e))? {
        result.map_err(|(_, code)| Error::cannot(action, code))?;
    }
    Ok(())
}

impl Load for Clients {
    fn create_topic(&self, topic: &str, partitions: i32) -> Result<()> {
        let new = NewTopic::new(topic, partitions, TopicReplication::Fixed(1));
        let done = block_on(self.admin.create_topics([&new], &AdminOptions::new().operation_timeout(Some(ASK))));
        settled(&format!("create the topic {topic}"), done)
    }

    fn delete_topic(&self, topic: &str) -> Result<()> {
        let done = block_on(self.admin.delete_topics(&[topic], &AdminOptions::new().operation_timeout(Some(ASK))));
        settled(&format!("delete the topic {topic}"), done)
    }

    fn delete_records(&self, topic: &str, part: i32, before: i64) -> Result<()> {
        let cannot = |e: KafkaError| Error::cannot(format!("delete records of {topic}"), e);
        let mut ends = TopicPartitionList::new();
        ends.add_partition_offset(topic, part, Offset::Offset(before)).map_err(cannot)?;
        let done = block_on(self.admin.delete_records(&ends, &AdminOptions::new().operation_timeout(Some(ASK))));
        done.and_then(|list| list.elements().iter().try_for_each(|e| e.error())).map_err(cannot)
    }

    fn put(&self, topic: &str, raw: Raw<'_>) -> Result<()> {
        let mut record: BaseRecord<'_, str, [u8]> = BaseRecord::to(topic);
        record.partition = raw.part;
        record.key = raw.key;
        record.payload = raw.value;
        record.timestamp = raw.at.map(Timestamp::as_millis);
        if !raw.headers.is_empty() {
            let headers = OwnedHeaders::new_with_capacity(raw.headers.len());
            let add = |all: OwnedHeaders, (key, value): &(&str, &[u8])| all.insert(Header { key, value: Some(*value) });
            record.headers = Some(raw.headers.iter().fold(headers, add));
        }
        let began = Instant::now();
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((e, back))
                    if e.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) && began.elapsed() < ASK =>
                {
                    record = back;
                    self.producer.poll(Duration::from_millis(20));
                }
                Err((e, _)) => return Err(Error::cannot(format!("put a record into {topic}"), e)),
            }
        }
    }

    fn flush(&self) -> Result<()> {
        self.producer.flush(ASK).map_err(|e| Error::cannot("flush the loader", e).transient())?;
        match self.refusals.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(cause) => Err(Error::cannot("put a record", cause).invalid()),
            None => Ok(()),
        }
    }
}
