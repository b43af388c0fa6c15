//! Windows and averages by upsert: what a batch adds or takes, merged into what is there.

use super::run::Run;
use crate::stream::{Delta, LengthChange};
use crate::timestamp::Timestamp;
use std::collections::HashMap;
use std::time::SystemTime;
use tokio_postgres::Error;

const REOPEN: &str = "UPDATE toots_time_window_aggregates SET closed_at = NULL, closed_by = NULL
    WHERE closed_by = 'idle' AND window_start = ANY($1::timestamp[])";

const WINDOWS: &str = "INSERT INTO toots_time_window_aggregates AS t (window_start, window_end, total_toots, late_n)
    SELECT * FROM unnest($1::timestamp[], $2::timestamp[], $3::int4[], $4::int4[])
    ON CONFLICT (window_start, window_end) DO UPDATE SET
        total_toots = t.total_toots + excluded.total_toots,
        late_n = t.late_n + excluded.late_n,
        revised_at = CASE WHEN t.closed_at IS NULL THEN t.revised_at ELSE now() END";

const EMPTY_WINDOWS: &str =
    "DELETE FROM toots_time_window_aggregates WHERE window_start = ANY($1::timestamp[]) AND total_toots <= 0";

const USERS: &str = "INSERT INTO user_avg_length AS t (user_id, average_length, length_sum, toots)
    SELECT key, length::float8 / nullif(n, 0), length, n
    FROM unnest($1::text[], $2::int8[], $3::int8[]) AS d (key, length, n)
    ON CONFLICT (user_id) DO UPDATE SET
        length_sum = t.length_sum + excluded.length_sum, toots = t.toots + excluded.toots,
        average_length = (t.length_sum + excluded.length_sum)::float8 / nullif(t.toots + excluded.toots, 0)";

const TAGS: &str = "INSERT INTO hashtag_avg_length AS t (hashtag, average_length, length_sum, toots)
    SELECT key, length::float8 / nullif(n, 0), length, n
    FROM unnest($1::text[], $2::int8[], $3::int8[]) AS d (key, length, n)
    ON CONFLICT (hashtag) DO UPDATE SET
        length_sum = t.length_sum + excluded.length_sum, toots = t.toots + excluded.toots,
        average_length = (t.length_sum + excluded.length_sum)::float8 / nullif(t.toots + excluded.toots, 0)";

const EMPTY_USERS: &str = "DELETE FROM user_avg_length WHERE user_id = ANY($1::text[]) AND toots <= 0";
const EMPTY_TAGS: &str = "DELETE FROM hashtag_avg_length WHERE hashtag = ANY($1::text[]) AND toots <= 0";

/// The windows that a batch may touch, locked in ascending order, so that two workers never wait in a circle.
const LOCK: &str = "SELECT FROM toots_time_window_aggregates
    WHERE window_start = ANY($1::timestamp[])
        OR (closed_by IS DISTINCT FROM 'watermark' AND window_end <= $2::timestamp)
    ORDER BY window_start, window_end FOR UPDATE";

/// Merges the averages of `delta` in, users before tags, keys ascending.
pub(crate) async fn averages(run: &mut Run<'_>, delta: &Delta) -> Result<(), Error> {
    lengths(run, &delta.users, USERS, EMPTY_USERS).await?;
    lengths(run, &delta.tags, TAGS, EMPTY_TAGS).await
}

/// Merges the windows of `delta` in, and closes those that end at or before `mark`.
pub(crate) async fn windows(run: &mut Run<'_>, delta: &Delta, mark: Option<Timestamp>) -> Result<(), Error> {
    let touched: Vec<SystemTime> = delta.windows.keys().map(|window| window.start.into()).collect();
    run.query(LOCK, &[&touched, &mark.map(SystemTime::from)]).await?;
    merge(run, delta).await?;
    if let Some(mark) = mark {
        close(run, mark).await?;
    }
    Ok(())
}

async fn merge(run: &mut Run<'_>, delta: &Delta) -> Result<(), Error> {
    let times = |keep: &dyn Fn(&crate::stream::WindowChange) -> bool| -> Vec<SystemTime> {
        delta.windows.iter().filter(|(_, change)| keep(change)).map(|(w, _)| w.start.into()).collect()
    };
    let opened = times(&|change| change.on_time > 0);
    if !opened.is_empty() {
        run.execute(REOPEN, &[&opened]).await?;
    }
    let changed: Vec<_> = delta.windows.iter().filter(|(_, c)| c.toots != 0 || c.late != 0).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let starts: Vec<SystemTime> = changed.iter().map(|(w, _)| w.start.into()).collect();
    let ends: Vec<SystemTime> = changed.iter().map(|(w, _)| w.end.into()).collect();
    // A batch holds far fewer than 2³¹ toots.
    let toots: Vec<i32> = changed.iter().map(|(_, c)| c.toots as i32).collect();
    let late: Vec<i32> = changed.iter().map(|(_, c)| c.late as i32).collect();
    run.execute(WINDOWS, &[&starts, &ends, &toots, &late]).await?;
    let fewer = times(&|change| change.toots < 0);
    if !fewer.is_empty() {
        run.execute(EMPTY_WINDOWS, &[&fewer]).await?;
    }
    Ok(())
}

async fn lengths(
    run: &mut Run<'_>,
    changes: &HashMap<Box<str>, LengthChange>,
    upsert: &'static str,
    empty: &'static str,
) -> Result<(), Error> {
    let mut changed: Vec<(&str, &LengthChange)> =
        changes.iter().filter(|(_, c)| c.length != 0 || c.toots != 0).map(|(key, c)| (&**key, c)).collect();
    if changed.is_empty() {
        return Ok(());
    }
    changed.sort_unstable_by_key(|(key, _)| *key);
    let keys: Vec<&str> = changed.iter().map(|(key, _)| *key).collect();
    let lengths: Vec<i64> = changed.iter().map(|(_, c)| c.length).collect();
    let toots: Vec<i64> = changed.iter().map(|(_, c)| c.toots).collect();
    run.execute(upsert, &[&keys, &lengths, &toots]).await?;
    let fewer: Vec<&str> = changed.iter().filter(|(_, c)| c.toots < 0).map(|(key, _)| *key).collect();
    if !fewer.is_empty() {
        run.execute(empty, &[&fewer]).await?;
    }
    Ok(())
}

/// Marks the windows that end at or before `mark` as closed.
async fn close(run: &mut Run<'_>, mark: Timestamp) -> Result<u64, Error> {
    run.execute(
        "UPDATE toots_time_window_aggregates SET closed_at = coalesce(closed_at, now()), closed_by = 'watermark'
         WHERE closed_by IS DISTINCT FROM 'watermark' AND window_end <= $1::timestamp",
        &[&SystemTime::from(mark)],
    )
    .await
}

/// Marks every open window as closed by idleness.
pub(crate) async fn close_idle(run: &mut Run<'_>) -> Result<u64, Error> {
    let lock = "SELECT FROM toots_time_window_aggregates WHERE closed_by IS NULL
        ORDER BY window_start, window_end FOR UPDATE";
    run.query(lock, &[]).await?;
    run.execute(
        "UPDATE toots_time_window_aggregates SET closed_at = now(), closed_by = 'idle' WHERE closed_by IS NULL",
        &[],
    )
    .await
}
