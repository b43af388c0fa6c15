//! How far the topic of toots has come: the newest toot at the ends of its partitions, but for what waited for Kafka when
//! its listener was killed.

use super::{Waiting, tail};
use crate::config::Config;
use crate::error::Result;
use crate::timestamp::Timestamp;

/// How many records at the end of each partition are looked at: the last ones may be deletes of old toots.
const TAIL: u32 = 20;

/// The newest record of the topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// The newest toot's id: the longest, then the greatest.
    pub id: Option<String>,
    /// When Kafka's newest record was sent; everything sent before this moment is there.
    pub at: Timestamp,
}

impl Cursor {
    /// Reads the ends of the topic's partitions; nothing when the topic is empty or does not exist.
    ///
    /// # Errors
    ///
    /// Fails if the broker is away.
    pub fn read(config: &Config) -> Result<Option<Self>> {
        let mut records = tail(config, &config.topic, TAIL)?;
        let mut at = records.iter().map(|record| record.at).max();
        if let Some(since) = Waiting::of(config).since().filter(|since| at.is_none_or(|at| *since < at)) {
            // Toots of other partitions came later; some of this one did not.
            records.retain(|record| record.at < since);
            at = Some(since);
        }
        let id = records.into_iter().filter_map(|record| record.key).max_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        Ok(at.map(|at| Self { id, at }))
    }
}
