//! The ledger: what was applied of each partition, and who may go on. Rows of the stream change with it or not at all.

use super::connect::statement_failed;
use super::run::Run;
use crate::error::{Error, Result};
use crate::stream::Span;
use crate::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::time::SystemTime;
use tokio_postgres::Client;

/// The name under which partie2 keeps its positions.
pub(crate) const PIPELINE: &str = "partie2";

/// A partition taken over.
#[derive(Clone, Debug)]
pub(crate) struct Position {
    pub topic: String,
    pub part: i32,
    pub next_offset: i64,
    pub epoch: i64,
    pub max_event_time: Option<Timestamp>,
    pub last_key: Option<String>,
    pub last_timestamp: Option<Timestamp>,
}

/// What the ledger says about a batch whose commit is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    /// It was applied.
    Applied,
    /// It was not: it may be tried again.
    NotApplied,
    /// The server lost transactions it had confirmed: what is in memory is worth nothing.
    Behind,
}

const TAKE: &str = "INSERT INTO stream_partition AS s (pipeline, topic, part, next_offset, epoch, owner)
    VALUES ($1, $2, $3, $4, 1, $5)
    ON CONFLICT (pipeline, topic, part) DO UPDATE
        SET epoch = s.epoch + 1, owner = excluded.owner, updated_at = now()
    RETURNING next_offset, epoch, max_event_time, last_key, last_timestamp";

const MOVE: &str = "UPDATE stream_partition
    SET next_offset = $5, max_event_time = greatest(max_event_time, $6), last_key = $7, last_timestamp = $8,
        updated_at = now()
    WHERE pipeline = $1 AND topic = $2 AND part = $3 AND next_offset = $4 AND epoch = $9";

const LOOK: &str = "SELECT next_offset, epoch FROM stream_partition
    WHERE pipeline = $1 AND topic = $2 AND part = $3 FOR UPDATE";

/// Takes partitions over, in the order given: `(topic, partition, offset to begin at when it is new)`.
///
/// A batch under way of the former owner is waited for; what it begins afterwards is refused.
pub(crate) async fn take_over(
    client: &mut Client,
    owner: &str,
    wanted: &[(String, i32, i64)],
) -> Result<Vec<Position>> {
    let failed = |e: tokio_postgres::Error| statement_failed("take over the partitions in stream_partition", &e);
    let tx = client.transaction().await.map_err(failed)?;
    // Whatever batches do, the change of owner must survive a crash of the server.
    tx.batch_execute("SET LOCAL synchronous_commit = on").await.map_err(failed)?;
    let statement = tx.prepare(TAKE).await.map_err(failed)?;
    let mut positions = Vec::with_capacity(wanted.len());
    for (topic, part, first) in wanted {
        let row = tx.query_one(&statement, &[&PIPELINE, topic, part, first, &owner]).await.map_err(failed)?;
        positions.push(Position {
            topic: topic.clone(),
            part: *part,
            next_offset: row.get(0),
            epoch: row.get(1),
            max_event_time: row.get::<_, Option<SystemTime>>(2).map(Into::into),
            last_key: row.get(3),
            last_timestamp: row.get::<_, Option<SystemTime>>(4).map(Into::into),
        });
    }
    tx.commit().await.map_err(failed)?;
    Ok(positions)
}

/// The epochs that this worker holds.
pub(crate) type Epochs = BTreeMap<(String, i32), i64>;

fn epoch(epochs: &Epochs, span: &Span) -> i64 {
    epochs.get(&(span.topic.clone(), span.part)).copied().unwrap_or(-1)
}

/// Moves every span from its first to its last offset; false when a row was not as this worker left it.
pub(crate) async fn advance(
    run: &mut Run<'_>,
    epochs: &Epochs,
    spans: &[Span],
) -> std::result::Result<bool, tokio_postgres::Error> {
    for span in spans {
        let at = |t: Option<Timestamp>| t.map(SystemTime::from);
        let moved = run
            .execute(
                MOVE,
                &[
                    &PIPELINE,
                    &span.topic,
                    &span.part,
                    &span.from,
                    &span.to,
                    &at(span.max_event_time),
                    &span.last_key,
                    &at(span.last_timestamp),
                    &epoch(epochs, span),
                ],
            )
            .await?;
        if moved != 1 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Asks the ledger about a batch; waits for a transaction in flight, because a plain read would show the row before it.
pub(crate) async fn resolve(client: &mut Client, epochs: &Epochs, spans: &[Span]) -> Result<Truth> {
    let failed = |e: tokio_postgres::Error| statement_failed("ask stream_partition what was applied", &e);
    let tx = client.transaction().await.map_err(failed)?;
    let mut truth = None;
    for span in spans {
        let place = format!("go on with {} partition {}", span.topic, span.part);
        let row = tx.query_opt(LOOK, &[&PIPELINE, &span.topic, &span.part]).await.map_err(failed)?;
        let Some(row) = row else {
            return Err(Error::cannot(place, "its row in stream_partition is gone").next("run partie2 again"));
        };
        let (next, held): (i64, i64) = (row.get(0), row.get(1));
        if held != epoch(epochs, span) {
            return Err(Error::cannot(place, format!("another worker owns it now (epoch {held})"))
                .next("this worker stops; the other one goes on")
                .refused());
        }
        let here = match next {
            n if n == span.to => Truth::Applied,
            n if n == span.from => Truth::NotApplied,
            n if n < span.from => Truth::Behind,
            n => {
                return Err(Error::cannot(place, format!("its next offset is {n}, set by someone else"))
                    .next("run partie2 again: it goes on from there"));
            }
        };
        match truth {
            None => truth = Some(here),
            Some(before) if before == here => {}
            Some(_) => truth = Some(Truth::Behind),
        }
    }
    tx.rollback().await.map_err(failed)?;
    Ok(truth.unwrap_or(Truth::Applied))
}

/// True while this worker owns the partition; locks the row until the transaction ends.
pub(crate) async fn holds(
    run: &mut Run<'_>,
    topic: &str,
    part: i32,
    epoch: i64,
) -> std::result::Result<bool, tokio_postgres::Error> {
    let rows = run.query(LOOK, &[&PIPELINE, &topic, &part]).await?;
    Ok(rows.first().is_some_and(|row| row.get::<_, i64>(1) == epoch))
}

/// The first offset of a partition that is not applied yet, if anything is.
pub(crate) async fn position(client: &Client, topic: &str, part: i32) -> Result<Option<i64>> {
    client
        .query_opt(
            "SELECT next_offset FROM stream_partition WHERE pipeline = $1 AND topic = $2 AND part = $3",
            &[&PIPELINE, &topic, &part],
        )
        .await
        .map(|row| row.map(|row| row.get(0)))
        .map_err(|e| statement_failed("read stream_partition", &e))
}
