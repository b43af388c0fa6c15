//! How the stream stands: what is applied of each partition, and the latest batches.

use super::Pipeline;
use super::steps::table;
use crate::config::Config;
use crate::display::Table;
use crate::error::Result;
use crate::kafka::{gaps_topic, topic_info};
use crate::postgres::{Store, about, agreement, ledger};
use crate::runtime::block_on;
use polars::prelude::df;
use std::fmt;
use std::time::Duration;

/// How many of the latest batches are shown.
const BATCHES: i64 = 10;

const LATEST: &str = "SELECT batch_id, \"timestamp\", num_input_rows,
        round(input_rows_per_second)::bigint AS input_rows_per_second,
        round(processed_rows_per_second)::bigint AS processed_rows_per_second, batch_duration_ms, watermark, (observed_metrics->>'late')::bigint AS late,
        (observed_metrics->>'dead')::bigint AS dead_letters, (observed_metrics->>'lag')::bigint AS lag, run_id
    FROM progress WHERE name = $1 ORDER BY \"timestamp\" DESC LIMIT $2";

/// What [`Pipeline::status`] found.
#[derive(Clone, Debug)]
pub struct StreamStatus {
    /// Topic, partition, owner, first record not yet applied, end of the partition, lag in records, watermark, idle.
    pub partitions: Table,
    /// The latest batches, the newest first, with the names of Spark's StreamingQueryProgress.
    pub batches: Table,
    /// Records that are still to be read, over all partitions.
    pub lag: i64,
}

impl StreamStatus {
    /// Asks Kafka and PostgreSQL.
    ///
    /// # Errors
    ///
    /// Fails if one of them is away, or if the topic or the tables do not exist.
    pub fn read(config: &Config) -> Result<Self> {
        let store = Store::connect(config)?;
        let applied = block_on(ledger::applied(&store.client))?;
        // What the tables go by, whatever this process was told.
        let kept = block_on(about(&store.client, agreement::LATENESS))?.and_then(|seconds| seconds.parse().ok());
        let lateness = kept.map_or(config.lateness, Duration::from_secs);
        let mut topics = vec![topic_info(config)?];
        let gaps = Config { topic: gaps_topic(&config.topic), ..config.clone() };
        topics.extend(topic_info(&gaps).ok());
        let ends =
            topics.iter().flat_map(|t| t.partitions.iter().map(|(part, first, end)| (&t.topic, *part, *first, *end)));
        let (mut names, mut parts, mut owners, mut next, mut last, mut lag, mut marks, mut idle) =
            (vec![], vec![], vec![], vec![], vec![], vec![], vec![], vec![]);
        for (topic, part, first, end) in ends {
            let row = applied.iter().find(|row| row.topic == *topic && row.part == part);
            let at = row.map_or(first, |row| row.next_offset);
            names.push(topic.as_str());
            parts.push(part);
            owners.push(row.and_then(|row| row.owner.as_deref()));
            next.push(at);
            last.push(end);
            lag.push((end - at).max(0));
            marks.push(row.and_then(|row| row.max_event_time).map(|at| at.minus(lateness).to_string()));
            idle.push(row.map(|row| row.idle));
        }
        let total = lag.iter().sum();
        let partitions = table(df!(
            "topic" => names, "partition" => parts, "owner" => owners, "next_offset" => next, "end_offset" => last,
            "lag" => lag, "watermark" => marks, "idle" => idle,
        ))?;
        Ok(Self { partitions, batches: store.query(LATEST, &[&ledger::PIPELINE, &BATCHES])?, lag: total })
    }

    /// Shows the state in a notebook.
    pub fn evcxr_display(&self) {
        self.partitions.evcxr_display();
    }
}

impl fmt::Display for StreamStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.partitions)?;
        write!(f, "The latest batches, at most {BATCHES}:\n{}", self.batches)
    }
}

impl Pipeline {
    /// How the stream stands, while it runs or not.
    ///
    /// # Errors
    ///
    /// Fails as [`StreamStatus::read`] does.
    pub fn status(&self) -> Result<StreamStatus> {
        StreamStatus::read(&self.config)
    }
}
