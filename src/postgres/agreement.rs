//! What the tables are made with, kept in the table `about`: whatever writes them goes by the same rules.

use super::connect::statement_failed;
use super::schema::each_stored;
use super::windows;
use crate::config::{Config, MADE_WITH};
use crate::error::{Error, Result};
use crate::stream::{Delta, Rules, Width, WindowKinds};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_postgres::{GenericClient, Transaction};

/// A set-up holds it alone, those who take partitions over hold it together: no partition is taken over while the
/// rules change. "spar" as a number.
const LOCK: i64 = 0x7370_6172;

/// The keys of `about` for the settings of [`MADE_WITH`], in their order, then the one of the kinds of windows.
const KEYS: [&str; 4] = ["languages", "window_seconds", LATENESS, WINDOWS];
pub(crate) const LATENESS: &str = "lateness_seconds";
pub(crate) const WINDOWS: &str = "windows";

/// What the table `about` holds of the rules.
type Kept = BTreeMap<String, String>;

/// Waits for whatever else sets the tables up, or takes partitions over, and keeps it out.
pub(super) async fn alone(tx: &Transaction<'_>) -> std::result::Result<(), tokio_postgres::Error> {
    tx.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await.map(drop)
}

async fn kept(client: &impl GenericClient) -> Result<Kept> {
    let rows = client.query("SELECT key, value FROM about WHERE key = ANY($1)", &[&&KEYS[..]]).await;
    let rows = rows.map_err(|e| {
        statement_failed("read the table about", &e).next("create the tables first: Store::create_tables(&config)?")
    })?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// The rules of these settings: those that were given must be what the tables were made with, the others become it.
///
/// # Errors
///
/// Fails if a setting was given that the tables were not made with, or if the database is away.
pub(crate) async fn rules(client: &impl GenericClient, config: &Config) -> Result<Rules> {
    adopt(&kept(client).await?, config)
}

fn adopt(kept: &Kept, config: &Config) -> Result<Rules> {
    let mut rules = Rules::new(config)?;
    let defaults = ["en", "3600", "3600"];
    for (((setting, key), ours), default) in MADE_WITH.into_iter().zip(KEYS).zip(values(&rules)).zip(defaults) {
        let Some(theirs) = kept.get(key).filter(|theirs| **theirs != ours) else {
            continue;
        };
        if config.given.contains(setting) || ours != default {
            return Err(Error::cannot(
                format!("go by {setting}={ours}"),
                format!("the tables of this database were made with {setting}={theirs}"),
            )
            .next(format!(
                "leave {setting} out or set it to {theirs}; for other tables name a new database in DATABASE_URL, or \
                 delete these (the embedded ones: `./spar services reset`)"
            ))
            .invalid());
        }
        let seconds = || theirs.parse().map(Duration::from_secs).map_err(|e| unreadable(key, &e));
        match key {
            "languages" => rules.languages = theirs.split(',').map(str::to_owned).collect(),
            "window_seconds" => rules.width = Width::new(seconds()?)?,
            _ => rules.lateness = seconds()?,
        }
    }
    if let Some(theirs) = kept.get(WINDOWS) {
        rules.kinds = theirs.parse().map_err(|e: String| unreadable(WINDOWS, &e))?;
    }
    Ok(rules)
}

fn unreadable(key: &str, cause: &dyn std::fmt::Display) -> Error {
    Error::cannot(format!("understand {key} in the table about"), cause.to_string())
        .next("use the version of spar that made the tables, or a newer one")
}

/// The values of the settings of [`MADE_WITH`], in their order.
fn values(rules: &Rules) -> [String; 3] {
    let mut languages = rules.languages.clone();
    languages.sort_unstable();
    languages.dedup();
    [languages.join(","), rules.width.as_secs().to_string(), rules.lateness.as_secs().to_string()]
}

/// The same in the transaction that takes partitions over. The first of all notes what the tables are made with; no
/// set-up changes the kinds of windows before the transaction ends, and one that does later takes the partitions away.
pub(super) async fn enter(tx: &Transaction<'_>, config: &Config) -> Result<Rules> {
    let failed = |e: tokio_postgres::Error| statement_failed("note what the tables are made with", &e);
    tx.execute("SELECT pg_advisory_xact_lock_shared($1)", &[&LOCK]).await.map_err(failed)?;
    let mine = adopt(&kept(tx).await?, config)?;
    let values = values(&mine);
    tx.execute(
        "INSERT INTO about (key, value) SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT (key) DO NOTHING",
        &[&&KEYS[..values.len()], &&values[..]],
    )
    .await
    .map_err(failed)?;
    // Another one may have been the first a moment ago.
    adopt(&kept(tx).await?, config)
}

/// The kinds of windows to come, given the kept ones: a set-up that may `change` them, or is the first, goes by the
/// settings.
fn wanted(kept: &Kept, config: &Config, change: bool) -> Result<(WindowKinds, WindowKinds)> {
    let before = match kept.get(WINDOWS) {
        Some(text) => text.parse().map_err(|e: String| unreadable(WINDOWS, &e))?,
        None => WindowKinds::default(),
    };
    let ours = config.windows.clone().filter(|_| change || !kept.contains_key(WINDOWS));
    Ok((before.clone(), ours.unwrap_or(before)))
}

/// True when [`settle`] would have something to do.
pub(super) async fn unsettled(client: &impl GenericClient, config: &Config, change: bool) -> Result<bool> {
    let kept = kept(client).await?;
    let (before, after) = wanted(&kept, config, change)?;
    Ok(before != after || !kept.contains_key(WINDOWS))
}

/// Makes `toot_windows` hold the kinds that are wanted: new ones are counted from the stored toots, others removed.
/// Whoever writes meanwhile loses its partitions, and takes them back with the new kinds. [`alone`] comes first;
/// `lost` says that the table was not there.
pub(super) async fn settle(tx: &Transaction<'_>, config: &Config, change: bool, lost: bool) -> Result<()> {
    let failed = |e: tokio_postgres::Error| statement_failed("change the windows in toot_windows", &e);
    let kept = kept(tx).await?;
    let (before, after) = wanted(&kept, config, change)?;
    let fresh = after.only(|kind| lost || !before.iter().any(|old| old == kind));
    if !fresh.is_empty() || before != after {
        tx.batch_execute(
            "SELECT FROM stream_partition ORDER BY topic COLLATE \"C\", part FOR UPDATE;
             UPDATE stream_partition SET epoch = epoch + 1, owner = NULL",
        )
        .await
        .map_err(failed)?;
        let stay: Vec<String> =
            before.only(|kind| after.iter().any(|k| k == kind) && !lost).iter().map(|k| k.to_string()).collect();
        tx.execute("DELETE FROM toot_windows WHERE kind <> ALL($1)", &[&stay]).await.map_err(failed)?;
        let shape = Delta::new(adopt(&kept, config)?.width, fresh.clone());
        each_stored(tx, &shape, async |run, delta| windows::merge(run, delta, None).await).await?;
        // As the contract's windows are: by the watermark as far as that is known, by idleness where none of them is open.
        tx.execute(
            "UPDATE toot_windows t SET closed_at = now(), closed_by = CASE WHEN window_end <= mark THEN 'watermark' ELSE 'idle' END
             FROM (SELECT max(window_end) FILTER (WHERE closed_by = 'watermark') AS mark, bool_and(closed_by IS NOT NULL) AS quiet
                 FROM toots_time_window_aggregates) c
             WHERE t.closed_by IS NULL AND (window_end <= mark OR quiet)",
            &[],
        )
        .await
        .map_err(failed)?;
    }
    tx.execute(
        "INSERT INTO about (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        &[&WINDOWS, &after.to_string()],
    )
    .await
    .map(drop)
    .map_err(failed)
}
