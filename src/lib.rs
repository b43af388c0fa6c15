//! Public toots from Mastodon through Kafka and event-time windows into PostgreSQL, exactly once; their history
//! analysed, their sentiment learnt and scored, and the results drawn. The notebooks tell the story; this crate
//! holds everything that is not the lesson.
//!
//! ```text
//! Mastodon ──▶ ingest ──▶ Kafka ──▶ pipeline ──▶ PostgreSQL ──▶ batch, sentiment ──▶ charts
//! ```
//!
//! Public calls block, and each one ends or gives a [`Job`]; results are the crate's own types ([`Table`], [`Figure`],
//! [`Report`]), which show themselves in a notebook. Whatever can fail gives an [`Error`] that names what was tried, on
//! what, why it failed and the next step. A [`Config`] is handed in; nothing else knows the environment. The invariants,
//! and the tests that keep them, are in `ARCHITECTURE.md`; what the project must do, in `docs/contract.md`.
//!
//! Where to begin: [`toot::Message`] is what travels, [`stream::Stream`] what becomes of it, [`Pipeline`] the loop around
//! both; the tables are in `src/postgres/schema.sql`.
//!
//! # Layout, in reading order
//!
//! * [`config`], [`error`], [`timestamp`]: settings, failures, event time
//! * [`display`], [`job`]: values that show themselves, work that goes on
//! * [`toot`]: from a status to the message that travels
//! * [`mastodon`], [`kafka`], [`ingest`]: the public stream, the topic, and what lies between
//! * [`stream`]: records, clean text, windows, watermarks and averages
//! * [`postgres`], [`pipeline`]: the tables, and the run from topic to tables
//! * [`batch`]: questions about the history
//! * [`sentiment`]: labelled texts → tokens → numbers → a model → scored toots
//! * [`charts`], [`plots`]: what is drawn, and how
//! * [`local`]: the local Mastodon: generated toots behind the same API, and what should become of them
//! * [`services`], [`preflight`], [`setup`], [`runner`]: the project on a machine

pub mod config;
pub mod error;
pub mod timestamp;

pub mod display;
pub mod job;

pub mod toot;

pub mod ingest;
pub mod kafka;
pub mod mastodon;

pub mod stream;

pub mod pipeline;
pub mod postgres;

pub mod batch;
pub mod sentiment;

pub mod charts;
pub mod plots;

pub mod local;

pub mod preflight;
pub mod runner;
pub mod services;
pub mod setup;

mod runtime;
mod settings;

pub use batch::{History, Question, Scope};
pub use charts::Charts;
pub use config::Config;
pub use display::{Figure, Gallery, Report, Table};
pub use error::{Error, Result};
pub use ingest::{Ingest, Journal};
pub use job::{Job, JobStatus, Until};
pub use kafka::Producer;
pub use mastodon::Mastodon;
pub use pipeline::Pipeline;
pub use postgres::Store;
pub use postgres::scoring::Scoring;
pub use timestamp::Timestamp;

/// What a notebook's opening cell brings in.
pub mod prelude {
    pub use crate::mastodon::oauth;
    pub use crate::stream::clean;
    pub use crate::toot::{Keywords, html_to_text};
    pub use crate::{
        Charts, Config, Error, Figure, Gallery, History, Ingest, Job, JobStatus, Journal, Mastodon, Pipeline, Producer,
        Question, Report, Result, Scope, Scoring, Store, Table, Timestamp, Until,
    };
    pub use crate::{batch, kafka, mastodon, plots, preflight, sentiment, toot};
    #[cfg(not(spar_types))]
    pub use polars::prelude::*;
}
