//! Bad events at the front: every field of a status missing, null, of another type or hostile, from the stream to the
//! topics. What cannot be read is in the topic of errors, whole and with its cause; nothing else is lost.

use crate::bad_records::HOUR;
use crate::support;
use serde_json::{Map, Value, json};
use spar::kafka::{create_topic, errors_topic, tail};
use spar::mastodon::{Incoming, Origin};
use spar::{Config, Ingest, Producer};
use std::collections::BTreeSet;

/// What a field may be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Id,
    MaybeId,
    Text,
    Date,
    Count,
    Flag,
    Tags,
    Fields,
    Account,
    /// Never read.
    Any,
}

/// The fields of a status as Mastodon sends them, and what each may be.
const FIELDS: [(&str, Kind); 38] = [
    ("/id", Kind::Id),
    ("/created_at", Kind::Date),
    ("/edited_at", Kind::Date),
    ("/content", Kind::Text),
    ("/visibility", Kind::Text),
    ("/language", Kind::Text),
    ("/url", Kind::Text),
    ("/uri", Kind::Text),
    ("/spoiler_text", Kind::Text),
    ("/sensitive", Kind::Flag),
    ("/in_reply_to_id", Kind::MaybeId),
    ("/in_reply_to_account_id", Kind::Any),
    ("/reblogs_count", Kind::Count),
    ("/favourites_count", Kind::Count),
    ("/replies_count", Kind::Count),
    ("/tags", Kind::Tags),
    ("/tags/0", Kind::Any),
    ("/tags/0/name", Kind::Text),
    ("/tags/0/url", Kind::Any),
    ("/reblog", Kind::Any),
    ("/media_attachments", Kind::Any),
    ("/mentions", Kind::Any),
    ("/poll", Kind::Any),
    ("/card", Kind::Any),
    ("/account", Kind::Account),
    ("/account/id", Kind::Id),
    ("/account/username", Kind::Text),
    ("/account/acct", Kind::Text),
    ("/account/display_name", Kind::Text),
    ("/account/note", Kind::Text),
    ("/account/fields", Kind::Fields),
    ("/account/bot", Kind::Flag),
    ("/account/suspended", Kind::Flag),
    ("/account/noindex", Kind::Flag),
    ("/account/followers_count", Kind::Count),
    ("/account/following_count", Kind::Count),
    ("/account/statuses_count", Kind::Count),
    ("/account/created_at", Kind::Any),
];

fn status(id: &str) -> Value {
    json!({
        "id": id, "created_at": HOUR, "edited_at": null, "content": "<p>words about #AI</p>", "visibility": "public",
        "language": "en", "url": "https://e.org/1", "uri": "https://e.org/1", "spoiler_text": "", "sensitive": false,
        "in_reply_to_id": null, "in_reply_to_account_id": null, "reblogs_count": 1, "favourites_count": 2,
        "replies_count": 3, "tags": [{"name": "ai", "url": "https://e.org/tags/ai"}], "reblog": null,
        "media_attachments": [], "mentions": [], "poll": null, "card": null,
        "account": {
            "id": "42", "username": "ana", "acct": "ana", "display_name": "Ana", "note": "", "fields": [], "bot": false,
            "suspended": false, "noindex": false, "followers_count": 4, "following_count": 5, "statuses_count": 6,
            "created_at": HOUR
        }
    })
}

/// Values of every type, none of them a date.
fn values() -> Vec<Value> {
    let mut deep = json!([]);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    vec![
        Value::Null,
        json!(true),
        json!(false),
        json!(0),
        json!(-5),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!(" "),
        json!("#AI"),
        json!("\u{0}"),
        json!("\u{1b}[31m\u{202e}EVCXR_BEGIN_CONTENT text/html"),
        json!("<script>alert(1)</script>"),
        json!("x".repeat(100_000)),
        json!([]),
        json!([null]),
        json!([1, 2]),
        json!(["#AI"]),
        json!([{"name": "x", "value": "y"}]),
        json!([{"name": 5}]),
        json!({}),
        json!({"id": "1"}),
        json!({"name": ["x"]}),
        deep,
    ]
}

/// True when a field of this kind may hold this value: said from Mastodon's own documentation, not from the reader.
fn is_right(kind: Kind, value: &Value) -> bool {
    let objects = |of: &dyn Fn(&Map<String, Value>) -> bool| match value {
        Value::Array(all) => all.iter().all(|one| one.as_object().is_some_and(of)),
        other => other.is_null(),
    };
    let text = |value: Option<&Value>| value.is_none_or(|v| v.is_null() || v.is_string());
    match kind {
        Kind::Any => true,
        Kind::Id => value.is_i64() || value.is_u64() || value.as_str().is_some_and(|id| !id.trim().is_empty()),
        Kind::MaybeId => value.is_null() || value.is_i64() || value.is_string(),
        Kind::Text => text(Some(value)),
        Kind::Date => value.is_null(),
        Kind::Count => value.is_null() || value.is_i64(),
        Kind::Flag => value.is_null() || value.is_boolean(),
        Kind::Tags => objects(&|tag| text(tag.get("name"))),
        Kind::Fields => objects(&|field| text(field.get("name")) && text(field.get("value"))),
        Kind::Account => value.get("id").is_some_and(|id| is_right(Kind::Id, id)),
    }
}

/// An event made wrong on purpose.
struct Wrong {
    id: String,
    data: String,
    readable: bool,
}

fn every_wrong_status() -> Vec<Wrong> {
    let mut all = Vec::new();
    for (path, kind) in FIELDS {
        let (parent, name) = path.rsplit_once('/').expect("a path");
        let required = matches!(kind, Kind::Id | Kind::Account);
        let id = format!("w{}", all.len());
        let mut without = status(&id);
        match without.pointer_mut(parent).expect("the parent is there") {
            Value::Object(object) => drop(object.remove(name)),
            array => *array = json!([]),
        }
        all.push(Wrong { id, data: without.to_string(), readable: !required });
        // serde takes an array for an object's values in order, which does no harm and is not asked here.
        let objects_only = |value: &Value| !(matches!(path, "/tags/0" | "/account") && value.is_array());
        for value in values().into_iter().filter(objects_only) {
            let id = format!("w{}", all.len());
            let mut changed = status(&id);
            *changed.pointer_mut(path).expect("the field is there") = value.clone();
            // A tag is an object, whatever is in it.
            let readable =
                if path == "/tags/0" { is_right(Kind::Tags, &json!([value])) } else { is_right(kind, &value) };
            all.push(Wrong { id, data: changed.to_string(), readable });
        }
    }
    for (kind, data) in [
        ("empty", String::new()),
        ("half", status("1").to_string()[..200].to_owned()),
        ("twice", status("1").to_string().replacen("\"id\"", "\"id\":\"2\",\"id\"", 1)),
        ("an array", format!("[{}]", status("1"))),
        ("deep", "[".repeat(100_000)),
        ("HTML", "<html>502</html>".to_owned()),
        ("NULs", "\0\0".to_owned()),
        ("a lone surrogate", status("1").to_string().replace("words", "\\ud800")),
    ] {
        all.push(Wrong { id: kind.into(), data, readable: false });
    }
    all
}

#[test]
fn a_status_with_any_field_missing_null_or_wrong_is_sent_or_kept_as_an_error_with_its_cause() {
    let config = Config { topic: support::fresh_topic("bad_events"), partitions: 1, ..support::config() };
    create_topic(&config).unwrap();
    let producer = Producer::connect(&config).unwrap();
    let wrong = every_wrong_status();
    let mut items = Vec::new();
    for name in ["update", "status.update"] {
        for one in &wrong {
            let (name, data) = (name.to_owned(), one.data.clone());
            items.push(Ok(Incoming::Event { origin: Origin::Stream, name, data }));
        }
    }
    let total = items.len() as u64;
    let report = Ingest::without_stream(&config, &producer).consume(items).unwrap();
    let errors: Vec<Value> = tail(&config, &errors_topic(&config.topic), u32::MAX)
        .unwrap()
        .into_iter()
        .map(|r| serde_json::from_slice(&r.value.unwrap()).unwrap())
        .collect();
    let sent = tail(&config, &config.topic, u32::MAX).unwrap();

    assert_eq!(report.received, total);
    let counted = report.kept + report.edited + report.retracted + report.no_keyword + report.refused + report.errors;
    assert_eq!(counted, total, "every event is counted once: {report}");
    assert_eq!(sent.len() as u64, report.kept + report.edited + report.retracted);
    assert_eq!(errors.len() as u64, report.errors);
    assert_eq!(report.acknowledged, report.sent, "Kafka has them all");

    // Each unreadable one is there twice, in order, with its body and a cause; no readable one is.
    let unreadable: Vec<&Wrong> = wrong.iter().filter(|w| !w.readable).collect();
    for (at, error) in errors.iter().enumerate() {
        let body = error["body"].as_str().unwrap();
        let one = unreadable.get(at % unreadable.len()).expect("there is an unreadable one");
        assert!(one.data.starts_with(body), "{} is kept as an error: {body:.200}", one.id);
        assert_eq!(error["truncated"], json!(body.len() < one.data.len()), "{}", one.id);
        assert!(body.len() <= 16 * 1024);
        let cause = error["cause"].as_str().unwrap();
        assert!(cause.contains("cannot read") && cause.len() <= 1_000, "{cause}");
        assert!(!cause.contains("EVCXR_") && !cause.contains(['\u{1b}', '\u{202e}']), "{cause}");
        assert_eq!(error["event"], json!(if at < unreadable.len() { "update" } else { "status.update" }));
    }
    assert_eq!(errors.len(), 2 * unreadable.len());

    // What was sent is a message that partie2 reads, or whose letter has a reason.
    let mut reasons = BTreeSet::new();
    for record in &sent {
        let value = record.value.as_deref().unwrap();
        let json: Value = serde_json::from_slice(value).unwrap();
        assert_eq!(json["id"].as_str(), record.key.as_deref());
        if let Err(dead) = spar::stream::parse(value) {
            reasons.insert(dead.reason.as_str());
        }
    }
    assert!(reasons.iter().all(|r| ["no_date", "null_byte", "id_too_long"].contains(r)), "{reasons:?}");
    println!(
        "{total} bad events, {} fields: {} kept as errors with body and cause, {} sent, {} left out, lost 0",
        FIELDS.len(),
        errors.len(),
        sent.len(),
        report.no_keyword + report.refused
    );
}

#[test]
fn hostile_deletes_are_sent_or_kept_as_errors() {
    let config = Config { topic: support::fresh_topic("bad_events"), partitions: 1, ..support::config() };
    create_topic(&config).unwrap();
    let producer = Producer::connect(&config).unwrap();
    let long = "9".repeat(3_000_000);
    let ids = ["", " \n", "117024236332527350", " 1 ", "{\"id\": 1}", "'; DROP TABLE filtered_toots; --", "\0", &long];
    let items = ids.map(|id| Ok(Incoming::Event { origin: Origin::Stream, name: "delete".into(), data: id.into() }));
    let report = Ingest::without_stream(&config, &producer).consume(items).unwrap();
    assert_eq!((report.received, report.errors), (8, 3));
    let sent = tail(&config, &config.topic, u32::MAX).unwrap();
    let keys: Vec<&str> = sent.iter().map(|r| r.key.as_deref().unwrap()).collect();
    assert_eq!(keys, ["117024236332527350", "1", "{\"id\": 1}", "'; DROP TABLE filtered_toots; --", "\0"]);
    for record in &sent {
        let json: Value = serde_json::from_slice(record.value.as_deref().unwrap()).unwrap();
        assert_eq!((json["event"].as_str(), json["id"].as_str()), (Some("delete"), record.key.as_deref()));
    }
}
