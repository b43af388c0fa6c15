//! From PostgreSQL's rows to a [`Table`]: polars columns, filled as the rows arrive.

use super::connect::statement_failed;
use super::value::{Date, Numeric, Timestamp, quoted};
use super::{Store, about, agreement};
use crate::display::Table;
use crate::error::{Error, Result};
use crate::runtime::block_on;
use crate::stream::{WindowKind, WindowKinds};
use futures_util::TryStreamExt;
use polars::prelude::{
    Column, DataFrame, Int32Chunked, Int64Chunked, IntoSeries, NamedFrom, NewChunkedArray, PlSmallStr, Series,
    StringChunkedBuilder, TimeUnit,
};
use std::pin::pin;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

impl Store {
    /// The whole table (or view) `name`, sorted by its columns from left to right.
    ///
    /// # Errors
    ///
    /// Fails if there is no such table, or a column has a type that has no place in a [`Table`].
    pub fn table(&self, name: &str) -> Result<Table> {
        let name = quoted(name)?;
        block_on(async {
            let action = format!("read the table {name}");
            let all = format!("SELECT * FROM {name}");
            let columns = self.client.prepare(&all).await.map_err(|e| missing(&action, &e))?.columns().len();
            let order: Vec<_> = (1..=columns).map(|n| n.to_string()).collect();
            rows(&self.client, &action, &format!("{all} ORDER BY {}", order.join(", ")), &[]).await
        })
    }

    /// The windows of one kind that `SPAR_WINDOWS` names, as `1h/15min by language`, in order.
    ///
    /// # Errors
    ///
    /// Fails if the tables have no windows of this kind, or the server is away.
    pub fn windows(&self, kind: &str) -> Result<Table> {
        let action = format!("read the windows {kind:?}");
        let kind: WindowKind = kind.parse().map_err(|why: String| Error::cannot(action.as_str(), why).invalid())?;
        let kept = block_on(about(&self.client, agreement::WINDOWS))?.unwrap_or_default();
        if !kept.parse::<WindowKinds>().is_ok_and(|kinds| kinds.iter().any(|k| k == kind)) {
            return Err(Error::cannot(
                action,
                format!("the table toot_windows has {}", if kept.is_empty() { "none" } else { &kept }),
            )
            .next(format!("name it in SPAR_WINDOWS, then run partie2: SPAR_WINDOWS='{kind}'"))
            .invalid());
        }
        block_on(rows(
            &self.client,
            &action,
            "SELECT window_start, window_end, key, total_toots, late_n, average_length, closed_by FROM toot_windows
             WHERE kind = $1 ORDER BY window_start, key",
            &[&kind.to_string()],
        ))
    }

    /// The rows of a query; its parameters `$1`, `$2` … are bound, never pasted.
    ///
    /// # Errors
    ///
    /// Fails if the server refuses the query, or a column has a type that has no place in a [`Table`].
    pub fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Table> {
        block_on(rows(&self.client, "query PostgreSQL", sql, parameters))
    }

    /// The project's tables and the number of their rows.
    ///
    /// # Errors
    ///
    /// Fails if the server does not answer.
    pub fn tables(&self) -> Result<Table> {
        block_on(async {
            let action = "list the tables";
            let names = self
                .client
                .query(
                    "SELECT c.relname::text FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace \
                     AND c.relkind IN ('r', 'p') ORDER BY 1 LIMIT 200",
                    &[],
                )
                .await
                .map_err(|e| statement_failed(action, &e))?;
            let counts: Result<Vec<String>> = names
                .iter()
                .map(|row| {
                    let name: &str = row.get(0);
                    Ok(format!("SELECT {}::text AS table, count(*) AS rows FROM {}", literal(name), identifier(name)))
                })
                .collect();
            let counts = counts?;
            let sql = if counts.is_empty() {
                "SELECT NULL::text AS table, NULL::bigint AS rows WHERE false".to_owned()
            } else {
                format!("{} ORDER BY 1", counts.join(" UNION ALL "))
            };
            rows(&self.client, action, &sql, &[]).await
        })
    }
}

/// Runs `sql` and gathers its rows.
pub(crate) async fn rows(
    client: &Client,
    action: &str,
    sql: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Table> {
    let statement = client.prepare(sql).await.map_err(|e| missing(action, &e))?;
    let mut builders: Vec<(String, Builder)> = Vec::new();
    for column in statement.columns() {
        builders.push((unique(&builders, column.name()), Builder::of(action, column.name(), column.type_())?));
    }
    let parameters = parameters.iter().map(|p| *p as &dyn ToSql);
    let stream = client.query_raw(&statement, parameters).await.map_err(|e| missing(action, &e))?;
    let mut stream = pin!(stream);
    let mut height = 0;
    while let Some(row) = stream.try_next().await.map_err(|e| statement_failed(action, &e))? {
        for (at, (_, builder)) in builders.iter_mut().enumerate() {
            builder.push(&row, at).map_err(|e| statement_failed(action, &e))?;
        }
        height += 1;
    }
    let columns = builders.into_iter().map(|(name, builder)| builder.finish(name.into())).collect();
    DataFrame::new(height, columns).map(Table::new).map_err(|e| Error::cannot(action, e))
}

/// A frame refuses two columns of one name; SQL does not.
fn unique(taken: &[(String, Builder)], name: &str) -> String {
    let free = |name: &str| taken.iter().all(|(other, _)| other != name);
    let mut numbered = (2..).map(|n| format!("{name}_{n}"));
    if free(name) { name.to_owned() } else { numbered.find(|n| free(n)).unwrap_or_default() }
}

/// A failed statement; a table that is not there has a next step of its own.
fn missing(action: &str, e: &tokio_postgres::Error) -> Error {
    let error = statement_failed(action, e);
    match e.code().map(|code| code.code()) {
        Some("42P01") => error.next("run partie2 first: it creates the tables and fills them").invalid(),
        _ => error,
    }
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// One column on its way into a frame.
enum Builder {
    Bool(Vec<Option<bool>>),
    Short(Vec<Option<i32>>),
    Int(Vec<Option<i32>>),
    Long(Vec<Option<i64>>),
    Real(Vec<Option<f64>>),
    Float(Vec<Option<f64>>),
    Numeric(Vec<Option<f64>>),
    Text(StringChunkedBuilder),
    Date(Vec<Option<i32>>),
    Timestamp(Vec<Option<i64>>),
}

impl Builder {
    fn of(action: &str, name: &str, kind: &Type) -> Result<Self> {
        Ok(match *kind {
            Type::BOOL => Self::Bool(Vec::new()),
            Type::INT2 => Self::Short(Vec::new()),
            Type::INT4 => Self::Int(Vec::new()),
            Type::INT8 => Self::Long(Vec::new()),
            Type::FLOAT4 => Self::Real(Vec::new()),
            Type::FLOAT8 => Self::Float(Vec::new()),
            Type::NUMERIC => Self::Numeric(Vec::new()),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
                Self::Text(StringChunkedBuilder::new(PlSmallStr::EMPTY, 0))
            }
            Type::DATE => Self::Date(Vec::new()),
            Type::TIMESTAMP | Type::TIMESTAMPTZ => Self::Timestamp(Vec::new()),
            ref other => {
                return Err(Error::cannot(action, format!("the column {name} has type {other}"))
                    .next(format!("cast it in the query: {name}::text"))
                    .invalid());
            }
        })
    }

    fn push(&mut self, row: &Row, at: usize) -> Result<(), tokio_postgres::Error> {
        match self {
            Self::Bool(values) => values.push(row.try_get(at)?),
            Self::Short(values) => values.push(row.try_get::<_, Option<i16>>(at)?.map(i32::from)),
            Self::Int(values) => values.push(row.try_get(at)?),
            Self::Long(values) => values.push(row.try_get(at)?),
            Self::Real(values) => values.push(row.try_get::<_, Option<f32>>(at)?.map(f64::from)),
            Self::Float(values) => values.push(row.try_get(at)?),
            Self::Numeric(values) => values.push(row.try_get::<_, Option<Numeric>>(at)?.map(|n| n.0)),
            Self::Text(values) => values.append_option(row.try_get::<_, Option<&str>>(at)?),
            Self::Date(values) => values.push(row.try_get::<_, Option<Date>>(at)?.and_then(|d| d.0)),
            Self::Timestamp(values) => values.push(row.try_get::<_, Option<Timestamp>>(at)?.and_then(|t| t.0)),
        }
        Ok(())
    }

    fn finish(self, name: PlSmallStr) -> Column {
        let series = match self {
            Self::Bool(values) => Series::new(name, values),
            Self::Short(values) | Self::Int(values) => Series::new(name, values),
            Self::Long(values) => Series::new(name, values),
            Self::Real(values) | Self::Float(values) | Self::Numeric(values) => Series::new(name, values),
            Self::Text(values) => values.finish().into_series().with_name(name),
            Self::Date(values) => Int32Chunked::from_iter_options(name, values.into_iter()).into_date().into_series(),
            Self::Timestamp(values) => Int64Chunked::from_iter_options(name, values.into_iter())
                .into_datetime(TimeUnit::Microseconds, None)
                .into_series(),
        };
        series.into()
    }
}
