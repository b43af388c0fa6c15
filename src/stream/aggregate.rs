//! What a batch adds to windows and averages, and takes from them. `[pure]`

use super::kinds::{By, WindowKinds};
use super::window::{Width, Window};
use crate::timestamp::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::ops::AddAssign;

/// The longest tag that is averaged, in characters; longer ones stay in `hashtags` only.
pub const MAX_TAG: usize = 255;
/// How many tags of a toot windows per hashtag count: twice what 500 characters can hold.
pub const MAX_TAGS: usize = 500;

/// A change of one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WindowChange {
    /// Toots more (or fewer).
    pub toots: i64,
    /// Of these, late ones.
    pub late: i64,
    /// Toots that came on time: they open a window again that only idleness had closed.
    pub on_time: i64,
    /// Characters of their texts.
    pub length: i64,
}

impl AddAssign for WindowChange {
    fn add_assign(&mut self, other: Self) {
        self.toots += other.toots;
        self.late += other.late;
        self.on_time += other.on_time;
        self.length += other.length;
    }
}

/// A change of one average: characters and toots more (or fewer).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LengthChange {
    /// Characters of `text`.
    pub length: i64,
    /// Toots.
    pub toots: i64,
}

impl AddAssign for LengthChange {
    fn add_assign(&mut self, other: Self) {
        self.length += other.length;
        self.toots += other.toots;
    }
}

/// The part of a toot that windows and averages look at.
#[derive(Clone, Copy, Debug)]
pub struct Counted<'a> {
    /// Event time; rows of the original may lack it, and then belong to no window.
    pub at: Option<Timestamp>,
    /// The author, when known.
    pub user_id: Option<&'a str>,
    /// Primary language; rows of the original may lack it.
    pub language: Option<&'a str>,
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
    kinds: WindowKinds,
    /// By window of the contract.
    pub windows: BTreeMap<Window, WindowChange>,
    /// By window of another kind: its number among the kinds and its start, then the language or tag (none: "").
    pub by_kind: BTreeMap<(usize, Timestamp), HashMap<Box<str>, WindowChange>>,
    /// By author.
    pub users: HashMap<Box<str>, LengthChange>,
    /// By tag in lower case.
    pub tags: HashMap<Box<str>, LengthChange>,
    /// Tags too long to be averaged.
    pub dropped_tags: u64,
}

impl Delta {
    /// Nothing yet.
    pub fn new(width: Width, kinds: WindowKinds) -> Self {
        Self {
            width,
            kinds,
            windows: BTreeMap::new(),
            by_kind: BTreeMap::new(),
            users: HashMap::new(),
            tags: HashMap::new(),
            dropped_tags: 0,
        }
    }

    /// Nothing yet, of the same windows.
    #[must_use]
    pub fn blank(&self) -> Self {
        Self::new(self.width, self.kinds.clone())
    }

    /// The width of its windows.
    pub fn width(&self) -> Width {
        self.width
    }

    /// The other kinds of its windows.
    pub fn kinds(&self) -> &WindowKinds {
        &self.kinds
    }

    /// How many windows of other kinds it changes.
    pub fn reach(&self) -> usize {
        self.by_kind.values().map(HashMap::len).sum()
    }

    /// Counts a toot that is new in the tables.
    pub fn add(&mut self, toot: Counted<'_>) {
        self.change(toot, 1, true);
    }

    /// Counts the new version of a stored toot; the old one is taken away by [`Delta::remove`].
    pub fn replace(&mut self, toot: Counted<'_>) {
        self.change(toot, 1, false);
    }

    /// Takes away a toot that leaves the tables, or its old version.
    pub fn remove(&mut self, toot: Counted<'_>) {
        self.change(toot, -1, false);
    }

    /// Takes back an [`Delta::add`].
    pub fn undo(&mut self, toot: Counted<'_>) {
        self.change(toot, -1, true);
        self.dropped_tags = self.dropped_tags.saturating_sub(each_tag(toot.hashtags, |_| ()));
    }

    fn change(&mut self, toot: Counted<'_>, sign: i64, new: bool) {
        let length = sign * i64::from(toot.text_length);
        let late = if toot.late { sign } else { 0 };
        let on_time = if new && !toot.late { sign } else { 0 };
        let change = WindowChange { toots: sign, late, on_time, length };
        if let Some(at) = toot.at {
            *self.windows.entry(self.width.window(at)).or_default() += change;
        }
        let (kinds, by_kind) = (&self.kinds, &mut self.by_kind);
        let mut count = |by: By, key: &str| {
            for (number, kind) in kinds.iter().enumerate().filter(|(_, kind)| kind.by() == by) {
                for start in toot.at.into_iter().flat_map(|at| kind.starts(at)) {
                    bump(by_kind.entry((number, start)).or_default(), key, change);
                }
            }
        };
        count(By::All, "");
        if let Some(language) = toot.language {
            count(By::Language, language);
        }
        if let Some(user) = toot.user_id {
            bump(&mut self.users, user, LengthChange { length, toots: sign });
        }
        let (tags, mut counted) = (&mut self.tags, 0);
        let long = each_tag(toot.hashtags, |tag| {
            bump(tags, tag, LengthChange { length, toots: sign });
            counted += 1;
            if counted <= MAX_TAGS {
                count(By::Hashtag, tag);
            }
        });
        if sign > 0 {
            self.dropped_tags += long;
        }
    }

    /// Adds another delta of the same windows.
    pub fn merge(&mut self, other: &Delta) {
        for (window, change) in &other.windows {
            *self.windows.entry(*window).or_default() += *change;
        }
        for (window, changes) in &other.by_kind {
            let mine = self.by_kind.entry(*window).or_default();
            for (key, change) in changes {
                bump(mine, key, *change);
            }
        }
        for (mine, theirs) in [(&mut self.users, &other.users), (&mut self.tags, &other.tags)] {
            for (key, change) in theirs {
                bump(mine, key, *change);
            }
        }
        self.dropped_tags += other.dropped_tags;
    }
}

fn bump<T: Default + AddAssign>(map: &mut HashMap<Box<str>, T>, key: &str, change: T) {
    // Looking up first spares an allocation for every key that is already there.
    let sum = match map.get_mut(key) {
        Some(sum) => sum,
        None => map.entry(key.into()).or_default(),
    };
    *sum += change;
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
