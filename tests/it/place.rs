//! A state folder of a test's own, whose servers it may kill.
#![allow(dead_code, reason = "each test uses its part")]

use crate::signals::{Signal, send};
use crate::support::{command, config_in, eventually};
use spar::Config;
use spar::config::{Endpoints, Secret};
use spar::services::{self, Services};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a stop may take before the test gives up.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// A state folder, with only the services that the test is about; they stop when it is dropped.
pub(crate) struct Place {
    folder: tempfile::TempDir,
    kafka: bool,
}

impl Place {
    /// PostgreSQL, and `kafka` if wanted, below a folder whose name begins with `prefix`.
    pub(crate) fn new(prefix: &str, kafka: bool) -> Self {
        let folder = tempfile::Builder::new().prefix(prefix).tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        Self { folder: folder.unwrap(), kafka }
    }

    /// The settings of the place; addresses come with [`Place::start`].
    pub(crate) fn config(&self) -> Config {
        let mut config = config_in(self.folder.path(), &[]);
        config.embedded.mastodon = false;
        config.embedded.kafka = self.kafka;
        config
    }

    /// Starts its services or joins them; what is given back holds them.
    pub(crate) fn start(&self) -> Services {
        Services::start(&self.config(), command(), &mut |_| ()).unwrap()
    }

    /// The folder of everything that the services keep.
    pub(crate) fn state(&self) -> PathBuf {
        self.config().source_state()
    }

    /// The process that a note names: `kafka/process.json`, `postgres/process.json`, `guard.json`.
    pub(crate) fn pid(&self, note: &str) -> Option<i32> {
        pid(&self.state().join(note))
    }

    /// Waits until all of its processes have ended.
    pub(crate) fn wait_until_stopped(&self) {
        wait_until_stopped(&self.config());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = services::down(&self.config());
    }
}

/// The process that a note names.
pub(crate) fn pid(note: &Path) -> Option<i32> {
    let note: serde_json::Value = serde_json::from_slice(&fs::read(note).ok()?).ok()?;
    note["pid"].as_i64().map(|pid| pid as i32)
}

/// Waits until the services of `config` and their guard have ended.
pub(crate) fn wait_until_stopped(config: &Config) {
    let pids: Vec<i32> = ["kafka/process.json", "postgres/process.json", "mastodon/process.json", "guard.json"]
        .into_iter()
        .filter_map(|note| pid(&config.source_state().join(note)))
        .collect();
    eventually("the services stop", LIMIT, || {
        !Endpoints::file(&config.state, &config.source).exists() && pids.iter().all(|pid| !runs(*pid))
    });
}

/// True while the process runs.
pub(crate) fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().next()).is_some_and(|state| state != "Z")
}

/// SIGKILL, to a process that this test started, and waits for its end.
pub(crate) fn kill(pid: i32) {
    end(pid, Signal::KILL);
}

/// The same with another signal.
pub(crate) fn end(pid: i32, signal: Signal) {
    assert!(send(pid, signal));
    eventually("a process ends at a signal", LIMIT, || !runs(pid));
}

/// The URL of another database on the server of `config`.
pub(crate) fn at(config: &Config, database: &str) -> Secret {
    let mut url = url::Url::parse(config.database_url().unwrap().expose()).unwrap();
    url.set_path(database);
    Secret::new(url)
}
