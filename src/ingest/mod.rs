//! Ingestion on one screen: a status event → text → keywords → consent → message → Kafka.

mod counters;
mod end;
mod health;
mod run;

pub use counters::{IngestReport, Journal};
pub use health::Health;

use crate::config::Config;
use crate::display::{Report, Table};
use crate::error::{Error, Result};
use crate::job::{Control, Job, Until};
use crate::kafka::{Cursor, Producer};
use crate::mastodon::{Gap, Incoming, Mastodon};
use crate::services::{create_private, is_taken};
use crate::timestamp::Timestamp;
use crate::toot::{Change, Keywords, Message, Status, Verdict, judge};
use end::End;
use polars::prelude::df;
use run::Run;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The listener: everything between the stream and the topic.
#[derive(Clone)]
pub struct Ingest {
    config: Config,
    producer: Producer,
    keywords: Keywords,
    mastodon: Option<Mastodon>,
    journal: Journal,
}

impl Ingest {
    /// A listener on `mastodon` that sends by `producer` what matches the keywords of `config`.
    pub fn new(config: &Config, mastodon: &Mastodon, producer: &Producer, journal: Journal) -> Self {
        Self { mastodon: Some(mastodon.clone()), journal, ..Self::without_stream(config, producer) }
    }

    /// A listener without a stream of its own, for [`Ingest::consume`].
    pub fn without_stream(config: &Config, producer: &Producer) -> Self {
        Self {
            keywords: Keywords::new(&config.extra_keywords),
            config: config.clone(),
            producer: producer.clone(),
            mastodon: None,
            journal: Journal::default(),
        }
    }

    /// Which keyword each text holds, if any.
    ///
    /// # Errors
    ///
    /// Fails as polars fails.
    pub fn keywords_in(&self, texts: &[&str]) -> Result<Table> {
        let found: Vec<Option<&str>> = texts.iter().map(|text| self.keywords.found(text, &[])).collect();
        df!("texte" => texts, "mot-clé" => found).map(Table::new).map_err(|e| Error::cannot("show the keywords", e))
    }

    /// The message of one status given in JSON, field by field; nothing is sent.
    ///
    /// # Errors
    ///
    /// Fails if the status cannot be read, or would not be kept.
    pub fn message_of(&self, status: &str) -> Result<Table> {
        let action = "make a message of this status";
        let status: Status = serde_json::from_str(status).map_err(|e| Error::cannot(action, e).invalid())?;
        match judge(&status, &self.keywords) {
            Verdict::Kept { text, tags } => {
                Message::kept(status, text, tags, Change::New, &self.config.source)?.table()
            }
            Verdict::NoKeyword => Err(Error::cannot(action, "it holds no keyword").invalid()),
            Verdict::Refused(reason) => Err(Error::cannot(action, format!("it is left out ({reason:?})")).invalid()),
        }
    }

    /// Listens in this cell until `until`; on the local server [`Until::CaughtUp`] is the end of its slice, on a real
    /// instance the time of `SPAR_LISTEN_SECONDS`. All that was read is acknowledged at the end.
    ///
    /// # Errors
    ///
    /// Fails on a definitive refusal, if the stream or Kafka stays away, or for [`Until::Stopped`].
    pub fn run(&self, until: Until) -> Result<IngestReport> {
        if until == Until::Stopped {
            return Err(Error::cannot("listen without end in a cell", "only a background job may")
                .next("call `ingest.start()?` and keep its value")
                .invalid());
        }
        self.listen(until, &Control::printing())
    }

    /// Listens in the background until the job is stopped.
    ///
    /// # Errors
    ///
    /// As [`Ingest::start_until`].
    pub fn start(&self) -> Result<Job> {
        self.start_until(Until::Stopped)
    }

    /// Listens in the background until `until`, or until the job is stopped. A second start gives the same job.
    ///
    /// # Errors
    ///
    /// Fails if another process has such a job on the same stream and topic, or the system gives no thread; failures
    /// of the listening are told by the job.
    pub fn start_until(&self, until: Until) -> Result<Job> {
        let this = self.clone();
        background(&self.config, move |control| this.listen(until, control))
    }

    /// The same as [`Ingest::start_until`] without anything at hand: the job connects to Mastodon and Kafka itself.
    ///
    /// # Errors
    ///
    /// As [`Ingest::start_until`].
    pub fn in_background(config: &Config, until: Until) -> Result<Job> {
        let own = config.clone();
        background(config, move |control| {
            let (mastodon, producer) = (Mastodon::connect(&own)?, Producer::connect(&own)?);
            Self::new(&own, &mastodon, &producer, Journal::default()).listen(until, control)
        })
    }

    /// Listens to the stream until `until`, or until `control` is told to stop.
    ///
    /// # Errors
    ///
    /// Fails as [`Ingest::run`] does.
    pub fn listen(&self, until: Until, control: &Control) -> Result<IngestReport> {
        let mastodon =
            self.mastodon.as_ref().ok_or_else(|| Error::cannot("listen", "this listener has no stream").invalid())?;
        let cursor = Cursor::read(&self.config)?;
        let end = End::new(&self.config, until)?;
        let stream = mastodon.stream()?;
        let pause = cursor.map(|cursor| Gap {
            from_id: cursor.id,
            ..Gap::new(&self.config.source, cursor.at, Timestamp::now(), "nobody listened")
        });
        Run::new(self, end, control).finish(pause.map(|gap| Ok(Incoming::Gap(gap))).into_iter().chain(stream))
    }

    /// Takes the events of any source to its end, and waits until Kafka has acknowledged what came of them.
    ///
    /// # Errors
    ///
    /// Fails as its source does, or if Kafka stays away.
    pub fn consume(&self, items: impl IntoIterator<Item = Result<Incoming>>) -> Result<IngestReport> {
        Run::new(self, End::of_items(), &Control::quiet()).finish(items.into_iter())
    }
}

/// Starts the job that listens for `config`, or finds it. One process listens in the background: two would send
/// everything twice.
fn background(config: &Config, listen: impl FnOnce(&Control) -> Result<IngestReport> + Send + 'static) -> Result<Job> {
    let place = [config.mastodon_url.as_deref(), config.kafka.as_deref(), Some(&config.topic)];
    let place = place.map(Option::unwrap_or_default).join(" ");
    Job::start_or_attach("partie1", place.clone(), || {
        let held = alone(config, &place)?;
        Ok(move |control: &Control| {
            let report = listen(control);
            drop(held);
            report.map(|report| Report::new(report.to_string()))
        })
    })
}

/// The lock of who listens in the background; it goes with its process, however that ends.
fn alone(config: &Config, place: &str) -> Result<File> {
    let mut hash = DefaultHasher::new();
    place.hash(&mut hash);
    let file = config.source_state().join(format!("listening-{:016x}.lock", hash.finish()));
    create_private(&config.source_state())?;
    let lock = File::options().create(true).truncate(false).write(true).open(&file);
    let lock = lock.map_err(|e| Error::path(&file, &e))?;
    if is_taken(lock.try_lock(), &file, "set SPAR_STATE to a folder on a local disk")? {
        return Ok(lock);
    }
    let what = format!("listen to {} in the background", config.source);
    Err(Error::cannot(what, "another program already does, for the same topic")
        .next("stop its job, or shut down the kernel of the other notebook, then run this cell again")
        .refused())
}
