//! A database of its own for each test that needs one.

use spar::config::Secret;
use spar::postgres::Store;
use spar::{Config, Result};
use std::sync::atomic::{AtomicU32, Ordering};

/// An empty database, dropped at the end.
pub struct Database {
    name: String,
    server: Config,
    /// Settings that name it.
    pub config: Config,
}

impl Database {
    /// Without tables.
    pub fn fresh() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("views_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let given = Config::from_env().unwrap();
        let url = given.database_url().unwrap().expose().to_owned();
        let (place, _) = url.rsplit_once('/').unwrap();
        let naming = |database: &str| {
            let mut config = given.clone();
            config.database_url = Some(Secret::new(format!("{place}/{database}")));
            config
        };
        let (server, config) = (naming("postgres"), naming(&name));
        Store::connect(&server).unwrap().query(&format!("CREATE DATABASE {name}"), &[]).unwrap();
        Self { name, server, config }
    }

    /// With the project's tables.
    pub fn with_toots() -> Self {
        let database = Self::fresh();
        for statement in TABLES {
            database.execute(statement);
        }
        database
    }

    pub fn store(&self) -> Store {
        Store::connect(&self.config).unwrap()
    }

    pub fn execute(&self, sql: &str) {
        self.store().query(sql, &[]).unwrap();
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = || -> Result<()> {
            Store::connect(&self.server)?.query(&format!("DROP DATABASE {} WITH (FORCE)", self.name), &[])?;
            Ok(())
        };
        if let Err(error) = drop() {
            eprintln!("{error}");
        }
    }
}

const TABLES: [&str; 7] = [
    "CREATE TABLE filtered_toots (toot_id varchar(255) PRIMARY KEY, \"timestamp\" timestamp, text text, \
     user_id varchar(255), language varchar(10), hashtags text, reblogs_count int, favourites_count int, \
     replies_count int, content text, username text, text_length int, edited_at timestamp)",
    "CREATE TABLE history_toots (LIKE filtered_toots INCLUDING ALL)",
    "CREATE TABLE toots_sentiments (toot_id varchar(255) PRIMARY KEY, text text, prediction float8, \
     sentiment varchar(20))",
    "CREATE TABLE toots_time_window_aggregates (window_start timestamp, window_end timestamp, total_toots int, \
     PRIMARY KEY (window_start, window_end))",
    "CREATE TABLE user_avg_length (user_id varchar(255) PRIMARY KEY, average_length float8)",
    "CREATE TABLE hashtag_avg_length (hashtag varchar(255) PRIMARY KEY, average_length float8)",
    "CREATE VIEW all_toots AS SELECT t.*, s.prediction, s.sentiment FROM (SELECT * FROM filtered_toots UNION ALL \
     SELECT * FROM history_toots h WHERE NOT EXISTS (SELECT FROM filtered_toots f WHERE f.toot_id = h.toot_id)) t \
     LEFT JOIN toots_sentiments s USING (toot_id)",
];
