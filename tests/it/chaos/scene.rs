//! A topic, a database and the log of what was sent.

use super::ledgers::{Sent, Verdict};
use crate::desk::Desk;
use crate::messages::{Draft, gone, message};
use crate::support::eventually;
use crate::worker::Worker;
use spar::Timestamp;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

/// How long anything may take that a test waits for.
pub const LIMIT: Duration = Duration::from_secs(120);

pub struct Scene {
    pub desk: Desk,
    pub sent: Sent,
    /// Where workers keep their state and logs.
    folder: tempfile::TempDir,
}

impl Scene {
    pub fn new(partitions: i32) -> Self {
        Self::on(Desk::with_partitions(partitions), partitions)
    }

    pub fn on(desk: Desk, partitions: i32) -> Self {
        Self { desk, sent: Sent::new(partitions == 1), folder: tempfile::tempdir().unwrap() }
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends messages and notes them, in this order.
    pub fn send(&mut self, drafts: &[Draft]) {
        self.desk.send(drafts);
        drafts.iter().for_each(|draft| self.sent.note(draft));
    }

    /// Sends them a few at a time, as a stream does, over about so long.
    pub fn send_over(&mut self, time: Duration, drafts: &[Draft]) {
        const PARTS: usize = 40;
        for some in drafts.chunks(drafts.len().div_ceil(PARTS)) {
            self.send(some);
            std::thread::sleep(time / PARTS as u32);
        }
    }

    pub fn worker(&self, name: &str) -> Worker {
        Worker::start(&self.desk.config, self.folder(), name)
    }

    /// Offsets applied, over all partitions.
    pub fn applied(&self) -> i64 {
        let topic = &self.desk.config.topic;
        let sum = format!("SELECT coalesce(sum(next_offset), 0)::text FROM stream_partition WHERE topic = '{topic}'");
        self.desk.query(&sum)[0].parse().unwrap()
    }

    /// Waits until every record is applied.
    pub fn until_applied(&self) {
        let ends = |info: &spar::kafka::TopicInfo| info.partitions.iter().map(|(_, _, end)| end).sum::<i64>();
        eventually("every record is applied", LIMIT, || {
            spar::kafka::topic_info(&self.desk.config).is_ok_and(|info| ends(&info) == self.applied())
        });
    }

    /// True when each of the partitions belongs to this worker.
    pub fn all_of(&self, worker: &Worker) -> bool {
        let owners = self.desk.query("SELECT coalesce(owner, '') FROM stream_partition");
        !owners.is_empty() && owners.iter().all(|owner| owner.starts_with(&worker.owner()))
    }

    pub fn verdict(&self, seen: impl Into<String>) -> Verdict {
        Verdict::of(&self.desk, &self.sent, seen.into())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        // What the workers of a trial that failed have said.
        for log in std::fs::read_dir(self.folder()).into_iter().flatten().flatten().filter(|_| std::thread::panicking())
        {
            if let Ok(told) = std::fs::read_to_string(log.path()) {
                eprintln!("{}:\n{told}", log.file_name().display());
            }
        }
    }
}

/// The n-th toot, half a minute after the one before.
pub fn toot(n: usize) -> Draft {
    const BEGIN: i64 = 1_728_547_200_000_000;
    let at = Timestamp::from_micros(BEGIN + n as i64 * 30_000_000);
    message(&n.to_string())
        .user(&format!("u{}", n % 50))
        .text(&"w".repeat(n % 9 + 1))
        .tags(&[["AI", "Rust", "ml"][n % 3]])
        .at(&at.to_offset_form())
}

/// Toots, and among them edits, deletes and repetitions of earlier ones, and dates in the future.
pub fn story(toots: Range<usize>) -> Vec<Draft> {
    let first = toots.start;
    let earlier = move |n: usize, by: usize| toot(n.saturating_sub(by).max(first));
    toots
        .flat_map(|n| {
            let mut drafts = vec![toot(n)];
            match n % 50 {
                7 => drafts.push(earlier(n, 30).text("edited").edited("2025-12-01T00:00:00Z")),
                11 => drafts.push(gone(&earlier(n, 20).id(), "delete")),
                13 => drafts.push(toot(n).set("id", (1_000_000_000 + n).to_string()).at("2150-01-01T00:00:00Z")),
                17 => drafts.push(earlier(n, 10)),
                _ => {}
            }
            drafts
        })
        .collect()
}
