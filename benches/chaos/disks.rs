//! Fault 11: the disk of a server is full while a worker reads and writes. The third disk, that of what `partie1` keeps, is
//! in `faults::kept`.

use crate::chaos::Verdict;
use crate::chaos::scene::{LIMIT, Scene, story, toot};
use crate::desk::Desk;
use crate::place::{pid, runs};
use crate::small_disk::SmallDisk;
use crate::support::{self, command, config_in, eventually, fresh_database, fresh_topic, home};
use spar::Config;
use spar::kafka::Raw;
use std::fs;

/// Services with their state on a small disk; they end before it goes.
struct OnDisk {
    disk: SmallDisk,
    settings: Vec<(&'static str, String)>,
}

impl OnDisk {
    fn new(megabytes: u32, settings: Vec<(&'static str, String)>) -> Self {
        let services = Self { disk: SmallDisk::new(megabytes), settings };
        services.spar("up");
        services
    }

    fn spar(&self, what: &str) {
        let mut spar = self.disk.inside(command());
        spar.env("SPAR_HOME", home()).env("SPAR_STATE", self.disk.path().join("state")).env("MASTODON_URL", "");
        let done = spar.envs(self.settings.iter().cloned()).args(["services", what]).output().unwrap();
        assert!(done.status.success() || what == "down", "{}", String::from_utf8_lossy(&done.stderr));
    }

    fn config(&self) -> Config {
        let settings: Vec<(&str, &str)> = self.settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        config_in(&self.disk.seen().join("state"), &settings)
    }

    /// The process of one of them.
    fn pid(&self, note: &str) -> i32 {
        pid(&self.disk.seen().join("state/local").join(note)).unwrap()
    }
}

impl Drop for OnDisk {
    fn drop(&mut self) {
        self.spar("down");
    }
}

/// PostgreSQL finds no room for a row, or for its journal.
pub fn of_postgres(toots: usize) -> Verdict {
    let kafka = support::config().kafka().unwrap().to_owned();
    let services = OnDisk::new(600, vec![("KAFKA_BOOTSTRAP_SERVERS", kafka)]);
    let mut scene = Scene::on(Desk::with_topic(services.config(), 2), 2);
    let half = toots / 2;
    scene.send(&[toot(0)]);
    let mut worker = scene.worker("worker");
    scene.until_applied();
    let ballast = services.disk.fill(1 << 20);
    scene.send(&story(0..half));
    eventually("the worker says that it cannot write", LIMIT, || worker.told().contains("; again in "));
    let said = worker.told();
    let full = said.contains("make room on the disk");
    // A server that cannot write its journal ends itself.
    let ended = !runs(services.pid("postgres/process.json"));
    fs::remove_file(ballast).unwrap();
    services.spar("up");
    scene.send(&story(half..toots));
    scene.until_applied();
    assert!(worker.process.try_wait().unwrap().is_none(), "{}", worker.told());
    let pauses = worker.told().matches("; again in ").count();
    drop(worker);
    let how = match (full, ended) {
        (true, _) => "\"make room on the disk of the database server\"",
        (false, true) => "the server ended itself",
        (false, false) => "the server did not answer",
    };
    scene.verdict(format!("{how}; {pauses} pauses of one worker process, then it goes on"))
}

/// Kafka cannot write what another topic gets, and ends itself; a worker reads on once it is back.
pub fn of_kafka(toots: usize) -> Verdict {
    let database = fresh_database();
    let url = database.database_url().unwrap().expose().to_owned();
    let services = OnDisk::new(400, vec![("DATABASE_URL", url)]);
    let mut scene = Scene::on(Desk::with_topic(services.config(), 2), 2);
    let half = toots / 2;
    scene.send(&[toot(0)]);
    let mut worker = scene.worker("worker");
    scene.send(&story(0..half));
    let kafka = services.pid("kafka/process.json");
    let ballast = services.disk.fill(2 << 20);
    let (other, noise) = (fresh_topic("noise"), random_bytes(100_000));
    scene.desk.loader.create_topic(&other, 1).unwrap();
    eventually("Kafka gives up its full disk", LIMIT, || {
        let _ = scene.desk.loader.put(&other, Raw { value: Some(&noise), ..Raw::default() });
        !runs(kafka)
    });
    fs::remove_file(ballast).unwrap();
    services.spar("up");
    scene.desk.loader = Desk::loader(&scene.desk.config);
    scene.send(&story(half..toots));
    scene.until_applied();
    assert!(worker.process.try_wait().unwrap().is_none(), "{}", worker.told());
    drop(worker);
    scene.verdict("the broker ended itself; one worker process goes on once it is back")
}

/// What no compression makes small.
fn random_bytes(count: usize) -> Vec<u8> {
    (0..count).map(|_| rand::random()).collect()
}
