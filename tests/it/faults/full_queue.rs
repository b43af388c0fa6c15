//! A producer whose queue is full: the stream is left unread on its socket, and nothing is lost.

use super::{Server, soon};
use crate::ingest::{config_for, opened, status};
use crate::stand_in::{StandIn, Step, chunk, healthy};
use crate::support::fresh_topic;
use spar::job::Control;
use spar::kafka::{create_topic, tail};
use spar::{Config, Ingest, Journal, Mastodon, Producer, Until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Far more than the queue holds (128 MiB), the events read and not yet taken (256 of them), and the sockets: 300 MB.
const EVENTS: usize = 1500;
const BYTES: usize = 200_000;

#[test]
fn a_full_queue_leaves_the_stream_unread_and_then_everything_goes_compressed() {
    let kafka = Server::kafka();
    let written = Arc::new(AtomicUsize::new(0));
    let away = Arc::new(AtomicBool::new(false));
    let (counter, gone) = (written.clone(), away.clone());
    let server = StandIn::start(move |request| {
        healthy(request).unwrap_or_else(|| {
            let name = "word ".repeat(BYTES / 5);
            let event = |id| {
                let mut status = status(id, "#AI");
                status["account"]["display_name"] = name.as_str().into();
                chunk(&format!("event: update\ndata: {status}\n\n"))
            };
            let events = (1..EVENTS as u64).flat_map(|id| [event(id), Step::Count(counter.clone())]);
            opened([event(0), Step::Hold(gone.clone())].into_iter().chain(events).chain([Step::Stall]))
        })
    });
    let base = Config { topic: fresh_topic("full"), away: Duration::from_secs(120), ..kafka.config() };
    let config = config_for(&server, base);
    create_topic(&config).unwrap();
    let producer = Producer::connect(&config).unwrap();
    let ingest = Ingest::new(&config, &Mastodon::connect(&config).unwrap(), &producer, Journal::default());
    let report = std::thread::scope(|scope| {
        let run = scope.spawn(|| ingest.listen(Until::Toots(EVENTS as u64), &Control::quiet()));
        soon("the first toot is there", || producer.deliveries().acknowledged == 1);
        kafka.kill();
        away.store(true, Ordering::SeqCst);
        let (mut seen, mut since) = (0, Instant::now());
        soon("the server can write no more", || {
            let now = written.load(Ordering::SeqCst);
            if now != seen {
                (seen, since) = (now, Instant::now());
            }
            assert!(now + 1 < EVENTS, "all was read although the queue was full");
            now > 0 && since.elapsed() > Duration::from_secs(3)
        });
        println!("{seen} of {EVENTS} events written to the socket, {} in the queue", producer.deliveries().sent);
        assert!(producer.deliveries().sent as usize * BYTES < 140 << 20, "the queue is bounded");
        kafka.start();
        run.join().unwrap().unwrap()
    });
    assert_eq!((report.received, report.acknowledged, report.errors), (EVENTS as u64, EVENTS as u64, 0));
    let mut ids: Vec<usize> = tail(&config, &config.topic, u32::MAX)
        .unwrap()
        .iter()
        .map(|record| record.key.as_deref().unwrap().parse().unwrap())
        .collect();
    ids.sort_unstable();
    assert!(ids.into_iter().eq(0..EVENTS), "each toot once");
    let log = kafka.config().source_state().join(format!("kafka/data/{}-0/00000000000000000000.log", config.topic));
    let stored = std::fs::metadata(log).unwrap().len() as usize;
    println!("{} MB of messages take {stored} bytes of Kafka's disk", EVENTS * BYTES / 1_000_000);
    assert!(stored * 10 < EVENTS * BYTES, "the messages are compressed: {stored} bytes");
}
