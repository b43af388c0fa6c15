//! Mastodon.py against the local server.

use super::{Script, json};
use crate::local::client::{beating, get, over};
use crate::local::oauth::{say_yes, shown_code};
use serde_json::{Value, json};
use spar::Timestamp;
use spar::local::LocalServer;
use spar::local::generator::{Change, Made, Schedule, Slice, Written};
use std::time::Duration;

/// A server with short slices; the library notices only at a heartbeat that it was told to close a stream.
fn server(statuses: u32) -> (LocalServer, tempfile::TempDir) {
    beating(statuses, Duration::from_millis(500))
}

/// A token, by the library's own way; the consent page is answered as a person would.
fn token(server: &LocalServer) -> String {
    let mut script = Script::start("log_in.py", &[&server.url]);
    let address = script.line();
    let path = address.strip_prefix(&server.url).expect("the address is one of the server's");
    script.say(&shown_code(&say_yes(&server.url, path)));
    let told = script.finish();
    assert_eq!(told[0], "visitor");
    told[1].clone()
}

/// The first slices of the timeline that a server of so many statuses a week plays.
fn slices(statuses: u32, count: usize) -> Vec<Slice> {
    let mut slices: Vec<Slice> = Vec::new();
    for _ in 0..count {
        slices.push(Slice::after(slices.last(), 42, statuses));
    }
    slices
}

/// What the books of the generator say that a stream must say: every event of a slice, in order, or those about toots
/// that carry `tag`.
fn written(slices: &[Slice], tag: Option<&str>) -> Vec<Value> {
    let (last, before) = slices.split_last().unwrap();
    let schedule = Schedule::of(*last, before.last().copied());
    let concerned = |made: &Made| tag.is_none_or(|tag| has(made, tag));
    let events = schedule.steps.iter().filter_map(|step| match schedule.write(step) {
        Written::Status(event, made) if concerned(&made) => {
            let status: Value = serde_json::from_str(&made.json(true)).unwrap();
            Some(json!({
                "event": event, "id": status["id"], "edited_at": status["edited_at"].as_str().map(instant),
                "content": status["content"], "account": status["account"]["acct"],
                "tags": made.tags().collect::<Vec<_>>(),
            }))
        }
        Written::Delete(id, last) if last.as_deref().map_or(tag.is_none(), concerned) => {
            Some(json!({"event": "delete", "id": id.to_string()}))
        }
        _ => None,
    });
    events.collect()
}

fn has(made: &Made, tag: &str) -> bool {
    made.tags().any(|name| name.eq_ignore_ascii_case(tag))
}

fn instant(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_micros()
}

/// What the library called back with while a slice was played.
fn heard(server: &LocalServer, token: &str, tag: Option<&str>, slice: u64) -> Vec<Value> {
    let mut script = Script::start("listen.py", &[&[server.url.as_str(), token], tag.as_slice()].concat());
    let mut lines = vec![script.line()];
    let sent = over(&server.control, slice)["sent"].as_u64().unwrap() as usize;
    while lines.len() < sent {
        lines.push(script.line());
    }
    lines.extend(script.finish());
    let read = |line: &String| {
        let mut told = json(line);
        if let Some(at) = told.get("edited_at").and_then(Value::as_str).map(instant) {
            told["edited_at"] = at.into();
        }
        told
    };
    lines.iter().map(read).collect()
}

#[test]
fn mastodon_py_gets_a_token_and_hears_every_event_of_a_hashtag_and_of_the_public_stream() {
    let (server, _folder) = server(600);
    let token = token(&server);
    let slices = slices(600, 2);
    // A slice that is heard by its hashtag only, then one that is heard whole.
    for (slice, tag) in [(1, Some("ai")), (2, None)] {
        let heard = heard(&server, &token, tag, slice as u64);
        let written = written(&slices[..slice], tag);
        for (heard, written) in heard.iter().zip(&written) {
            assert_eq!(heard, written);
        }
        let count = |event: &str| heard.iter().filter(|told| told["event"] == event).count();
        println!(
            "Mastodon.py, {}: {} updates, {} edits, {} deletes; lost {}, doubled 0",
            tag.unwrap_or("public"),
            count("update"),
            count("status.update"),
            count("delete"),
            written.len() - heard.len()
        );
        assert_eq!(heard.len(), written.len());
        assert!(count("update") > 30 && (tag.is_some() || count("status.update") > 5 && count("delete") > 5));
    }
    let told = get(&server.control, "/control/expected").json();
    assert_eq!(
        told["events"].as_u64().unwrap() as usize,
        written(&slices[..1], Some("ai")).len() + written(&slices, None).len()
    );
}

/// The ids that a timeline shows once `slices` were played, oldest first.
fn visible(slices: &[Slice], tag: Option<&str>) -> Vec<String> {
    let mut ids: Vec<u64> = Vec::new();
    for (at, slice) in slices.iter().enumerate() {
        for index in 0..slice.statuses {
            let plan = slice.plan(index);
            let happened: Vec<_> =
                plan.changes.iter().filter(|event| !event.next_slice || at + 1 < slices.len()).collect();
            if plan.visibility != "public" || happened.iter().any(|event| event.change == Change::Delete) {
                continue;
            }
            let (edited, last) = plan.versions().nth(happened.len()).unwrap();
            if tag.is_none_or(|tag| has(&slice.status(&plan, last, edited), tag)) {
                ids.push(plan.id);
            }
        }
    }
    ids.sort_unstable();
    ids.iter().map(u64::to_string).collect()
}

#[test]
fn mastodon_py_meets_every_toot_once_whichever_way_it_pages() {
    let (server, _folder) = server(700);
    let token = token(&server);
    heard(&server, &token, Some("ai"), 1);
    heard(&server, &token, Some("ai"), 2);
    for tag in [None, Some("ai"), Some("nobodywritesthis")] {
        let script = Script::start("page.py", &[&[server.url.as_str(), token.as_str()], tag.as_slice()].concat());
        let told = json(&script.finish()[0]);
        let ids = |way: &str| -> Vec<String> {
            told[way].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
        };
        let wanted = visible(&slices(700, 2), tag);
        let falling: Vec<String> = wanted.iter().rev().cloned().collect();
        println!("Mastodon.py, {} toots of {}: three ways", wanted.len(), tag.unwrap_or("the public timeline"));
        assert_eq!(ids("backward"), falling);
        assert_eq!(ids("forward"), wanted);
        assert_eq!(ids("remaining"), falling);
        assert_eq!(wanted.is_empty(), tag == Some("nobodywritesthis"));
    }
}
