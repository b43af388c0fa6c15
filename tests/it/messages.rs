//! Messages as partie1 writes them, for tests.

use spar::Timestamp;
use spar::stream::{Place, Record, Rules, Width, WindowKinds};
use std::time::Duration;

/// A message under construction; every setter replaces a default.
#[derive(Clone, Debug)]
pub struct Draft(serde_json::Value);

pub fn message(id: &str) -> Draft {
    Draft(serde_json::json!({
        "id": id, "created_at": "2024-10-10T11:17:26+00:00", "content": "Hello World", "user_id": "u1",
        "username": "ann", "acct": "ann", "display_name": "Ann", "visibility": "public", "reblogs_count": 0,
        "favourites_count": 0, "tags": ["AI"], "language": "en", "replies_count": 0, "followers_count": 1,
        "following_count": 1, "statuses_count": 1, "event": "update", "edited_at": null, "source": "local",
    }))
}

/// The design's seven batches, for windows of five minutes and a lateness of two: times on one day, and keys.
#[allow(dead_code, reason = "each user takes its part")]
pub const SEVEN_BATCHES: [&[(&str, &str)]; 7] = [
    &[("12:00:10", "a"), ("12:01:00", "a"), ("12:04:59", "b")],
    &[],
    &[("12:07:01", "a")],
    &[("12:03:00", "a"), ("12:06:00", "a")],
    &[("12:04:00", "a"), ("12:05:00", "z"), ("12:05:01", "z")],
    &[("12:30:00", "q")],
    &[],
];

/// A delete or a retract: 16 null keys but the id.
pub fn gone(id: &str, event: &str) -> Draft {
    let mut draft = message(id).event(event);
    for (key, value) in draft.0.as_object_mut().unwrap() {
        if !matches!(key.as_str(), "id" | "event" | "source") {
            *value = serde_json::Value::Null;
        }
    }
    draft
}

impl Draft {
    pub fn set(mut self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.0[key] = value.into();
        self
    }
    pub fn at(self, time: &str) -> Self {
        self.set("created_at", time)
    }
    pub fn user(self, user: &str) -> Self {
        self.set("user_id", user)
    }
    pub fn text(self, text: &str) -> Self {
        self.set("content", text)
    }
    pub fn tags(self, tags: &[&str]) -> Self {
        self.set("tags", tags)
    }
    pub fn event(self, event: &str) -> Self {
        self.set("event", event)
    }
    pub fn edited(self, time: &str) -> Self {
        self.event("status.update").set("edited_at", time)
    }
    /// The value of a key.
    pub fn get(&self, key: &str) -> &serde_json::Value {
        &self.0[key]
    }
    pub fn json(&self) -> Vec<u8> {
        self.0.to_string().into_bytes()
    }
    /// True for a delete or a retract.
    pub fn is_gone(&self) -> bool {
        matches!(self.0["event"].as_str(), Some("delete" | "retract"))
    }
    /// True when its content is no text, so that nobody can read it.
    pub fn is_unreadable(&self) -> bool {
        self.0["content"].is_number()
    }
    pub fn id(&self) -> String {
        self.0["id"].as_str().unwrap_or_default().to_owned()
    }
}

pub fn rules() -> Rules {
    Rules {
        languages: vec!["en".into()],
        width: Width::new(Duration::from_secs(3600)).unwrap(),
        kinds: WindowKinds::default(),
        lateness: Duration::from_secs(3600),
        source: "local".into(),
        topic: "toots".into(),
    }
}

/// A record received in 2025, long after the default event time.
pub fn record(offset: i64, value: &[u8]) -> Record<'_> {
    let received_at: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    Record { place: Place { part: 0, offset, received_at }, key: None, value: Some(value) }
}
