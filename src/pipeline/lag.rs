//! How far the tables were behind the topic, batch after batch.

use super::Pipeline;
use crate::display::{Figure, Table};
use crate::error::Result;
use crate::plots;
use crate::postgres::{Store, ledger};

/// A batch tells the lag of its own partitions; the sum over all takes the latest word on each. What a partition's
/// first batch found waiting counts from the moment when that batch began.
const LAG: &str = "WITH told AS (
        SELECT p.timestamp, p.batch_duration_ms, s->>'description' AS topic, (s->>'partition')::int AS part,
            (s->>'startOffset')::bigint AS first, (s->>'endOffset')::bigint AS next,
            (s->>'latestOffset')::bigint AS latest
        FROM progress p, jsonb_array_elements(p.sources) s
        WHERE p.name = $1 AND s ? 'latestOffset' AND s->>'description' = $2
    ), lags AS (
        SELECT timestamp, part, latest - next AS lag FROM told
        UNION ALL
        (SELECT DISTINCT ON (part) timestamp - greatest(batch_duration_ms, 1) * interval '1 ms', part, latest - first
         FROM told ORDER BY part, timestamp)
    ), changes AS (
        SELECT timestamp, lag - coalesce(lag(lag) OVER (PARTITION BY part ORDER BY timestamp), 0) AS change FROM lags
    )
    SELECT timestamp, (sum(sum(change)) OVER (ORDER BY timestamp))::bigint AS lag
    FROM changes GROUP BY timestamp ORDER BY timestamp";

impl Pipeline {
    /// How many records were still to be read after each batch: `timestamp`, `lag`, the oldest first, of at most the
    /// last 10,000 batches.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL is away.
    pub fn lag(&self) -> Result<Table> {
        Store::connect(&self.config)?.query(LAG, &[&ledger::PIPELINE, &self.config.topic])
    }

    /// The same as a chart.
    ///
    /// # Errors
    ///
    /// Fails as [`Pipeline::lag`] does.
    pub fn lag_chart(&self) -> Result<Figure> {
        plots::lag(&self.lag()?, &format!("sujet {}", self.config.topic))
    }
}
