//! Where the local server's own complaints go: its stderr, which is its log file.

use crate::timestamp::Timestamp;
use log::{LevelFilter, Log, Metadata, Record};

struct Stderr;

impl Log for Stderr {
    /// This crate's own: other crates log what was on the wire.
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        about.target().starts_with("spar")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            eprintln!("{} {} {}", Timestamp::now(), record.level(), record.args());
        }
    }

    fn flush(&self) {}
}

/// Without this nobody hears them. A program that has a logger keeps it.
pub(super) fn to_stderr() {
    if log::set_logger(&Stderr).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}
