//! Public toots from Mastodon through Kafka and event-time windows into PostgreSQL, exactly once; their history
//! analysed, their sentiment learnt and scored, and the results drawn. The notebooks tell the story; this crate
//! holds everything that is not the lesson.
//!
//! # Layout, in reading order
//!
//! * [`config`], [`error`], [`timestamp`]: settings, failures, event time
//! * [`toot`]: from a status to the message that travels
//! * [`mastodon`], [`kafka`], [`ingest`]: the stream, the topic, and what lies between

pub mod config;
pub mod error;
pub mod timestamp;

pub mod display;
pub mod job;

pub mod toot;

pub mod mastodon;

pub mod kafka;

pub mod ingest;

pub mod postgres;

mod runtime;

pub use config::Config;
pub use display::{Report, Table};
pub use error::{Error, Result};
pub use ingest::{Ingest, Journal};
pub use job::{Job, Until};
pub use kafka::Producer;
pub use mastodon::Mastodon;
pub use timestamp::Timestamp;

/// What a notebook's opening cell brings in.
pub mod prelude {
    pub use crate::mastodon::oauth;
    pub use crate::toot::{Keywords, html_to_text};
    pub use crate::{Config, Error, Ingest, Job, Journal, Mastodon, Producer, Report, Result, Table, Timestamp, Until};
    pub use crate::{kafka, mastodon, toot};
    #[cfg(not(spar_types))]
    pub use polars::prelude::*;
}
