//! What a batch adds to windows and averages, and takes from them. `[pure]`

use super::window::{Width, Window};
use crate::timestamp::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// The longest tag that is averaged, in characters; longer ones stay in `hashtags` only.
pub const MAX_TAG: usize = 255;

/// A change of one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowChange {
    /// Toots more (or fewer).
    pub toots: i64,
    /// Of these, late ones.
    pub late: i64,
    /// Toots that came on time: they open a window again that only idleness had closed.
    pub on_time: i64,
}

/// A change of one average: characters and toots more (or fewer).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LengthChange {
    /// Characters of `text`.
    pub length: i64,
    /// Toots.
    pub toots: i64,
}

/// The part of a toot that windows and averages look at.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// Event time; rows of the original may lack it, and then belong to no window.
    pub at: Option<Timestamp>,
    /// The author, when known.
    pub user_id: Option<&'a str>,
    /// Characters of `text`.
    pub text_length: i32,
    /// Tags joined with commas.
    pub hashtags: &'a str,
    /// True when it came after its window was final.
    pub late: bool,
}

/// Partial aggregates: any number of them, added in any order, give the same tables.
#[derive(Clone, Debug)]
pub struct Delta {
    width: Width,
    /// By window.
    pub windows: BTreeMap<Window, WindowChange>,
    /// By author.
    pub users: HashMap<Box<str>, LengthChange>,
    /// By tag in lower case.
    pub tags: HashMap<Box<str>, LengthChange>,
    /// Tags too long to be averaged.
    pub dropped_tags: u64,
}

impl Delta {
    /// Nothing yet.
    pub fn new(width: Width) -> Self {
        Self { width, windows: BTreeMap::new(), users: HashMap::new(), tags: HashMap::new(), dropped_tags: 0 }
    }

    /// The width of its windows.
    pub fn width(&self) -> Width {
        self.width
    }

    /// Counts a toot that is new in the tables.
    pub fn add(&mut self, toot: Counted<'_>) {
        self.change(toot, 1);
        self.on_time(toot, 1);
    }

    /// Counts the new version of a stored toot; the old one is taken away by [`Delta::remove`].
    pub fn replace(&mut self, toot: Counted<'_>) {
        self.change(toot, 1);
    }

    /// Takes away a toot that leaves the tables, or its old version.
    pub fn remove(&mut self, toot: Counted<'_>) {
        self.change(toot, -1);
    }

    /// Takes back an [`Delta::add`].
    pub fn undo(&mut self, toot: Counted<'_>) {
        self.change(toot, -1);
        self.on_time(toot, -1);
        self.dropped_tags = self.dropped_tags.saturating_sub(each_tag(toot.hashtags, |_| ()));
    }

    fn on_time(&mut self, toot: Counted<'_>, sign: i64) {
        if let Some(at) = toot.at.filter(|_| !toot.late) {
            self.windows.entry(self.width.window(at)).or_default().on_time += sign;
        }
    }

    fn change(&mut self, toot: Counted<'_>, sign: i64) {
        if let Some(at) = toot.at {
            let window = self.windows.entry(self.width.window(at)).or_default();
            window.toots += sign;
            window.late += if toot.late { sign } else { 0 };
        }
        let length = sign * i64::from(toot.text_length);
        if let Some(user) = toot.user_id {
            bump(&mut self.users, user, length, sign);
        }
        let (tags, dropped) = (&mut self.tags, &mut self.dropped_tags);
        let long = each_tag(toot.hashtags, |tag| bump(tags, tag, length, sign));
        if sign > 0 {
            *dropped += long;
        }
    }

    /// Adds another delta.
    pub fn merge(&mut self, other: &Delta) {
        for (window, change) in &other.windows {
            let mine = self.windows.entry(*window).or_default();
            mine.toots += change.toots;
            mine.late += change.late;
            mine.on_time += change.on_time;
        }
        for (mine, theirs) in [(&mut self.users, &other.users), (&mut self.tags, &other.tags)] {
            for (key, change) in theirs {
                bump(mine, key, change.length, change.toots);
            }
        }
        self.dropped_tags += other.dropped_tags;
    }
}

fn bump(map: &mut HashMap<Box<str>, LengthChange>, key: &str, length: i64, toots: i64) {
    // Looking up first spares an allocation for every key that is already there.
    let change = match map.get_mut(key) {
        Some(change) => change,
        None => map.entry(key.into()).or_default(),
    };
    change.length += length;
    change.toots += toots;
}

/// Calls `each` once for every distinct tag of `hashtags`, in lower case; gives the number of tags too long for it.
///
/// The joined text is what is stored, so a toot that leaves the tables takes away exactly what it had added.
pub fn each_tag(hashtags: &str, mut each: impl FnMut(&str)) -> u64 {
    if hashtags.is_empty() {
        return 0;
    }
    let lower = hashtags.to_lowercase();
    let mut dropped = 0;
    let mut seen: Vec<&str> = Vec::with_capacity(8);
    for tag in lower.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        if seen.contains(&tag) {
            continue;
        }
        seen.push(tag);
        if tag.len() > MAX_TAG && tag.chars().count() > MAX_TAG {
            dropped += 1;
        } else {
            each(tag);
        }
    }
    dropped
}
