//! The rows of a batch: what is known of its toots already, what leaves, what is written.

use super::copy::Rows;
use super::run::Run;
use crate::stream::{Batch, ChangeKind, Fate, Place, Stored, Toot, Written};
use crate::timestamp::Timestamp;
use std::collections::{BTreeMap, HashSet};
use std::time::SystemTime;
use tokio_postgres::{Error, Row};

type Result<T> = std::result::Result<T, Error>;

const PUT: &str = "COPY filtered_toots (toot_id, timestamp, text, user_id, language, hashtags, reblogs_count,
    favourites_count, replies_count, content, username, text_length, edited_at) FROM STDIN BINARY";
const LATE: &str = "COPY late_toots (toot_id, timestamp, window_start, window_end, lateness_seconds, topic, part,
    \"offset\", received_at) FROM STDIN BINARY";
const QUARANTINE: &str = "COPY quarantine (toot_id, timestamp, text, user_id, language, hashtags, content, edited_at,
    topic, part, \"offset\", received_at) FROM STDIN BINARY";
const DEAD: &str = "COPY dead_letter (topic, part, \"offset\", received_at, reason, error, toot_id, size, bytes,
    seen_by) FROM STDIN BINARY";

/// The ids of plain toots about which some table says something. `toots` looks into `filtered_toots` too; without it
/// the key of that table tells. `history` looks into `history_toots` too: it holds copies, but in a database of the
/// original it may hold toots of its own.
pub(crate) async fn known(run: &mut Run<'_>, batch: &Batch, toots: bool, history: bool) -> Result<HashSet<String>> {
    let mut known = HashSet::new();
    if batch.plain.is_empty() {
        return Ok(known);
    }
    let any = run.query_one("SELECT EXISTS (SELECT FROM tombstones), EXISTS (SELECT FROM quarantine)", &[]).await?;
    let wanted = [
        (any.get(0), "SELECT toot_id FROM tombstones WHERE toot_id = ANY($1::text[])"),
        (any.get(1), "SELECT toot_id FROM quarantine WHERE toot_id = ANY($1::text[])"),
        (history, "SELECT toot_id FROM history_toots WHERE toot_id = ANY($1::text[])"),
        (toots, "SELECT toot_id FROM filtered_toots WHERE toot_id = ANY($1::text[])"),
    ];
    let mut ids: Vec<&str> = Vec::new();
    for (_, question) in wanted.into_iter().filter(|(ask, _)| *ask) {
        if ids.is_empty() {
            ids = sorted(batch.plain.iter().map(|index| batch.id(*index)));
        }
        known.extend(run.query(question, &[&ids]).await?.iter().map(|row| row.get::<_, String>(0)));
    }
    Ok(known)
}

/// What the tables hold of the toots of these changes, their rows locked in the order of their ids.
pub(crate) async fn fates(run: &mut Run<'_>, batch: &Batch, changes: &[u32]) -> Result<BTreeMap<String, Fate>> {
    let mut fates = BTreeMap::new();
    let ids = sorted(changes.iter().map(|index| batch.id(*index)));
    if ids.is_empty() {
        return Ok(fates);
    }
    let filtered = run
        .query(
            "SELECT toot_id, timestamp, user_id, coalesce(text_length, char_length(text), 0), coalesce(hashtags, ''),
                edited_at, language FROM filtered_toots WHERE toot_id = ANY($1::text[]) ORDER BY toot_id FOR UPDATE",
            &[&ids],
        )
        .await?;
    let history = run
        .query(
            "SELECT toot_id, timestamp, user_id, coalesce(text_length, char_length(text), 0), coalesce(hashtags, ''),
                edited_at, language FROM history_toots WHERE toot_id = ANY($1::text[]) ORDER BY toot_id FOR UPDATE",
            &[&ids],
        )
        .await?;
    let late = run.query("SELECT toot_id FROM late_toots WHERE toot_id = ANY($1::text[])", &[&ids]).await?;
    let late: HashSet<&str> = late.iter().map(|row| row.get(0)).collect();
    for row in filtered.iter().chain(&history) {
        let id: String = row.get(0);
        let stored = Stored {
            at: time(row, 1),
            user_id: row.get(2),
            language: row.get(6),
            text_length: row.get(3),
            hashtags: row.get(4),
            version: time(row, 5),
            late: late.contains(id.as_str()),
        };
        // The row of filtered_toots comes first and counts; its copy in the history is the same toot.
        fates.entry(id).or_insert(Fate::Stored(stored));
    }
    let set_aside = run
        .query(
            "SELECT toot_id, edited_at FROM quarantine WHERE toot_id = ANY($1::text[]) ORDER BY toot_id FOR UPDATE",
            &[&ids],
        )
        .await?;
    for row in &set_aside {
        fates.entry(row.get(0)).or_insert(Fate::Quarantined(time(row, 1)));
    }
    let buried = run
        .query(
            "SELECT toot_id, edited_at, deleted FROM tombstones WHERE toot_id = ANY($1::text[])
             ORDER BY toot_id FOR UPDATE",
            &[&ids],
        )
        .await?;
    for row in &buried {
        let fate = if row.get(2) { Fate::Deleted } else { Fate::Retracted(time(row, 1)) };
        fates.entry(row.get(0)).or_insert(fate);
    }
    Ok(fates)
}

/// Removes what the special changes of a batch remove, and sets and lifts tombstones.
pub(crate) async fn take_out(run: &mut Run<'_>, written: &Written<'_>) -> Result<()> {
    let gone: [(&Vec<&str>, &[&'static str]); 5] = [
        (
            &written.clear,
            &[
                "DELETE FROM filtered_toots WHERE toot_id = ANY($1::text[])",
                "DELETE FROM history_toots WHERE toot_id = ANY($1::text[])",
                "DELETE FROM toots_sentiments WHERE toot_id = ANY($1::text[])",
            ],
        ),
        (&written.unlist, &["DELETE FROM late_toots WHERE toot_id = ANY($1::text[])"]),
        (&written.release, &["DELETE FROM quarantine WHERE toot_id = ANY($1::text[])"]),
        (&written.lift, &["DELETE FROM tombstones WHERE toot_id = ANY($1::text[])"]),
        (&written.forget, &["DELETE FROM dead_letter WHERE toot_id = ANY($1::text[])"]),
    ];
    for (ids, statements) in gone {
        for statement in statements.iter().filter(|_| !ids.is_empty()) {
            run.execute(statement, &[ids]).await?;
        }
    }
    if !written.bury.is_empty() {
        let ids: Vec<&str> = written.bury.iter().map(|(id, _, _)| *id).collect();
        let deleted: Vec<bool> = written.bury.iter().map(|(_, deleted, _)| *deleted).collect();
        let versions: Vec<Option<SystemTime>> =
            written.bury.iter().map(|(_, _, version)| version.map(Into::into)).collect();
        run.execute(
            "INSERT INTO tombstones AS t (toot_id, deleted, edited_at)
             SELECT * FROM unnest($1::text[], $2::bool[], $3::timestamp[])
             ON CONFLICT (toot_id) DO UPDATE SET deleted = t.deleted OR excluded.deleted, edited_at = excluded.edited_at,
                 recorded_at = now()",
            &[&ids, &deleted, &versions],
        )
        .await?;
    }
    Ok(())
}

/// Copies the toots of these changes into `filtered_toots`, in the order of their ids: the records of several partitions
/// come in turns of some thousand, and the key's index is quickest at its end.
pub(crate) async fn put<'a>(run: &mut Run<'_>, batch: &'a Batch, changes: impl Iterator<Item = &'a u32>) -> Result<()> {
    let mut toots: Vec<(&str, u32)> = changes.map(|index| (batch.id(*index), *index)).collect();
    toots.sort_by_key(|(id, _)| *id);
    let mut toots = toots.into_iter().filter_map(|(_, index)| toot(batch, index)).peekable();
    if toots.peek().is_none() {
        return Ok(());
    }
    run.copy(PUT, toots, |rows, (toot, _, _)| {
        rows.row(13);
        describe(rows, toot);
        toot.counts.iter().for_each(|count| rows.int(*count));
        rows.text(Some(toot.content));
        rows.text(toot.username);
        rows.int(Some(toot.text_length));
        rows.time(toot.edited_at);
    })
    .await?;
    Ok(())
}

/// Lists the late toots and fills quarantine.
pub(crate) async fn list(run: &mut Run<'_>, batch: &Batch, fresh: &[u32], written: &Written<'_>) -> Result<()> {
    let width = batch.delta.width();
    let topic = &batch.topic;
    let mut late = fresh
        .iter()
        .chain(&written.late)
        .filter_map(|index| match batch.changes[*index as usize].kind {
            ChangeKind::Put { toot, late: Some(behind), .. } => {
                Some((batch.toots.get(toot), batch.changes[*index as usize].place, behind))
            }
            _ => None,
        })
        .peekable();
    if late.peek().is_some() {
        run.copy(LATE, late, |rows, (toot, place, behind)| {
            let window = width.window(toot.at);
            rows.row(9);
            rows.text(Some(toot.id));
            rows.time(Some(toot.at));
            rows.time(Some(window.start));
            rows.time(Some(window.end));
            rows.double(behind);
            locate(rows, topic, place);
        })
        .await?;
    }
    let mut future = written.quarantine.iter().filter_map(|index| toot(batch, *index)).peekable();
    if future.peek().is_some() {
        run.copy(QUARANTINE, future, |rows, (toot, place, _)| {
            rows.row(12);
            describe(rows, toot);
            rows.text(Some(toot.content));
            rows.time(toot.edited_at);
            locate(rows, topic, place);
        })
        .await?;
    }
    Ok(())
}

/// Writes the dead letters and what was told about gaps.
pub(crate) async fn set_aside(run: &mut Run<'_>, batch: &Batch, seen_by: &str) -> Result<()> {
    if !batch.dead.is_empty() {
        let parts: Vec<i32> = batch.dead.iter().map(|letter| letter.place.part).collect();
        let offsets: Vec<i64> = batch.dead.iter().map(|letter| letter.place.offset).collect();
        // A topic created anew has other records at the same offsets.
        run.execute(
            "DELETE FROM dead_letter d USING unnest($2::int4[], $3::int8[]) AS o (part, at)
             WHERE d.topic = $1 AND d.part = o.part AND d.\"offset\" = o.at",
            &[&batch.topic, &parts, &offsets],
        )
        .await?;
        run.copy(DEAD, batch.dead.iter(), |rows, letter| {
            rows.row(10);
            locate(rows, &batch.topic, letter.place);
            rows.text(Some(letter.dead.reason.as_str()));
            rows.text(Some(&letter.dead.error));
            rows.text(letter.dead.id.as_deref());
            rows.bigint(letter.size as i64);
            rows.bytes(letter.bytes.as_deref());
            rows.text(Some(seen_by));
        })
        .await?;
        // The toot may have been deleted before its letter came, or later in this batch.
        let ids = sorted(batch.dead.iter().filter_map(|letter| letter.dead.id.as_deref()));
        run.execute(
            "DELETE FROM dead_letter d USING tombstones t
             WHERE d.toot_id = ANY($1::text[]) AND t.toot_id = d.toot_id AND t.deleted",
            &[&ids],
        )
        .await?;
    }
    for gap in &batch.gaps {
        let time = |at: Option<Timestamp>| at.map(SystemTime::from);
        run.execute(
            "INSERT INTO gaps (gap_id, source, from_id, to_id, from_time, to_time, reason, filled, detail)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (gap_id) DO UPDATE SET source = excluded.source, from_id = excluded.from_id,
                 to_id = excluded.to_id, from_time = excluded.from_time, to_time = excluded.to_time,
                 reason = excluded.reason, filled = excluded.filled, detail = excluded.detail, updated_at = now()",
            &[
                &gap.id,
                &gap.source,
                &gap.from_id,
                &gap.to_id,
                &time(gap.from_time),
                &time(gap.to_time),
                &gap.reason,
                &gap.filled,
                &gap.detail,
            ],
        )
        .await?;
    }
    Ok(())
}

/// Notes the source of the toots at the first write.
pub(crate) async fn remember_source(run: &mut Run<'_>, source: &str) -> Result<()> {
    run.execute("INSERT INTO about (key, value) VALUES ('source', $1) ON CONFLICT (key) DO NOTHING", &[&source])
        .await?;
    Ok(())
}

/// The columns with which every table of toots begins.
fn describe(rows: &mut Rows, toot: Toot<'_>) {
    rows.text(Some(toot.id));
    rows.time(Some(toot.at));
    rows.text(Some(toot.text));
    rows.text(toot.user_id);
    rows.text(Some(toot.language));
    rows.text(Some(toot.hashtags));
}

fn locate(rows: &mut Rows, topic: &str, place: Place) {
    rows.text(Some(topic));
    rows.int(Some(place.part));
    rows.bigint(place.offset);
    rows.time(Some(place.received_at));
}

fn toot(batch: &Batch, change: u32) -> Option<(Toot<'_>, Place, Option<f64>)> {
    let change = &batch.changes[change as usize];
    match change.kind {
        ChangeKind::Put { toot, late, .. } => Some((batch.toots.get(toot), change.place, late)),
        _ => None,
    }
}

fn time(row: &Row, column: usize) -> Option<Timestamp> {
    row.get::<_, Option<SystemTime>>(column).map(Into::into)
}

fn sorted<'a>(ids: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut ids: Vec<&str> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
