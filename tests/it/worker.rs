//! `spar worker` as a process that a test starts, stops and kills.
#![allow(dead_code, reason = "each test uses its part")]

use crate::signals::{Signal, send};
use crate::support::{command, home};
use spar::Config;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A process `spar worker`, killed at the end of the test at the latest.
pub struct Worker {
    pub process: Child,
    log: PathBuf,
}

impl Worker {
    /// Starts one that keeps its state and its log, called `name`, in `folder`.
    pub fn start(config: &Config, folder: &Path, name: &str) -> Self {
        Self::with(config, folder, name, &[], &[])
    }

    /// The same with words on its command line and more in its environment.
    pub fn with(config: &Config, folder: &Path, name: &str, words: &[&str], more: &[(&str, &str)]) -> Self {
        let log = folder.join(name);
        let process = Command::new(command())
            .arg("worker")
            .args(words)
            .env("SPAR_HOME", home())
            .env("SPAR_STATE", folder.join("state"))
            .env("KAFKA_BOOTSTRAP_SERVERS", config.kafka().unwrap())
            .env("DATABASE_URL", config.database_url().unwrap().expose())
            .env("KAFKA_TOPIC", &config.topic)
            // The shortest that a broker allows by default: a test waits for it.
            .env("SPAR_SESSION_SECONDS", "6")
            .env("SPAR_IDLE_SECONDS", config.idle.as_secs().to_string())
            .env("MASTODON_URL", "")
            .envs(more.iter().copied())
            .stderr(Stdio::from(File::create(&log).unwrap()))
            .spawn()
            .unwrap();
        Self { process, log }
    }

    /// What its owner name begins with in the ledger.
    pub fn owner(&self) -> String {
        format!("spar-{}-", self.process.id())
    }

    pub fn signal(&mut self, signal: Signal) {
        assert!(send(self.process.id() as i32, signal));
    }

    /// What it wrote to its log so far.
    pub fn told(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// A line of what the system says about its memory, in megabytes: `VmRSS` is now, `VmHWM` the most so far.
    pub fn megabytes(&self, line: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let value = status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':')).unwrap();
        value.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
