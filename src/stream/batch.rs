//! What a batch of records comes to, before the database is asked what it already holds. `[pure]`

use super::aggregate::{Counted, Delta};
use super::clean::clean_into;
use super::gap::Gap;
use super::record::{Dead, Message};
use crate::timestamp::Timestamp;
use std::collections::BTreeSet;
use std::ops::AddAssign;

/// A toot of a batch, its texts borrowed from [`Toots`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Toot<'a> {
    /// `toot_id`.
    pub id: &'a str,
    /// Event time.
    pub at: Timestamp,
    /// Cleaned text.
    pub text: &'a str,
    /// Its characters.
    pub text_length: i32,
    /// The author's id, when known.
    pub user_id: Option<&'a str>,
    /// Primary language.
    pub language: &'a str,
    /// Tags joined with commas.
    pub hashtags: &'a str,
    /// Boosts, favourites, replies.
    pub counts: [Option<i32>; 3],
    /// Readable text.
    pub content: &'a str,
    /// The author's name, when known.
    pub username: Option<&'a str>,
    /// The version; absent is oldest.
    pub edited_at: Option<Timestamp>,
}

impl<'a> Toot<'a> {
    /// What windows and averages look at.
    pub fn counted(&self, late: bool) -> Counted<'a> {
        Counted {
            at: Some(self.at),
            user_id: self.user_id,
            language: Some(self.language),
            text_length: self.text_length,
            hashtags: self.hashtags,
            late,
        }
    }
}

/// The toots of a batch in one allocation: seven texts each, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Toots {
    arena: String,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    at: Timestamp,
    edited_at: Option<Timestamp>,
    counts: [Option<i32>; 3],
    text_length: i32,
    has_user: bool,
    has_name: bool,
    start: usize,
    /// Where id, user, language, tags, name, content and text end, from `start`.
    ends: [u32; 7],
}

impl Toots {
    /// The number of toots.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Makes room for as much as `other` holds.
    pub fn reserve_like(&mut self, other: &Self) {
        self.arena.reserve(other.arena.len());
        self.rows.reserve(other.rows.len());
    }

    /// Keeps a message that has an event time and content, with its text cleaned; gives its index.
    pub fn push(&mut self, message: &Message<'_>, at: Timestamp, content: &str, language: &str) -> u32 {
        let start = self.arena.len();
        let mut ends = [0; 7];
        let arena = &mut self.arena;
        // A message is at most a mebibyte, so its texts are far from 4 GiB.
        let mut end = |slot: usize, arena: &String| ends[slot] = (arena.len() - start) as u32;
        arena.push_str(&message.id);
        end(0, arena);
        arena.push_str(message.user_id.as_deref().unwrap_or_default());
        end(1, arena);
        arena.push_str(language);
        end(2, arena);
        for (n, tag) in message.tags.iter().enumerate() {
            if n > 0 {
                arena.push(',');
            }
            arena.push_str(tag);
        }
        end(3, arena);
        arena.push_str(message.username.as_deref().unwrap_or_default());
        end(4, arena);
        arena.push_str(content);
        end(5, arena);
        let text_length = clean_into(content, arena) as i32;
        end(6, arena);
        self.rows.push(Row {
            at,
            edited_at: message.edited_at,
            counts: message.counts,
            text_length,
            has_user: message.user_id.is_some(),
            has_name: message.username.is_some(),
            start,
            ends,
        });
        (self.rows.len() - 1) as u32
    }

    /// The toot at `index`.
    pub fn get(&self, index: u32) -> Toot<'_> {
        let row = &self.rows[index as usize];
        let part = |slot: usize| {
            let from = if slot == 0 { 0 } else { row.ends[slot - 1] } as usize;
            &self.arena[row.start + from..row.start + row.ends[slot] as usize]
        };
        Toot {
            id: part(0),
            at: row.at,
            text: part(6),
            text_length: row.text_length,
            user_id: row.has_user.then(|| part(1)),
            language: part(2),
            hashtags: part(3),
            counts: row.counts,
            content: part(5),
            username: row.has_name.then(|| part(4)),
            edited_at: row.edited_at,
        }
    }
}

/// Where a record came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The partition of the topic of toots.
    pub part: i32,
    /// The offset in it.
    pub offset: i64,
    /// Kafka's timestamp: the time of ingestion.
    pub received_at: Timestamp,
}

/// A record that concerns a toot, in the order of its partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Where it came from.
    pub place: Place,
    /// What it wants.
    pub kind: ChangeKind,
}

/// What a record wants for its toot.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeKind {
    /// To be stored, if it is the newest version.
    Put {
        /// Index in [`Batch::toots`].
        toot: u32,
        /// Seconds behind the watermark, if its window was final before this record.
        late: Option<f64>,
        /// True for an event `status.update`.
        edit: bool,
        /// True when it is future-dated: it goes to quarantine instead.
        future: bool,
    },
    /// To be taken out, until a newer version comes.
    Leave {
        /// The toot.
        id: Box<str>,
        /// The version taken back.
        version: Option<Timestamp>,
        /// True for an event `retract`, false for a version in another language.
        retract: bool,
    },
    /// To be taken out for good.
    Delete {
        /// The toot.
        id: Box<str>,
    },
}

/// A record that goes to the dead letters.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// Where it came from.
    pub place: Place,
    /// Why.
    pub dead: Dead,
    /// The beginning of its value.
    pub bytes: Option<Vec<u8>>,
    /// The whole length of its value, in bytes.
    pub size: usize,
}

/// What was read of one partition, and what its row of the ledger becomes.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The topic.
    pub topic: String,
    /// The partition.
    pub part: i32,
    /// `next_offset` before the batch.
    pub from: i64,
    /// `next_offset` after it.
    pub to: i64,
    /// The end of the partition, as last heard.
    pub latest: i64,
    /// The greatest event time so far.
    pub max_event_time: Option<Timestamp>,
    /// The key of the last record, cut at 255 characters.
    pub last_key: Option<String>,
    /// The timestamp of the last record.
    pub last_timestamp: Option<Timestamp>,
}

/// What becomes of the records of a batch: each is counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Records read from the topic of toots.
    pub read: u64,
    /// Toots stored whose window was open.
    pub on_time: u64,
    /// Toots stored after their window was final.
    pub late: u64,
    /// Future-dated toots set aside.
    pub quarantined: u64,
    /// Dead letters.
    pub dead: u64,
    /// The version already stored, again.
    pub duplicates: u64,
    /// A version older than the stored one.
    pub stale: u64,
    /// A newer version of a stored toot.
    pub edits: u64,
    /// Deletes.
    pub deletes: u64,
    /// Retracts.
    pub retracts: u64,
    /// Toots that a tombstone keeps out.
    pub tombstoned: u64,
    /// Toots of another or of no language.
    pub other_language: u64,
    /// Toots without content.
    pub null_content: u64,
    /// Events of an unknown kind.
    pub unknown_event: u64,
    /// Of the dead letters, those of another source (not part of the balance).
    pub other_source: u64,
    /// Tags too long to be averaged (not part of the balance).
    pub dropped_tags: u64,
    /// Offsets that the topic does not hold (not part of the balance).
    pub missing_offsets: u64,
    /// Messages about gaps (not part of the balance).
    pub gaps: u64,
}

impl Books {
    /// Every count with its name, the balance first: `read`, then what the records came to, then the rest.
    pub fn named(&self) -> [(&'static str, u64); 18] {
        [
            ("read", self.read),
            ("on_time", self.on_time),
            ("late", self.late),
            ("quarantined", self.quarantined),
            ("dead", self.dead),
            ("duplicates", self.duplicates),
            ("stale", self.stale),
            ("edits", self.edits),
            ("deletes", self.deletes),
            ("retracts", self.retracts),
            ("tombstoned", self.tombstoned),
            ("other_language", self.other_language),
            ("null_content", self.null_content),
            ("unknown_event", self.unknown_event),
            ("other_source", self.other_source),
            ("dropped_tags", self.dropped_tags),
            ("missing_offsets", self.missing_offsets),
            ("gaps", self.gaps),
        ]
    }

    /// True when every record read is accounted for, once.
    pub fn balance(&self) -> bool {
        self.named()[1..14].iter().map(|(_, n)| n).sum::<u64>() == self.read
    }
}

impl AddAssign for Books {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.on_time += other.on_time;
        self.late += other.late;
        self.quarantined += other.quarantined;
        self.dead += other.dead;
        self.duplicates += other.duplicates;
        self.stale += other.stale;
        self.edits += other.edits;
        self.deletes += other.deletes;
        self.retracts += other.retracts;
        self.tombstoned += other.tombstoned;
        self.other_language += other.other_language;
        self.null_content += other.null_content;
        self.unknown_event += other.unknown_event;
        self.other_source += other.other_source;
        self.dropped_tags += other.dropped_tags;
        self.missing_offsets += other.missing_offsets;
        self.gaps += other.gaps;
    }
}

/// Everything that one transaction writes, but for what depends on the rows already stored.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The topic of toots.
    pub topic: String,
    /// The toots of `changes`.
    pub toots: Toots,
    /// Every record that concerns a toot, in order.
    pub changes: Vec<Change>,
    /// Indices in `changes` of toots that come once in the batch, as a first version: new unless already stored.
    pub plain: Vec<u32>,
    /// The other indices in `changes`, in order.
    pub special: Vec<u32>,
    /// What the plain toots add, if all of them are new.
    pub delta: Delta,
    /// Records that cannot be read.
    pub dead: Vec<DeadLetter>,
    /// Messages about gaps.
    pub gaps: Vec<Gap>,
    /// What is counted already; the sink adds the rest.
    pub books: Books,
    /// What was read of each partition, in order of topic and partition.
    pub spans: Vec<Span>,
    /// The partitions of its reader that are idle.
    pub idle: BTreeSet<i32>,
    /// Bytes of all values read.
    pub bytes: usize,
}

impl Batch {
    /// The id that a change concerns.
    pub fn id(&self, change: u32) -> &str {
        match &self.changes[change as usize].kind {
            ChangeKind::Put { toot, .. } => self.toots.get(*toot).id,
            ChangeKind::Leave { id, .. } | ChangeKind::Delete { id } => id,
        }
    }

    /// True when there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}
