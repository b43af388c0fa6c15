//! The database and its tables: made when missing, upgraded when they are the original's, else left alone.

use super::connect::{self, statement_failed};
use super::run::{Run, Statements};
use super::{Store, aggregates, agreement};
use crate::config::{Config, Secret};
use crate::display::{Report, Table, say};
use crate::error::{Error, Result};
use crate::runtime::block_on;
use crate::stream::{Counted, Delta, Width, WindowKinds};
use crate::timestamp::Timestamp;
use polars::prelude::df;
use sha2::{Digest, Sha256};
use std::time::SystemTime;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Transaction};

const SCHEMA: &str = include_str!("schema.sql");
/// How many stored toots are counted at a time, unless they change too many windows.
const STORED: &str = "FETCH 20000 FROM stored";
const MOST_CHANGES: usize = 200_000;

/// The contract's tables, what writes them and their key.
const TABLES: [(&str, &str, &str); 6] = [
    ("filtered_toots", "partie2", "toot_id"),
    ("toots_time_window_aggregates", "partie2", "window_start, window_end"),
    ("user_avg_length", "partie2", "user_id"),
    ("hashtag_avg_length", "partie2", "hashtag"),
    ("history_toots", "partie4", "toot_id"),
    ("toots_sentiments", "partie4", "toot_id"),
];

impl Store {
    /// Makes the database and its tables where missing, gives them the windows of the settings, and connects. Quiet.
    ///
    /// # Errors
    ///
    /// Fails if the server is away, refuses to create the database or a table, or if the tables were made with other
    /// settings.
    pub fn create(config: &Config) -> Result<Self> {
        Self::prepare(config, true)
    }

    /// The same for one of many: windows that are there stay as they are.
    pub(crate) fn join(config: &Config) -> Result<Self> {
        Self::prepare(config, false)
    }

    fn prepare(config: &Config, change: bool) -> Result<Self> {
        block_on(async {
            ensure_database(config.database_url()?).await?;
            let mut client = connect::connect(config.database_url()?, None).await?;
            ensure_tables(&mut client, config, change).await?;
            Ok(Self { client })
        })
    }

    /// Makes the database where missing, and says which it was.
    ///
    /// # Errors
    ///
    /// Fails if the server is away or refuses to create it.
    pub fn create_database(config: &Config) -> Result<Report> {
        say("Vérification et création de la base de données si nécessaire...");
        let url = config.database_url()?;
        let name = connect::database_name(url)?;
        let (created, server) = block_on(async {
            let created = ensure_database(url).await?;
            let client = connect::connect(url, None).await?;
            let server = client
                .query_one("SELECT current_setting('server_version'), current_user::text", &[])
                .await
                .map_err(|e| statement_failed("ask PostgreSQL for its version", &e))?;
            Ok::<_, Error>((created, (server.get::<_, String>(0), server.get::<_, String>(1))))
        })?;
        say(if created {
            format!("Base de données '{name}' créée avec succès.")
        } else {
            format!("La base de données '{name}' existe déjà.")
        });
        Ok(Report::new(format!("PostgreSQL {}, base {name}, rôle {}.", server.0, server.1)))
    }

    /// Makes the tables where missing, upgrades those of the original, and lists the six of the contract.
    ///
    /// # Errors
    ///
    /// Fails if the server is away or refuses a table.
    pub fn create_tables(config: &Config) -> Result<Table> {
        say("Création des tables dans PostgreSQL...");
        let rows = block_on(async {
            let mut client = connect::connect(config.database_url()?, None).await?;
            ensure_tables(&mut client, config, true).await?;
            let mut rows = Vec::new();
            for (table, _, _) in TABLES {
                let count: i64 = client
                    .query_one(&format!("SELECT count(*) FROM {table}"), &[])
                    .await
                    .map_err(|e| statement_failed(&format!("count {table}"), &e))?
                    .get(0);
                rows.push(count);
            }
            Ok::<_, Error>(rows)
        })?;
        say("Tables créées avec succès dans PostgreSQL.");
        let names: Vec<_> = TABLES.iter().map(|(table, _, _)| *table).collect();
        let writers: Vec<_> = TABLES.iter().map(|(_, writer, _)| *writer).collect();
        let keys: Vec<_> = TABLES.iter().map(|(_, _, key)| *key).collect();
        df!("table" => names, "clé" => keys, "écrite par" => writers, "lignes" => rows)
            .map(Table::new)
            .map_err(|e| Error::cannot("show the tables", e))
    }
}

impl Store {
    /// Removes the database that the settings name, with everything in it; for benches and tests.
    ///
    /// # Errors
    ///
    /// Fails if the server is away or refuses.
    pub fn drop_database(config: &Config) -> Result<()> {
        let url = config.database_url()?;
        let name = connect::database_name(url)?;
        block_on(async {
            let server = connect::connect(url, Some("postgres")).await?;
            let quoted = name.replace('"', "\"\"");
            // Without FORCE the server sends its own autovacuum away and waits for connections that are closing; with
            // it, it ends those that stay, but fails on an autovacuum, which this role may not end.
            let mut tries = 0;
            loop {
                let force = if tries % 2 == 1 { " WITH (FORCE)" } else { "" };
                match server.batch_execute(&format!("DROP DATABASE IF EXISTS \"{quoted}\"{force}")).await {
                    Err(e) if tries < 5 && e.code().is_some_and(|c| matches!(c.code(), "55006" | "42501")) => {
                        tries += 1
                    }
                    done => return done.map_err(|e| statement_failed(&format!("drop the database {name}"), &e)),
                }
            }
        })
    }
}

/// True when the database was missing and is there now.
async fn ensure_database(url: &Secret) -> Result<bool> {
    if connect::connect_if_there(url).await?.is_some() {
        return Ok(false);
    }
    let name = connect::database_name(url)?;
    let server = connect::connect(url, Some("postgres")).await?;
    let quoted = name.replace('"', "\"\"");
    match server.batch_execute(&format!("CREATE DATABASE \"{quoted}\" ENCODING 'UTF8' TEMPLATE template0")).await {
        Ok(()) => Ok(true),
        // Someone else was faster.
        Err(e) if e.code().is_some_and(|code| matches!(code.code(), "42P04" | "23505")) => Ok(false),
        Err(e) => Err(statement_failed(&format!("create the database {name}"), &e)
            .next("give the role CREATEDB, or create the database by hand")),
    }
}

/// Makes the tables where missing and upgrades those of the original; `change` lets the settings change the kinds of
/// windows that are there. Quiet.
pub(super) async fn ensure_tables(client: &mut Client, config: &Config, change: bool) -> Result<()> {
    let version = hex(&Sha256::digest(SCHEMA));
    let current = is_current(client, &version).await?;
    if current && !agreement::unsettled(client, config, change).await? {
        return agreement::rules(client, config).await.map(drop);
    }
    let failed = |action: &'static str| move |e: tokio_postgres::Error| statement_failed(action, &e);
    let tx = client.transaction().await.map_err(failed("begin the set-up of the tables"))?;
    tx.batch_execute("SET LOCAL statement_timeout = '10min'; SET LOCAL lock_timeout = '30s'")
        .await
        .map_err(failed("set the limits of the set-up"))?;
    agreement::alone(&tx).await.map_err(failed("wait for another set-up"))?;
    let windows: bool = tx
        .query_one("SELECT to_regclass('toot_windows') IS NOT NULL", &[])
        .await
        .map_err(failed("look for toot_windows"))?
        .get(0);
    if !current {
        build(&tx, Width::new(config.window)?, &version).await?;
    }
    agreement::rules(&tx, config).await?;
    agreement::settle(&tx, config, change, !windows).await?;
    tx.commit().await.map_err(failed("commit the tables"))
}

async fn is_current(client: &Client, version: &str) -> Result<bool> {
    let tables: Vec<&str> =
        SCHEMA.lines().filter_map(|l| l.strip_prefix("CREATE TABLE IF NOT EXISTS ")?.split(' ').next()).collect();
    let there: bool = client
        .query_one("SELECT bool_and(to_regclass(t) IS NOT NULL) FROM unnest($1::text[]) AS t", &[&tables])
        .await
        .map_err(|e| statement_failed("look for the tables", &e))?
        .get(0);
    Ok(there && about(client, "schema").await?.as_deref() == Some(version))
}

/// What the database knows about itself under `key`; the table must exist.
pub(crate) async fn about(client: &Client, key: &str) -> Result<Option<String>> {
    let row = client.query_opt("SELECT value FROM about WHERE key = $1", &[&key]).await.map_err(|e| {
        statement_failed("read the table about", &e).next("create the tables first: Store::create_tables(&config)?")
    })?;
    Ok(row.map(|row| row.get(0)))
}

async fn build(tx: &Transaction<'_>, width: Width, version: &str) -> Result<()> {
    let failed = |action: &'static str| move |e: tokio_postgres::Error| statement_failed(action, &e);
    let lost = lost_aggregates(tx).await?;
    tx.batch_execute(SCHEMA).await.map_err(failed("create the tables"))?;
    for (table, key) in [("filtered_toots", "toot_id"), ("history_toots", "toot_id"), ("toots_sentiments", "toot_id")] {
        if !has_key(tx, table).await? {
            tx.batch_execute(&format!(
                "DELETE FROM {table} a USING {table} b WHERE a.{key} = b.{key} AND a.ctid < b.ctid; \
                 ALTER TABLE {table} ADD PRIMARY KEY ({key})"
            ))
            .await
            .map_err(failed("restore the key of a toot table"))?;
        }
    }
    tx.batch_execute(
        "UPDATE filtered_toots SET text_length = char_length(text) WHERE text_length IS NULL AND text IS NOT NULL; \
         UPDATE history_toots SET text_length = char_length(text) WHERE text_length IS NULL AND text IS NOT NULL",
    )
    .await
    .map_err(failed("measure the stored texts"))?;
    if lost {
        rebuild(tx, width).await?;
    }
    tx.execute(
        "INSERT INTO about (key, value) VALUES ('schema', $1), ('window_seconds', $2) \
         ON CONFLICT (key) DO UPDATE SET value = CASE WHEN about.key = 'schema' OR $3 THEN excluded.value ELSE about.value END",
        &[&version, &width.as_secs().to_string(), &lost],
    )
    .await
    .map(drop)
    .map_err(failed("note the version of the tables"))
}

/// True when windows or averages miss their table, their key or their sums, as in a database of the original.
async fn lost_aggregates(tx: &Transaction<'_>) -> Result<bool> {
    tx.query_one(
        "SELECT NOT bool_and(EXISTS (SELECT FROM information_schema.columns c
                 WHERE c.table_schema = current_schema() AND c.table_name = t.name AND c.column_name = t.sums)
             AND EXISTS (SELECT FROM pg_constraint p WHERE p.conrelid = to_regclass(t.name) AND p.contype = 'p'))
         FROM (VALUES ('toots_time_window_aggregates', 'late_n'), ('user_avg_length', 'length_sum'),
                      ('hashtag_avg_length', 'length_sum')) AS t (name, sums)",
        &[],
    )
    .await
    .map(|row| row.get(0))
    .map_err(|e| statement_failed("look at the tables of windows and averages", &e))
}

async fn has_key(tx: &Transaction<'_>, table: &str) -> Result<bool> {
    tx.query_one(
        "SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = to_regclass($1) AND contype = 'p')",
        &[&table],
    )
    .await
    .map(|row| row.get(0))
    .map_err(|e| statement_failed(&format!("look for the key of {table}"), &e))
}

/// Counts windows and averages again from the stored toots, in the transaction: nobody sees them empty.
async fn rebuild(tx: &Transaction<'_>, width: Width) -> Result<()> {
    let failed = |action: &'static str| move |e: tokio_postgres::Error| statement_failed(action, &e);
    for (table, key, types) in [
        (
            "toots_time_window_aggregates",
            "window_start, window_end",
            "ALTER COLUMN window_start TYPE TIMESTAMP, ALTER COLUMN window_end TYPE TIMESTAMP, ALTER COLUMN total_toots TYPE INTEGER",
        ),
        ("user_avg_length", "user_id", "ALTER COLUMN user_id TYPE VARCHAR(255)"),
        ("hashtag_avg_length", "hashtag", "ALTER COLUMN hashtag TYPE VARCHAR(255)"),
    ] {
        tx.batch_execute(&format!("DELETE FROM {table}")).await.map_err(failed("empty a table to count it again"))?;
        if !has_key(tx, table).await? {
            let restored = failed("restore the key of windows or averages");
            retype(tx, table, types).await.map_err(&restored)?;
            tx.batch_execute(&format!("ALTER TABLE {table} ADD PRIMARY KEY ({key})")).await.map_err(&restored)?;
        }
    }
    let shape = Delta::new(width, WindowKinds::default());
    each_stored(tx, &shape, async |run, delta| {
        aggregates::windows(run, delta, None).await?;
        aggregates::averages(run, delta).await
    })
    .await
}

/// Calls `write` with what the stored toots come to, a part of them after the other.
pub(super) async fn each_stored(
    tx: &Transaction<'_>,
    shape: &Delta,
    write: impl AsyncFn(&mut Run<'_>, &Delta) -> std::result::Result<(), tokio_postgres::Error>,
) -> Result<()> {
    let failed = |e: tokio_postgres::Error| statement_failed("count the stored toots again", &e);
    let run = &mut Run { tx, statements: &mut Statements::default() };
    tx.batch_execute(
        "DECLARE stored NO SCROLL CURSOR FOR
         SELECT t.timestamp, t.user_id, coalesce(t.text_length, 0), coalesce(t.hashtags, ''), l.toot_id IS NOT NULL,
             t.language FROM all_toots t LEFT JOIN late_toots l USING (toot_id)",
    )
    .await
    .map_err(failed)?;
    loop {
        let rows = run.query(STORED, &[]).await.map_err(failed)?;
        if rows.is_empty() {
            return tx.batch_execute("CLOSE stored").await.map_err(failed);
        }
        let mut delta = shape.blank();
        for (n, row) in rows.iter().enumerate() {
            delta.add(Counted {
                at: row.get::<_, Option<SystemTime>>(0).map(Timestamp::from),
                user_id: row.get(1),
                language: row.get(5),
                text_length: row.get(2),
                hashtags: row.get(3),
                late: row.get(4),
            });
            if n % 64 == 0 && delta.reach() >= MOST_CHANGES {
                write(run, &std::mem::replace(&mut delta, shape.blank())).await.map_err(failed)?;
            }
        }
        write(run, &delta).await.map_err(failed)?;
    }
}

/// Gives columns the types of the contract, unless a view of the user's shows them: then they stay as they are, and
/// what is written fits in.
async fn retype(tx: &Transaction<'_>, table: &str, types: &str) -> std::result::Result<(), tokio_postgres::Error> {
    tx.batch_execute("SAVEPOINT types").await?;
    match tx.batch_execute(&format!("ALTER TABLE {table} {types}")).await {
        Err(e) if e.code() == Some(&SqlState::FEATURE_NOT_SUPPORTED) => {
            tx.batch_execute("ROLLBACK TO SAVEPOINT types").await
        }
        done => done,
    }
}

/// Checks that the role may write a table.
pub(crate) async fn may_write(client: &Client, table: &str) -> Result<()> {
    let action = format!("write {table}");
    let may: bool = client
        .query_one("SELECT has_table_privilege($1, 'INSERT') AND has_table_privilege($1, 'UPDATE')", &[&table])
        .await
        .map_err(|e| statement_failed(&action, &e).next("create the tables first: Store::create_tables(&config)"))?
        .get(0);
    if may {
        Ok(())
    } else {
        Err(Error::cannot(action, "the role may not").next("grant it INSERT and UPDATE").refused())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
