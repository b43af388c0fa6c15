//! What the tests share: running services, and names of their own for topics and databases.
#![allow(dead_code, reason = "each test uses its part")]

use spar::config::Secret;
use spar::services::Services;
use spar::{Config, Timestamp};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// The project's folder.
pub fn home() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The command `spar`, built for the tests.
pub fn command() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_spar"))
}

/// Settings whose state is in `state`: tools from the environment, everything else as in `settings`.
pub fn config_in(state: &Path, settings: &[(&str, &str)]) -> Config {
    Config::from_settings(home(), |key| match key {
        "SPAR_STATE" => Some(state.to_str().expect("a test's folder has a readable name").to_owned()),
        "SPAR_TOOLS" | "JAVA_HOME" => std::env::var(key).ok(),
        key => settings.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned()),
    })
    .expect("the settings of a test are right")
}

/// Addresses of a running Kafka and PostgreSQL: those of the environment, else embedded ones that live as long as
/// this test process.
pub fn config() -> Config {
    static RUNNING: OnceLock<Config> = OnceLock::new();
    RUNNING.get_or_init(start).clone()
}

fn start() -> Config {
    let given: Vec<(&str, String)> = ["KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL"]
        .into_iter()
        .filter_map(|key| Some((key, std::env::var(key).ok()?)))
        .collect();
    let settings: Vec<(&str, &str)> = given.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let mut config = config_in(&state_of_this_run(), &settings);
    config.embedded.mastodon = false;
    let services = Services::start(&config, command(), &mut |_| ()).expect("the embedded services start");
    let config = services.config().clone();
    // Held until the process ends; the guard stops the services then.
    std::mem::forget(services);
    config
}

/// A folder for this run; those of runs that ended are removed.
fn state_of_this_run() -> PathBuf {
    if let Some(state) = std::env::var_os("SPAR_TEST_STATE") {
        return state.into();
    }
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("services");
    for old in std::fs::read_dir(&all).into_iter().flatten().flatten() {
        let lease = std::fs::File::open(old.path().join("local/lease.lock"));
        if lease.is_ok_and(|lease| lease.try_lock().is_ok()) {
            let _ = std::fs::remove_dir_all(old.path());
        }
    }
    all.join(unique("run"))
}

/// A name that no other test, now or earlier, uses.
pub fn unique(prefix: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (at, n) = (Timestamp::now().as_micros(), NEXT.fetch_add(1, Ordering::Relaxed));
    format!("{prefix}_{at:x}_{}_{n}", std::process::id())
}

/// The name of a topic of one's own; it does not exist yet.
pub fn fresh_topic(prefix: &str) -> String {
    unique(prefix)
}

/// A new, empty database, and the settings that name it; dropped at the end of the test.
pub struct FreshDatabase {
    config: Config,
}

/// Creates a database of one's own on the running server.
pub fn fresh_database() -> FreshDatabase {
    let mut config = config();
    let name = unique("test");
    administer(&config, &format!("CREATE DATABASE {name}"));
    config.database_url = Some(named(&config, &name));
    config.embedded.postgres = false;
    FreshDatabase { config }
}

impl Deref for FreshDatabase {
    type Target = Config;

    fn deref(&self) -> &Config {
        &self.config
    }
}

impl Drop for FreshDatabase {
    fn drop(&mut self) {
        if let Err(e) = spar::Store::drop_database(&self.config) {
            eprintln!("{e}");
        }
    }
}

/// The URL of the running server with another database.
fn named(config: &Config, database: &str) -> Secret {
    let mut url = url::Url::parse(config.database_url().expect("a database is there").expose()).expect("a URL");
    url.set_path(database);
    Secret::new(url)
}

/// Runs one statement outside of any transaction, in the database that every server has.
fn administer(config: &Config, statement: &str) {
    query(&named(config, "postgres"), statement);
}

/// Runs a statement and gives the first value of each row, as text.
pub fn query(url: &Secret, statement: &str) -> Vec<String> {
    // A thread of its own, so that a test that runs inside a runtime may call it too.
    std::thread::scope(|scope| {
        scope
            .spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(async {
                    let (client, connection) = tokio_postgres::connect(url.expose(), tokio_postgres::NoTls)
                        .await
                        .expect("the server takes connections");
                    let connection = tokio::spawn(connection);
                    let rows = client.simple_query(statement).await.unwrap_or_else(|e| panic!("{statement}: {e:?}"));
                    drop(client);
                    let _ = connection.await;
                    rows.iter()
                        .filter_map(|message| match message {
                            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                            _ => None,
                        })
                        .collect()
                })
            })
            .join()
            .expect("the statement runs")
    })
}

/// Waits until `is_so`, at most `limit`.
pub fn eventually(what: &str, limit: Duration, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
