//! The stream: records in, what they change out. Event time only, no clock, no client. `[pure]`

mod aggregate;
mod batch;
mod clean;
mod gap;
mod kinds;
mod merge;
mod record;
mod watermark;
mod window;

pub use aggregate::{Counted, Delta, LengthChange, MAX_TAG, MAX_TAGS, WindowChange, each_tag};
pub use batch::{Batch, Books, Change, ChangeKind, DeadLetter, Place, Span, Toot, Toots};
pub use clean::{clean, clean_into, text_length};
pub use gap::Gap;
pub use kinds::{By, MAX_WINDOWS, WindowKind, WindowKinds};
pub use merge::{Fate, Stored, Version, Written, merge};
pub use record::{Dead, Event, MAX_ID, MAX_VALUE, Message, Reason, parse};
pub use watermark::{Watermark, closing};
pub use window::{Width, Window, tumbling};

use crate::config::Config;
use crate::error::Result;
use crate::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How far an event time may lie after its record's own timestamp before it is taken for a wrong date.
pub const FUTURE: Duration = Duration::from_secs(5 * 60);
/// How many bytes of a dead letter are kept.
pub const DEAD_BYTES: usize = 64 * 1024;
/// What a change of a window of another kind takes in memory, about.
const CHANGE_BYTES: usize = 64;

/// What the stream goes by.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Primary languages to keep, in lower case.
    pub languages: Vec<String>,
    /// Width of a window.
    pub width: Width,
    /// Windows of other kinds.
    pub kinds: WindowKinds,
    /// How far the watermark lags behind the greatest event time.
    pub lateness: Duration,
    /// The database's source; messages that name another are dead letters.
    pub source: String,
    /// The topic of toots.
    pub topic: String,
}

impl Rules {
    /// From the settings.
    ///
    /// # Errors
    ///
    /// Fails if the width of a window is zero.
    pub fn new(config: &Config) -> Result<Self> {
        Ok(Self {
            // At most ten characters, the width of their column.
            languages: config.languages.iter().map(|l| l.chars().take(10).collect()).collect(),
            width: Width::new(config.window)?,
            kinds: config.windows.clone().unwrap_or_default(),
            lateness: config.lateness,
            source: config.source.clone(),
            topic: config.topic.clone(),
        })
    }

    /// The primary part of a language tag, when it is one to keep.
    pub fn language(&self, tag: Option<&str>) -> Option<&str> {
        let primary = tag?.split(['-', '_']).next()?;
        self.languages.iter().find(|wanted| wanted.eq_ignore_ascii_case(primary)).map(String::as_str)
    }
}

/// A record of the topic of toots, as Kafka gives it.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// Where it lies.
    pub place: Place,
    /// Its key.
    pub key: Option<&'a [u8]>,
    /// Its value.
    pub value: Option<&'a [u8]>,
}

/// The state of the stream between two records: one watermark per partition, and the batch under way.
pub struct Stream {
    rules: Rules,
    marks: BTreeMap<i32, Watermark>,
    batch: Batch,
    first: HashMap<u64, u32>,
    special: Vec<bool>,
    /// Changes of windows of other kinds, at most.
    reach: usize,
    hasher: RandomState,
}

impl Stream {
    /// Starts with the greatest event time already seen in each partition.
    pub fn new(rules: Rules, seen: impl IntoIterator<Item = (i32, Option<Timestamp>)>) -> Self {
        let marks = seen.into_iter().map(|(part, at)| (part, Watermark::new(rules.lateness, at))).collect();
        let batch = empty(&rules);
        Self { rules, marks, batch, first: HashMap::new(), special: Vec::new(), reach: 0, hasher: RandomState::new() }
    }

    /// The watermark of a partition.
    pub fn watermark(&self, part: i32) -> Option<Watermark> {
        self.marks.get(&part).copied()
    }

    /// Records in the batch under way.
    pub fn pending(&self) -> u64 {
        self.batch.books.read
    }

    /// Bytes of values in the batch under way, and of what it changes in windows of other kinds.
    pub fn pending_bytes(&self) -> usize {
        self.batch.bytes + self.reach * CHANGE_BYTES
    }

    /// Takes one record into the batch under way.
    pub fn step(&mut self, record: &Record<'_>) {
        self.batch.books.read += 1;
        self.batch.bytes += record.value.map_or(0, <[u8]>::len);
        let result = match record.value {
            None => Err(Dead::new(Reason::NullValue, "the record has no value")),
            Some(value) => parse(value),
        };
        let dead = match result {
            Ok(message) => match message.source.as_deref() {
                Some(source) if source != self.rules.source => {
                    self.batch.books.other_source += 1;
                    Dead {
                        reason: Reason::OtherSource,
                        error: format!(
                            "source {:?}, this database holds {:?}",
                            source.chars().take(100).collect::<String>(),
                            self.rules.source
                        ),
                        id: Some(message.id.replace('\0', "")),
                    }
                }
                _ => return self.take(record.place, &message),
            },
            Err(dead) => dead,
        };
        self.bury(record, dead);
    }

    fn bury(&mut self, record: &Record<'_>, mut dead: Dead) {
        if dead.id.is_none() {
            // Messages are keyed by toot id, so the key tells whose letter this is.
            let key = record.key.and_then(|key| std::str::from_utf8(key).ok());
            dead.id = key.filter(|key| !key.is_empty() && key.len() <= MAX_ID && !key.contains('\0')).map(Into::into);
        }
        dead.error = dead.error.replace('\0', "");
        self.batch.books.dead += 1;
        self.batch.dead.push(DeadLetter {
            place: record.place,
            dead,
            bytes: record.value.map(|value| value[..value.len().min(DEAD_BYTES)].to_vec()),
            size: record.value.map_or(0, <[u8]>::len),
        });
    }

    fn take(&mut self, place: Place, message: &Message<'_>) {
        let id = || message.id.as_ref().into();
        let version = message.edited_at;
        match message.event {
            Event::Unknown => return self.batch.books.unknown_event += 1,
            Event::Delete => {
                self.batch.books.deletes += 1;
                return self.change(place, ChangeKind::Delete { id: id() }, &message.id, true);
            }
            Event::Retract => {
                self.batch.books.retracts += 1;
                return self.change(place, ChangeKind::Leave { id: id(), version, retract: true }, &message.id, true);
            }
            Event::Update | Event::StatusUpdate => {}
        }
        let Some(at) = message.created_at else {
            return self.batch.books.unknown_event += 1;
        };
        let window = self.rules.width.window(at);
        let future = at > place.received_at.plus(FUTURE);
        let lateness = self.rules.lateness;
        let mark = self.marks.entry(place.part).or_insert_with(|| Watermark::new(lateness, None));
        let late = mark.late(at, window);
        if !future {
            mark.observe(at);
        }
        let Some(content) = message.content.as_deref() else {
            return self.batch.books.null_content += 1;
        };
        let Some(language) = self.rules.language(message.language.as_deref()) else {
            self.batch.books.other_language += 1;
            if message.event == Event::StatusUpdate || version.is_some() {
                self.change(place, ChangeKind::Leave { id: id(), version, retract: false }, &message.id, true);
            }
            return;
        };
        self.reach += self.rules.kinds.reach(message.tags.len().min(MAX_TAGS));
        let toot = self.batch.toots.push(message, at, content, language);
        let edit = message.event == Event::StatusUpdate;
        self.change(place, ChangeKind::Put { toot, late, edit, future }, &message.id, edit || future);
    }

    fn change(&mut self, place: Place, kind: ChangeKind, id: &str, special: bool) {
        let index = self.batch.changes.len() as u32;
        self.batch.changes.push(Change { place, kind });
        // Two ids with one hash are both taken for special, which costs a look-up and changes no result.
        let again = self.first.insert(self.hasher.hash_one(id), index);
        if let Some(before) = again {
            self.special[before as usize] = true;
        }
        self.special.push(special || again.is_some());
    }

    /// Takes a message about a gap.
    pub fn note_gap(&mut self, gap: Gap) {
        self.batch.books.gaps += 1;
        self.batch.gaps.push(gap);
    }

    /// Counts offsets that the topic does not hold.
    pub fn note_missing(&mut self, offsets: u64) {
        self.batch.books.missing_offsets += offsets;
    }

    /// The watermark of every partition seen.
    pub fn watermarks(&self) -> impl Iterator<Item = Option<Timestamp>> {
        self.marks.values().map(Watermark::at)
    }

    /// Ends the batch under way and gives it; `spans` say what was read.
    pub fn finish(&mut self, spans: Vec<Span>) -> Batch {
        let mut batch = std::mem::replace(&mut self.batch, empty(&self.rules));
        // The next batch is likely to be as large: growing step by step would copy it twice.
        self.batch.toots.reserve_like(&batch.toots);
        self.batch.changes.reserve(batch.changes.len());
        for (index, special) in std::mem::take(&mut self.special).into_iter().enumerate() {
            match (&batch.changes[index].kind, special) {
                (ChangeKind::Put { toot, late, .. }, false) => {
                    batch.delta.add(batch.toots.get(*toot).counted(late.is_some()));
                    batch.plain.push(index as u32);
                }
                _ => batch.special.push(index as u32),
            }
        }
        self.first.clear();
        self.reach = 0;
        batch.spans = spans;
        batch
    }
}

fn empty(rules: &Rules) -> Batch {
    Batch {
        topic: rules.topic.clone(),
        toots: Toots::default(),
        changes: Vec::new(),
        plain: Vec::new(),
        special: Vec::new(),
        delta: Delta::new(rules.width, rules.kinds.clone()),
        dead: Vec::new(),
        gaps: Vec::new(),
        books: Books::default(),
        spans: Vec::new(),
        idle: BTreeSet::new(),
        bytes: 0,
    }
}
