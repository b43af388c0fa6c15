use crate::stand_in::{Request, StandIn, Step, chunk, healthy, json, last_chunk, reply, stream_head};
use crate::support;
use serde_json::{Value, json};
use spar::config::Secret;
use spar::job::Control;
use spar::kafka::{create_topic, errors_topic, gaps_topic, tail};
use spar::local::generator::Slice;
use spar::mastodon::{Backoff, Gap, Incoming, Mastodon, Origin, Patience};
use spar::{Config, Ingest, Journal, Producer, Timestamp, Until};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

pub const TOKEN: &str = "marker-token-that-must-stay-hidden";

/// Settings with a topic of one's own, which exists.
pub fn config(partitions: i32) -> Config {
    let config = Config { topic: support::fresh_topic("ingest"), partitions, ..support::config() };
    create_topic(&config).unwrap();
    config
}

/// The same, for a server of one's own.
pub fn config_for(server: &StandIn, config: Config) -> Config {
    let (mastodon_url, access_token) = (Some(server.url.clone()), Some(Secret::new(TOKEN)));
    Config { mastodon_url, mastodon_control: None, access_token, source: "stand-in".into(), ..config }
}

/// Limits that let a test see a reconnection.
pub fn patience() -> Patience {
    Patience {
        silence: Duration::from_millis(400),
        first_wait: Duration::from_millis(10),
        longest_wait: Duration::from_millis(50),
        busy: Duration::from_millis(300),
        tick: Duration::from_millis(20),
    }
}

pub fn status(id: u64, text: &str) -> Value {
    json!({
        "id": id.to_string(), "created_at": "2024-10-10T11:17:26Z", "content": format!("<p>{text}</p>"),
        "visibility": "public", "language": "en", "tags": [], "account": {"id": "1", "username": "ana"}
    })
}

fn event(name: &str, data: impl ToString) -> spar::Result<Incoming> {
    Ok(Incoming::Event { origin: Origin::Stream, name: name.into(), data: data.to_string() })
}

/// Every record of a topic: partition, key, value.
pub fn records(config: &Config, topic: &str) -> Vec<(i32, Option<String>, Value)> {
    let all = tail(config, topic, u32::MAX).unwrap();
    all.into_iter().map(|r| (r.part, r.key, serde_json::from_slice(&r.value.unwrap()).unwrap())).collect()
}

#[test]
fn creating_a_topic_twice_is_fine_and_a_refused_one_stops() {
    let config = config(3);
    let info = create_topic(&config).unwrap();
    assert_eq!((info.partitions.len(), info.records()), (3, 0));
    let impossible = Config { topic: support::fresh_topic("ingest"), replication: 9, ..config };
    assert!(create_topic(&impossible).unwrap_err().to_string().contains("KAFKA_REPLICATION"));
}

#[test]
fn an_absent_broker_is_told_at_once_with_the_next_step() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = Config { kafka: Some(closed.to_string()), ..support::config() };
    let started = Instant::now();
    for error in [Producer::connect(&config).map(|_| ()).unwrap_err(), create_topic(&config).unwrap_err()] {
        assert!(error.is_transient() && error.to_string().contains("services up"), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn what_matches_is_sent_once_keyed_by_its_id_and_in_order_per_key() {
    let config = config(4);
    let producer = Producer::connect(&config).unwrap();
    let mut items = Vec::new();
    for id in 1..=200 {
        items.push(event("update", status(id, "about #AI")));
        items.push(event("update", status(1000 + id, "about cats")));
        if id % 4 == 0 {
            let mut edited = status(id, if id % 8 == 0 { "no longer" } else { "still #AI" });
            edited["edited_at"] = json!("2024-10-10T12:00:00Z");
            items.push(event("status.update", edited));
        }
        if id % 10 == 0 {
            items.push(event("delete", id));
        }
    }
    items.push(event("notification", "{}"));
    let mut private = status(9999, "#AI");
    private["visibility"] = json!("private");
    items.push(event("update", private));
    let total = items.len() as u64;
    let report = Ingest::without_stream(&config, &producer).consume(items).unwrap();
    assert_eq!(report.received, total);
    assert_eq!((report.kept, report.no_keyword, report.refused, report.other), (200, 200, 1, 1));
    assert_eq!((report.edited, report.retracted, report.deleted, report.errors), (25, 25, 20, 0));
    assert_eq!((report.sent, report.acknowledged), (270, 270));
    assert_eq!(producer.deliveries().acknowledged, 270);

    let records = records(&config, &config.topic);
    assert_eq!(records.len(), 270);
    for id in 1..=200u64 {
        let key = id.to_string();
        let of_id: Vec<_> = records.iter().filter(|(_, k, _)| k.as_deref() == Some(&*key)).collect();
        assert!(of_id.iter().all(|(part, ..)| *part == of_id[0].0), "one partition per toot");
        let events: Vec<&str> = of_id.iter().map(|(.., value)| value["event"].as_str().unwrap()).collect();
        let mut expected = vec!["update"];
        if id % 4 == 0 {
            expected.push(if id % 8 == 0 { "retract" } else { "status.update" });
        }
        if id % 10 == 0 {
            expected.push("delete");
        }
        assert_eq!(events, expected, "toot {id}");
        assert!(
            of_id.iter().all(|(.., value)| value["id"].as_str() == Some(&*key) && value["source"] == config.source)
        );
    }
}

#[test]
fn what_cannot_be_read_is_kept_with_its_cause_and_ingestion_goes_on() {
    let config = config(1);
    let producer = Producer::connect(&config).unwrap();
    let mut bad_date = status(2, "#AI");
    bad_date["created_at"] = json!("yesterday");
    let report = Ingest::without_stream(&config, &producer)
        .consume([
            event("update", "{not json"),
            event("update", json!({"id": "1"})),
            event("update", bad_date),
            event("delete", "  "),
            Ok(Incoming::Unreadable { body: vec![b'x'; 100_000], cause: "a line is not UTF-8".into() }),
            event("update", status(3, &format!("#AI {}", "x".repeat(2_000_000)))),
            event("update", status(4, "#AI")),
        ])
        .unwrap();
    assert_eq!((report.received, report.errors, report.acknowledged), (7, 6, 7));
    let errors = records(&config, &errors_topic(&config.topic));
    assert_eq!(errors.len(), 6);
    for (.., error) in &errors {
        assert!(!error["cause"].as_str().unwrap().is_empty());
        assert!(error["body"].as_str().unwrap().len() <= 16 * 1024);
    }
    assert_eq!(errors[0].2["body"], "{not json");
    assert_eq!(errors[4].2["truncated"], true);
    assert_eq!(records(&config, &config.topic).len(), 1);
}

#[test]
fn a_gap_is_recorded_under_its_own_key() {
    let config = config(1);
    let producer = Producer::connect(&config).unwrap();
    let (from, to) = ("2024-10-10T11:00:00Z".parse().unwrap(), "2024-10-10T11:05:00Z".parse().unwrap());
    let gap = Gap::new("local", from, to, "no byte for 45 s");
    let report = Ingest::without_stream(&config, &producer)
        .consume([Ok(Incoming::Gap(gap.clone())), Ok(Incoming::Gap(gap.clone()))])
        .unwrap();
    assert_eq!(report.gaps, 2);
    let gaps = records(&config, &gaps_topic(&config.topic));
    assert_eq!(gaps.len(), 2);
    for (_, key, value) in gaps {
        assert_eq!(key.as_deref(), Some(gap.id.as_str()));
        assert_eq!(value["from"], "2024-10-10T11:00:00+00:00");
        assert_eq!(value["to"], "2024-10-10T11:05:00+00:00");
        assert_eq!((&value["reason"], &value["filled"]), (&json!("no byte for 45 s"), &json!(false)));
    }
}

#[test]
fn twenty_thousand_statuses_in_one_go_are_all_acknowledged() {
    let config = config(1);
    let producer = Producer::connect(&config).unwrap();
    let slice = Slice::after(None, 42, 20_000);
    let items: Vec<String> = (0..slice.statuses)
        .map(|index| {
            let plan = slice.plan(index);
            let (edited, version) = plan.versions().next().unwrap();
            slice.status(&plan, version, edited).json(true)
        })
        .collect();
    let bytes = items.iter().map(String::len).sum::<usize>() / items.len();
    let started = Instant::now();
    let report =
        Ingest::without_stream(&config, &producer).consume(items.iter().map(|data| event("update", data))).unwrap();
    println!("20,000 statuses of {bytes} B: {:.2} s", started.elapsed().as_secs_f64());
    assert_eq!((report.received, report.errors), (20_000, 0));
    assert!(report.kept >= 2000 && report.acknowledged == report.kept, "{report}");
}

/// A healthy instance whose stream answers differently at each connection; the last answer repeats.
pub fn streaming(answers: Vec<Vec<Step>>) -> StandIn {
    let connections = AtomicUsize::new(0);
    StandIn::start(move |request: &Request| {
        healthy(request).unwrap_or_else(|| {
            let n = connections.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
            answers[n].clone()
        })
    })
}

pub fn update(id: u64) -> [Step; 2] {
    [chunk("event: update\n"), chunk(&format!("data: {}\n\n", status(id, "#AI")))]
}

pub fn opened(events: impl IntoIterator<Item = Step>) -> Vec<Step> {
    [stream_head(), chunk(":)\n")].into_iter().chain(events).collect()
}

#[test]
fn a_broken_stream_reconnects_and_its_gap_is_recorded() {
    let server = streaming(vec![
        // A clean end, an end inside an event, a server error, then all is well.
        opened(update(1).into_iter().chain([last_chunk()])),
        opened(update(2).into_iter().chain([chunk("event: upd")])),
        reply(503, "text/html", "<h1>proxy</h1>"),
        opened(update(3).into_iter().chain(update(4)).chain([Step::Stall])),
    ]);
    let config = config_for(&server, config(1));
    let mastodon = Mastodon::connect_with(&config, patience()).unwrap();
    let producer = Producer::connect(&config).unwrap();
    let ingest = Ingest::new(&config, &mastodon, &producer, Journal::default());
    let report = ingest.run(Until::Toots(4)).unwrap();
    assert_eq!((report.kept, report.acknowledged, report.gaps), (4, 6, 2));
    let ids: Vec<Value> = records(&config, &config.topic).into_iter().map(|(.., v)| v["id"].clone()).collect();
    assert_eq!(ids, ["1", "2", "3", "4"]);
    let gaps = records(&config, &gaps_topic(&config.topic));
    assert_eq!(gaps[0].2["reason"], "the server closed the stream");
    for (.., gap) in &gaps {
        let at = |key: &str| gap[key].as_str().unwrap().parse::<Timestamp>().unwrap();
        assert!(at("from") <= at("to") && gap["filled"] == json!(false));
    }
    // A later run tells the time when nobody listened.
    let report = ingest.run(Until::Elapsed(Duration::from_millis(300))).unwrap();
    let last = records(&config, &gaps_topic(&config.topic)).pop().unwrap().2;
    assert_eq!((report.gaps > 0, &last["from_id"]), (true, &json!("4")));
}

#[test]
fn what_is_told_of_a_run_is_numbers_and_never_a_text_or_an_author() {
    let mut spoken = status(5, "#AI hidden-text");
    spoken["account"] =
        json!({"id": "hidden-id", "username": "hidden-name", "acct": "hidden-acct", "display_name": "hidden"});
    let mut undated = spoken.clone();
    undated["created_at"] = json!("hidden-date");
    let said = |data: &Value| [chunk("event: update\n"), chunk(&format!("data: {data}\n\n"))];
    let unreadable = chunk("event: update\ndata: {hidden-json\n\n");
    let server = streaming(vec![
        opened(said(&spoken).into_iter().chain(said(&undated)).chain([unreadable, last_chunk()])),
        opened(update(6).into_iter().chain([Step::Stall])),
    ]);
    let config = config_for(&server, config(1));
    let mastodon = Mastodon::connect_with(&config, patience()).unwrap();
    let producer = Producer::connect(&config).unwrap();
    let control = Control::quiet();
    let report =
        Ingest::new(&config, &mastodon, &producer, Journal::default()).listen(Until::Toots(4), &control).unwrap();
    assert_eq!((report.kept, report.errors), (2, 2));
    let lines = control.lines();
    assert!(lines.iter().any(|line| line.contains("acquittés")) && lines.len() >= 2, "{lines:?}");
    let told = format!("{lines:?} {report} {report:?} {} {}", report.table().unwrap(), producer.deliveries());
    assert!(!told.contains("hidden"), "{told}");
}

#[test]
fn a_silent_stream_is_noticed_and_opened_again() {
    let silent = opened([Step::Stall]);
    let server = streaming(vec![silent, opened(update(7).into_iter().chain([Step::Stall]))]);
    let config = config_for(&server, config(1));
    let mastodon = Mastodon::connect_with(&config, patience()).unwrap();
    let started = Instant::now();
    let seen: Vec<Incoming> = mastodon
        .stream()
        .unwrap()
        .map(Result::unwrap)
        .take_while(|_| started.elapsed() < Duration::from_secs(20))
        .filter(|item| *item != Incoming::Quiet)
        .take(5)
        .collect();
    assert!(matches!(&seen[0], Incoming::Opened));
    assert!(matches!(&seen[1], Incoming::Lost { cause, attempt: 1, .. } if cause.starts_with("no byte for")));
    assert!(matches!(&seen[2], Incoming::Gap(gap) if gap.reason.starts_with("no byte for")));
    assert!(matches!(&seen[3], Incoming::Opened));
    assert!(matches!(&seen[4], Incoming::Event { name, .. } if name == "update"));
}

#[test]
fn heartbeats_alone_keep_a_stream_open() {
    // Heartbeats of servers before 4.6, without a blank line.
    let beats = std::iter::repeat_with(|| chunk(":thump\n")).take(3);
    let server = streaming(vec![opened(beats.chain(update(1)).chain([Step::Stall]))]);
    let config = config_for(&server, support::config());
    let mastodon = Mastodon::connect_with(&config, patience()).unwrap();
    let first =
        mastodon.stream().unwrap().map(Result::unwrap).find(|item| !matches!(item, Incoming::Quiet | Incoming::Opened));
    assert!(matches!(first, Some(Incoming::Event { .. })), "{first:?}");
}

#[test]
fn a_refused_stream_stops_with_a_clear_message() {
    let refusals = [
        (json(401, json!({"error": "Invalid access token"})), "jeton_access"),
        (json(403, json!({"error": "forbidden"})), "scopes"),
        (json(404, json!({"error": "not found"})), "404"),
        (reply(200, "text/html", "<p>login</p>"), "MASTODON_URL"),
        (
            vec![Step::Bytes(
                b"HTTP/1.1 302 X\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n".to_vec(),
            )],
            "elsewhere.example",
        ),
    ];
    for (answer, hint) in refusals {
        // The revoked token ends an open stream first; the refusal comes when it is opened again.
        let server = streaming(vec![opened(update(1).into_iter().chain([last_chunk()])), answer]);
        let config = config_for(&server, support::config());
        let mastodon = Mastodon::connect_with(&config, patience()).unwrap();
        let mut items: Vec<spar::Result<Incoming>> = mastodon.stream().unwrap().collect();
        let error = items.pop().unwrap().unwrap_err();
        assert!(error.is_refused() && error.to_string().contains(hint), "{error}");
        assert!(!format!("{error} {error:?}").contains(TOKEN));
        assert_eq!(server.asked("/api/v1/streaming/public").len(), 2, "{error}");
    }
}

#[test]
fn connecting_names_what_is_wrong_with_the_token_or_the_feeds() {
    let closed = json!({"local": "disabled", "remote": "disabled"});
    let gated = json!({
        "version": "4.6.5",
        "configuration": {"timelines_access": {"live_feeds": closed, "hashtag_feeds": closed}}
    });
    let cases: [(&str, Vec<Step>, &str); 5] = [
        ("/api/v1/accounts/verify_credentials", json(401, json!({"error": "x"})), "jeton_access"),
        ("/api/v1/accounts/verify_credentials", json(422, json!({"error": "x"})), "application"),
        ("/api/v1/streaming/health", reply(200, "text/html", "<p>"), "OK"),
        ("/api/v2/instance", json(200, gated), "live_feeds are open"),
        ("/api/v2/instance", reply(200, "text/html", "<p>"), "no Mastodon server"),
    ];
    for (path, answer, hint) in cases {
        let server = StandIn::start(
            move |request| {
                if request.path == path { answer.clone() } else { healthy(request).unwrap() }
            },
        );
        let config = config_for(&server, support::config());
        let error = Mastodon::connect(&config).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
        assert!(!error.contains(TOKEN));
    }
}

#[test]
fn the_streaming_host_is_found_whatever_form_it_is_told_in() {
    for scheme in ["ws", "http"] {
        let streams = streaming(vec![opened(update(1).into_iter().chain([Step::Stall]))]);
        let told = streams.url.replace("http", scheme) + "/";
        let main = StandIn::start(move |request| match request.path.as_str() {
            "/api/v2/instance" => json(404, json!({})),
            "/api/v1/instance" => json(200, json!({"urls": {"streaming_api": told}})),
            _ => healthy(request).unwrap(),
        });
        let config = config_for(&main, support::config());
        let mastodon = Mastodon::connect_with(&config, patience()).unwrap();
        assert!(mastodon.stream().unwrap().any(|item| matches!(item, Ok(Incoming::Event { .. }))));
        let request = streams.asked("/api/v1/streaming/public").remove(0);
        assert_eq!(request.headers["authorization"], format!("Bearer {TOKEN}"));
        assert_eq!(
            (&*request.headers["accept"], &*request.headers["accept-encoding"]),
            ("text/event-stream", "identity")
        );
        assert!(request.headers["user-agent"].starts_with("spar/"));
    }
}

#[test]
fn a_token_is_never_sent_over_plain_http_to_another_machine() {
    let config = Config {
        mastodon_url: Some("http://mastodon.example".into()),
        access_token: Some(Secret::new(TOKEN)),
        ..support::config()
    };
    let error = Mastodon::connect(&config).map(|_| ()).unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("plain http"), "{error}");
}

#[test]
fn a_cell_cannot_listen_without_end_and_a_job_can_be_stopped() {
    let server = streaming(vec![opened(update(1).into_iter().chain([Step::Stall]))]);
    let config = config_for(&server, config(1));
    let mastodon = Mastodon::connect(&config).unwrap();
    let producer = Producer::connect(&config).unwrap();
    let ingest = Ingest::new(&config, &mastodon, &producer, Journal::default());
    assert!(ingest.run(Until::Stopped).unwrap_err().is_invalid());
    let mut job = ingest.start().unwrap();
    support::eventually("a message is sent", Duration::from_secs(20), || producer.deliveries().sent == 1);
    let report = job.stop().unwrap();
    assert!(report.text().contains("gardés 1") && report.text().contains("acquittés 1"), "{report}");
}

/// A local server whose control address tells `slices` one after the other, the last one again and again; `None` is an
/// answer of a server that restarts. Its stream gives one toot for each of `toots`.
fn local(toots: &[u64], slices: Vec<Option<Value>>) -> StandIn {
    let (asked, stream) = (AtomicUsize::new(0), opened(toots.iter().flat_map(|id| update(*id)).chain([Step::Stall])));
    StandIn::start(move |request: &Request| {
        if request.path == "/control/slice" {
            let n = asked.fetch_add(1, Ordering::SeqCst).min(slices.len() - 1);
            return slices[n].clone().map_or_else(|| reply(503, "text/plain", ""), |slice| json(200, slice));
        }
        healthy(request).unwrap_or_else(|| stream.clone())
    })
}

fn slice(number: u32, state: &str, sent: u32, exhausted: bool) -> Option<Value> {
    Some(json!({"slice": number, "state": state, "sent": sent, "total": 9, "exhausted": exhausted}))
}

/// Listens; a watchdog stops what does not end by itself. Gives the report, the lines and whether it ended.
fn listen(server: &StandIn, config: Config, until: Until) -> (spar::ingest::IngestReport, Vec<String>, bool) {
    let config = Config { mastodon_control: Some(server.url.clone()), ..config_for(server, config) };
    listen_with(&config, until)
}

fn listen_with(config: &Config, until: Until) -> (spar::ingest::IngestReport, Vec<String>, bool) {
    let mastodon = Mastodon::connect(config).unwrap();
    let ingest = Ingest::new(config, &mastodon, &Producer::connect(config).unwrap(), Journal::default());
    let (control, (over, wait)) = (spar::job::Control::quiet(), std::sync::mpsc::channel());
    let watched = control.clone();
    let watchdog = std::thread::spawn(move || {
        if wait.recv_timeout(Duration::from_secs(20)).is_err() {
            watched.stop();
        }
    });
    let report = ingest.listen(until, &control).unwrap();
    over.send(()).ok();
    watchdog.join().unwrap();
    (report, control.lines(), !control.stopping())
}

#[test]
fn an_exhausted_local_timeline_ends_the_run_at_once_and_says_so() {
    for over in [slice(7, "over", 30, true), slice(0, "idle", 0, true)] {
        let server = local(&[], vec![over]);
        let (report, lines, ended) = listen(&server, config(1), Until::CaughtUp);
        assert_eq!((report.received, ended), (0, true));
        assert!(lines.iter().any(|line| line.contains("aucune tranche ne suit")), "{lines:?}");
    }
}

#[test]
fn a_local_server_that_restarts_does_not_end_the_run() {
    let slices =
        vec![slice(1, "over", 5, false), None, None, slice(2, "running", 1, false), slice(2, "over", 1, false)];
    let (report, _, ended) = listen(&local(&[1], slices), config(1), Until::CaughtUp);
    assert_eq!((report.kept, report.acknowledged, ended), (1, 1, true));
}

#[test]
fn a_run_that_waits_for_more_toots_than_there_are_ends_too() {
    let server = local(&[1, 2], vec![slice(1, "over", 5, false), slice(2, "over", 2, false)]);
    let (report, _, ended) = listen(&server, config(1), Until::Toots(1000));
    assert_eq!((report.kept, ended), (2, true));
    let config = Config { listen: Duration::from_secs(1), ..config_for(&server, config(1)) };
    let (report, _, ended) = listen_with(&config, Until::Toots(1000));
    assert_eq!((report.kept, ended), (2, true));
}

#[test]
fn waits_double_to_their_cap_and_never_fall_below_the_first() {
    let mut backoff = Backoff::new(Patience::default());
    let longest: Vec<u64> = (0..9).map(|_| backoff.next(1.0).as_secs()).collect();
    assert_eq!(longest, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    backoff.reset();
    assert_eq!(backoff.next(0.0), Duration::from_secs(1));
    assert_eq!(backoff.next(0.75), Duration::from_millis(1500));
}
