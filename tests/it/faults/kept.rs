//! What Kafka has not taken is kept, whatever else goes wrong at the same moment.

use super::soon;
use crate::support::{self, fresh_topic};
use serde_json::{Value, json};
use spar::kafka::{create_topic, errors_topic, tail};
use spar::mastodon::{Incoming, Origin};
use spar::{Config, Ingest, Producer};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A state of its own, and a topic that does not exist: what is sent to it waits in the library.
struct Place {
    config: Config,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let away = Duration::from_secs(2);
        let config = Config { state: folder.path().into(), topic: fresh_topic("kept"), away, ..support::config() };
        fs::create_dir_all(config.source_state()).unwrap();
        Self { config, _folder: folder }
    }

    fn undelivered(&self) -> PathBuf {
        self.config.source_state().join("undelivered")
    }

    /// The kept messages: key and text.
    fn kept(&self) -> Vec<(String, String)> {
        let mut files: Vec<_> =
            fs::read_dir(self.undelivered()).into_iter().flatten().map(|f| f.unwrap().path()).collect();
        files.sort();
        let lines: Vec<String> = files
            .iter()
            .flat_map(|f| fs::read_to_string(f).unwrap().lines().map(str::to_owned).collect::<Vec<_>>())
            .collect();
        let parsed = lines.iter().map(|line| serde_json::from_str::<Value>(line).unwrap());
        parsed.map(|kept| (kept["key"].as_str().unwrap().into(), kept["payload"].as_str().unwrap().into())).collect()
    }

    /// An ingestion with this producer whose topic has a name that the library refuses at once.
    fn refused(&self, producer: &Producer) -> Ingest {
        Ingest::without_stream(&Config { topic: "x".repeat(600), ..self.config.clone() }, producer)
    }
}

fn update(id: u64, text: &str) -> spar::Result<Incoming> {
    let status = json!({
        "id": id.to_string(), "created_at": "2024-10-10T11:17:26Z", "content": format!("<p>#AI {text}</p>"),
        "visibility": "public", "language": "en", "tags": [], "account": {"id": "1", "username": "ana"}
    });
    Ok(Incoming::Event { origin: Origin::Stream, name: "update".into(), data: status.to_string() })
}

fn keys(kept: &[(String, String)]) -> Vec<&str> {
    kept.iter().map(|(key, _)| &**key).collect()
}

#[test]
fn a_toot_that_the_library_refuses_at_once_is_kept() {
    let place = Place::new();
    let producer = Producer::connect(&place.config).unwrap();
    let error = place.refused(&producer).consume([update(1, "a")]).unwrap_err().to_string();
    assert!(error.contains("1 messages are kept in"), "{error}");
    assert_eq!(keys(&place.kept()), ["1"]);
}

#[test]
fn what_cannot_be_written_stays_in_memory_until_it_can() {
    let place = Place::new();
    for next_listening in [true, false] {
        let producer = Producer::connect(&place.config).unwrap();
        let ingest = place.refused(&producer);
        let items = [1].into_iter().map(|id| {
            fs::write(place.undelivered(), "in the way").unwrap();
            update(id, "a")
        });
        let error = ingest.consume(items).unwrap_err().to_string();
        for word in ["undelivered", "1 messages are still in memory", "make room", "listen again"] {
            assert!(error.contains(word), "{word} in {error}");
        }
        println!("what a person reads: {error}");
        fs::remove_file(place.undelivered()).unwrap();
        if next_listening {
            ingest.consume([]).unwrap_err();
            assert_eq!(keys(&place.kept()), ["1"], "kept by the next listening");
            fs::remove_dir_all(place.undelivered()).unwrap();
        } else {
            drop((ingest, producer));
            assert_eq!(keys(&place.kept()), ["1"], "kept by the producer's end");
        }
    }
}

#[test]
fn what_another_run_takes_back_is_kept_whole_and_is_no_error() {
    let place = Place::new();
    let errors = errors_topic(&place.config.topic);
    create_topic(&Config { topic: errors.clone(), ..place.config.clone() }).unwrap();
    let producer = Producer::connect(&place.config).unwrap();
    let long = "long ".repeat(10_000);
    let items = [1, 2, 3].into_iter().map(|id| {
        if id == 2 {
            // The other run fails, takes everything back, and cannot write it.
            let other = place.refused(&producer);
            let in_the_way = [9].into_iter().map(|id| {
                fs::write(place.undelivered(), "in the way").unwrap();
                update(id, "other")
            });
            other.consume(in_the_way).unwrap_err();
            fs::remove_file(place.undelivered()).unwrap();
        }
        update(id, &long)
    });
    let error = Ingest::without_stream(&place.config, &producer).consume(items).unwrap_err().to_string();
    assert!(error.contains("4 messages are kept in"), "{error}");
    let kept = place.kept();
    assert_eq!(keys(&kept), ["1", "9", "2", "3"]);
    assert!(kept.iter().filter(|(key, _)| key != "9").all(|(_, payload)| payload.contains(long.trim())));
    assert!(tail(&place.config, &errors, u32::MAX).unwrap().is_empty(), "nothing is wrong with these toots");
}

#[test]
fn a_kept_file_stays_until_kafka_has_each_of_its_messages() {
    let place = Place::new();
    let producer = Producer::connect(&place.config).unwrap();
    Ingest::without_stream(&place.config, &producer).consume([update(1, "a"), update(2, "b")]).unwrap_err();
    let file = fs::read_dir(place.undelivered()).unwrap().next().unwrap().unwrap().path();
    let patient = Config { away: Duration::from_secs(60), ..place.config.clone() };
    let producer = Producer::connect(&patient).unwrap();
    let error = std::thread::scope(|scope| {
        let run = scope.spawn(|| Ingest::without_stream(&patient, &producer).consume([]));
        soon("the kept messages are on their way", || producer.deliveries().sent == 2);
        // Another run fails, and takes back everything.
        place.refused(&producer).consume([update(9, "other")]).unwrap_err();
        run.join().unwrap().unwrap_err().to_string()
    });
    assert!(file.exists() && error.contains("kept in"), "{error}");
    create_topic(&place.config).unwrap();
    drop(producer);
    let producer = Producer::connect(&patient).unwrap();
    // The other run's topic cannot be.
    for entry in fs::read_dir(place.undelivered()).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap().replace(&"x".repeat(600), &place.config.topic);
        fs::write(path, text).unwrap();
    }
    Ingest::without_stream(&patient, &producer).consume([]).unwrap();
    let records = tail(&place.config, &place.config.topic, u32::MAX).unwrap();
    let found: std::collections::BTreeSet<_> = records.into_iter().filter_map(|r| r.key).collect();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), ["1", "2", "9"]);
    assert_eq!(fs::read_dir(place.undelivered()).unwrap().count(), 0);
}
