//! A second session of PostgreSQL, to hold what others wait for.

use crate::support::{eventually, query};
use spar::Config;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

/// A session of its own, to hold a transaction open.
pub struct Session {
    runtime: Runtime,
    client: Client,
}

impl Session {
    pub fn open(config: &Config) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = config.database_url().unwrap().expose().to_owned();
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
            tokio::spawn(connection);
            client
        });
        Self { runtime, client }
    }

    pub fn run(&self, statements: &str) {
        self.runtime.block_on(self.client.batch_execute(statements)).unwrap();
    }
}

/// Waits until some session of this database waits for a lock.
pub fn until_someone_waits(config: &Config) {
    let waiting =
        "SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("a session waits for a lock", Duration::from_secs(20), || {
        query(config.database_url().unwrap(), waiting) != ["0"]
    });
}
