//! Public toots from Mastodon through Kafka and event-time windows into PostgreSQL, exactly once; their history
//! analysed, their sentiment learnt and scored, and the results drawn. The notebooks tell the story; this crate
//! holds everything that is not the lesson.
//!
//! # Layout, in reading order
//!
//! * [`config`], [`error`], [`timestamp`]: settings, failures, event time
//! * [`local`]: the local Mastodon: generated toots behind the same API, and what should become of them

pub mod config;
pub mod error;
pub mod timestamp;

pub mod display;
pub mod job;

pub mod local;
pub mod postgres;

mod runtime;

pub use config::Config;
pub use display::{Report, Table};
pub use error::{Error, Result};
pub use job::{Job, Until};
pub use timestamp::Timestamp;

/// What a notebook's opening cell brings in.
pub mod prelude {
    pub use crate::{Config, Error, Job, Report, Result, Table, Timestamp, Until};
    #[cfg(not(spar_types))]
    pub use polars::prelude::*;
}
