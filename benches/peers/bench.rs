//! One run: a fresh database, a program under the clock, and its tables beside the truth.

use super::contender::{Contender, Program};
use super::process::{Running, Timed, bound};
use super::truth::{Found, Truth};
use super::{environment, with_database};
use spar::pipeline::StreamStatus;
use spar::{Config, Error, Store, services};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// The tables as the original makes them, with the sums that an average needs to be added to.
const TABLES: [&str; 4] = [
    "CREATE TABLE filtered_toots (toot_id VARCHAR(255) PRIMARY KEY, \"timestamp\" TIMESTAMP, text TEXT,
        user_id VARCHAR(255), language VARCHAR(10), hashtags TEXT, reblogs_count INTEGER, favourites_count INTEGER,
        replies_count INTEGER)",
    "CREATE TABLE toots_time_window_aggregates (window_start TIMESTAMP, window_end TIMESTAMP, total_toots INTEGER,
        PRIMARY KEY (window_start, window_end))",
    "CREATE TABLE user_avg_length (user_id VARCHAR(255) PRIMARY KEY, average_length DOUBLE PRECISION,
        length_sum BIGINT, toots BIGINT)",
    "CREATE TABLE hashtag_avg_length (hashtag VARCHAR(255) PRIMARY KEY, average_length DOUBLE PRECISION,
        length_sum BIGINT, toots BIGINT)",
];

/// One contender on one fresh database.
pub struct Bench<'a> {
    pub config: Config,
    /// Of the database; also a name for whatever else no run may share.
    pub name: String,
    pub pythons: &'a HashMap<&'static str, PathBuf>,
    pub root: &'a Path,
}

impl Bench<'_> {
    /// Over the whole topic, once.
    pub fn run(&self, contender: &Contender, truth: &Truth, limit: Duration) -> Result<(Timed, Found), String> {
        let log = self.root.join(format!("logs/{}.log", contender.name));
        let told = |e: Error| e.to_string();
        let timed = match &contender.program {
            Program::Ours => {
                Store::create(&self.config).map_err(told)?;
                let this = spar::config::command().map_err(told)?;
                let mut command = bound(&this, &log);
                self.with_settings(command.arg("--ours"));
                Running::time(command, &log, limit)
            }
            Program::Workers(n) => {
                Store::create(&self.config).map_err(told)?;
                self.workers(*n, &log, limit)
            }
            Program::Python { .. } => {
                self.create_tables().map_err(told)?;
                Running::time(self.python(contender, &log), &log, limit)
            }
        };
        let found = timed.and_then(|timed| Ok((timed, truth.compare(&self.config).map_err(told)?)));
        Store::drop_database(&self.config).map_err(told)?;
        found
    }

    /// From the start of the processes until every record is applied.
    fn workers(&self, n: usize, log: &Path, limit: Duration) -> Result<Timed, String> {
        let command = |_| {
            let mut command = bound(Path::new(env!("CARGO_BIN_EXE_spar")), log);
            self.with_settings(command.arg("worker").stdout(Stdio::null()));
            command
        };
        let mut running = Running::start(&mut (0..n).map(command).collect::<Vec<_>>())?;
        loop {
            std::thread::sleep(Duration::from_millis(50));
            running.look()?;
            let seconds = running.started.elapsed().as_secs_f64();
            if StreamStatus::read(&self.config).is_ok_and(|status| status.lag == 0) {
                return Ok(Timed { seconds, start_up: 0.0, peak: running.peak, cpu: running.cpu });
            }
            if seconds > limit.as_secs_f64() {
                return Err(format!("not done within {} s", limit.as_secs()));
            }
        }
    }

    /// The settings of our own programs, whatever else the environment or `.env` says.
    pub fn with_settings(&self, command: &mut Command) {
        command
            .env("SPAR_HOME", &self.config.home)
            .env("KAFKA_BOOTSTRAP_SERVERS", self.config.kafka().expect("a broker"))
            .env("DATABASE_URL", self.config.database_url().expect("a database").expose())
            .env("KAFKA_TOPIC", &self.config.topic)
            .env("MASTODON_URL", "");
    }

    /// A program of this folder, told where to read and write.
    pub fn python(&self, contender: &Contender, log: &Path) -> Command {
        let Program::Python { file, peer, settings } = &contender.program else {
            unreachable!("{} is no program of this folder", contender.name)
        };
        let mut command = bound(&self.pythons[peer.name], log);
        command.arg(self.config.home.join("benches/peers").join(file)).envs(settings.iter().copied());
        let url = self.config.database_url().expect("a database").expose();
        command
            .env("PEER_BROKER", self.config.kafka().expect("a broker"))
            .env("PEER_TOPIC", &self.config.topic)
            .env("PEER_GROUP", &self.name)
            .env("PEER_DATABASE", url)
            .env("PEER_JARS", environment::jar_list(&self.config))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("TZ", "UTC");
        let java = services::java::find(&self.config).ok();
        if let Some(home) = java.as_deref().and_then(Path::parent).and_then(Path::parent).filter(|h| h.is_absolute()) {
            command.env("JAVA_HOME", home);
        }
        command
    }

    /// The tables of a peer; ours come from the crate.
    pub fn create_tables(&self) -> spar::Result<()> {
        Store::connect(&with_database(&self.config, "postgres"))?
            .query(&format!("CREATE DATABASE {}", self.name), &[])?;
        let store = Store::connect(&self.config)?;
        TABLES.iter().try_for_each(|table| store.query(table, &[]).map(drop))
    }
}
