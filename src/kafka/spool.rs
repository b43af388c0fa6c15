//! Messages that Kafka did not take: kept in private files of the state folder, sent first by the next ingestion.

use super::producer::Undelivered;
use crate::config::{Config, write_private};
use crate::error::{Error, Result};
use crate::services::is_taken;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// The ending of a file of messages.
const ENDING: &str = "jsonl";

/// The folder of one source's undelivered messages.
#[derive(Debug)]
pub(super) struct Spool {
    folder: PathBuf,
}

/// One message, as a line of a file holds it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    pub topic: String,
    pub key: Option<String>,
    /// Messages are JSON of our own making, so they are text.
    pub payload: String,
}

/// Where the messages wait that the topics of `config`'s source have not taken.
pub(crate) fn undelivered(config: &Config) -> PathBuf {
    config.source_state().join("undelivered")
}

impl Spool {
    pub fn of(config: &Config) -> Self {
        Self { folder: undelivered(config) }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes the messages to a file of their own, whole or not at all, and gives its path.
    pub fn keep(&self, messages: &[Undelivered]) -> Result<PathBuf> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let (at, n) = (Timestamp::now().as_micros(), NEXT.fetch_add(1, Ordering::Relaxed));
        // The names sort by time: what was kept first is sent first.
        let file = self.folder.join(format!("{at:020}-{}-{n}.{ENDING}", std::process::id()));
        let mut text = Vec::new();
        for message in messages {
            let kept = Kept {
                topic: message.topic.clone(),
                key: message.key.clone(),
                payload: String::from_utf8_lossy(&message.payload).into_owned(),
            };
            serde_json::to_writer(&mut text, &kept).map_err(|e| Error::cannot("write a message as JSON", e))?;
            text.push(b'\n');
        }
        write_private(&file, &text)?;
        Ok(file)
    }

    /// The files, oldest first, if nobody else is sending them; the lock lasts as long as the value.
    pub fn open(&self) -> Result<Option<(File, Vec<PathBuf>)>> {
        let cannot = |e: std::io::Error| Error::cannot(format!("read {}", self.folder.display()), e);
        let lock = match File::open(&self.folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            open => open.map_err(cannot)?,
        };
        if !is_taken(lock.try_lock(), &self.folder, "set SPAR_STATE to a folder on a local disk")? {
            return Ok(None);
        }
        // Listed under the lock: whoever had it before has removed what it sent.
        let entries = fs::read_dir(&self.folder).map_err(cannot)?;
        let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == ENDING));
        files.sort();
        Ok((!files.is_empty()).then_some((lock, files)))
    }

    /// Removes a file whose messages Kafka has; it may be gone.
    pub fn remove(file: &Path) -> Result<()> {
        match fs::remove_file(file) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(|e| Error::path(file, &e)),
        }
    }

    /// The messages of a file; none if somebody has removed it.
    pub fn read(file: &Path) -> Result<Vec<Kept>> {
        let action = || format!("read the kept messages of {}", file.display());
        let text = match fs::read_to_string(file) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            read => read.map_err(|e| Error::cannot(action(), e))?,
        };
        let line = |line: &str| {
            serde_json::from_str(line)
                .map_err(|e| Error::cannot(action(), e).next("move the file elsewhere, then run the cell again"))
        };
        text.lines().map(line).collect()
    }
}
