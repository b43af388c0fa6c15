//! A database of its own for each test that reads or writes toots.

use crate::support::{FreshDatabase, fresh_database};
use spar::{Config, Store};

/// An empty database, dropped at the end.
pub struct Database {
    database: FreshDatabase,
}

impl Database {
    /// Without tables.
    pub fn fresh() -> Self {
        Self { database: fresh_database() }
    }

    /// With the project's tables.
    pub fn with_toots() -> Self {
        let fresh = Self::fresh();
        Store::create_tables(fresh.config()).unwrap();
        fresh
    }

    /// Settings that name it.
    pub fn config(&self) -> &Config {
        &self.database
    }

    pub fn store(&self) -> Store {
        Store::connect(self.config()).unwrap()
    }

    pub fn execute(&self, sql: &str) {
        self.store().query(sql, &[]).unwrap();
    }
}
