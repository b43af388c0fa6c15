//! Every kind of answer that a server or what stands before it may give, and what becomes of it: on the stream, and on
//! the way to it.

use crate::ingest::{TOKEN, config_for, opened, patience, status, streaming, update};
use crate::stand_in::{StandIn, Step, chunk, healthy, json, last_chunk, reply, reply_with};
use crate::support::{self, eventually};
use serde_json::json;
use spar::job::Control;
use spar::mastodon::{Incoming, Mastodon, Patience, asked_wait};
use spar::{Config, Ingest, Journal, Producer, Timestamp, Until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What becomes of a stream.
enum Outcome {
    /// It ends with an error that says this.
    Stops(&'static str),
    /// It is opened again; the cause says this.
    Again(&'static str),
}
use Outcome::{Again, Stops};

fn error(status: u16, text: &str) -> Vec<Step> {
    json(status, json!({ "error": text }))
}

fn bytes(text: &str) -> Vec<Step> {
    vec![Step::Bytes(text.as_bytes().to_vec())]
}

fn redirect(status: u16, to: &str) -> Vec<Step> {
    reply_with(status, &[("Location", to)], "")
}

fn after(seconds: u64) -> String {
    Timestamp::now().plus(Duration::from_secs(seconds)).to_string()
}

/// Answers to the request that opens a stream.
fn answers() -> Vec<(&'static str, Vec<Step>, Outcome)> {
    let page = format!("<html>{}</html>", "<p>nginx</p>".repeat(10_000));
    let elsewhere = "https://elsewhere.example/login";
    vec![
        // Those of Mastodon's own streaming server.
        ("no token", error(401, "Missing access token"), Stops("jeton_access")),
        ("unknown, revoked or app-only token", error(401, "Invalid access token"), Stops("jeton_access")),
        ("too small a scope", error(401, "Access token does not have the required scopes"), Stops("scopes")),
        ("unknown path", error(400, "Unknown channel requested"), Stops("Unknown channel")),
        ("no tag", error(400, "Missing tag name parameter"), Stops("Missing tag")),
        ("no list", error(400, "Missing list name parameter"), Stops("Missing list")),
        ("another's list", error(401, "Not authorized to stream this list"), Stops("Not authorized")),
        ("its database is down", error(500, "An unexpected error occurred"), Again("500")),
        ("no GET", reply(404, "text/html", "<pre>Cannot POST</pre>"), Stops("404")),
        // Those of others, or of its front.
        ("HTML", reply(200, "text/html; charset=utf-8", "<p>login</p>"), Stops("MASTODON_URL")),
        ("JSON", json(200, json!({"ok": true})), Stops("application/json")),
        ("no type", reply_with(200, &[], ""), Stops("none")),
        (
            "gzip",
            reply_with(200, &[("Content-Type", "text/event-stream"), ("Content-Encoding", "gzip")], "\u{1f}\u{8b}"),
            Stops("gzip"),
        ),
        ("no content", reply_with(204, &[], ""), Stops("204")),
        ("301", redirect(301, elsewhere), Stops("elsewhere.example")),
        ("302", redirect(302, elsewhere), Stops("elsewhere.example")),
        ("307", redirect(307, elsewhere), Stops("elsewhere.example")),
        ("308", redirect(308, elsewhere), Stops("elsewhere.example")),
        ("a redirect to itself", redirect(302, "/api/v1/streaming/public"), Stops("302")),
        ("a redirect nowhere", reply_with(302, &[], ""), Stops("302")),
        ("a localised 401", error(401, "Le jeton d’accès est invalide"), Stops("jeton_access")),
        ("a 401 in HTML", reply(401, "text/html", &page), Stops("jeton_access")),
        ("403", error(403, "Your login is currently disabled"), Stops("scopes")),
        ("404", error(404, "Record not found"), Stops("MASTODON_URL")),
        ("410", error(410, "Gone"), Stops("MASTODON_URL")),
        ("418", reply(418, "text/plain", "teapot"), Stops("418")),
        ("422", error(422, "This method requires an authenticated user"), Stops("authenticated user")),
        ("408", reply(408, "text/html", ""), Again("408")),
        ("429", error(429, "Too many requests"), Again("429")),
        ("429 with a reset", reply_with(429, &[("X-RateLimit-Reset", &after(1))], "{}"), Again("429")),
        ("429 with seconds", reply_with(429, &[("Retry-After", "1")], ""), Again("429")),
        (
            "429 with nonsense",
            reply_with(429, &[("X-RateLimit-Reset", "soon"), ("Retry-After", "-")], ""),
            Again("429"),
        ),
        ("502 with a long page", reply(502, "text/html", &page), Again("502")),
        ("503 with seconds", reply_with(503, &[("Retry-After", "1")], ""), Again("503")),
        ("504", reply(504, "text/html", &page), Again("504")),
        ("520", reply(520, "text/html", ""), Again("520")),
        ("a close without a word", Vec::new(), Again("")),
        ("a reset", vec![Step::Reset], Again("")),
        ("a reset inside the head", [bytes("HTTP/1.1 200 OK\r\nContent-"), vec![Step::Reset]].concat(), Again("")),
        ("no HTTP", bytes("220 mail ready\r\n\r\n"), Again("")),
        ("a head that never comes", vec![Step::Stall], Again("no answer in time")),
        ("a head that never ends", [bytes("HTTP/1.1 200 OK\r\nX: "), vec![Step::Stall]].concat(), Again("no answer")),
        (
            "a head that drips",
            vec![Step::Dribble(
                b"HTTP/1.1 200 OK\r\nX-Filler: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n".to_vec(),
                Duration::from_millis(20),
            )],
            Again("no answer in time"),
        ),
        (
            "a body that never comes",
            bytes("HTTP/1.1 503 X\r\nContent-Length: 9\r\n\r\n").into_iter().chain([Step::Stall]).collect(),
            Again("503"),
        ),
        // The stream opens, and then.
        ("a clean end", opened([last_chunk()]), Again("the server closed the stream")),
        ("an end inside an event", opened([chunk("event: update\ndata: {"), last_chunk()]), Again("inside an event")),
        ("an end inside a chunk", opened(bytes("ff\r\nevent: update\n")), Again("")),
        ("a reset of the stream", opened([Step::Reset]), Again("")),
        ("a nonsense chunk", opened(bytes("zz\r\n")), Again("")),
        ("silence", opened([Step::Stall]), Again("no byte for")),
        ("a comment that never ends", opened([chunk(":"), Step::Stall]), Again("no byte for")),
    ]
}

#[test]
fn each_answer_to_the_request_for_a_stream_has_its_outcome() {
    let answers = answers();
    let tried = answers.len();
    let (mut stopped, mut reopened) = (0, 0);
    // Each waits for its own time limits: together they take as long as the slowest.
    std::thread::scope(|scope| {
        let outcomes: Vec<_> = answers
            .into_iter()
            .map(|(name, answer, outcome)| {
                let tried = scope.spawn(move || {
                    let good = opened(update(7).into_iter().chain([Step::Stall]));
                    let loops = name == "a redirect to itself";
                    let server = streaming(if loops { vec![answer] } else { vec![answer, good] });
                    let config = config_for(&server, support::config());
                    let mastodon = Mastodon::connect_with(&config, patience()).unwrap();
                    let started = Instant::now();
                    let mut items = Vec::new();
                    for item in mastodon.stream().unwrap() {
                        assert!(started.elapsed() < Duration::from_secs(20), "{name}: nothing came of it");
                        let over = matches!(item, Err(_) | Ok(Incoming::Event { .. }));
                        items.push(item);
                        if over {
                            break;
                        }
                    }
                    (items, server.asked("/api/v1/streaming/public").len())
                });
                (name, outcome, tried)
            })
            .collect();
        for (name, outcome, tried) in outcomes {
            let (mut items, asked) = tried.join().unwrap_or_else(|_| panic!("{name}"));
            let last = items.pop().unwrap();
            let causes: Vec<_> = items
                .iter()
                .filter_map(|item| match item {
                    Ok(Incoming::Lost { cause, wait, .. }) => Some((cause.as_str(), *wait)),
                    _ => None,
                })
                .collect();
            match outcome {
                Stops(hint) => {
                    stopped += 1;
                    let error = last.expect_err(name);
                    let text = error.to_string();
                    assert!(error.is_refused() && text.contains(hint), "{name}: {text}");
                    assert!(!text.contains('\n') && text.len() < 700 && !text.contains(TOKEN), "{name}: {text}");
                    // A redirect inside the server is followed a few times.
                    assert!(asked == 1 || name == "a redirect to itself", "{name}: asked {asked} times");
                    assert_eq!(causes, [], "{name}");
                }
                Again(hint) => {
                    reopened += 1;
                    assert!(last.is_ok(), "{name}: {last:?}");
                    assert_eq!((causes.len(), asked), (1, 2), "{name}: {causes:?}");
                    let (cause, wait) = causes[0];
                    assert!(cause.contains(hint) && !cause.is_empty(), "{name}: {cause}");
                    let least = match name {
                        "429 with seconds" | "503 with seconds" => 1000,
                        // Its second had begun.
                        "429 with a reset" => 300,
                        "429" | "429 with nonsense" => 300,
                        _ => 10,
                    };
                    assert!(wait >= Duration::from_millis(least) && wait < Duration::from_secs(3), "{name}: {wait:?}");
                    let gaps = items.iter().filter(|item| matches!(item, Ok(Incoming::Gap(_)))).count();
                    assert_eq!(gaps, 1, "{name}: the time without a stream is a gap");
                }
            }
        }
    });
    println!("{tried} answers: {stopped} stop with a sentence, {reopened} are tried again with a gap; lost 0");
}

#[test]
fn each_answer_on_the_way_to_a_stream_ends_in_a_sentence() {
    // What may help later, what cannot, and what the reader must change.
    let answers: Vec<(&str, Vec<Step>)> = vec![
        ("400", error(400, "bad")),
        ("401", error(401, "The access token is invalid")),
        ("403", error(403, "This action is outside the authorized scopes")),
        ("404", reply(404, "text/html", "<p>no such page</p>")),
        ("410", error(410, "gone")),
        ("422", error(422, "This method requires an authenticated user")),
        ("429", reply_with(429, &[("X-RateLimit-Reset", &after(60))], "{}")),
        ("500", error(500, "oops")),
        ("502", reply(502, "text/html", &"<p>proxy</p>".repeat(9000))),
        ("503", reply(503, "text/html", "")),
        ("302", redirect(302, "https://elsewhere.example/")),
        ("HTML", reply(200, "text/html", "<p>login</p>")),
        ("gzip", reply_with(200, &[("Content-Type", "application/json"), ("Content-Encoding", "gzip")], "x")),
        ("close", Vec::new()),
        ("reset", vec![Step::Reset]),
        ("no HTTP", bytes("220 mail ready\r\n\r\n")),
    ];
    let paths = ["/api/v2/instance", "/api/v1/streaming/health", "/api/v1/accounts/verify_credentials"];
    let mut tried = 0;
    for path in paths {
        for (name, answer) in &answers {
            let given = answer.clone();
            let server = StandIn::start(move |request| {
                if request.path == path { given.clone() } else { healthy(request).unwrap_or_else(|| error(404, "no")) }
            });
            let config = config_for(&server, support::config());
            tried += 1;
            let error = match Mastodon::connect(&config) {
                Err(error) => error,
                // An old server without this path is asked by its older one, which the stand-in lacks too.
                Ok(_) => {
                    assert_eq!((path, *name), ("/api/v2/instance", "404"));
                    continue;
                }
            };
            let text = error.to_string();
            println!("{path} {name}: {text}");
            assert!(text.starts_with("cannot ") && text.contains("; "), "{path} {name}: {text}");
            assert!(!text.contains('\n') && text.len() < 700 && !text.contains(TOKEN), "{path} {name}: {text}");
            let later = ["429", "500", "502", "503", "close", "reset", "no HTTP"].contains(name);
            assert_eq!(error.is_transient(), later, "{path} {name}: {text}");
            let hint = match *name {
                "401" => "jeton_access",
                "403" => "scopes",
                "302" => "elsewhere.example",
                "HTML" | "404" | "410" | "gzip" => "MASTODON_URL",
                "429" => " s and try again",
                _ => "cannot",
            };
            assert!(text.contains(hint), "{path} {name}: {text}");
        }
    }
    println!("{tried} answers on the way to a stream: each ends in one sentence");
}

#[test]
fn a_wait_that_the_server_asks_for_is_counted_by_its_clock_and_never_passes_a_quarter_of_an_hour() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let now = at("2026-08-01T15:00:00Z");
    let reset = Some("2026-08-01T15:00:30.374878Z");
    let seconds = |wait: Option<Duration>| wait.map(|wait| wait.as_secs());
    let cases = [
        (reset, None, None, now, Some(30)),
        // Our clock is an hour wrong, either way; the server tells its own, or does not.
        (reset, None, Some("Sat, 01 Aug 2026 15:00:00 GMT"), at("2026-08-01T16:00:00Z"), Some(30)),
        (reset, None, Some("Sat, 01 Aug 2026 15:00:00 GMT"), at("2026-08-01T14:00:00Z"), Some(30)),
        (reset, None, None, at("2026-08-01T14:00:00Z"), Some(900)),
        (reset, None, None, at("2026-08-01T16:00:00Z"), None),
        (reset, Some("7"), None, now, Some(30)),
        (Some("soon"), Some("7"), Some("today"), now, Some(7)),
        (None, Some("86400"), None, now, Some(900)),
        (None, Some("Sat, 01 Aug 2026 15:01:00 GMT"), None, now, Some(60)),
        (None, Some("-3"), None, now, None),
        (None, Some(""), None, now, None),
        (Some("9999-12-31T23:59:59Z"), None, None, now, Some(900)),
        (None, None, None, now, None),
    ];
    for (reset, retry_after, date, now, wanted) in cases {
        assert_eq!(seconds(asked_wait(reset, retry_after, date, now)), wanted, "{reset:?} {retry_after:?} {date:?}");
    }
}

/// How many streams were asked for within `time`, by a client that keeps to its usual limits.
fn attempts(server: &StandIn, config: &Config, time: Duration) -> usize {
    let mastodon = Mastodon::connect_with(config, Patience::default()).unwrap();
    let started = Instant::now();
    for item in mastodon.stream().unwrap() {
        assert!(item.is_ok(), "{item:?}");
        if started.elapsed() > time {
            break;
        }
    }
    ["public", "hashtag"].map(|feed| server.asked(&format!("/api/v1/streaming/{feed}")).len()).iter().sum()
}

#[test]
fn no_more_than_one_reconnection_a_second_reaches_a_server_that_closes_every_stream() {
    let time = Duration::from_millis(3500);
    // With an event each time, which would reset the waits to the shortest.
    let server = streaming(vec![opened(update(1).into_iter().chain([last_chunk()]))]);
    let alone = attempts(&server, &config_for(&server, support::config()), time);
    let server = StandIn::start(|request| healthy(request).unwrap_or_else(|| opened([last_chunk()])));
    let hashtags = ["ai", "nlp", "mlops", "gpt4", "robotics", "openai"].map(str::to_owned).to_vec();
    let together = attempts(&server, &Config { hashtags, ..config_for(&server, support::config()) }, time);
    println!("in {time:?}: {alone} connections of one stream, {together} of six");
    assert!((2..=4).contains(&alone), "{alone}");
    assert!((7..=6 + 4).contains(&together), "{together}");
}

#[test]
fn a_stream_that_moved_is_found_where_the_instance_says_it_is_now() {
    for answer in [error(404, "Not Found"), redirect(301, "https://elsewhere.example/")] {
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
        _ => healthy(request).unwrap_or_else(|| error(404, "Not Found")),
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

    let ingest = Ingest::new(&config, &mastodon, &Producer::connect(&config).unwrap(), Journal::default());
    let control = Control::quiet();
    let report = ingest.listen(Until::Elapsed(Duration::from_millis(200)), &control).unwrap();
    assert_eq!(report.silences, 0, "a short run is no silence");
    let server = streaming(vec![opened([chunk(":thump\n\n"), Step::Stall])]);
    let config = Config { quiet: Duration::from_millis(300), ..config_for(&server, config) };
    let mastodon = Mastodon::connect_with(&config, patience).unwrap();
    let ingest = Ingest::new(&config, &mastodon, &Producer::connect(&config).unwrap(), Journal::default());
    let report = ingest.listen(Until::Elapsed(Duration::from_secs(1)), &control).unwrap();
    assert_eq!((report.silences, report.received), (1, 0));
    assert!(report.table().unwrap().to_string().contains("silences"));
    assert!(control.lines().iter().any(|line| line.contains("muet")), "{:?}", control.lines());
}

#[test]
fn poison_on_the_stream_is_kept_apart_and_the_stream_goes_on() {
    let long = format!("event: update\ndata: {}\n\n", "x".repeat(3 << 20));
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
