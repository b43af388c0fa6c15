//! The last records of a topic, to look at them.

use super::{client, failed, topic_info};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::timestamp::Timestamp;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};

/// How long the broker may be silent.
const LIMIT: Duration = Duration::from_secs(15);

/// One record of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its partition.
    pub part: i32,
    /// Its offset.
    pub offset: i64,
    /// When it was sent.
    pub at: Timestamp,
    /// Its key, as text.
    pub key: Option<String>,
    /// Its value.
    pub value: Option<Vec<u8>>,
}

/// At most `most` records from the end of each partition of `topic`; none when it does not exist.
///
/// # Errors
///
/// Fails if the broker is away.
pub fn tail(config: &Config, topic: &str, most: u32) -> Result<Vec<Record>> {
    let broker = config.kafka()?;
    let action = format!("read the end of {topic}");
    let info = topic_info(&Config { topic: topic.to_owned(), ..config.clone() })?;
    let mut open: Vec<(i32, i64)> = Vec::new();
    let mut list = TopicPartitionList::with_capacity(info.partitions.len());
    for (part, first, end) in info.partitions.into_iter().filter(|(_, first, end)| end > first) {
        let start = Offset::Offset((end - i64::from(most)).max(first));
        list.add_partition_offset(topic, part, start).map_err(|e| failed(&action, broker, &e))?;
        open.push((part, end));
    }
    let mut records = Vec::new();
    if open.is_empty() || most == 0 {
        return Ok(records);
    }
    // The library wants a group to assign partitions by hand; nothing is stored under its name.
    let consumer: BaseConsumer = client(broker, "spar-tail")
        .set("group.id", "spar-tail")
        .set("enable.auto.commit", "false")
        .set("auto.offset.reset", "error")
        .create()
        .map_err(|e| failed(&action, broker, &e))?;
    consumer.assign(&list).map_err(|e| failed(&action, broker, &e))?;
    let mut heard = Instant::now();
    while !open.is_empty() {
        let Some(record) = consumer.poll(Duration::from_millis(100)) else {
            if heard.elapsed() > LIMIT {
                return Err(Error::cannot(action, "its last records did not come in time").transient());
            }
            continue;
        };
        heard = Instant::now();
        let record = record.map_err(|e| failed(&action, broker, &e))?;
        open.retain(|(part, end)| *part != record.partition() || record.offset() + 1 < *end);
        records.push(Record {
            part: record.partition(),
            offset: record.offset(),
            at: Timestamp::from_millis(record.timestamp().to_millis().unwrap_or_default()),
            key: record.key().map(|key| String::from_utf8_lossy(key).into_owned()),
            value: record.payload().map(<[u8]>::to_owned),
        });
    }
    Ok(records)
}
