//! The default training set: 4,200 tweets rated by twenty people each (Hutto & Gilbert, ICWSM 2014; MIT licence).

use super::bound::bound;
use super::python;
use super::step::{Step, Work, unwritable};
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

const PACKAGE: &str = "vaderSentiment==3.3.2";
const SDIST: &str = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9";
const INNER: &str = "additional_resources/hutto_ICWSM_2014.tar.gz";
const TWEETS: &str = "tweets_GroundTruth.txt";
const TWEETS_DIGEST: &str = "dfbe7102e2f92579ed8b19df9a3822491880697c67adf712fb66e520cc05102f";
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
        std::fs::read(file(tools)).is_ok_and(|bytes| digest(&bytes) == TWEETS_DIGEST)
    }

    fn install(&self, tools: &Path, work: &Work) -> Result<()> {
        let folder = tools.join("training");
        let io = |e: std::io::Error| unwritable(&folder, &e);
        std::fs::create_dir_all(&folder).map_err(io)?;
        // What an interrupted download left is no download.
        for left in archives(&folder).map_err(io)? {
            std::fs::remove_file(left).map_err(io)?;
        }
        // pip reads an archive's own programs; with the digest it looks at that first.
        let list = folder.join("requirements.txt");
        std::fs::write(&list, format!("{PACKAGE} --hash=sha256:{SDIST}\n")).map_err(io)?;
        work.run(
            "fetch the default training set (vaderSentiment 3.3.2)",
            bound(python::program(tools))?
                .args(["-m", "pip", "download", "--no-deps", "--no-binary", "vaderSentiment"])
                .args(["--disable-pip-version-check", "--no-input", "--dest"])
                .arg(&folder)
                .arg("-r")
                .arg(&list),
        )?;
        let sdist = archives(&folder)
            .map_err(io)?
            .pop()
            .ok_or_else(|| Error::cannot("find the training set's archive", "the download left no .tar.gz"))?;
        let bytes = std::fs::read(&sdist).map_err(io)?;
        let found = digest(&bytes);
        if found != SDIST {
            return Err(Error::cannot(
                format!("use {}", sdist.display()),
                format!("its sha256 is {found}, not the {SDIST} that this project knows"),
            )
            .next("run the same command again; if it stays so, do not use it"));
        }
        let inner = unpack(&bytes, INNER)?;
        let tweets = unpack(&inner, TWEETS)?;
        let fresh = folder.join("new");
        std::fs::write(&fresh, tweets).and_then(|()| std::fs::rename(&fresh, file(tools))).map_err(io)?;
        std::fs::remove_file(&sdist).map_err(io)
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// The `.tar.gz` files of a folder.
fn archives(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let files = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    Ok(files.filter(|path| path.extension().is_some_and(|ending| ending == "gz")).collect())
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
