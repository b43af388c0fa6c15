//! Streams of hashtags, where the public one is closed or where they are asked for.

use crate::ingest::{config, config_for, opened, patience, records, status, update};
use crate::listen;
use crate::local::client::server;
use crate::stand_in::{StandIn, Step, chunk, healthy, json, last_chunk};
use crate::support;
use serde_json::{Value, json};
use spar::job::Control;
use spar::kafka::gaps_topic;
use spar::mastodon::{Incoming, Patience, Repeats};
use spar::{Config, Ingest, Journal, Mastodon, Producer, Until, preflight};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn instance(live: &str, hashtag: &str) -> Value {
    json!({"version": "4.6.5", "configuration": {"timelines_access": {
        "live_feeds": {"local": live, "remote": live}, "hashtag_feeds": {"local": hashtag, "remote": hashtag}
    }}})
}

/// An instance with these gates whose streams say what `stream` says for their path.
fn gated(live: &str, hashtag: &str, stream: impl Fn(&str) -> Vec<Step> + Send + Sync + 'static) -> StandIn {
    let instance = instance(live, hashtag);
    StandIn::start(move |request| match request.path.as_str() {
        "/api/v2/instance" => json(200, instance.clone()),
        path => healthy(request).unwrap_or_else(|| stream(path)),
    })
}

#[test]
fn hashtags_are_followed_where_the_public_stream_is_closed() {
    let server = gated("disabled", "public", |path| match path {
        "/api/v1/streaming/hashtag?tag=NLP" => opened(update(5).into_iter().chain([Step::Stall])),
        _ => opened([Step::Stall]),
    });
    let config = config_for(&server, support::config());
    let mastodon = Mastodon::connect(&config).unwrap();
    assert!(mastodon.to_string().contains("#NLP"));
    let mut stream = mastodon.stream().unwrap();
    assert!(stream.any(|item| matches!(item, Ok(Incoming::Event { .. }))));
    support::eventually("ten hashtags", Duration::from_secs(10), || {
        server.asked("/api/v1/streaming/hashtag").len() == 10
    });
    assert!(server.asked("/api/v1/streaming/public").is_empty());
    assert!(preflight::check(&config).unwrap().to_string().contains("suit des hashtags"));
}

fn config_of(hashtags: &str) -> spar::Result<Config> {
    Config::from_settings(support::home(), |key| (key == "SPAR_HASHTAGS").then(|| hashtags.to_owned()))
}

#[test]
fn the_setting_chooses_the_hashtags_and_says_what_it_cannot_do() {
    let silent = |_: &str| opened([Step::Stall]);
    let with = |server: &StandIn, tags: &[&str]| {
        let hashtags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Mastodon::connect(&Config { hashtags, ..config_for(server, support::config()) })
    };
    let server = gated("public", "authenticated", silent);
    let mastodon = with(&server, &["#AI", "ai", "été 1", "日本"]).unwrap();
    assert!(mastodon.to_string().contains("#AI, #été 1, #日本"), "{mastodon}");
    let _stream = mastodon.stream().unwrap();
    support::eventually("three hashtags", Duration::from_secs(10), || {
        server.asked("/api/v1/streaming/hashtag").len() == 3
    });
    let asked: Vec<String> = server.asked("/api/v1/streaming/hashtag").into_iter().map(|r| r.path).collect();
    for tag in ["AI", "%C3%A9t%C3%A9+1", "%E6%97%A5%E6%9C%AC"] {
        assert!(asked.contains(&format!("/api/v1/streaming/hashtag?tag={tag}")), "{asked:?}");
    }
    assert!(server.asked("/api/v1/streaming/public").is_empty());
    let many: Vec<String> = (0..31).map(|n| format!("tag{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    for (text, hint) in
        [("ai, deep learning", "deep learning"), ("#", "no letter"), ("c++", "neither spaces nor signs")]
    {
        let error = config_of(text).unwrap_err().to_string();
        assert!(error.contains("SPAR_HASHTAGS") && error.contains(hint), "{error}");
    }
    assert_eq!(config_of(" #AI,日本 ,, ").unwrap().hashtags, ["#AI", "日本"]);
    let cases: [(&StandIn, &[&str], &str); 5] = [
        (&server, &many, "from 1 to 30"),
        (&server, &["#"], "from 1 to 30"),
        (&gated("public", "disabled", silent), &["ai"], "leave SPAR_HASHTAGS out"),
        (&gated("disabled", "disabled", silent), &["ai"], "live_feeds are open"),
        (&gated("disabled", "disabled", silent), &[], "live_feeds are open"),
    ];
    for (server, tags, hint) in cases {
        let error = with(server, tags).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(hint), "{error}");
    }
}

#[test]
fn a_toot_that_several_hashtag_streams_carry_is_sent_once_with_its_edits_and_its_delete() {
    let edited = |id: u64, at: &str| {
        let mut status = status(id, "#AI #NLP");
        status["edited_at"] = json!(at);
        [chunk("event: status.update\n"), chunk(&format!("data: {status}\n\n"))]
    };
    let delete = |id: u64| [chunk("event: delete\n"), chunk(&format!("data: {id}\n\n"))];
    // All three carry toot 1, its two edits and its delete; each has one of its own.
    let server = gated("disabled", "public", move |path| {
        let own = [10, 20, 30][["tag=ai", "tag=nlp", "tag=mlops"].iter().position(|tag| path.ends_with(tag)).unwrap()];
        let events = update(1)
            .into_iter()
            .chain(edited(1, "2024-10-10T12:00:00Z"))
            .chain(edited(1, "2024-10-10T12:00:01Z"))
            .chain(update(own))
            .chain(delete(1))
            .chain([chunk("event: update\ndata: {not json\n\n")]);
        opened(events.chain([Step::Stall]))
    });
    let config = config_for(&server, config(1));
    let config = Config { hashtags: ["ai", "nlp", "mlops"].map(str::to_owned).to_vec(), ..config };
    let mastodon = Mastodon::connect_with(&config, Patience::default()).unwrap();
    let ingest = Ingest::new(&config, &mastodon, &Producer::connect(&config).unwrap(), Journal::default());
    let report = ingest.listen(Until::Elapsed(Duration::from_secs(2)), &Control::quiet()).unwrap();
    assert_eq!((report.received, report.kept, report.edited, report.deleted, report.errors), (8, 4, 2, 1, 1));
    let mut sent: Vec<String> =
        records(&config, &config.topic).iter().map(|(.., v)| format!("{} {}", v["event"], v["id"])).collect();
    sent.sort();
    let wanted = ["\"delete\" \"1\"", "\"status.update\" \"1\"", "\"status.update\" \"1\"", "\"update\" \"1\""];
    assert_eq!(sent[..4], wanted);
    assert_eq!(sent.len(), 7);
}

#[test]
fn one_hashtag_stream_that_breaks_leaves_a_gap_that_names_it_and_the_others_go_on() {
    let connections = AtomicUsize::new(0);
    let server = gated("disabled", "public", move |path| {
        if path.ends_with("tag=nlp") {
            match connections.fetch_add(1, Ordering::SeqCst) {
                0 => opened(update(1).into_iter().chain([last_chunk()])),
                _ => opened(update(3).into_iter().chain([Step::Stall])),
            }
        } else {
            opened(update(2).into_iter().chain([Step::Stall]))
        }
    });
    let config = config_for(&server, config(1));
    let config = Config { hashtags: ["ai", "nlp"].map(str::to_owned).to_vec(), ..config };
    let patience = Patience { silence: Duration::from_secs(45), ..patience() };
    let mastodon = Mastodon::connect_with(&config, patience).unwrap();
    let ingest = Ingest::new(&config, &mastodon, &Producer::connect(&config).unwrap(), Journal::default());
    let control = Control::quiet();
    let report = ingest.listen(Until::Toots(3), &control).unwrap();
    assert_eq!((report.kept, report.gaps), (3, 1));
    let (_, key, gap) = records(&config, &gaps_topic(&config.topic)).remove(0);
    assert_eq!(gap["reason"], "#nlp: the server closed the stream");
    assert!(key.unwrap().ends_with("-#nlp"));
    assert!(control.lines().iter().any(|line| line.contains("#nlp")), "{:?}", control.lines());
}

#[test]
fn every_toot_that_the_local_server_sent_under_the_hashtags_is_in_the_topic_once() {
    let (server, state) = server(4000);
    let hashtags = ["MachineLearning", "ai", "ChatGPT", "aiart"].map(str::to_owned).to_vec();
    let config = Config { hashtags, ..listen::config(&server, &state) };
    let ingest = listen::listener(&config);
    for slice in 1..=2 {
        let report = ingest.run(Until::CaughtUp).unwrap();
        let standing = crate::local::client::get(&server.control, "/control/slice").json();
        assert_eq!((&standing["slice"], &standing["state"]), (&slice.into(), &"over".into()));
        assert_eq!(standing["sent"], report.received, "what several streams carry is read once");
        let (found, wanted) = (listen::toots(&config), listen::expected(&server));
        assert!(wanted.len() > 100 && wanted.len() < 4000, "{}", wanted.len());
        assert_eq!(found, wanted);
        println!(
            "slice {slice}: {} events of four hashtags, {} toots; lost 0, doubled 0",
            report.received,
            wanted.len()
        );
        assert_eq!((report.errors, report.sent), (0, report.acknowledged));
    }
    let all = records(&config, &config.topic);
    let mut versions: Vec<String> =
        all.iter().map(|(.., v)| format!("{} {} {}", v["id"], v["event"], v["edited_at"])).collect();
    versions.sort();
    versions.dedup();
    assert_eq!(versions.len(), all.len());
}

#[test]
fn only_the_same_version_of_the_same_toot_is_a_repetition_and_memory_is_bounded() {
    let mut repeats = Repeats::default();
    let at = |id: u64, edited: Value| json!({"id": id.to_string(), "content": "x", "edited_at": edited}).to_string();
    assert!(repeats.is_new("update", &at(1, Value::Null)));
    assert!(!repeats.is_new("update", &at(1, Value::Null).replace("\"x\"", "\"y\"")));
    assert!(repeats.is_new("status.update", &at(1, Value::Null)));
    assert!(repeats.is_new("status.update", &at(1, "2024-10-10T12:00:00Z".into())));
    assert!(!repeats.is_new("status.update", &at(1, "2024-10-10T12:00:00Z".into())));
    assert!(repeats.is_new("delete", "1") && !repeats.is_new("delete", " 1 ") && repeats.is_new("delete", "2"));
    assert!(repeats.is_new("update", "{bad") && !repeats.is_new("update", "{bad"));
    for id in 100..30_000 {
        assert!(repeats.is_new("delete", &id.to_string()));
    }
    assert!(repeats.is_new("delete", "1"), "the oldest are forgotten");
    assert!(!repeats.is_new("delete", "29999"));
}
