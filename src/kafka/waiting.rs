//! Since when messages have waited for Kafka, kept in the state folder while that is long. Of a listener that is killed
//! then, the ends of the topic tell too little: the partitions whose leader was there went on.

use crate::config::{Config, write_private};
use crate::error::{Error, Result};
use crate::timestamp::Timestamp;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Messages are acknowledged in less; it is also how often the file may be written.
const LONG: Duration = Duration::from_secs(1);

/// The file of one topic.
pub(crate) struct Waiting {
    file: PathBuf,
    /// What it says.
    noted: Option<Timestamp>,
    looked: Instant,
}

impl Waiting {
    /// Reads what an earlier process left.
    pub fn of(config: &Config) -> Self {
        let file = config.source_state().join(format!("waiting-{}", config.topic));
        let noted = std::fs::read_to_string(&file).ok().and_then(|text| text.trim().parse().ok());
        Self { file, noted, looked: Instant::now() }
    }

    /// The sending of the oldest message that an earlier process did not see acknowledged, if it was long ago then.
    pub fn since(&self) -> Option<Timestamp> {
        self.noted
    }

    /// True when it is time to look again.
    pub fn is_due(&self) -> bool {
        self.looked.elapsed() >= LONG
    }

    /// Keeps the moment that the `oldest` of the messages that wait was sent, or forgets it when none does.
    ///
    /// # Errors
    ///
    /// Fails if the state folder cannot be written.
    pub fn note(&mut self, oldest: Option<Timestamp>) -> Result<()> {
        self.looked = Instant::now();
        match oldest {
            None if self.noted.take().is_some() => match std::fs::remove_file(&self.file) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Error::path(&self.file, &e)),
                _ => Ok(()),
            },
            // What an earlier process left goes only once nothing waits: the record of its gap among others.
            Some(at) if at.plus(LONG) <= Timestamp::now() && self.noted.is_none_or(|noted| noted < at) => {
                self.noted = Some(at);
                write_private(&self.file, at.to_string().as_bytes())
            }
            _ => Ok(()),
        }
    }
}
