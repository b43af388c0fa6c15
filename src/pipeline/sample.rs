//! A few messages of the topic, taken through each step so that a notebook can show it.

use super::steps::table;
use crate::config::Config;
use crate::display::{Table, say};
use crate::error::{Error, Result};
use crate::kafka::{Consumer, Polled};
use crate::stream::{Batch, ChangeKind, Delta, Event, Place, Record, Rules, Span, Stream, Toot, closing, merge, parse};
use crate::timestamp::Timestamp;
use polars::prelude::df;
use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

/// How long a sample may take.
const TIME: Duration = Duration::from_secs(15);

/// The first messages of the topic, as they are; reading them moves nothing.
pub struct Sample {
    rules: Rules,
    records: Vec<(Place, Vec<u8>)>,
}

impl Sample {
    pub(super) fn take(config: &Config, rules: &Rules, most: usize) -> Result<Self> {
        let mut consumer = Consumer::new(config, &config.topic)?;
        let mut starts = Vec::new();
        let mut open = BTreeMap::new();
        for part in consumer.partitions()? {
            let (first, end) = consumer.bounds(part)?;
            starts.push((part, first));
            if end > first {
                open.insert(part, ());
            }
        }
        consumer.assign(&starts)?;
        let began = Instant::now();
        let mut records = Vec::new();
        while records.len() < most && !open.is_empty() {
            if began.elapsed() > TIME {
                return Err(Error::cannot(format!("read a sample of {}", config.topic), "it took too long")
                    .next("check Kafka with `./spar services status`")
                    .transient());
            }
            consumer.poll(Duration::from_millis(200), |polled| match polled {
                Polled::Record { part, offset, timestamp, value: Some(value), .. } => {
                    let wanted = parse(value).is_ok_and(|m| matches!(m.event, Event::Update | Event::StatusUpdate));
                    if wanted {
                        records.push((Place { part, offset, received_at: timestamp }, value.to_vec()));
                    }
                }
                Polled::End(part) => {
                    open.remove(&part);
                }
                _ => {}
            })?;
        }
        Ok(Self { rules: rules.clone(), records })
    }

    /// From values at hand, all received at `at`: what the notebook shows is what the stream does.
    pub fn of(rules: Rules, at: Timestamp, values: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let place = |n: usize| Place { part: 0, offset: n as i64, received_at: at };
        Self { rules, records: values.into_iter().enumerate().map(|(n, value)| (place(n), value)).collect() }
    }

    /// The source that the first of its messages names, if any does.
    pub(super) fn source(&self) -> Option<String> {
        self.records.iter().find_map(|(_, value)| parse(value).ok()?.source.map(|source| source.into_owned()))
    }

    /// The number of messages.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// True when the topic has none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The nine fields that the engine reads.
    ///
    /// # Errors
    ///
    /// Fails if the table cannot be made.
    pub fn parsed(&self) -> Result<Table> {
        say("Parsing des données JSON...");
        let messages: Vec<_> = self.records.iter().filter_map(|(_, value)| parse(value).ok()).collect();
        let text = |get: &dyn Fn(&crate::stream::Message<'_>) -> Option<String>| -> Vec<Option<String>> {
            messages.iter().map(get).collect()
        };
        let owned = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(str::to_owned);
        let count = |n: usize| -> Vec<Option<i32>> { messages.iter().map(|m| m.counts[n]).collect() };
        let shown = table(df!(
            "id" => text(&|m| Some(m.id.to_string())),
            "created_at" => text(&|m| m.created_at.map(|at| at.to_string())),
            "content" => text(&|m| owned(&m.content)),
            "user_id" => text(&|m| owned(&m.user_id)),
            "language" => text(&|m| owned(&m.language)),
            "tags" => text(&|m| Some(m.tags.join(" "))),
            "reblogs_count" => count(0),
            "favourites_count" => count(1),
            "replies_count" => count(2),
        ))?;
        say("Parsing des données JSON terminé.");
        Ok(shown)
    }

    /// The text before and after cleaning, and its length in characters.
    ///
    /// # Errors
    ///
    /// Fails if the table cannot be made.
    pub fn cleaned(&self) -> Result<Table> {
        say("Nettoyage des données...");
        let outcome = self.outcome();
        let toots = outcome.toots();
        let shown = table(df!(
            "content" => toots.iter().map(|t| t.content).collect::<Vec<_>>(),
            "text" => toots.iter().map(|t| t.text).collect::<Vec<_>>(),
            "text_length" => toots.iter().map(|t| t.text_length).collect::<Vec<_>>(),
        ))?;
        say("Nettoyage des données terminé.");
        Ok(shown)
    }

    /// The tags joined into one text.
    ///
    /// # Errors
    ///
    /// Fails if the table cannot be made.
    pub fn hashtags(&self) -> Result<Table> {
        let outcome = self.outcome();
        let toots = outcome.toots();
        table(df!(
            "toot_id" => toots.iter().map(|t| t.id).collect::<Vec<_>>(),
            "hashtags" => toots.iter().map(|t| t.hashtags).collect::<Vec<_>>(),
        ))
    }

    /// How many messages there are of each language, and which are kept.
    ///
    /// # Errors
    ///
    /// Fails if the table cannot be made.
    pub fn languages(&self) -> Result<Table> {
        let mut counts: BTreeMap<String, (u32, bool)> = BTreeMap::new();
        for message in self.records.iter().filter_map(|(_, value)| parse(value).ok()) {
            let tag = message.language.as_deref();
            let kept = self.rules.language(tag).is_some();
            counts.entry(tag.unwrap_or("inconnue").to_owned()).or_insert((0, kept)).0 += 1;
        }
        let mut rows: Vec<_> = counts.into_iter().collect();
        rows.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(&b.0)));
        table(df!(
            "language" => rows.iter().map(|r| r.0.as_str()).collect::<Vec<_>>(),
            "toots" => rows.iter().map(|r| r.1.0).collect::<Vec<_>>(),
            "gardée" => rows.iter().map(|r| r.1.1).collect::<Vec<_>>(),
        ))
    }

    /// The rows as `filtered_toots` gets them.
    ///
    /// # Errors
    ///
    /// Fails if the table cannot be made.
    pub fn rows(&self) -> Result<Table> {
        let outcome = self.outcome();
        let toots = outcome.toots();
        let count = |n: usize| -> Vec<Option<i32>> { toots.iter().map(|t| t.counts[n]).collect() };
        table(df!(
            "toot_id" => toots.iter().map(|t| t.id).collect::<Vec<_>>(),
            "timestamp" => toots.iter().map(|t| t.at.to_string()).collect::<Vec<_>>(),
            "text" => toots.iter().map(|t| t.text).collect::<Vec<_>>(),
            "user_id" => toots.iter().map(|t| t.user_id).collect::<Vec<_>>(),
            "language" => toots.iter().map(|t| t.language).collect::<Vec<_>>(),
            "hashtags" => toots.iter().map(|t| t.hashtags).collect::<Vec<_>>(),
            "reblogs_count" => count(0),
            "favourites_count" => count(1),
            "replies_count" => count(2),
        ))
    }

    /// Toots per window, late ones included, and how far the watermark has come.
    ///
    /// # Errors
    ///
    /// Fails if the table cannot be made.
    pub fn windows(&self) -> Result<Table> {
        say("Agrégation des données en fenêtres temporelles...");
        let Outcome { delta, mark, .. } = self.outcome();
        let windows: Vec<_> = delta.windows.iter().collect();
        let shown = table(df!(
            "window_start" => windows.iter().map(|(w, _)| w.start.to_string()).collect::<Vec<_>>(),
            "window_end" => windows.iter().map(|(w, _)| w.end.to_string()).collect::<Vec<_>>(),
            "total_toots" => windows.iter().map(|(_, c)| c.toots).collect::<Vec<_>>(),
            "late_n" => windows.iter().map(|(_, c)| c.late).collect::<Vec<_>>(),
            "finale" => windows.iter().map(|(w, _)| mark.is_some_and(|m| w.end <= m)).collect::<Vec<_>>(),
        ))?;
        say("Agrégation des données terminée.");
        Ok(shown)
    }

    /// Average length per user.
    ///
    /// # Errors
    ///
    /// Fails if the table cannot be made.
    pub fn user_lengths(&self) -> Result<Table> {
        lengths("user_id", &self.outcome().delta.users)
    }

    /// Average length per tag, in lower case.
    ///
    /// # Errors
    ///
    /// Fails if the table cannot be made.
    pub fn hashtag_lengths(&self) -> Result<Table> {
        lengths("hashtag", &self.outcome().delta.tags)
    }

    /// What the sample comes to in tables that are empty, and the least watermark of its partitions.
    fn outcome(&self) -> Outcome {
        let mut stream = Stream::new(self.rules.clone(), []);
        for (place, value) in &self.records {
            stream.step(&Record { place: *place, key: None, value: Some(value) });
        }
        let batch = stream.finish(Vec::<Span>::new());
        let marks: Vec<_> = stream.watermarks().map(|mark| (mark, false)).collect();
        let fates = BTreeMap::new();
        let written = merge(&batch, &batch.special, &fates);
        let mut delta = batch.delta.clone();
        delta.merge(&written.delta);
        let mut stored = [&batch.plain[..], &written.put].concat();
        stored.sort_unstable();
        Outcome { mark: closing(&marks), delta, stored, batch }
    }

    /// Shows the sample in a notebook.
    pub fn evcxr_display(&self) {
        crate::display::Report::new(self.to_string()).evcxr_display();
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} messages du début du sujet {}.", self.records.len(), self.rules.topic)
    }
}

/// What a sample comes to: the changes that end as rows, in order, and the aggregates of those rows.
struct Outcome {
    batch: Batch,
    stored: Vec<u32>,
    delta: Delta,
    mark: Option<Timestamp>,
}

impl Outcome {
    fn toots(&self) -> Vec<Toot<'_>> {
        let toot = |index: &u32| match self.batch.changes[*index as usize].kind {
            ChangeKind::Put { toot, .. } => Some(self.batch.toots.get(toot)),
            _ => None,
        };
        self.stored.iter().filter_map(toot).collect()
    }
}

fn lengths(key: &str, changes: &std::collections::HashMap<Box<str>, crate::stream::LengthChange>) -> Result<Table> {
    let mut rows: Vec<_> = changes.iter().collect();
    rows.sort_by(|a, b| b.1.toots.cmp(&a.1.toots).then(a.0.cmp(b.0)));
    table(df!(
        key => rows.iter().map(|(k, _)| &***k).collect::<Vec<&str>>(),
        "average_length" => rows.iter().map(|(_, c)| c.length as f64 / c.toots as f64).collect::<Vec<_>>(),
        "toots" => rows.iter().map(|(_, c)| c.toots).collect::<Vec<_>>(),
    ))
}
