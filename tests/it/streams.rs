//! A stream's life: broken again and again, moved, silent, poisoned.

use crate::ingest::{config_for, opened, patience, status, streaming, update};
use crate::stand_in::{StandIn, Step, chunk, healthy, json, last_chunk, reply_with};
use crate::support::{self, eventually};
use serde_json::json;
use spar::job::Control;
use spar::mastodon::{Incoming, Mastodon, Patience};
use spar::{Config, Ingest, Journal, Producer, Until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

fn not_found() -> Vec<Step> {
    json(404, json!({"error": "Not Found"}))
}

#[test]
fn heartbeats_keep_a_stream_open_far_beyond_the_limit_of_silence() {
    // Byte by byte, each within the limit, for many times the limit.
    let beats = [b"7\r\n:thump\n\r\n".repeat(4), b"8\r\n:thump\n\n\r\n".repeat(4)].concat();
    let events = [Step::Dribble(beats, Duration::from_millis(30))].into_iter().chain(update(1)).chain([Step::Stall]);
    let server = streaming(vec![opened(events)]);
    let config = config_for(&server, support::config());
    let mastodon = Mastodon::connect_with(&config, patience()).unwrap();
    let started = Instant::now();
    let items: Vec<_> =
        mastodon.stream().unwrap().map(Result::unwrap).filter(|item| *item != Incoming::Quiet).take(2).collect();
    assert!(started.elapsed() > patience().silence * 5, "{:?}", started.elapsed());
    assert!(matches!(items[..], [Incoming::Opened, Incoming::Event { .. }]), "{items:?}");
    assert_eq!(server.asked("/api/v1/streaming/public").len(), 1);
    // As set: three heartbeats of fifteen seconds are missed before a stream counts as dead.
    let usual = Patience::default();
    assert_eq!((usual.silence.as_secs(), usual.first_wait.as_secs(), usual.longest_wait.as_secs()), (45, 1, 60));
}

/// Follows until at least `wanted` streams were asked for, by a client that keeps to its usual limits: how many they
/// were, and in what time.
fn attempts(server: &StandIn, config: &Config, wanted: usize) -> (usize, Duration) {
    let mastodon = Mastodon::connect_with(config, Patience::default()).unwrap();
    let started = Instant::now();
    let asked = |feed: &str| server.asked(&format!("/api/v1/streaming/{feed}")).len();
    for item in mastodon.stream().unwrap() {
        assert!(item.is_ok(), "{item:?}");
        let count = asked("public") + asked("hashtag");
        if count >= wanted {
            return (count, started.elapsed());
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{count} connections only");
    }
    unreachable!("a stream that breaks is followed for ever")
}

#[test]
fn no_more_than_one_reconnection_a_second_reaches_a_server_that_closes_every_stream() {
    // With an event each time, which would reset the waits to the shortest.
    let server = streaming(vec![opened(update(1).into_iter().chain([last_chunk()]))]);
    let alone = attempts(&server, &config_for(&server, support::config()), 4);
    let server = StandIn::start(|request| healthy(request).unwrap_or_else(|| opened([last_chunk()])));
    let hashtags = ["ai", "nlp", "mlops", "gpt4", "robotics", "openai"].map(str::to_owned).to_vec();
    let together = attempts(&server, &Config { hashtags, ..config_for(&server, support::config()) }, 6 + 3);
    println!("{} connections of one stream in {:?}, {} of six in {:?}", alone.0, alone.1, together.0, together.1);
    for ((count, time), first) in [(alone, 1), (together, 6)] {
        let again = (count - first) as u64;
        assert!(time.as_secs() >= again, "{again} reconnections in {time:?}");
    }
}

#[test]
fn a_stream_that_moved_is_found_where_the_instance_says_it_is_now() {
    for answer in [not_found(), reply_with(301, &[("Location", "https://elsewhere.example/")], "")] {
        let new = streaming(vec![opened(update(2).into_iter().chain([Step::Stall]))]);
        let old = StandIn::start({
            let connections = AtomicUsize::new(0);
            move |request| {
                healthy(request).unwrap_or_else(|| match connections.fetch_add(1, Ordering::SeqCst) {
                    0 => opened(update(1).into_iter().chain([last_chunk()])),
                    _ => answer.clone(),
                })
            }
        });
        let (asked, places) = (AtomicUsize::new(0), [old.url.clone(), new.url.clone()]);
        let main = StandIn::start(move |request| match request.path.as_str() {
            "/api/v2/instance" => {
                let place = &places[asked.fetch_add(1, Ordering::SeqCst).min(1)];
                json(200, json!({"version": "4.6.5", "configuration": {"urls": {"streaming": place}}}))
            }
            _ => healthy(request).unwrap(),
        });
        let config = config_for(&main, support::config());
        let mastodon = Mastodon::connect_with(&config, patience()).unwrap();
        let mut gaps = 0;
        let ids: Vec<String> = mastodon
            .stream()
            .unwrap()
            .map(Result::unwrap)
            .filter_map(|item| {
                gaps += usize::from(matches!(item, Incoming::Gap(_)));
                match item {
                    Incoming::Event { data, .. } => Some(
                        serde_json::from_str::<serde_json::Value>(&data).unwrap()["id"].as_str().unwrap().to_owned(),
                    ),
                    _ => None,
                }
            })
            .take(2)
            .collect();
        assert_eq!((ids, gaps), (vec!["1".to_owned(), "2".to_owned()], 1));
        assert_eq!(old.asked("/api/v1/streaming/public").len(), 2);
    }
}

#[test]
fn a_token_does_not_follow_a_stream_to_plain_http_on_another_machine() {
    let connections = AtomicUsize::new(0);
    let server = StandIn::start(move |request| match request.path.as_str() {
        "/api/v2/instance" => {
            let moved = connections.fetch_add(1, Ordering::SeqCst) > 0;
            let place = if moved { json!("ws://streaming.example") } else { json!(null) };
            json(200, json!({"version": "4.6.5", "configuration": {"urls": {"streaming": place}}}))
        }
        _ => healthy(request).unwrap_or_else(not_found),
    });
    let config = config_for(&server, support::config());
    let mastodon = Mastodon::connect_with(&config, patience()).unwrap();
    let error = mastodon.stream().unwrap().find_map(Result::err).unwrap();
    assert!(error.is_invalid() && error.to_string().contains("plain http"), "{error}");
}

#[test]
fn heartbeats_and_deletes_without_a_toot_are_a_warning_of_their_own_until_a_toot_comes() {
    let speaks = Arc::new(AtomicBool::new(false));
    let deletes =
        (1..=20).flat_map(|id| [chunk("event: delete\n"), chunk(&format!("data: {id}\n\n")), chunk(":thump\n\n")]);
    let events = deletes.chain([Step::Hold(speaks.clone())]).chain(update(30)).chain([Step::Stall]);
    let server = streaming(vec![opened(events)]);
    let config = Config { quiet: Duration::from_millis(500), ..config_for(&server, crate::ingest::config(1)) };
    // Heartbeats keep it open.
    let patience = Patience { tick: Duration::from_millis(20), ..Patience::default() };
    let mastodon = Mastodon::connect_with(&config, patience).unwrap();
    let ingest = Ingest::new(&config, &mastodon, &Producer::connect(&config).unwrap(), Journal::default());
    let mut job = ingest.start().unwrap();
    let limit = Duration::from_secs(20);
    let is_quiet = |text: &str| text.lines().next().unwrap().contains("muet");
    eventually("the job's state says that the stream is silent", limit, || is_quiet(job.status().text()));
    assert!(job.status().text().contains("Attention"), "{}", job.status());
    speaks.store(true, Ordering::SeqCst);
    eventually("the state is good again", limit, || !is_quiet(job.status().text()));
    let report = job.stop().unwrap();
    assert!(report.text().contains("supprimés 20"), "{report}");

    let config = Config { quiet: Duration::from_secs(60), ..config };
    let ingest = Ingest::new(&config, &mastodon, &Producer::connect(&config).unwrap(), Journal::default());
    let control = Control::quiet();
    let report = ingest.listen(Until::Elapsed(Duration::from_millis(200)), &control).unwrap();
    assert_eq!(report.silences, 0, "a short run is no silence");
    let server = streaming(vec![opened([chunk(":thump\n\n"), Step::Stall])]);
    let config = Config { quiet: Duration::from_secs(2), ..config_for(&server, config) };
    let mastodon = Mastodon::connect_with(&config, patience).unwrap();
    let ingest = Ingest::new(&config, &mastodon, &Producer::connect(&config).unwrap(), Journal::default());
    let report = std::thread::scope(|scope| {
        let listening = scope.spawn(|| ingest.listen(Until::Elapsed(limit), &control).unwrap());
        eventually("the silence is told", limit, || control.lines().iter().any(|line| line.contains("muet")));
        control.stop();
        listening.join().unwrap()
    });
    assert_eq!((report.silences, report.received), (1, 0));
    assert!(report.table().unwrap().to_string().contains("silences"));
}

#[test]
fn poison_on_the_stream_is_kept_apart_and_the_stream_goes_on() {
    let long = format!("event: update\ndata: {}\n\n", "x".repeat(64 << 20));
    let flood = ":\n".repeat(200_000);
    let odd = |text: &str| Step::Bytes([format!("{:x}\r\n", text.len()).as_bytes(), text.as_bytes(), b"\r\n"].concat());
    let not_utf8 = Step::Bytes([b"17\r\nevent: update\ndata: \xff\n\n\r\n".as_slice()].concat());
    let poison = vec![
        odd("event: update\ndata: {not json\n\n"),
        odd("event: update\ndata: undefined\n\n"),
        odd(&long),
        not_utf8,
        odd("event: filters_changed\ndata: undefined\n\n"),
        odd("event: notifications_merged\ndata: 1\n\n"),
        odd("event: from.the.future\ndata: {\"x\": 1}\n\n"),
        odd("event: delete\ndata: 01J9ZZZZZZZZZZZZZZZZZZZZZZ\n\n"),
        odd(&flood),
        odd(&format!("event: update\r\ndata: {}\r\n\r\n", status(1, "#AI"))),
        odd(&format!("event: update\rdata:{}\r\r", status(2, "#AI"))),
        odd(&format!("id: 3\nretry: 1\nevent: nothing\nevent: update\nhm\ndata: {}\n\n", status(3, "#AI"))),
    ];
    let server = streaming(vec![opened(poison.into_iter().chain([Step::Stall]))]);
    let config = config_for(&server, crate::ingest::config(1));
    let mastodon = Mastodon::connect_with(&config, Patience::default()).unwrap();
    let ingest = Ingest::new(&config, &mastodon, &Producer::connect(&config).unwrap(), Journal::default());
    let report = ingest.listen(Until::Toots(11), &Control::quiet()).unwrap();
    assert_eq!((report.kept, report.deleted, report.other, report.errors, report.gaps), (3, 1, 3, 4, 0));
    println!("11 events, 4 of them poison and kept, 3 unknown; lost 0");
}
