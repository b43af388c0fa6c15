//! The latest events, remembered, so that a toot that several hashtag streams carry is given once. `[pure]`

use serde::Deserialize;
use std::collections::hash_map::RandomState;
use std::collections::{HashSet, VecDeque};
use std::hash::BuildHasher;

/// How many events are remembered: the streams of one connection are never so far apart.
const REMEMBERED: usize = 20_000;

/// What was given lately.
#[derive(Default)]
pub struct Repeats {
    hashes: RandomState,
    order: VecDeque<u64>,
    seen: HashSet<u64>,
}

/// What tells one version of a status from another.
#[derive(Deserialize)]
struct Version<'a> {
    #[serde(borrow)]
    id: std::borrow::Cow<'a, str>,
    #[serde(borrow, default)]
    edited_at: Option<std::borrow::Cow<'a, str>>,
}

impl Repeats {
    /// True the first time that this event comes: the same kind of event about the same version of the same toot.
    pub fn is_new(&mut self, name: &str, data: &str) -> bool {
        let hash = match serde_json::from_str::<Version>(data) {
            Ok(version) => self.hashes.hash_one((name, version.id, version.edited_at)),
            // A bare id, or what cannot be read: the same bytes are the same event.
            Err(_) => self.hashes.hash_one((name, data.trim())),
        };
        if !self.seen.insert(hash) {
            return false;
        }
        if self.order.len() == REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        self.order.push_back(hash);
        true
    }
}
