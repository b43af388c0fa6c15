//! Windows of other kinds, table `toot_windows`: written after everything else of a batch, one worker after the other.

use super::run::Run;
use crate::stream::{Delta, WindowChange};
use crate::timestamp::Timestamp;
use std::time::SystemTime;
use tokio_postgres::Error;

/// Batches that come this far at the same time share hours, so they wait for each other's windows of the contract
/// anyway; with one at a time here, the order of rows cannot make them wait in a circle.
const ONE_BY_ONE: &str = "SELECT pg_advisory_xact_lock(hashtextextended('toot_windows', 0))";

const MERGE: &str = "INSERT INTO toot_windows AS t (kind, key, window_start, window_end, total_toots, late_n,
        length_sum, average_length)
    SELECT ($1::text[])[kind], key, start, stop, n, late, length, length::float8 / nullif(n, 0)
    FROM unnest($2::int4[], $3::text[], $4::timestamp[], $5::timestamp[], $6::int4[], $7::int4[], $8::int8[])
        AS d (kind, key, start, stop, n, late, length)
    ON CONFLICT (kind, window_start, key) DO UPDATE SET
        total_toots = t.total_toots + excluded.total_toots,
        late_n = t.late_n + excluded.late_n,
        length_sum = t.length_sum + excluded.length_sum,
        average_length = (t.length_sum + excluded.length_sum)::float8 / nullif(t.total_toots + excluded.total_toots, 0),
        revised_at = CASE WHEN t.closed_at IS NULL THEN t.revised_at ELSE now() END";

const ANY_IDLE: &str = "SELECT EXISTS (SELECT FROM toot_windows WHERE closed_by = 'idle')";

const REOPEN: &str = "UPDATE toot_windows t SET closed_at = NULL, closed_by = NULL
    FROM unnest($2::int4[], $3::text[], $4::timestamp[]) AS d (kind, key, start)
    WHERE t.closed_by = 'idle' AND t.kind = ($1::text[])[d.kind] AND t.window_start = d.start AND t.key = d.key";

const EMPTY: &str =
    "DELETE FROM toot_windows t USING unnest($2::int4[], $3::text[], $4::timestamp[]) AS d (kind, key, start)
    WHERE t.total_toots <= 0 AND t.kind = ($1::text[])[d.kind] AND t.window_start = d.start AND t.key = d.key";

const CLOSE: &str = "UPDATE toot_windows SET closed_at = coalesce(closed_at, now()), closed_by = 'watermark'
    WHERE closed_by IS DISTINCT FROM 'watermark' AND window_end <= $1::timestamp";

const CLOSE_IDLE: &str = "UPDATE toot_windows SET closed_at = now(), closed_by = 'idle' WHERE closed_by IS NULL";

/// Merges the windows of other kinds of `delta` in, and closes those that end at or before `mark`. Nothing is asked
/// of the database when there are no such kinds.
pub(crate) async fn merge(run: &mut Run<'_>, delta: &Delta, mark: Option<Timestamp>) -> Result<(), Error> {
    if delta.kinds().is_empty() {
        return Ok(());
    }
    run.query(ONE_BY_ONE, &[]).await?;
    let names: Vec<String> = delta.kinds().iter().map(|kind| kind.to_string()).collect();
    if run.query_one(ANY_IDLE, &[]).await?.get(0) {
        let opened = Rows::of(delta, |change| change.on_time > 0);
        run.execute(REOPEN, &[&names, &opened.kinds, &opened.keys, &opened.starts]).await?;
    }
    let changed = Rows::of(delta, |change| change.toots != 0 || change.late != 0 || change.length != 0);
    if !changed.keys.is_empty() {
        let Rows { kinds, keys, starts, ends, toots, late, length } = &changed;
        run.execute(MERGE, &[&names, kinds, keys, starts, ends, toots, late, length]).await?;
    }
    let fewer = Rows::of(delta, |change| change.toots < 0);
    if !fewer.keys.is_empty() {
        run.execute(EMPTY, &[&names, &fewer.kinds, &fewer.keys, &fewer.starts]).await?;
    }
    if let Some(mark) = mark {
        run.execute(CLOSE, &[&SystemTime::from(mark)]).await?;
    }
    Ok(())
}

/// Marks every open window as closed by idleness.
pub(crate) async fn close_idle(run: &mut Run<'_>) -> Result<(), Error> {
    run.query(ONE_BY_ONE, &[]).await?;
    run.execute(CLOSE_IDLE, &[]).await.map(drop)
}

/// Windows as columns, in the order of the key; kinds by their places in the list, from 1.
#[derive(Default)]
struct Rows<'a> {
    kinds: Vec<i32>,
    keys: Vec<&'a str>,
    starts: Vec<SystemTime>,
    ends: Vec<SystemTime>,
    toots: Vec<i32>,
    late: Vec<i32>,
    length: Vec<i64>,
}

impl<'a> Rows<'a> {
    fn of(delta: &'a Delta, keep: impl Fn(&WindowChange) -> bool) -> Self {
        let mut rows = Self::default();
        let kinds: Vec<_> = delta.kinds().iter().collect();
        for ((number, start), changes) in &delta.by_kind {
            let end = kinds[*number].end(*start);
            let mut changes: Vec<_> = changes.iter().filter(|(_, change)| keep(change)).collect();
            changes.sort_unstable_by_key(|(key, _)| *key);
            for (key, change) in changes {
                rows.kinds.push(*number as i32 + 1);
                rows.keys.push(key);
                rows.starts.push((*start).into());
                rows.ends.push(end.into());
                // A batch holds far fewer than 2³¹ toots.
                rows.toots.push(change.toots as i32);
                rows.late.push(change.late as i32);
                rows.length.push(change.length);
            }
        }
        rows
    }
}
