//! Every kind of answer that a server or what stands before it may give, and what becomes of it: on the stream, and on
//! the way to it.

use crate::ingest::{TOKEN, config_for, opened, patience, streaming, update};
use crate::stand_in::{StandIn, Step, chunk, healthy, json, last_chunk, reply, reply_with};
use crate::support;
use serde_json::json;
use spar::Timestamp;
use spar::mastodon::{Incoming, Mastodon, asked_wait};
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

/// Connects to a server that answers so on one path.
fn ends_in_a_sentence(path: &'static str, name: &str, answer: Vec<Step>) {
    let server = StandIn::start(move |request| {
        if request.path == path { answer.clone() } else { healthy(request).unwrap_or_else(|| error(404, "no")) }
    });
    let config = config_for(&server, support::config());
    let error = match Mastodon::connect(&config) {
        Err(error) => error,
        // An old server without this path is asked by its older one, which the stand-in lacks too.
        Ok(_) => return assert_eq!((path, name), ("/api/v2/instance", "404")),
    };
    let text = error.to_string();
    println!("{path} {name}: {text}");
    assert!(text.starts_with("cannot ") && text.contains("; "), "{path} {name}: {text}");
    assert!(!text.contains('\n') && text.len() < 700 && !text.contains(TOKEN), "{path} {name}: {text}");
    let later = ["429", "500", "502", "503", "close", "reset", "no HTTP"].contains(&name);
    assert_eq!(error.is_transient(), later, "{path} {name}: {text}");
    let hint = match name {
        "401" => "jeton_access",
        "403" => "scopes",
        "302" => "elsewhere.example",
        "HTML" | "404" | "410" | "gzip" => "MASTODON_URL",
        "429" => " s and try again",
        _ => "cannot",
    };
    assert!(text.contains(hint), "{path} {name}: {text}");
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
    let tried = paths.len() * answers.len();
    // Some are asked three times, with a pause: together they take as long as the slowest.
    std::thread::scope(|scope| {
        for path in paths {
            for (name, answer) in &answers {
                scope.spawn(move || ends_in_a_sentence(path, name, answer.clone()));
            }
        }
    });
    println!("{tried} answers on the way to a stream: each ends in one sentence");
}

#[test]
fn a_server_that_stumbles_on_the_way_is_asked_again_and_one_that_is_not_there_is_not() {
    let stumbles = [
        error(500, "oops"),
        reply(502, "text/html", "<p>proxy</p>"),
        reply(503, "", ""),
        Vec::new(),
        vec![Step::Reset],
    ];
    for stumble in stumbles {
        // Each path stumbles twice, then answers.
        let asked = std::sync::Mutex::new(std::collections::HashMap::<String, u32>::new());
        let server = StandIn::start(move |request| {
            let times = *asked.lock().unwrap().entry(request.path.clone()).and_modify(|n| *n += 1).or_insert(1);
            if times < 3 { stumble.clone() } else { healthy(request).unwrap() }
        });
        Mastodon::connect(&config_for(&server, support::config())).unwrap();
        assert_eq!(server.asked("/api/v2/instance").len(), 3);
    }
    let server = StandIn::start(|_| reply(503, "text/html", ""));
    assert!(Mastodon::connect(&config_for(&server, support::config())).map(|_| ()).unwrap_err().is_transient());
    assert_eq!(server.asked("/api/v2/instance").len(), 3, "and then no more");
    let config = config_for(&server, support::config());
    drop(server);
    let started = Instant::now();
    assert!(Mastodon::connect(&config).map(|_| ()).unwrap_err().is_transient());
    assert!(started.elapsed() < Duration::from_secs(5), "a closed port is told at once");
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
