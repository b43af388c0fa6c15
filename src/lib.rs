//! Public toots from Mastodon through Kafka and event-time windows into PostgreSQL, exactly once; their history
//! analysed, their sentiment learnt and scored, and the results drawn. The notebooks tell the story; this crate
//! holds everything that is not the lesson.
//!
//! # Layout, in reading order
//!
//! * [`config`], [`error`], [`timestamp`]: settings, failures, event time
//! * [`services`], [`preflight`]: the embedded Kafka, PostgreSQL and Mastodon; is everything there?
//! * [`display`], [`job`]: values that show themselves, work that goes on
//! * [`postgres`]: the tables
//! * [`batch`], [`charts`], [`plots`]: questions about the history, and pictures of it
//! * [`stream`]: records, clean text, windows, watermarks and averages, pure
//! * [`kafka`], [`postgres`], [`pipeline`]: the edges, and the run that joins them
//! * [`sentiment`]: labelled texts → tokens → numbers → a model → scored toots
//! * [`toot`]: from a status to the message that travels
//! * [`mastodon`], [`kafka`], [`ingest`]: the stream, the topic, and what lies between
//! * [`local`]: the local Mastodon: generated toots behind the same API, and what should become of them

pub mod config;
pub mod error;
pub mod timestamp;

pub mod display;
pub mod job;

pub(crate) mod kafka;
pub mod stream;

pub mod kafka;
pub mod pipeline;
pub mod toot;

pub mod mastodon;

pub mod kafka;

pub mod ingest;

pub mod local;
pub mod postgres;

pub mod preflight;
pub mod services;
pub mod batch;
pub mod charts;
pub mod plots;
pub mod sentiment;

mod runtime;

pub use batch::{History, Question, Scope};
pub use charts::Charts;
pub use config::Config;
pub use display::{Figure, Report, Table};
pub use error::{Error, Result};
pub use ingest::{Ingest, Journal};
pub use job::{Job, Until};
pub use pipeline::Pipeline;
pub use postgres::Store;
pub use kafka::Producer;
pub use mastodon::Mastodon;
pub use timestamp::Timestamp;

/// What a notebook's opening cell brings in.
pub mod prelude {
    pub use crate::preflight;
    pub use crate::postgres::scoring::Scoring;
    pub use crate::sentiment;
    pub use crate::{Config, Error, Job, Report, Result, Table, Timestamp, Until};
    pub use crate::postgres::Store;
    pub use crate::{
        Charts, Config, Error, Figure, History, Job, Question, Report, Result, Scope, Table, Timestamp, Until,
    };
    pub use crate::{batch, plots};
    pub use crate::stream::clean;
    pub use crate::{Config, Error, Job, Pipeline, Report, Result, Store, Table, Timestamp, Until};
    pub use crate::mastodon::oauth;
    pub use crate::toot::{Keywords, html_to_text};
    pub use crate::{Config, Error, Ingest, Job, Journal, Mastodon, Producer, Report, Result, Table, Timestamp, Until};
    pub use crate::{kafka, mastodon, toot};
    #[cfg(not(spar_types))]
    pub use polars::prelude::*;
}
