//! The reading end: Kafka's records through the stream into batches, on a thread of its own.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::job::{Control, Until};
use crate::kafka::{Consumer, Polled, gaps_topic};
use crate::postgres::ledger::Position;
use crate::stream::{Batch, Gap, Place, Record, Rules, Span, Stream};
use crate::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

/// The most records of a batch, while the database is fast.
pub(super) const ROWS: u64 = 50_000;
/// The most bytes of values of a batch.
const BYTES: usize = 48 * 1024 * 1024;
/// How long a batch may wait for more records while the database is free: far behind, large batches are worth it.
const WAIT: Duration = Duration::from_millis(400);
/// The same for records that are younger than [`LIVE`]: somebody may be waiting for them.
const LIVE_WAIT: Duration = Duration::from_millis(15);
/// Up to which age, by Kafka's timestamp, a record is live.
const LIVE: Duration = Duration::from_secs(1);
/// How long nothing must come before a batch that is not full goes to a free database.
const LULL: Duration = Duration::from_millis(10);
/// How many records are taken between two looks at the clock.
const STRIDE: usize = 512;

/// What the writing end gets.
pub(super) enum Fed {
    /// A batch, and how many seconds it took to fill.
    Batch(Box<Batch>, f64),
    /// Every partition is idle.
    Idle,
    /// Reading failed.
    Failed(Error),
}

/// What both ends share while they run.
#[derive(Default)]
pub(super) struct Line {
    /// Batches sent and not yet taken.
    pub waiting: AtomicUsize,
    /// Set when the writing end has ended.
    pub over: AtomicBool,
    /// The most records of a batch now.
    pub most: AtomicU64,
}

/// One topic's consumer and where it stands in each partition.
struct Source {
    consumer: Consumer,
    tracks: BTreeMap<i32, Track>,
    /// The timestamp of the last record of any partition.
    latest: Option<Timestamp>,
}

#[derive(Default)]
struct Track {
    /// `next_offset` in the ledger once all sent batches are committed.
    from: i64,
    next: i64,
    /// The offset after the last record when the run began.
    goal: i64,
    /// The end was reached and nothing came since.
    ended: bool,
    last_timestamp: Option<Timestamp>,
    last_key: Option<Vec<u8>>,
    /// Key and timestamp that the record before `next` must have: those of the last record applied.
    witness: Option<(Option<String>, Timestamp)>,
}

impl Track {
    fn is_idle(&self, now: Timestamp, after: Duration) -> bool {
        self.ended && self.last_timestamp.is_none_or(|last| last.plus(after) <= now)
    }

    fn key(&self) -> Option<String> {
        self.last_key.as_deref().map(key_text)
    }
}

/// The stretch from a stored position to the `first` record that is left.
fn removed(topic: &str, part: i32, position: &Position, first: i64) -> Gap {
    let from = position.next_offset;
    Gap {
        id: format!("{topic}-{part}-{from}-{first}"),
        from_id: position.last_key.clone(),
        from_time: position.last_timestamp,
        reason: Some("retention".into()),
        detail: serde_json::json!({"topic": topic, "partition": part, "from": from, "to": first - 1}).to_string(),
        ..Gap::default()
    }
}

fn key_text(key: &[u8]) -> String {
    String::from_utf8_lossy(key).replace('\0', "").chars().take(255).collect()
}

/// The topics as they are before the partitions are taken over.
pub(super) struct Survey {
    toots: Source,
    gaps: Option<Source>,
    /// Partitions of the topic of toots, whoever reads them.
    pub partitions: usize,
}

impl Survey {
    /// Asks Kafka for the partitions and their bounds.
    pub fn new(config: &Config) -> Result<Self> {
        let toots = Source::new(config, &config.topic)?;
        if toots.tracks.is_empty() {
            return Err(Error::cannot(format!("read {}", config.topic), "the topic does not exist")
                .next("run partie1: it creates the topic")
                .invalid());
        }
        let gaps = Source::new(config, &gaps_topic(&config.topic))?;
        let partitions = toots.tracks.len();
        Ok(Self { toots, gaps: Some(gaps).filter(Source::is_there), partitions })
    }

    /// Leaves out the partitions that others read; `mine` tells by topic and partition.
    pub fn keep(&mut self, mine: impl Fn(&str, i32) -> bool) {
        for source in [&mut self.toots].into_iter().chain(&mut self.gaps) {
            let topic = source.consumer.topic().to_owned();
            source.tracks.retain(|part, _| mine(&topic, *part));
        }
        self.gaps.take_if(|gaps| !gaps.is_there());
    }

    /// Topic, partition and first offset of the partitions to read, in order.
    pub fn wanted(&self) -> Vec<(String, i32, i64)> {
        let mut wanted: Vec<_> = self
            .gaps
            .iter()
            .chain([&self.toots])
            .flat_map(|s| s.tracks.iter().map(|(part, t)| (s.consumer.topic().to_owned(), *part, t.from)))
            .collect();
        wanted.sort();
        wanted
    }

    /// Partition, first offset and the one after the last, of the topic of toots.
    pub fn bounds(&self) -> Vec<(i32, i64, i64)> {
        self.toots.tracks.iter().map(|(part, track)| (*part, track.from, track.goal)).collect()
    }

    /// Starts reading at the positions of the ledger. What retention removed before it was read ends the run, or is
    /// recorded as a gap when that is accepted.
    pub fn begin(mut self, rules: Rules, positions: &[Position], config: &Config, accept_gap: bool) -> Result<Feed> {
        let mut lost = self.toots.assign(positions, accept_gap)?;
        if let Some(gaps) = &mut self.gaps {
            lost.extend(gaps.assign(positions, accept_gap)?);
        }
        let topic = rules.topic.clone();
        let seen = positions.iter().filter(|p| p.topic == topic).map(|p| (p.part, p.max_event_time));
        let source = rules.source.clone();
        let mut stream = Stream::new(rules, seen);
        for gap in lost {
            // It is written with the batch that moves the ledger over it.
            stream.note_gap(Gap { source: Some(source.clone()), ..gap });
        }
        Ok(Feed { toots: self.toots, gaps: self.gaps, stream, idle: config.idle, idle_told: false, read: 0 })
    }
}

impl Source {
    fn new(config: &Config, topic: &str) -> Result<Self> {
        let consumer = Consumer::new(config, topic)?;
        let mut tracks = BTreeMap::new();
        for part in consumer.partitions()? {
            let (first, end) = consumer.bounds(part)?;
            tracks.insert(part, Track { from: first, goal: end, ..Track::default() });
        }
        Ok(Self { consumer, tracks, latest: None })
    }

    fn is_there(&self) -> bool {
        !self.tracks.is_empty()
    }

    /// Reads on from the ledger's positions; gives the stretches that retention removed before they were read.
    fn assign(&mut self, positions: &[Position], accept_gap: bool) -> Result<Vec<Gap>> {
        let topic = self.consumer.topic().to_owned();
        let (mut starts, mut lost) = (Vec::new(), Vec::new());
        for (part, track) in &mut self.tracks {
            let Some(position) = positions.iter().find(|p| p.topic == topic && p.part == *part) else {
                continue;
            };
            let (first, next) = (track.from, position.next_offset);
            if next > track.goal {
                // The owner before may have read and applied more since the survey.
                track.goal = self.consumer.bounds(*part)?.1;
            }
            let stop = |why: String, next_step: &str| {
                Err(Error::cannot(format!("go on with {topic} partition {part} at offset {next}"), why)
                    .next(next_step)
                    .refused())
            };
            if next > track.goal {
                return stop(
                    format!("the topic ends at {}: it was created anew", track.goal),
                    "remove its row from stream_partition to read it from its first record",
                );
            }
            if next < first && !accept_gap {
                return stop(
                    format!("its records {next} to {} are gone: retention passed the stored position", first - 1),
                    "`./spar worker --accept-gap` records them in the table gaps and goes on at the first one left",
                );
            }
            if next < first {
                lost.push(removed(&topic, *part, position, first));
            }
            track.from = next;
            track.next = next.max(first);
            track.last_timestamp = position.last_timestamp;
            track.last_key = position.last_key.as_ref().map(|key| key.as_bytes().to_vec());
            track.witness = position.last_timestamp.filter(|_| next > first).map(|at| (position.last_key.clone(), at));
            // With nothing new to read there is still the witness to hear.
            track.ended = track.next >= track.goal && track.witness.is_none();
            // Beginning one record early shows whether the topic is still the one that the ledger knows.
            starts.push((*part, track.next - i64::from(track.witness.is_some())));
        }
        self.consumer.assign(&starts).map(|()| lost)
    }

    /// Polls once; `take` gets a record and the offsets missing before it. Gives false when nothing came.
    fn poll(&mut self, timeout: Duration, take: impl FnOnce(Record<'_>, u64)) -> Result<bool> {
        let (consumer, tracks, latest) = (&mut self.consumer, &mut self.tracks, &mut self.latest);
        let mut anew = None;
        let came = consumer.poll(timeout, |polled| match polled {
            Polled::Nothing => false,
            Polled::End(part) => {
                if let Some(track) = tracks.get_mut(&part) {
                    track.ended = true;
                    track.witness = None;
                }
                true
            }
            Polled::Record { part, offset, timestamp, key, value } => {
                let Some(track) = tracks.get_mut(&part) else {
                    return true;
                };
                if offset < track.next {
                    if let Some((key_then, at)) = track.witness.take().filter(|_| offset == track.next - 1)
                        && (at != timestamp || key.map(key_text) != key_then)
                    {
                        anew = Some((part, offset));
                    }
                    track.ended |= track.witness.is_none() && track.next >= track.goal;
                    return true;
                }
                let missing = (offset - track.next) as u64;
                track.next = offset + 1;
                track.ended = false;
                track.last_timestamp = Some(timestamp);
                *latest = Some(timestamp);
                match (key, &mut track.last_key) {
                    (Some(key), Some(last)) => {
                        last.clear();
                        last.extend_from_slice(key);
                    }
                    (key, last) => *last = key.map(<[u8]>::to_vec),
                }
                take(Record { place: Place { part, offset, received_at: timestamp }, key, value }, missing);
                true
            }
        })?;
        match anew {
            None => Ok(came),
            Some((part, offset)) => Err(Error::cannot(
                format!("go on with {} partition {part} after offset {offset}", self.consumer.topic()),
                "the record there is not the one applied last: the topic was created anew",
            )
            .next("remove the topic's rows from stream_partition to read it from its first record")
            .refused()),
        }
    }

    /// What was read since the last batch.
    fn spans(&mut self, mark: impl Fn(i32) -> Option<Timestamp>) -> Vec<Span> {
        let topic = self.consumer.topic().to_owned();
        let ends = self.consumer.ends();
        let mut spans = Vec::new();
        for (part, track) in self.tracks.iter_mut().filter(|(_, track)| track.next > track.from) {
            spans.push(Span {
                topic: topic.clone(),
                part: *part,
                from: std::mem::replace(&mut track.from, track.next),
                to: track.next,
                latest: ends.get(part).copied().unwrap_or(track.goal).max(track.next),
                max_event_time: mark(*part),
                last_key: track.key(),
                last_timestamp: track.last_timestamp,
            });
        }
        spans
    }

    fn pending(&self) -> bool {
        self.tracks.values().any(|track| track.next > track.from)
    }

    fn reached_goal(&self) -> bool {
        self.tracks.values().all(|track| track.ended || (track.next >= track.goal && track.witness.is_none()))
    }

    /// True when what is read was written just now.
    fn is_live(&self, now: Timestamp) -> bool {
        self.latest.is_some_and(|at| at.plus(LIVE) > now)
    }

    fn is_idle(&self, now: Timestamp, after: Duration) -> bool {
        self.tracks.values().all(|track| track.is_idle(now, after))
    }

    /// The partitions that are idle.
    fn idle(&self, now: Timestamp, after: Duration) -> BTreeSet<i32> {
        self.tracks.iter().filter(|(_, track)| track.is_idle(now, after)).map(|(part, _)| *part).collect()
    }
}

/// The consumers, the stream and the batch under way.
pub(super) struct Feed {
    toots: Source,
    gaps: Option<Source>,
    stream: Stream,
    idle: Duration,
    idle_told: bool,
    read: u64,
}

impl Feed {
    /// Reads until `until`, and tells the writing end how it ended.
    pub fn run(mut self, until: Until, control: &Control, line: &Line, send: SyncSender<Fed>) {
        if let Err(e) = self.pump(until, control, line, &send) {
            // Without a writing end there is nobody to tell.
            let _ = send.send(Fed::Failed(e));
        }
    }

    fn pump(&mut self, until: Until, control: &Control, line: &Line, send: &SyncSender<Fed>) -> Result<()> {
        let began = Instant::now();
        let mut filling: Option<Instant> = None;
        loop {
            if line.over.load(Ordering::Relaxed) {
                return Ok(());
            }
            let lull = self.take(until, control, line)?;
            if let Some(gaps) = &mut self.gaps {
                let stream = &mut self.stream;
                for _ in 0..STRIDE {
                    let came = gaps.poll(Duration::ZERO, |record, _| {
                        if let Some(gap) = Gap::read(record.key, record.value) {
                            stream.note_gap(gap);
                        }
                    })?;
                    if !came {
                        break;
                    }
                }
            }
            let now = Timestamp::now();
            let idle = self.toots.is_idle(now, self.idle);
            let done = control.stopping()
                || match until {
                    Until::CaughtUp => self.toots.reached_goal() && self.gaps.as_ref().is_none_or(Source::reached_goal),
                    // A topic that falls silent must not keep a bounded call for ever.
                    Until::Toots(n) => self.read >= n || idle,
                    Until::Elapsed(time) => began.elapsed() >= time,
                    Until::Stopped => false,
                };
            if self.pending() {
                let since = *filling.get_or_insert_with(Instant::now);
                let full = is_full(&self.stream, line);
                let wait = if self.toots.is_live(now) { LIVE_WAIT } else { WAIT };
                let ready = (lull || since.elapsed() >= wait) && line.waiting.load(Ordering::Acquire) == 0;
                if done || full || ready {
                    filling = None;
                    if !self.flush(now, since.elapsed().as_secs_f64(), line, send) {
                        return Ok(());
                    }
                }
            }
            if idle && !self.idle_told && !self.pending() {
                self.idle_told = true;
                if send.send(Fed::Idle).is_err() {
                    return Ok(());
                }
            }
            if done {
                return Ok(());
            }
        }
    }

    /// Takes records until a stride is full, or until it had to wait for one; true when nothing came for a while.
    fn take(&mut self, until: Until, control: &Control, line: &Line) -> Result<bool> {
        let most = match until {
            Until::Toots(n) => n.saturating_sub(self.read).min(STRIDE as u64) as usize,
            _ => STRIDE,
        };
        let (stream, read, told) = (&mut self.stream, &mut self.read, &mut self.idle_told);
        for _ in 0..most {
            if control.stopping() {
                return Ok(true);
            }
            let wait = if stream.pending() > 0 { LULL } else { Duration::from_millis(50) };
            let mut step = |record: Record<'_>, missing| {
                stream.note_missing(missing);
                stream.step(&record);
                *read += 1;
                *told = false;
            };
            if !self.toots.poll(Duration::ZERO, &mut step)? {
                return Ok(!self.toots.poll(wait, step)?);
            }
            if is_full(stream, line) {
                return Ok(false);
            }
        }
        Ok(false)
    }

    fn pending(&self) -> bool {
        self.toots.pending() || self.gaps.as_ref().is_some_and(Source::pending)
    }

    /// Sends the batch under way; false when nobody takes it any more.
    fn flush(&mut self, now: Timestamp, seconds: f64, line: &Line, send: &SyncSender<Fed>) -> bool {
        let stream = &self.stream;
        let mut spans = self.toots.spans(|part| stream.watermark(part).and_then(|mark| mark.latest()));
        if let Some(gaps) = &mut self.gaps {
            spans.extend(gaps.spans(|_| None));
        }
        // One order of locks for all workers.
        spans.sort_by(|a, b| (&a.topic, a.part).cmp(&(&b.topic, b.part)));
        let mut batch = self.stream.finish(spans);
        batch.idle = self.toots.idle(now, self.idle);
        line.waiting.fetch_add(1, Ordering::AcqRel);
        send.send(Fed::Batch(Box::new(batch), seconds)).is_ok()
    }
}

/// True when the batch under way has as many records or bytes as one may have.
fn is_full(stream: &Stream, line: &Line) -> bool {
    stream.pending() >= line.most.load(Ordering::Relaxed) || stream.pending_bytes() >= BYTES
}
