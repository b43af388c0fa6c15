use super::{Server, soon};
use crate::listen::{config_on, expected, toots};
use crate::local::client;
use crate::support::fresh_topic;
use serde_json::{Value, json};
use spar::job::Control;
use spar::kafka::{create_topic, tail};
use spar::local::{LocalServer, LocalSettings, start};
use spar::mastodon::{Incoming, Origin};
use spar::{Config, Ingest, Journal, Mastodon, Producer, Until};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a slice plays: long enough to kill a broker in its middle.
const SECONDS: f64 = 2.0;
const STATUSES: u32 = 2000;

/// A local Mastodon and a topic of its own.
struct Listener {
    server: LocalServer,
    config: Config,
    _folder: tempfile::TempDir,
}

impl Listener {
    fn new(kafka: &Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let week = 7.0 * 86_400.0;
        let settings =
            LocalSettings { statuses: STATUSES, speed: Some(week / SECONDS), ..LocalSettings::new(folder.path()) };
        let server = start(&settings).unwrap();
        // The token goes to the server's own folder; what is kept goes to the one of Kafka's settings.
        let own = config_on(Config { state: folder.path().join("state"), ..kafka.config() }, &server);
        let config = Config { state: kafka.config().state, ..own };
        Self { server, config, _folder: folder }
    }

    /// A listener whose patience with Kafka ends after so many seconds.
    fn ingest(&self, away: u64) -> (Ingest, Producer) {
        let config = Config { away: Duration::from_secs(away), ..self.config.clone() };
        let producer = Producer::connect(&config).unwrap();
        let mastodon = Mastodon::connect(&config).unwrap();
        (Ingest::new(&config, &mastodon, &producer, Journal::every_seconds(1)), producer)
    }

    /// The events of the slice that were sent; none while it plays.
    fn sent(&self) -> Option<u64> {
        let standing = client::get(&self.server.control, "/control/slice").json();
        (standing["state"] == "over").then(|| standing["sent"].as_u64().unwrap())
    }

    /// Compares the topic with what the generator says; gives records, lost and doubled.
    fn compare(&self) -> (usize, usize, usize) {
        let (found, wanted) = (toots(&self.config), expected(&self.server));
        let lost = wanted.iter().filter(|(id, toot)| found.get(*id) != Some(toot)).count();
        assert_eq!(found.len(), wanted.len() - lost, "toots that nobody sent");
        let records = tail(&self.config, &self.config.topic, u32::MAX).unwrap();
        let versions: HashSet<_> = records
            .iter()
            .map(|record| {
                let value: Value = serde_json::from_slice(record.value.as_ref().unwrap()).unwrap();
                (record.key.clone(), value["event"].to_string(), value["edited_at"].to_string())
            })
            .collect();
        (records.len(), lost, records.len() - versions.len())
    }
}

/// An ingestion that dies of a panic after Kafka has gone: nothing but its producer's end saves what it read.
fn dies(config: &Config, gone: &AtomicBool) {
    let producer = Producer::connect(config).unwrap();
    let ingest = Ingest::without_stream(config, &producer);
    let items = (0..200).map(|id| {
        if id == 100 {
            soon("Kafka is gone", || gone.load(Ordering::SeqCst));
        }
        if id == 199 {
            resume_unwind(Box::new("the notebook's cell dies"));
        }
        let status = json!({
            "id": id.to_string(), "created_at": "2024-10-10T11:17:26Z", "content": "<p>#AI</p>",
            "visibility": "public", "language": "en", "tags": [], "account": {"id": "1", "username": "ana"}
        });
        Ok(Incoming::Event { origin: Origin::Stream, name: "update".into(), data: status.to_string() })
    });
    assert!(catch_unwind(AssertUnwindSafe(|| ingest.consume(items))).is_err());
}

#[test]
fn no_toot_that_was_read_is_lost_when_kafka_dies_in_the_middle_of_partie1() {
    let kafka = Server::kafka();
    let listeners = [Listener::new(&kafka), Listener::new(&kafka)];

    // Killed and started again while one listens in a cell and one in the background.
    let [(cell, first), (background, second)] = [listeners[0].ingest(60), listeners[1].ingest(60)];
    let mut job = background.start().unwrap();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| cell.listen(Until::CaughtUp, &Control::quiet()));
        soon("both send", || [&first, &second].iter().all(|p| p.deliveries().acknowledged > 100));
        kafka.kill();
        let before = [&first, &second].map(|p| p.deliveries().sent);
        soon("both read on without Kafka", || {
            [&first, &second].iter().zip(before).all(|(p, before)| p.deliveries().sent > before)
        });
        kafka.start();
        let report = run.join().unwrap().unwrap();
        assert_eq!((Some(report.received), report.sent), (listeners[0].sent(), report.acknowledged));
    });
    let all_read = |job: &spar::Job| {
        listeners[1].sent().is_some_and(|sent| job.status().text().contains(&format!("reçus {sent} ")))
    };
    soon("the job has read its slice", || all_read(&job));
    job.stop().unwrap();
    for listener in &listeners {
        let (records, lost, doubled) = listener.compare();
        println!("partie1, Kafka killed and started again: {records} records, {lost} lost, {doubled} doubled");
        assert!(records > 100 && (lost, doubled) == (0, 0));
    }

    // Killed for good: a cell ends, a job is stopped, a process dies. What each had read is kept.
    let [(cell, first), (background, second)] = [listeners[0].ingest(2), listeners[1].ingest(2)];
    let doomed = Config { topic: fresh_topic("doomed"), away: Duration::from_secs(2), ..kafka.config() };
    create_topic(&doomed).unwrap();
    let gone = AtomicBool::new(false);
    let mut job = background.start().unwrap();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| cell.listen(Until::CaughtUp, &Control::quiet()));
        let death = scope.spawn(|| dies(&doomed, &gone));
        soon("both send", || [&first, &second].iter().all(|p| p.deliveries().acknowledged > 100));
        kafka.kill();
        gone.store(true, Ordering::SeqCst);
        let killed = Instant::now();
        soon("the job has read its slice", || all_read(&job));
        for error in [run.join().unwrap().unwrap_err(), job.stop().unwrap_err()] {
            let said = error.to_string();
            assert!(error.is_transient(), "{said}");
            for word in ["cannot send to Kafka at", "messages are kept in", "services up", "listen again"] {
                assert!(said.contains(word), "{word} in {said}");
            }
            println!("what a person reads: {said}");
        }
        death.join().unwrap();
        assert!(killed.elapsed() < Duration::from_secs(30), "{:?}", killed.elapsed());
    });
    drop((background, first, second));

    // The cell is run again with its producer, the other listener begins anew.
    kafka.start();
    let again = [cell, listeners[1].ingest(60).0];
    for (listener, ingest) in listeners.iter().zip(again) {
        let report = ingest.listen(Until::CaughtUp, &Control::quiet()).unwrap();
        assert_eq!(report.sent, report.acknowledged);
        let (records, lost, doubled) = listener.compare();
        println!("partie1, Kafka gone for good and back: {records} records, {lost} lost, {doubled} sent twice");
        assert_eq!(lost, 0);
    }
    let keys: HashSet<_> = tail(&doomed, &doomed.topic, u32::MAX).unwrap().into_iter().filter_map(|r| r.key).collect();
    println!("partie1, a dying process without Kafka: 199 messages, {} lost", 199 - keys.len());
    assert_eq!(keys.len(), 199);
    let kept = std::fs::read_dir(doomed.source_state().join("undelivered")).unwrap().count();
    assert_eq!(kept, 0, "what was sent is no longer kept");
}
