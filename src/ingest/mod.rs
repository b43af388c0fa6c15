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
use crate::timestamp::Timestamp;
use crate::toot::{Change, Keywords, Message, Status, Verdict, judge};
use end::End;
use polars::prelude::df;
use run::Run;

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
    /// Fails if the system gives no thread.
    pub fn start(&self) -> Result<Job> {
        let this = self.clone();
        Job::start("partie1", move |control| {
            let report = this.listen(Until::Stopped, control)?;
            Ok(Report::new(report.to_string()))
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
