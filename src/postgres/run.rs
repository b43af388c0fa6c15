//! Statements inside one transaction, each prepared once per connection.

use super::copy::{Rows, copy};
use std::collections::HashMap;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row, Statement, Transaction};

/// The statements that a connection has prepared, by their text.
#[derive(Default)]
pub(crate) struct Statements(HashMap<&'static str, Statement>);

/// A transaction and the statements of its connection.
pub(crate) struct Run<'a> {
    pub tx: &'a Transaction<'a>,
    pub statements: &'a mut Statements,
}

impl Run<'_> {
    async fn prepared(&mut self, sql: &'static str) -> Result<Statement, Error> {
        if let Some(statement) = self.statements.0.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.tx.prepare(sql).await?;
        self.statements.0.insert(sql, statement.clone());
        Ok(statement)
    }

    /// Runs a statement; gives the number of rows it touched.
    pub async fn execute(&mut self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, Error> {
        let statement = self.prepared(sql).await?;
        self.tx.execute(&statement, params).await
    }

    /// Asks for rows.
    pub async fn query(&mut self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Error> {
        let statement = self.prepared(sql).await?;
        self.tx.query(&statement, params).await
    }

    /// Asks for one row.
    pub async fn query_one(&mut self, sql: &'static str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, Error> {
        let statement = self.prepared(sql).await?;
        self.tx.query_one(&statement, params).await
    }

    /// Copies items in; gives the number of rows.
    pub async fn copy<T>(
        &mut self,
        sql: &'static str,
        items: impl Iterator<Item = T>,
        encode: impl FnMut(&mut Rows, T),
    ) -> Result<u64, Error> {
        let statement = self.prepared(sql).await?;
        copy(self.tx, &statement, items, encode).await
    }
}
