//! What a source of toots gives, one thing at a time. `[pure]`

use crate::error::Result;
use crate::timestamp::Timestamp;
use serde::Serialize;
use std::time::Duration;

/// How an event came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// By the live stream.
    Stream,
    /// By a timeline, to fill a gap.
    Backfill,
}

/// One thing that a source gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming {
    /// An event of the stream: its name, and its data as they came.
    Event {
        /// How it came.
        origin: Origin,
        /// `update`, `status.update`, `delete` or another.
        name: String,
        /// A status in JSON, or an id.
        data: String,
    },
    /// Bytes that are no event.
    Unreadable {
        /// The bytes, at most 1 MiB.
        body: Vec<u8>,
        /// Why they cannot be read.
        cause: String,
    },
    /// The stream is open.
    Opened,
    /// The stream is closed, or did not open.
    Lost {
        /// Why.
        cause: String,
        /// How many times in a row it did not open or broke before an event.
        attempt: u32,
        /// How long it waits before it tries again.
        wait: Duration,
        /// How many of the streams that are followed together are still open.
        others: usize,
    },
    /// Nothing was heard from `from` to `to`.
    Gap(Gap),
    /// Nothing new for a moment; the reader may look at the clock.
    Quiet,
}

/// A time in which toots may have been missed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Its key: the source and the gap's beginning.
    pub id: String,
    /// The last moment that was heard.
    #[serde(serialize_with = "offset_form")]
    pub from: Timestamp,
    /// The first moment that is heard again.
    #[serde(serialize_with = "offset_form")]
    pub to: Timestamp,
    /// The newest toot known at `from`, if any.
    pub from_id: Option<String>,
    /// Why.
    pub reason: String,
    /// True once its toots were fetched from the timelines.
    pub filled: bool,
    /// Where it happened: `local`, or the instance's host.
    pub source: String,
}

impl Gap {
    /// A gap of `source`, not filled.
    pub fn new(source: &str, from: Timestamp, to: Timestamp, reason: impl Into<String>) -> Self {
        Self {
            id: format!("{source}-{}", from.as_micros()),
            from,
            to,
            from_id: None,
            reason: reason.into(),
            filled: false,
            source: source.to_owned(),
        }
    }
}

fn offset_form<S: serde::Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&at.to_offset_form())
}
