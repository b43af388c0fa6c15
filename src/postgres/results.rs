//! Stored results: a table of its own for each, replaced whole in one transaction.

use super::Store;
use super::connect::statement_failed;
use super::value::{Value, column_type, quoted};
use crate::display::Table;
use crate::error::{Error, Result};
use crate::runtime::block_on;
use polars::prelude::{AnyValue, Column};
use std::pin::pin;
use tokio_postgres::Transaction;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};

/// The comment that tells a result from a table of somebody else's.
const MARK: &str = "a result of spar, replaced whole by each run";

/// One column of a result: its quoted name and its type in SQL and on the wire.
struct Definition {
    name: String,
    sql: &'static str,
    wire: Type,
}

impl Store {
    /// Stores `table` as the table `name`, replacing the result of an earlier run in one transaction.
    ///
    /// Readers see the old rows or the new ones, never none; two runs at once follow each other. Only a table that
    /// this function made is replaced.
    ///
    /// # Errors
    ///
    /// Fails if `name` or a column's name is not a plain one, a column has no type in PostgreSQL, or a table of that
    /// name holds something else; the stored rows are then as they were.
    pub fn write_table(&mut self, name: &str, table: &Table) -> Result<u64> {
        let action = format!("store the result {name}");
        let quoted_name = quoted(name)?;
        let definitions = definitions(&action, table)?;
        block_on(async {
            let failed = |e: tokio_postgres::Error| statement_failed(&action, &e);
            let transaction = self.client.transaction().await.map_err(failed)?;
            transaction
                .execute("SELECT pg_advisory_xact_lock(hashtextextended('spar result ' || $1, 0))", &[&name])
                .await
                .map_err(failed)?;
            prepare(&transaction, &action, name, &quoted_name, &definitions).await?;
            let names: Vec<_> = definitions.iter().map(|d| d.name.as_str()).collect();
            let copy = format!("COPY {quoted_name} ({}) FROM STDIN (FORMAT binary)", names.join(", "));
            let sink = transaction.copy_in(&copy).await.map_err(failed)?;
            let types: Vec<_> = definitions.iter().map(|d| d.wire.clone()).collect();
            let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
            for row in 0..table.height() {
                let values: Vec<Value<'_>> = table.frame().columns().iter().map(|c| value(c, row)).collect();
                let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|v| v as &(dyn ToSql + Sync)).collect();
                writer.as_mut().write(&values).await.map_err(failed)?;
            }
            let written = writer.finish().await.map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
            Ok(written)
        })
    }
}

fn value(column: &Column, row: usize) -> Value<'_> {
    Value(column.get(row).unwrap_or(AnyValue::Null))
}

fn definitions(action: &str, table: &Table) -> Result<Vec<Definition>> {
    let definition = |column: &Column| {
        let name = quoted(column.name())?;
        let (sql, wire) = column_type(column.dtype()).ok_or_else(|| {
            Error::cannot(action, format!("the column {name} has type {}", column.dtype()))
                .next("cast it to text or to a number")
                .invalid()
        })?;
        Ok(Definition { name, sql, wire })
    };
    table.frame().columns().iter().map(definition).collect()
}

/// Leaves an empty table of these columns; the rows go in the same transaction, so nobody sees it empty.
async fn prepare(
    transaction: &Transaction<'_>,
    action: &str,
    name: &str,
    quoted_name: &str,
    definitions: &[Definition],
) -> Result<()> {
    let failed = |e: tokio_postgres::Error| statement_failed(action, &e);
    let found = transaction
        .query_opt(
            "SELECT coalesce(obj_description(c.oid, 'pg_class'), ''), \
             (SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' \
              ORDER BY attnum) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped) \
             FROM pg_class c WHERE c.relname = $1 AND c.relnamespace = current_schema()::regnamespace",
            &[&name],
        )
        .await
        .map_err(failed)?;
    let wanted: Vec<_> = definitions.iter().map(|d| format!("{} {}", d.name, d.sql)).collect();
    let create =
        format!("CREATE TABLE {quoted_name} ({}); COMMENT ON TABLE {quoted_name} IS '{MARK}'", wanted.join(", "));
    let statement = match found {
        None => create,
        Some(row) if row.get::<_, &str>(0) != MARK => {
            return Err(Error::cannot(action, "a table of that name holds something else")
                .next("choose another name, or rename that table")
                .invalid());
        }
        Some(row) => {
            let there = row.get::<_, Option<&str>>(1).unwrap_or_default().replace('"', "");
            // Rows are deleted, not truncated: a reader's older snapshot keeps them, and views stay.
            let same = wanted.join(", ").replace('"', "").to_lowercase() == same_words(&there);
            if same { format!("DELETE FROM {quoted_name}") } else { format!("DROP TABLE {quoted_name}; {create}") }
        }
    };
    transaction.batch_execute(&statement).await.map_err(failed)
}

/// PostgreSQL's long names of types as this file writes them.
fn same_words(columns: &str) -> String {
    columns.replace("timestamp without time zone", "timestamp").to_lowercase()
}
