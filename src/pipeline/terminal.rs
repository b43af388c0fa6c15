//! A worker as a program: it logs to stderr, and ends when it is asked to.

use super::{Pipeline, StreamReport, Watch};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::job::Control;
use crate::postgres::Store;
use crate::timestamp::Timestamp;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How often a worker tells how it goes, while it has something to do.
const EVERY: Duration = Duration::from_secs(10);

/// Makes the tables where they are missing, then works in the group of the topic until SIGTERM or Ctrl-C; what is
/// under way is committed then. With `accept_gap` it goes on where retention removed records; see
/// [`Pipeline::accept_gap`].
///
/// # Errors
///
/// Fails as [`Pipeline::work`] does, or if the tables cannot be made.
pub fn worker(config: &Config, accept_gap: bool) -> Result<()> {
    let control = Control::quiet();
    let asked = control.clone();
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(|e| Error::cannot("listen to signals", e))?;
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if asked.stopping() {
                // Asked twice: at once, as the signal does by itself.
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
            asked.stop();
        }
    });
    Store::join(config)?;
    let mut log = Log { last: Instant::now(), told: 0 };
    let mut pipeline = Pipeline::quiet(config)?;
    pipeline.accept_gap(accept_gap);
    if let Some(windows) = pipeline.left_aside() {
        log.line(format_args!(
            "SPAR_WINDOWS={windows} is left aside: the tables have {}; partie2 changes them, and the workers follow",
            pipeline.rules.kinds
        ));
    }
    while !pipeline.has_source()? && !control.stopping() {
        if log.last.elapsed() >= EVERY {
            log.line(format_args!("waiting for a first message in {}", config.topic));
            log.last = Instant::now();
        }
        control.pause(Duration::from_secs(1));
    }
    log.line(format_args!("waiting for partitions of {}", config.topic));
    let report = pipeline.work(&control, &mut log)?;
    log.line(format_args!("ended: {} records in {} batches", report.books.read, report.batches));
    Ok(())
}

/// Lines on stderr, each with its time.
struct Log {
    last: Instant,
    told: u64,
}

impl Log {
    fn line(&self, text: std::fmt::Arguments<'_>) {
        eprintln!("{} {text}", Timestamp::now());
    }
}

impl Watch for Log {
    fn batch(&mut self, report: &StreamReport) {
        let elapsed = self.last.elapsed();
        if elapsed >= EVERY {
            let books = &report.books;
            let rate = (books.read - self.told) as f64 / elapsed.as_secs_f64();
            self.line(format_args!(
                "{} records, {rate:.0}/s; late {}, dead letters {}, retries {}",
                books.read, books.late, books.dead, report.retries
            ));
            (self.last, self.told) = (Instant::now(), books.read);
        }
    }

    fn shared(&mut self, partitions: &BTreeSet<(String, i32)>) {
        let mut topics: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (topic, part) in partitions {
            topics.entry(topic).or_default().push(part.to_string());
        }
        let list: Vec<String> = topics.iter().map(|(topic, parts)| format!("{topic} {}", parts.join(","))).collect();
        self.line(format_args!("partitions: {}", list.join("; ")));
    }

    fn away(&mut self, error: &Error, pause: Duration) {
        self.line(format_args!("{error}; again in {} s", pause.as_secs()));
    }
}
