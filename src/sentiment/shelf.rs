//! What lies on disk: the labelled files, and the trained model with its version, date and measures.

use super::bytes::sha256;
use super::dataset::{self, Labelled};
use super::evaluate::Evaluation;
use super::model::Model;
use crate::config::{Config, write_private};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::{Path, PathBuf};

/// A labelled file larger than this does not fit the memory that partie4 promises.
const LARGEST_FILE: u64 = 2 << 30;

/// Where the labelled texts come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file of the user's own, in the form of Sentiment140.
    Own(PathBuf),
    /// The licensed default set: 4,200 tweets rated by 20 people each (Hutto & Gilbert, 2014).
    Rated(PathBuf),
}

impl Source {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Own(path) | Self::Rated(path) => path,
        }
    }
}

/// The file that holds the rated tweets once the set-up has fetched them.
pub fn rated_file(config: &Config) -> PathBuf {
    config.tools.join("training").join("tweets_GroundTruth.txt")
}

/// The file that users bring.
pub fn own_file(config: &Config) -> PathBuf {
    config.home.join("data").join("tweets_dataset.csv")
}

/// The labelled file to use: the one that `SPAR_TRAINING_FILE` names, else `data/tweets_dataset.csv`, else the
/// default set.
///
/// # Errors
///
/// Fails if the named file is not there, or if there is none at all, and says which are expected and where.
pub fn source(config: &Config) -> Result<Source> {
    if let Some(named) = &config.training_file {
        let step = "correct SPAR_TRAINING_FILE, or leave it out to use the default set";
        return usable(named, step).map(|()| Source::Own(named.clone()));
    }
    let (own, rated) = (own_file(config), rated_file(config));
    // Also a link that leads nowhere: who made it means that file and no other.
    if own.symlink_metadata().is_ok() {
        return usable(&own, "put the file itself there, or remove it to use the default set")
            .map(|()| Source::Own(own.clone()));
    }
    if rated.is_file() {
        return Ok(Source::Rated(rated));
    }
    Err(Error::cannot("load the training data", format!("neither {} nor {} is there", own.display(), rated.display()))
        .next(
            "run the set-up again, which fetches the default set, or put Sentiment140 \
             (1,600,000 rows: target, ids, date, flag, user, text) at the first place",
        )
        .invalid())
}

/// Says why a path is no file that can be read.
fn usable(path: &Path, step: &str) -> Result<()> {
    let cannot = |cause: String| {
        Error::cannot(format!("load the training data {}", path.display()), cause).next(step.to_owned()).invalid()
    };
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(found) if found.is_dir() => Err(cannot("it is a folder".into())),
        Ok(_) => Err(cannot("it is no ordinary file".into())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && path.symlink_metadata().is_ok() => {
            Err(cannot("it is a link to a file that is not there".into()))
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(cannot("there is no such file".into())),
        Err(e) => Err(cannot(e.to_string())),
    }
}

/// Reads a labelled file; gives its SHA-256 too.
pub(super) fn read(path: &Path) -> Result<(Labelled, String)> {
    let action = format!("read {}", path.display());
    let cannot = |e: std::io::Error| {
        Error::cannot(&action, e).next("check that the file is there and that you may read it").invalid()
    };
    let mut file = std::fs::File::open(path).map_err(cannot)?;
    let before = file.metadata().map_err(cannot)?;
    if before.len() > LARGEST_FILE {
        return Err(Error::cannot(action, format!("it has {} bytes, more than {LARGEST_FILE}", before.len()))
            .next("keep a random sample of its rows")
            .invalid());
    }
    let mut bytes = Vec::with_capacity(before.len() as usize);
    // A file that grows under our hands must not fill the memory.
    file.by_ref().take(before.len() + 1).read_to_end(&mut bytes).map_err(cannot)?;
    let after = file.metadata().map_err(cannot)?;
    if bytes.len() as u64 != after.len() || before.modified().ok() != after.modified().ok() {
        return Err(Error::cannot(action, "it changed while it was read")
            .next("wait until it is written, then run the cell again")
            .transient());
    }
    let digest = sha256(&bytes);
    Ok((dataset::read_labelled(bytes, &path.display().to_string())?, digest))
}

/// What is known about a saved model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Tells models apart: it follows from the data, the settings and the code's own versions.
    pub version: String,
    /// When it was trained, UTC.
    pub trained_at: String,
    /// On what.
    pub trained_on: String,
    /// On how many rows.
    pub rows: usize,
    /// How good it is on rows it never saw.
    pub evaluations: Vec<Evaluation>,
}

/// Where the trained model lies.
pub fn model_file(config: &Config) -> PathBuf {
    config.state.join("model").join("sentiment.model")
}

/// Saves a model, whole or not at all.
pub(super) fn save(config: &Config, card: &Card, model: &Model) -> Result<()> {
    let mut bytes = serde_json::to_vec(card).map_err(|e| Error::cannot("write the model's card", e))?;
    bytes.push(b'\n');
    bytes.extend_from_slice(&model.to_bytes());
    write_private(&model_file(config), &bytes)
}

/// The saved model; `None` when there is none.
///
/// # Errors
///
/// Fails if the file cannot be read or is damaged.
pub fn saved(config: &Config) -> Result<Option<(Card, Model)>> {
    let file = model_file(config);
    let bytes = match std::fs::read(&file) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::cannot(format!("read {}", file.display()), e)),
    };
    let damaged = |cause: &dyn std::fmt::Display| {
        Error::cannot(format!("understand {}", file.display()), cause)
            .next("remove it; partie4 trains a new one")
            .invalid()
    };
    let end = bytes.iter().position(|b| *b == b'\n').ok_or_else(|| damaged(&"it has no first line"))?;
    let card = serde_json::from_slice(&bytes[..end]).map_err(|e| damaged(&e))?;
    Ok(Some((card, Model::from_bytes(&bytes[end + 1..])?)))
}
