//! Kafka's jars: resolved by name, checked against the project's list of names and digests.

use super::bound::bound;
use super::python;
use super::step::{Step, Work, unwritable};
use crate::config::Config;
use crate::error::Result;
use std::path::{Path, PathBuf};

/// What is fetched, as the list of jars has it too.
pub(crate) const VERSION: &str = "4.4.0";
const ENDPOINT: &str = "org.apache.kafka:kafka_2.13:4.4.0+org.slf4j:slf4j-simple:1.7.36";
const FETCH: &str = "import sys, jgo; jgo.build(sys.argv[1], cache_dir=sys.argv[2])";

/// The folder of the jars.
pub(super) fn folder(tools: &Path) -> PathBuf {
    tools.join("kafka-4.4.0")
}

/// The step that fetches them.
pub(super) struct Jars<'a> {
    pub config: &'a Config,
}

impl Step for Jars<'_> {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn about(&self) -> &'static str {
        "Apache Kafka 4.4.0: 45 jars, 43 MB (about half a minute)"
    }

    fn key(&self) -> String {
        ENDPOINT.into()
    }

    fn is_there(&self, tools: &Path) -> bool {
        crate::services::verify_jars(&folder(tools)).is_ok()
    }

    fn install(&self, tools: &Path, work: &Work) -> Result<()> {
        let cache = tools.join("jgo");
        // The resolver wants a Java to look into the jars with, and would fetch one of its own.
        let java = crate::services::java::find(self.config)?;
        let mut fetch = bound(python::program(tools))?;
        fetch.args(["-c", FETCH, ENDPOINT]).arg(&cache).env("M2_REPO", cache.join("m2")).env("XDG_CACHE_HOME", &cache);
        if let (true, Some(bin)) = (java.is_absolute(), java.parent()) {
            fetch.env("PATH", crate::config::path_with(bin)).envs(bin.parent().map(|home| ("JAVA_HOME", home)));
        }
        work.run("fetch the jars of Apache Kafka 4.4.0", &mut fetch)?;
        let fresh = tools.join("kafka-4.4.0.new");
        let io = |e: std::io::Error| unwritable(&fresh, &e);
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh).map_err(io)?;
        }
        std::fs::create_dir_all(&fresh).map_err(io)?;
        copy_jars(&cache.join("envs"), &fresh, 8).map_err(io)?;
        crate::services::verify_jars(&fresh)?;
        let place = folder(tools);
        if place.exists() {
            std::fs::remove_dir_all(&place).map_err(io)?;
        }
        std::fs::rename(&fresh, &place).map_err(io)?;
        // The resolver's cache holds a second copy of every jar.
        let _ = std::fs::remove_dir_all(&cache);
        Ok(())
    }
}

/// Copies every jar below `from`, at most `depth` folders deep, flat into `to`.
fn copy_jars(from: &Path, to: &Path, depth: usize) -> std::io::Result<()> {
    for entry in std::fs::read_dir(from)? {
        let path = entry?.path();
        if path.is_dir() && depth > 0 {
            copy_jars(&path, to, depth - 1)?;
        } else if path.extension().is_some_and(|e| e == "jar")
            && let Some(name) = path.file_name()
        {
            std::fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
