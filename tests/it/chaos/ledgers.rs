//! The three ledgers, and the two numbers that come of comparing them.

use crate::desk::Desk;
use crate::messages::Draft;
use spar::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

const HOUR: i64 = 3_600_000_000;

/// The first lines of a table of verdicts.
pub const HEADING: &str = "| fault | what happens | sent | in Kafka | applied | rows | sum of ids | windows | lost | duplicated | what was seen |\n\
                           |---|---|--:|--:|--:|--:|--:|--:|--:|--:|---|";

/// A toot as it must be stored.
#[derive(Clone, Debug)]
struct Toot {
    at: i64,
    length: i64,
    user: String,
    tags: BTreeSet<String>,
    version: Option<String>,
    late: bool,
}

/// The first ledger: what was sent, and what must come of it, by the records alone.
#[derive(Clone, Default)]
pub struct Sent {
    records: usize,
    /// The key of each record that the topic still holds, in order.
    keys: Vec<String>,
    toots: BTreeMap<String, Toot>,
    deleted: BTreeSet<String>,
    future: BTreeSet<String>,
    dead: u64,
    /// The greatest event time so far; known only where the topic has one partition.
    mark: Option<i64>,
    one_partition: bool,
}

impl Sent {
    pub fn new(one_partition: bool) -> Self {
        Self { one_partition, ..Self::default() }
    }

    /// Records sent.
    pub fn records(&self) -> usize {
        self.records
    }

    /// Toots that must be listed as late.
    pub fn late(&self) -> usize {
        self.toots.values().filter(|toot| toot.late).count()
    }

    fn push(&mut self, key: String) {
        self.records += 1;
        self.keys.push(key);
    }

    /// Notes a record that nobody can read.
    pub fn poison(&mut self, key: &str) {
        self.push(key.to_owned());
        self.dead += 1;
    }

    /// Notes a message.
    pub fn note(&mut self, draft: &Draft) {
        let text = |key: &str| draft.get(key).as_str().map(str::to_owned);
        let id = draft.id();
        self.push(id.clone());
        if text("event").as_deref() == Some("delete") {
            self.toots.remove(&id);
            self.deleted.insert(id);
            return;
        }
        let at = text("created_at").unwrap().parse::<Timestamp>().unwrap();
        if at > Timestamp::now().plus(std::time::Duration::from_secs(86_400)) {
            self.future.insert(id);
            return;
        }
        let at = at.as_micros();
        let end = at.div_euclid(HOUR) * HOUR + HOUR;
        let late = self.one_partition && self.mark.is_some_and(|mark| end <= mark - HOUR);
        self.mark = self.mark.max(Some(at));
        if self.deleted.contains(&id) {
            return;
        }
        let tags = draft.get("tags").as_array().unwrap().iter().map(|tag| tag.as_str().unwrap().to_lowercase());
        let toot = Toot {
            at,
            length: text("content").unwrap().chars().count() as i64,
            user: text("user_id").unwrap(),
            tags: tags.collect(),
            version: text("edited_at"),
            late,
        };
        match self.toots.get_mut(&id) {
            None => drop(self.toots.insert(id, toot)),
            Some(known) if toot.version > known.version => *known = Toot { late: known.late, ..toot },
            Some(_) => {}
        }
    }

    /// The topic was deleted, and its records with it; all of them were applied.
    pub fn anew(&mut self) {
        self.keys.clear();
        self.mark = None;
    }

    /// Retention removed the oldest records; `unread` of them, all new toots, before anybody read them.
    pub fn removed(&mut self, count: usize, unread: usize) {
        for key in self.keys.drain(..count).skip(count - unread) {
            self.toots.remove(&key);
        }
    }
}

/// How often each thing is there.
type Counts = BTreeMap<String, i64>;

fn counts(things: impl Iterator<Item = String>) -> Counts {
    let mut counts = Counts::new();
    things.for_each(|thing| *counts.entry(thing).or_default() += 1);
    counts
}

/// How much one of the ledgers lacks, and how much it has too often.
#[derive(Default)]
struct Difference {
    lost: i64,
    doubled: i64,
    first: Vec<String>,
}

impl Difference {
    /// Takes in what was `wanted` of some kind of thing and what was `found`; the worst kind counts.
    fn add(&mut self, kind: &str, wanted: &Counts, found: &Counts) {
        let of = |counts: &Counts, key: &String| counts.get(key).copied().unwrap_or(0);
        let (mut lost, mut doubled) = (0, 0);
        for key in wanted.keys().chain(found.keys().filter(|key| !wanted.contains_key(*key))) {
            let missing = of(wanted, key) - of(found, key);
            (lost, doubled) = (lost + missing.max(0), doubled + (-missing).max(0));
            if missing != 0 && self.first.len() < 5 {
                self.first.push(format!("{kind} {key}: {} instead of {}", of(found, key), of(wanted, key)));
            }
        }
        (self.lost, self.doubled) = (self.lost.max(lost), self.doubled.max(doubled));
    }
}

/// What a trial came to.
pub struct Verdict {
    /// Records sent.
    sent: usize,
    /// Records that the topic holds.
    kafka: i64,
    /// Records that the ledger in PostgreSQL has moved over.
    applied: i64,
    rows: i64,
    ids: String,
    windows: usize,
    pub lost: i64,
    pub doubled: i64,
    seen: String,
}

impl Verdict {
    /// Compares the ledgers. `seen` says what else the trial showed.
    pub fn of(desk: &Desk, sent: &Sent, seen: String) -> Self {
        let mut difference = Difference::default();
        let ask = |sql: &str| desk.query(sql);
        let number = |sql: &str| ask(sql)[0].parse::<i64>().unwrap();
        let pairs = |sql: &str| -> Counts {
            let rows = ask(sql);
            rows.iter()
                .map(|row| row.split_once(' ').unwrap())
                .map(|(n, key)| (key.to_owned(), n.parse().unwrap()))
                .collect()
        };

        // Kafka: its offsets without a hole, and the very records that were sent.
        let topic = &desk.config.topic;
        let info = spar::kafka::topic_info(&desk.config).unwrap();
        let ends: i64 = info.partitions.iter().map(|(_, _, end)| end).sum();
        let keys = spar::kafka::tail(&desk.config, topic, u32::MAX).unwrap();
        difference.add(
            "record",
            &counts(sent.keys.iter().cloned()),
            &counts(keys.into_iter().map(|record| record.key.unwrap_or_default())),
        );
        // PostgreSQL's word on Kafka: every offset applied.
        let applied = number(&format!(
            "SELECT coalesce(sum(next_offset), 0)::text FROM stream_partition WHERE topic = '{topic}'"
        ));
        let whole = |n: i64| Counts::from([(topic.clone(), n)]);
        difference.add("offsets of", &whole(ends), &whole(applied));

        // PostgreSQL: each toot once, in its window, counted once in both averages.
        let toots = &sent.toots;
        difference.add(
            "toot",
            &counts(toots.keys().cloned()),
            &pairs("SELECT concat_ws(' ', count(*), toot_id) FROM filtered_toots GROUP BY toot_id"),
        );
        difference.add(
            "window",
            &counts(toots.values().map(|toot| (toot.at.div_euclid(HOUR) * HOUR / 1_000_000).to_string())),
            &pairs("SELECT concat_ws(' ', total_toots, extract(epoch FROM window_start)::bigint) FROM toots_time_window_aggregates"),
        );
        difference.add(
            "late in window",
            &counts(toots.values().filter(|t| t.late).map(|t| (t.at.div_euclid(HOUR) * HOUR / 1_000_000).to_string())),
            &pairs(
                "SELECT concat_ws(' ', late_n, extract(epoch FROM window_start)::bigint)
                 FROM toots_time_window_aggregates WHERE late_n > 0",
            ),
        );
        difference.add(
            "late toot",
            &counts(toots.iter().filter(|(_, toot)| toot.late).map(|(id, _)| id.clone())),
            &pairs("SELECT concat_ws(' ', 1, toot_id) FROM late_toots"),
        );
        difference.add(
            "author",
            &counts(toots.values().map(|toot| toot.user.clone())),
            &pairs("SELECT concat_ws(' ', toots, user_id) FROM user_avg_length"),
        );
        difference.add(
            "tag",
            &counts(toots.values().flat_map(|toot| toot.tags.iter().cloned())),
            &pairs("SELECT concat_ws(' ', toots, hashtag) FROM hashtag_avg_length"),
        );
        difference.add(
            "future toot",
            &counts(sent.future.iter().cloned()),
            &pairs("SELECT concat_ws(' ', 1, toot_id) FROM quarantine"),
        );
        let dead = |n: i64| Counts::from([("letters".to_owned(), n)]);
        difference.add("dead", &dead(sent.dead as i64), &dead(number("SELECT count(*) FROM dead_letter")));
        let ids = ask("SELECT coalesce(sum(toot_id::numeric), 0)::text FROM filtered_toots").remove(0);
        difference.first.iter().for_each(|line| eprintln!("{line}"));
        if difference.lost + difference.doubled == 0 {
            let wanted: u64 = toots.keys().map(|id| id.parse::<u64>().unwrap()).sum();
            assert_eq!(ids, wanted.to_string(), "the sum of the ids");
            // The versions: characters per author, and both averages computed again, by SQL, from the stored toots.
            let mut lengths = Counts::new();
            toots.values().for_each(|toot| *lengths.entry(toot.user.clone()).or_default() += toot.length);
            let sums = pairs("SELECT concat_ws(' ', length_sum, user_id) FROM user_avg_length");
            assert_eq!(sums, lengths, "the characters of each author");
            desk.assert_consistent();
        }
        let windows = ask("SELECT 'w' FROM toots_time_window_aggregates").len();
        let rows = number("SELECT count(*) FROM filtered_toots");
        let Difference { lost, doubled, .. } = difference;
        Self { sent: sent.records(), kafka: info.records(), applied, rows, ids, windows, lost, doubled, seen }
    }

    /// A row of the table.
    pub fn row(&self, number: &str, what: &str) -> String {
        let Self { sent, kafka, applied, rows, ids, windows, lost, doubled, seen } = self;
        format!(
            "| {number} | {what} | {sent} | {kafka} | {applied} | {rows} | {ids} | {windows} | {lost} | {doubled} | {seen} |"
        )
    }
}
