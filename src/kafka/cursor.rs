//! How far the topic of toots has come: the newest toot at the ends of its partitions.

use super::{client, failed, topic_info};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::timestamp::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// How many records at the end of each partition are looked at.
const TAIL: i64 = 20;
/// How long the broker may take for them.
const LIMIT: Duration = Duration::from_secs(15);

/// The newest record of the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The newest toot's id: the longest, then the greatest.
    pub id: Option<String>,
    /// When Kafka's newest record was sent.
    pub at: Timestamp,
}

impl Cursor {
    /// Reads the ends of the topic's partitions; nothing when the topic is empty or does not exist.
    ///
    /// # Errors
    ///
    /// Fails if the broker is away.
    pub fn read(config: &Config) -> Result<Option<Self>> {
        let broker = config.kafka()?;
        let action = format!("read the end of {}", config.topic);
        let filled: Vec<(i32, i64, i64)> =
            topic_info(config)?.partitions.into_iter().filter(|(_, first, end)| end > first).collect();
        if filled.is_empty() {
            return Ok(None);
        }
        let mut list = TopicPartitionList::with_capacity(filled.len());
        for (part, first, end) in &filled {
            let start = Offset::Offset((end - TAIL).max(*first));
            list.add_partition_offset(&config.topic, *part, start).map_err(|e| failed(&action, broker, &e))?;
        }
        // The library wants a group to assign partitions by hand; nothing is stored under its name.
        let consumer: BaseConsumer = client(broker, "spar-partie1")
            .set("group.id", "spar-partie1")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "error")
            .create()
            .map_err(|e| failed(&action, broker, &e))?;
        consumer.assign(&list).map_err(|e| failed(&action, broker, &e))?;
        let mut cursor = Self { id: None, at: Timestamp::from_micros(i64::MIN) };
        let mut open: Vec<(i32, i64)> = filled.iter().map(|(part, _, end)| (*part, *end)).collect();
        let started = Instant::now();
        while !open.is_empty() {
            if started.elapsed() > LIMIT {
                return Err(Error::cannot(action, "its last records did not come in time").transient());
            }
            let Some(record) = consumer.poll(Duration::from_millis(100)) else { continue };
            let record = record.map_err(|e| failed(&action, broker, &e))?;
            if let Some(ms) = record.timestamp().to_millis() {
                cursor.at = cursor.at.max(Timestamp::from_millis(ms));
            }
            let id = record.key().and_then(|key| std::str::from_utf8(key).ok());
            let newest = cursor.id.as_deref().map(|id| (id.len(), id));
            if id.map(|id| (id.len(), id)) > newest {
                cursor.id = id.map(str::to_owned);
            }
            open.retain(|(part, end)| *part != record.partition() || record.offset() + 1 < *end);
        }
        Ok(Some(cursor))
    }
}
