//! A full disk below the services, the results and the tools: one sentence, and right tables once there is room again.

use super::ground::{Ground, LIMIT, fails_with, told, words_only};
use super::small_disk::SmallDisk;
use crate::desk::Desk;
use crate::messages::message;
use crate::place::{pid, runs};
use crate::support::{self, command, config_in, eventually, fresh_topic};
use serde_json::json;
use spar::kafka::create_topic;
use spar::mastodon::{Incoming, Origin};
use spar::{Config, Ingest, Producer};
use std::fs;
use std::process::Output;

/// `spar` with its state on the disk.
fn spar(disk: &SmallDisk, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut spar = disk.inside(command());
    Ground::new().settle(&mut spar);
    spar.env("SPAR_STATE", disk.path().join("state")).envs(settings.iter().copied());
    spar.args(arguments).output().unwrap()
}

/// The settings of the services on the disk, as they are now.
fn config(disk: &SmallDisk, settings: &[(&str, &str)]) -> Config {
    config_in(&disk.seen().join("state"), settings)
}

fn up(disk: &SmallDisk, settings: &[(&str, &str)]) {
    let (said, code) = told(&spar(disk, settings, &["services", "up"]));
    assert_eq!(code, Some(0), "{said}");
}

/// Ends the services before their disk goes.
struct Down<'a>(&'a SmallDisk, &'a [(&'a str, &'a str)]);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        spar(self.0, self.1, &["services", "down"]);
    }
}

#[test]
fn tables_are_right_after_the_disk_of_postgresql_was_full() {
    let reference = Desk::new();
    let toots: Vec<_> = (0..6000)
        .map(|n: usize| {
            let text = format!("{n} {}", "some words of a toot ".repeat(40));
            let time = format!("2024-10-{:02}T{:02}:{:02}:00Z", 1 + n / 1440, n / 60 % 24, n % 60);
            message(&n.to_string()).user(&format!("u{}", n % 50)).text(&text).at(&time)
        })
        .collect();
    reference.send(&toots);
    reference.run();

    let disk = SmallDisk::new(220);
    let kafka = reference.config.kafka().unwrap().to_owned();
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", kafka.as_str())];
    up(&disk, &settings);
    let _down = Down(&disk, &settings);
    let on_disk = || Config { topic: reference.config.topic.clone(), ..config(&disk, &settings) };
    let desk = Desk::on(on_disk());

    let ballast = disk.fill(1 << 20);
    let failure = desk.try_run().unwrap_err().to_string();
    println!("partie2 reads: {failure}");
    // A server that could not even write its journal has ended itself, and is told so instead.
    let told = ["make room on the disk of the database server", "services status", "services up"];
    assert!(told.iter().any(|step| failure.contains(step)), "{failure}");

    fs::remove_file(ballast).unwrap();
    // PostgreSQL may have stopped itself; the same command brings it back.
    up(&disk, &settings);
    let desk = Desk::on(on_disk());
    desk.run();
    assert_eq!(desk.tables(), reference.tables());
    desk.assert_consistent();
    println!("{} toots: nothing lost, nothing twice", desk.count("filtered_toots"));
}

#[test]
fn every_toot_arrives_once_after_the_disk_of_kafka_was_full() {
    let disk = SmallDisk::new(64);
    let reference = support::config();
    let database = reference.database_url().unwrap().expose().to_owned();
    let settings = [("KAFKA_BOOTSTRAP_SERVERS", ""), ("DATABASE_URL", database.as_str())];
    up(&disk, &settings);
    let _down = Down(&disk, &settings);
    let config = Config { topic: fresh_topic("full"), ..config(&disk, &settings) };
    create_topic(&config).unwrap();

    let kafka = pid(&disk.seen().join("state/local/kafka/process.json")).unwrap();
    let ballast = disk.fill(2 << 20);
    let producer = Producer::connect(&config).unwrap();
    let items = (0..1500).map(|id: u64| {
        // Random letters, which no compression makes small.
        let noise: String = (0..4000).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect();
        let status = json!({
            "id": id.to_string(), "created_at": "2024-10-10T11:17:26Z", "content": format!("<p>#AI {noise}</p>"),
            "visibility": "public", "language": "en", "tags": [], "account": {"id": "1", "username": "ana"}
        });
        Ok(Incoming::Event { origin: Origin::Stream, name: "update".into(), data: status.to_string() })
    });
    let report = std::thread::scope(|scope| {
        let ingest = scope.spawn(|| Ingest::without_stream(&config, &producer).consume(items));
        eventually("Kafka gives up its full disk", LIMIT, || !runs(kafka));
        let status = spar(&disk, &settings, &["services", "status"]);
        assert!(told(&status).0.contains("stopped"), "{status:?}");
        fs::remove_file(&ballast).unwrap();
        up(&disk, &settings);
        ingest.join().unwrap().unwrap()
    });
    assert_eq!((report.received, report.sent, report.acknowledged), (1500, 1500, 1500));
    let mut ids: Vec<u32> = spar::kafka::tail(&config, &config.topic, u32::MAX)
        .unwrap()
        .iter()
        .map(|record| record.key.as_deref().unwrap().parse().unwrap())
        .collect();
    assert_eq!(ids.len(), 1500, "nothing twice");
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..1500), "nothing lost");
    println!("1500 toots through a full disk of Kafka: nothing lost, nothing twice");
}

#[test]
fn results_on_a_full_disk_are_told_and_leave_nothing_half_written() {
    let disk = SmallDisk::new(4);
    let ground = Ground::new();
    let (from, out) = (words_only(&ground), disk.path().join("out").display().to_string());
    let run = || {
        let mut spar = disk.inside(command());
        ground.settle(&mut spar);
        spar.args(["run", "--from", &from, "--out", &out, "words"]).output().unwrap()
    };
    let steps =
        [(0, "write into"), (4 << 10, "write the executed words.ipynb into"), (20 << 10, "render 1 of 1 pages")];
    for (room, told) in steps {
        let ballast = disk.fill(room);
        fails_with(&run(), &[told, "No space left on device", "--out"]);
        let left: Vec<_> = fs::read_dir(disk.seen().join("out")).into_iter().flatten().flatten().collect();
        let whole = |file: &fs::DirEntry| file.file_name() == "words.ipynb" && room > 4 << 10;
        assert!(left.iter().all(whole), "{left:?}");
        fs::remove_file(ballast).unwrap();
    }
    let (said, code) = told(&run());
    assert_eq!(code, Some(0), "{said}");
    assert!(disk.seen().join("out/words.html").exists());
}

#[test]
fn tools_on_a_full_disk_are_told() {
    let disk = SmallDisk::new(2);
    let tools = disk.path().join("tools").display().to_string();
    let output = spar(&disk, &[("SPAR_TOOLS", &tools)], &["setup"]);
    fails_with(&output, &["create the Python environment", "the disk is full", "SPAR_TOOLS", "goes on from here"]);
    disk.fill(0);
    let output = spar(&disk, &[("SPAR_TOOLS", &format!("{tools}-2"))], &["setup"]);
    fails_with(&output, &["No space left on device", "SPAR_TOOLS"]);
}
