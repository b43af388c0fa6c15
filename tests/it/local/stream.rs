//! The stream: its bytes, its books, its place in the timeline.

use super::client::{Stream, get, get_as, over, poll, send, server, token};
use serde_json::Value;
use spar::local::{LocalSettings, start};
use std::time::Duration;

const PUBLIC: &str = "/api/v1/streaming/public";

#[test]
fn an_open_stream_has_the_bytes_of_the_real_one() {
    let (server, _folder) = server(300);
    let mut stream = Stream::open(&server.url, PUBLIC, &token(&server.url));
    assert_eq!(stream.status, 200);
    let header = |name: &str| stream.headers.get(name).map(String::as_str);
    assert_eq!(header("content-type"), Some("text/event-stream"));
    assert_eq!(header("cache-control"), Some("private, no-store"));
    assert_eq!(header("transfer-encoding"), Some("chunked"));
    assert_eq!(header("access-control-allow-origin"), Some("*"));
    assert_eq!(header("x-powered-by"), Some("Express"));
    assert_eq!(header("content-length"), None);
    assert_eq!(header("x-ratelimit-limit"), None);
    let id = header("x-request-id").unwrap();
    assert!(id.len() == 36 && id.as_bytes()[14] == b'4');
    let mut chunks = Vec::new();
    while chunks.len() < 601 {
        chunks.extend(stream.next_chunks());
    }
    assert_eq!(chunks[0], b":)\n");
    for pair in chunks[1..601].chunks(2) {
        let (name, data) = (std::str::from_utf8(&pair[0]).unwrap(), std::str::from_utf8(&pair[1]).unwrap());
        assert!(["event: update\n", "event: status.update\n", "event: delete\n"].contains(&name), "{name}");
        let payload = data.strip_prefix("data: ").unwrap().strip_suffix("\n\n").unwrap();
        assert!(!payload.contains('\n'));
        match serde_json::from_str::<Value>(payload).unwrap() {
            Value::Number(_) => assert_eq!(name, "event: delete\n"),
            status => assert!(status["id"].is_string() && status["filtered"].is_array()),
        }
    }
}

#[test]
fn heartbeats_come_between_events_never_within_one() {
    let folder = tempfile::tempdir().unwrap();
    let settings =
        LocalSettings { statuses: 2000, heartbeat: Duration::from_millis(1), ..LocalSettings::new(folder.path()) };
    let server = start(&settings).unwrap();
    let mut stream = Stream::open(&server.url, PUBLIC, &token(&server.url));
    let (mut beats, mut within) = (0, false);
    let mut events = 0;
    while events < 2000 || beats < 3 {
        for chunk in stream.next_chunks() {
            match chunk.as_slice() {
                b":)\n" => {}
                b":thump\n\n" => {
                    assert!(!within, "a heartbeat fell between a name and its data");
                    beats += 1;
                }
                name if name.starts_with(b"event: ") => within = true,
                _ => {
                    within = false;
                    events += 1;
                }
            }
        }
    }
}

#[test]
fn the_books_say_what_was_read_and_what_belongs_in_the_tables() {
    let (server, _folder) = server(1500);
    assert_eq!(get(&server.control, "/control/slice").json()["state"], "idle");
    let mut stream = Stream::open(&server.url, PUBLIC, &token(&server.url));
    let standing = get(&server.control, "/control/slice").json();
    assert_eq!(standing["slice"], 1, "the slice has begun when the answer is there");
    let total = standing["total"].as_u64().unwrap() as usize;
    let events = stream.events(total);
    let standing = over(&server.control, 1);
    assert_eq!((&standing["sent"], &standing["played"]), (&standing["total"], &standing["total"]));
    let told = get(&server.control, "/control/expected").json();
    assert_eq!(told["events"].as_u64().unwrap() as usize, total);
    let read: std::collections::HashSet<String> = events
        .iter()
        .filter(|(name, _)| name == "update")
        .map(|(_, data)| serde_json::from_str::<Value>(data).unwrap()["id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(told["sent"].as_u64().unwrap() as usize, read.len());
    let toots = told["toots"].as_array().unwrap();
    assert!(toots.len() > 100 && toots.iter().all(|toot| read.contains(toot["toot_id"].as_str().unwrap())));
    for field in ["toot_id", "created_at", "text", "content", "user_id", "username", "hashtags", "language"] {
        assert!(toots[0][field].is_string(), "{field}");
    }
    assert_eq!(server.expected().unwrap().kept as usize, toots.len());
}

#[test]
fn a_listener_that_leaves_early_leaves_honest_books() {
    let (server, _folder) = server(3000);
    let mut stream = Stream::open(&server.url, PUBLIC, &token(&server.url));
    let read = stream.events(200).len();
    drop(stream);
    let standing = over(&server.control, 1);
    let (sent, played) = (standing["sent"].as_u64().unwrap() as usize, standing["played"].as_u64().unwrap() as usize);
    assert!(sent >= read && sent < played, "{sent} sent, {read} read, {played} played");
    let told = get(&server.control, "/control/expected").json();
    assert!(told["sent"].as_u64().unwrap() as usize <= sent);
}

#[test]
fn a_slow_listener_holds_the_slice_and_loses_nothing() {
    let (server, _folder) = server(4000);
    let mut stream = Stream::open(&server.url, PUBLIC, &token(&server.url));
    // Until the socket's buffers are full and the slice stands still.
    let mut last = 0;
    let held = poll("a standstill", || {
        std::thread::sleep(Duration::from_millis(100));
        let played = get(&server.control, "/control/slice").json()["played"].as_u64().unwrap();
        let still = played == last && played > 0;
        last = played;
        still.then_some(played)
    });
    let standing = get(&server.control, "/control/slice").json();
    assert_eq!(standing["state"], "running");
    let total = standing["total"].as_u64().unwrap();
    assert!(held < total, "a reader that does not read holds the slice");
    assert_eq!(stream.events(total as usize).len() as u64, total);
    assert_eq!(over(&server.control, 1)["sent"], total);
}

#[test]
fn a_reconnection_hears_no_event_twice_and_a_new_slice_goes_on_in_time() {
    let (server, _folder) = server(2000);
    let token = token(&server.url);
    let mut stream = Stream::open(&server.url, PUBLIC, &token);
    let first: Vec<_> = stream.events(100);
    drop(stream);
    let mut stream = Stream::open(&server.url, PUBLIC, &token);
    let again = stream.events(100);
    assert!(again.iter().all(|event| !first.contains(event)));
    drop(stream);
    let end = over(&server.control, 1);
    let mut next = Stream::open(&server.url, PUBLIC, &token);
    let standing = get(&server.control, "/control/slice").json();
    assert_eq!((standing["slice"].as_u64(), &standing["from"]), (Some(2), &end["to"]));
    assert!(next.events(2000).iter().any(|(name, _)| name == "status.update"));
}

#[test]
fn a_restart_goes_on_where_the_timeline_was_with_its_tokens() {
    let folder = tempfile::tempdir().unwrap();
    // More than the sockets hold: the slice cannot be over before the server stops.
    let settings = LocalSettings { statuses: 8000, ..LocalSettings::new(folder.path()) };
    let server = start(&settings).unwrap();
    assert!(start(&settings).is_err(), "two servers must not share a folder");
    let token = token(&server.url);
    let mut stream = Stream::open(&server.url, PUBLIC, &token);
    let mut read = stream.events(150);
    drop(server);
    read.extend(stream.events(usize::MAX));
    let server = start(&settings).unwrap();
    let standing = get(&server.control, "/control/slice").json();
    assert_eq!((standing["slice"].as_u64(), standing["state"].as_str()), (Some(1), Some("idle")));
    let mut stream = Stream::open(&server.url, PUBLIC, &token);
    let total = standing["total"].as_u64().unwrap() as usize;
    let played = standing["played"].as_u64().unwrap() as usize;
    let rest = stream.events(total - played);
    assert!(rest.iter().all(|event| !read.contains(event)), "no event is replayed");
    let end = over(&server.control, 1);
    assert_eq!(end["sent"].as_u64().unwrap() as usize, read.len() + rest.len());
    use std::os::unix::fs::PermissionsExt;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.file_name());
    }
}

#[test]
fn channels_carry_what_they_are_named_after() {
    let (server, _folder) = server(3000);
    let token = token(&server.url);
    let statuses = |stream: &mut Stream, count: usize| -> Vec<Value> {
        let events = stream.events(count);
        let updates = events.iter().filter(|(name, _)| name == "update");
        updates.map(|(_, data)| serde_json::from_str(data).unwrap()).collect()
    };
    let mut local = Stream::open(&server.url, "/api/v1/streaming/public/local", &token);
    let mut tagged = Stream::open(&server.url, "/api/v1/streaming/hashtag?tag=Ai", &token);
    let mut media = Stream::open(&server.url, "/api/v1/streaming/public/remote?only_media=true", &token);
    let reader = std::thread::spawn(move || (statuses(&mut tagged, 30), tagged));
    let other = std::thread::spawn(move || (statuses(&mut media, 30), media));
    let acct = |status: &Value| status["account"]["acct"].as_str().unwrap().to_owned();
    let heard = statuses(&mut local, 60);
    assert!(!heard.is_empty() && heard.iter().all(|status| !acct(status).contains('@')));
    drop(local);
    let (heard, _tagged) = reader.join().unwrap();
    let is_ai = |tag: &Value| tag["name"].as_str().unwrap().eq_ignore_ascii_case("ai");
    assert!(!heard.is_empty() && heard.iter().all(|status| status["tags"].as_array().unwrap().iter().any(is_ai)));
    let (heard, _media) = other.join().unwrap();
    let with_media = |status: &Value| !status["media_attachments"].as_array().unwrap().is_empty();
    assert!(!heard.is_empty() && heard.iter().all(|status| acct(status).contains('@') && with_media(status)));
}

#[test]
fn a_hashtag_stream_is_the_same_under_every_spelling_and_carries_the_deletes_of_its_own_toots() {
    let heard = ["ai", "AI", "%EF%BC%A1%EF%BC%A9", "a%C3%AF"].map(|tag| {
        let (server, _folder) = server(1500);
        let mut stream =
            Stream::open(&server.url, &format!("/api/v1/streaming/hashtag?tag={tag}"), &token(&server.url));
        let mut events = stream.events(1);
        let sent = over(&server.control, 1)["sent"].as_u64().unwrap() as usize;
        events.extend(stream.events(sent - events.len()));
        events
    });
    assert!(heard[0].len() > 50 && heard.iter().all(|events| *events == heard[0]));
    let (mut shown, mut deletes) = (std::collections::HashSet::new(), 0);
    for (name, data) in &heard[0] {
        match name.as_str() {
            "delete" => deletes += 1,
            _ => drop(shown.insert(serde_json::from_str::<Value>(data).unwrap()["id"].as_str().unwrap().to_owned())),
        }
    }
    let of_others = heard[0].iter().filter(|(name, id)| name == "delete" && !shown.contains(id)).count();
    assert!(deletes >= 3 && of_others == 0, "{deletes} deletes, {of_others} of toots without the tag");
}

#[test]
fn every_refusal_has_the_words_of_the_real_one() {
    let (server, _folder) = server(10);
    let token = token(&server.url);
    let refusal = |answer: super::client::Answer| {
        assert_eq!(answer.headers["content-type"], "application/json");
        assert_eq!(answer.headers["transfer-encoding"], "chunked");
        (answer.status, answer.json()["error"].as_str().unwrap().to_owned())
    };
    let as_me = |path: &str| refusal(get_as(&server.url, &token, path));
    let is = |status: u16, message: &str| (status, message.to_owned());
    assert_eq!(refusal(get(&server.url, PUBLIC)), is(401, "Missing access token"));
    assert_eq!(refusal(get_as(&server.url, "x", PUBLIC)), is(401, "Invalid access token"));
    let scopes = "Access token does not have the required scopes";
    assert_eq!(as_me("/api/v1/streaming/user/notification"), is(401, scopes));
    for path in ["/api/v1/streaming/public/", "/api/v1/streaming//public", "/api/v1/streaming", "/api/v1/streaming/x"] {
        assert_eq!(as_me(path), is(400, "Unknown channel requested"), "{path}");
    }
    assert_eq!(as_me("/api/v1/streaming/hashtag"), is(400, "Missing tag name parameter"));
    assert_eq!(as_me("/api/v1/streaming/list"), is(400, "Missing list name parameter"));
    assert_eq!(as_me("/api/v1/streaming/list?list=1"), is(401, "Not authorized to stream this list"));
    let posted = send(&server.url, "POST", PUBLIC, &[], "");
    assert_eq!(posted.status, 404);
    assert!(posted.headers["content-type"].starts_with("text/html"));
    let health = get(&server.url, "/api/v1/streaming/health");
    assert_eq!((health.status, health.body.as_str()), (200, "OK"));
    assert!(health.headers["content-type"].starts_with("text/plain"));
    let instance = get(&server.url, "/api/v2/instance").json();
    let streaming = server.url.replace("http://", "ws://");
    assert_eq!(instance["configuration"]["urls"]["streaming"], streaming);
    assert_eq!(instance["configuration"]["timelines_access"]["live_feeds"]["remote"], "public");
    // Unlike a stream's, a path of REST may end in a slash.
    for path in ["/api/v1/instance", "/api/v1/instance/"] {
        assert_eq!(get(&server.url, path).json()["urls"]["streaming_api"], streaming);
    }
}

#[test]
fn speed_is_event_time_over_time() {
    let folder = tempfile::tempdir().unwrap();
    // A week in about two seconds.
    let settings =
        LocalSettings { statuses: 300, speed: Some(7.0 * 86_400.0 / 2.0), ..LocalSettings::new(folder.path()) };
    let server = start(&settings).unwrap();
    let started = std::time::Instant::now();
    let mut stream = Stream::open(&server.url, PUBLIC, &token(&server.url));
    let total = get(&server.control, "/control/slice").json()["total"].as_u64().unwrap();
    assert_eq!(stream.events(total as usize).len() as u64, total);
    let took = started.elapsed();
    assert!(took > Duration::from_millis(1500) && took < Duration::from_secs(20), "{took:?}");
}
