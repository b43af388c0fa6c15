//! Several reads of one state of the database, in parallel where there is much to read.

use super::connect::{connect, statement_failed};
use super::read::rows;
use crate::config::Config;
use crate::display::Table;
use crate::error::{Error, Result};
use crate::runtime::{block_on, runtime};
use tokio_postgres::Client;

/// From so many toots on, several connections read them.
const LARGE: i64 = 300_000;

/// Connections that read a large table.
const READERS: usize = 4;

/// One state of the database: what is written after it was opened is not seen.
pub(crate) struct Snapshot {
    client: Client,
    config: Config,
    application: &'static str,
}

impl Snapshot {
    /// Opens a snapshot; `application` is the name that the server shows for it.
    pub(crate) fn open(config: &Config, application: &'static str) -> Result<Self> {
        let client = block_on(begin(config, application, None))?;
        Ok(Self { client, config: config.clone(), application })
    }

    /// The rows of a query.
    pub(crate) fn read(&self, sql: &str) -> Result<Table> {
        block_on(rows(&self.client, "read PostgreSQL", sql, &[]))
    }

    /// These columns of every toot, each id once, from both toot tables.
    pub(crate) fn toots(&self, columns: &str) -> Result<Table> {
        let sql = format!("SELECT {columns} FROM all_toots");
        block_on(async {
            if estimate(&self.client).await? < LARGE {
                return rows(&self.client, "read the toots", &sql, &[]).await;
            }
            let row = self.client.query_one("SELECT pg_export_snapshot()", &[]).await;
            let snapshot: String = row.map_err(|e| statement_failed("share a snapshot", &e))?.get(0);
            let mut readers = Vec::new();
            for part in 0..READERS {
                let (config, application, snapshot) = (self.config.clone(), self.application, snapshot.clone());
                let sql = format!("{sql} WHERE mod(hashtext(toot_id) & 2147483647, {READERS}) = {part}");
                readers.push(runtime().spawn(async move {
                    let client = begin(&config, application, Some(&snapshot)).await?;
                    rows(&client, "read the toots", &sql, &[]).await
                }));
            }
            let mut whole: Option<Table> = None;
            for reader in readers {
                let part = reader.await.map_err(|e| Error::cannot("read the toots", e))??;
                whole = Some(match whole {
                    None => part,
                    Some(before) => joined(&before, &part)?,
                });
            }
            whole.ok_or_else(|| Error::cannot("read the toots", "there is no reader"))
        })
    }
}

fn joined(above: &Table, below: &Table) -> Result<Table> {
    above.frame().vstack(below.frame()).map(Table::new).map_err(|e| Error::cannot("join the parts read", e))
}

async fn begin(config: &Config, application: &str, snapshot: Option<&str>) -> Result<Client> {
    let client = connect(config.database_url()?, None).await?;
    let mut sql = format!(
        "SET application_name = '{application}'; SET idle_in_transaction_session_timeout = '120s'; \
         BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;"
    );
    if let Some(snapshot) = snapshot {
        sql.push_str(&format!("SET TRANSACTION SNAPSHOT '{}';", snapshot.replace('\'', "''")));
    }
    client.batch_execute(&sql).await.map_err(|e| statement_failed("open a snapshot", &e))?;
    Ok(client)
}

/// About how many toots are stored, as the server's statistics tell.
async fn estimate(client: &Client) -> Result<i64> {
    let row = client
        .query_one(
            "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class \
             WHERE oid IN (to_regclass('filtered_toots'), to_regclass('history_toots'))",
            &[],
        )
        .await
        .map_err(|e| statement_failed("estimate the number of toots", &e))?;
    Ok(row.get(0))
}
