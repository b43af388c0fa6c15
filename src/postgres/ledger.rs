//! The ledger: what was applied of each partition, and who may go on. Rows of the stream change with it or not at all.

use super::agreement;
use super::connect::statement_failed;
use super::run::Run;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::stream::{Rules, Span};
use crate::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;
use tokio_postgres::{Client, Row};

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
    /// The ledger holds it for idle.
    pub idle: bool,
    pub owner: Option<String>,
}

/// What the ledger says about a batch whose commit is in doubt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    /// It was applied.
    Applied,
    /// It was not: it may be tried again.
    NotApplied,
    /// The server lost transactions it had confirmed, or the rules have changed: what is in memory is worth nothing.
    Behind,
    /// Another worker took a partition over; this is its epoch, and the partition.
    Fenced { part: i32, epoch: i64 },
}

const TAKE: &str = "INSERT INTO stream_partition AS s (pipeline, topic, part, next_offset, epoch, owner)
    VALUES ($1, $2, $3, $4, 1, $5)
    ON CONFLICT (pipeline, topic, part) DO UPDATE
        SET epoch = s.epoch + 1, owner = excluded.owner, updated_at = now()
    RETURNING topic, part, next_offset, epoch, max_event_time, last_key, last_timestamp, idle, owner";

const MOVE: &str = "UPDATE stream_partition
    SET next_offset = $5, max_event_time = greatest(max_event_time, $6), last_key = $7, last_timestamp = $8,
        idle = $10, updated_at = now()
    WHERE pipeline = $1 AND topic = $2 AND part = $3 AND next_offset = $4 AND epoch = $9";

const REST: &str = "UPDATE stream_partition SET idle = $5
    WHERE pipeline = $1 AND topic = $2 AND part = $3 AND epoch = $4";

const LOOK: &str = "SELECT next_offset, epoch, owner FROM stream_partition
    WHERE pipeline = $1 AND topic = $2 AND part = $3 FOR UPDATE";

/// Takes partitions over, in the order given: `(topic, partition, offset to begin at when it is new)`.
///
/// A batch under way of the former owner is waited for; what it begins afterwards is refused. Nothing is taken when
/// `still` says, with the rows locked, that they are no longer this worker's to take: the next owner, who waits for
/// the locks or comes later, must have the last word. Gives the rules that the tables are made with, too.
pub(crate) async fn take_over(
    client: &mut Client,
    config: &Config,
    owner: &str,
    wanted: &[(String, i32, i64)],
    still: impl Fn() -> bool,
) -> Result<Option<(Vec<Position>, Rules)>> {
    let failed = |e: tokio_postgres::Error| statement_failed("take over the partitions in stream_partition", &e);
    let tx = client.transaction().await.map_err(failed)?;
    // Whatever batches do, the change of owner must survive a crash of the server.
    tx.batch_execute("SET LOCAL synchronous_commit = on").await.map_err(failed)?;
    let rules = agreement::enter(&tx, config).await?;
    let statement = tx.prepare(TAKE).await.map_err(failed)?;
    let mut positions = Vec::with_capacity(wanted.len());
    for (topic, part, first) in wanted {
        let row = tx.query_one(&statement, &[&PIPELINE, topic, part, first, &owner]).await.map_err(failed)?;
        positions.push(position_of(&row));
    }
    if !still() {
        return tx.rollback().await.map(|()| None).map_err(failed);
    }
    tx.commit().await.map_err(failed)?;
    Ok(Some((positions, rules)))
}

fn position_of(row: &Row) -> Position {
    let time = |column: usize| row.get::<_, Option<SystemTime>>(column).map(Into::into);
    Position {
        topic: row.get(0),
        part: row.get(1),
        next_offset: row.get(2),
        epoch: row.get(3),
        max_event_time: time(4),
        last_key: row.get(5),
        last_timestamp: time(6),
        idle: row.get(7),
        owner: row.get(8),
    }
}

/// Every partition that was ever taken over, and how far it is applied.
pub(crate) async fn applied(client: &Client) -> Result<Vec<Position>> {
    let rows = client
        .query(
            "SELECT topic, part, next_offset, epoch, max_event_time, last_key, last_timestamp, idle, owner
             FROM stream_partition WHERE pipeline = $1 ORDER BY topic, part",
            &[&PIPELINE],
        )
        .await
        .map_err(|e| statement_failed("read stream_partition", &e))?;
    Ok(rows.iter().map(position_of).collect())
}

/// The epochs that this worker holds.
pub(crate) type Epochs = BTreeMap<(String, i32), i64>;

fn epoch(epochs: &Epochs, span: &Span) -> i64 {
    epochs.get(&(span.topic.clone(), span.part)).copied().unwrap_or(-1)
}

/// What a batch changes in the ledger.
pub(crate) struct Advance<'a> {
    /// What was read of each partition.
    pub spans: &'a [Span],
    /// The topic whose partitions may be idle.
    pub topic: &'a str,
    /// Those that are.
    pub idle: &'a BTreeSet<i32>,
    /// Those that the ledger holds for idle.
    pub told: &'a BTreeSet<i32>,
}

/// Moves every span from its first to its last offset and notes which partitions are idle, in the order of topics and
/// partitions, so that two workers never wait for each other in a circle; false when a row was not as this worker
/// left it.
pub(crate) async fn advance(
    run: &mut Run<'_>,
    epochs: &Epochs,
    change: &Advance<'_>,
) -> std::result::Result<bool, tokio_postgres::Error> {
    let at = |t: Option<Timestamp>| t.map(SystemTime::from);
    for ((topic, part), epoch) in epochs {
        let idle = topic == change.topic && change.idle.contains(part);
        let moved = match change.spans.iter().find(|span| span.topic == *topic && span.part == *part) {
            Some(span) => {
                let (mark, last) = (at(span.max_event_time), at(span.last_timestamp));
                run.execute(
                    MOVE,
                    &[&PIPELINE, topic, part, &span.from, &span.to, &mark, &span.last_key, &last, epoch, &idle],
                )
                .await?
            }
            None if topic == change.topic && idle != change.told.contains(part) => {
                run.execute(REST, &[&PIPELINE, topic, part, epoch, &idle]).await?
            }
            None => 1,
        };
        if moved != 1 {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A partition that this worker no longer holds: a set-up that changed the rules took it, for nobody, or another worker.
fn taken(part: i32, row: &Row) -> Truth {
    match row.get::<_, Option<&str>>(2) {
        None => Truth::Behind,
        Some(_) => Truth::Fenced { part, epoch: row.get(1) },
    }
}

/// Asks the ledger about a batch; waits for a transaction in flight, because a plain read would show the row before it.
pub(crate) async fn resolve(client: &mut Client, epochs: &Epochs, spans: &[Span]) -> Result<Truth> {
    let failed = |e: tokio_postgres::Error| statement_failed("ask stream_partition what was applied", &e);
    let tx = client.transaction().await.map_err(failed)?;
    let mut truth = None;
    // A partition without records in the batch counts too: the batch notes whether it is idle.
    for ((topic, part), mine) in
        epochs.iter().filter(|(key, _)| !spans.iter().any(|s| (&s.topic, s.part) == (&key.0, key.1)))
    {
        let row = tx.query_opt(LOOK, &[&PIPELINE, topic, part]).await.map_err(failed)?;
        if let Some(row) = row.filter(|row| row.get::<_, i64>(1) != *mine) {
            return Ok(taken(*part, &row));
        }
    }
    for span in spans {
        let place = format!("go on with {} partition {}", span.topic, span.part);
        let row = tx.query_opt(LOOK, &[&PIPELINE, &span.topic, &span.part]).await.map_err(failed)?;
        let Some(row) = row else {
            return Err(Error::cannot(place, "its row in stream_partition is gone").next("run partie2 again"));
        };
        let (next, held): (i64, i64) = (row.get(0), row.get(1));
        if held != epoch(epochs, span) {
            return Ok(taken(span.part, &row));
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

const MARKS: &str = "SELECT max_event_time, idle FROM stream_partition
    WHERE pipeline = $1 AND topic = $2 AND part < $3";

/// How far event time has come in every partition of the topic, whoever reads it, and whether it is idle. One that
/// nobody took over yet has come nowhere and is not idle.
pub(crate) async fn marks(
    run: &mut Run<'_>,
    topic: &str,
    partitions: usize,
) -> std::result::Result<Vec<(Option<Timestamp>, bool)>, tokio_postgres::Error> {
    let rows = run.query(MARKS, &[&PIPELINE, &topic, &(partitions as i32)]).await?;
    let mark = |row: &Row| (row.get::<_, Option<SystemTime>>(0).map(Into::into), row.get(1));
    let mut marks: Vec<_> = rows.iter().map(mark).collect();
    marks.resize(partitions.max(marks.len()), (None, false));
    Ok(marks)
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
