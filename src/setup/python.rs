//! The project's own Python environment: Jupyter, the PostgreSQL server, and Java where the machine has none.

use super::step::{Step, Work};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

const PACKAGES: &str = include_str!("requirements.txt");
const JAVA_PACKAGES: &str = include_str!("requirements-java.txt");
/// Kafka 4 wants it.
const OLDEST_JAVA: u32 = 17;

/// Which Java runs Kafka.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Java {
    /// The machine's own.
    Machine(PathBuf),
    /// The wheel's, in the project's environment.
    Wheel,
}

/// The environment's Python.
pub(super) fn program(tools: &Path) -> PathBuf {
    tools.join("venv/bin/python")
}

/// The machine's Java when it is new enough, else the wheel's.
pub(super) fn java() -> Java {
    crate::config::java_candidates()
        .into_iter()
        .find(|java| major(java).is_some_and(|v| v >= OLDEST_JAVA))
        .map_or(Java::Wheel, Java::Machine)
}

/// The major version that `java -version` prints, `openjdk version "17.0.15"` or the like.
fn major(java: &Path) -> Option<u32> {
    let said = Command::new(java).arg("-version").output().ok()?;
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    text.split('"').nth(1)?.split(['.', '-', '+']).next()?.parse().ok()
}

/// The step that builds the environment.
pub(super) struct Environment<'a> {
    pub java: &'a Java,
}

impl Environment<'_> {
    fn packages(&self) -> String {
        match self.java {
            Java::Machine(_) => PACKAGES.to_owned(),
            Java::Wheel => format!("{PACKAGES}{JAVA_PACKAGES}"),
        }
    }
}

impl Step for Environment<'_> {
    fn name(&self) -> &'static str {
        "python"
    }

    fn about(&self) -> &'static str {
        "Python environment: JupyterLab, nbconvert, PostgreSQL 18 (about 1 minute)"
    }

    fn key(&self) -> String {
        self.packages()
    }

    fn is_there(&self, tools: &Path) -> bool {
        program(tools).exists()
    }

    fn install(&self, tools: &Path, work: &Work) -> Result<()> {
        let list = tools.join("requirements.txt");
        std::fs::write(&list, self.packages()).map_err(|e| Error::cannot(format!("write {}", list.display()), e))?;
        // An environment of another Python or a half-made one is replaced; a good one is only completed.
        if !program(tools).exists() {
            work.run(
                "create the Python environment",
                Command::new(crate::config::python()).args(["-m", "venv", "--clear"]).arg(tools.join("venv")),
            )?;
        }
        work.run(
            "install the Python packages",
            Command::new(program(tools))
                .args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r"])
                .arg(&list),
        )
    }
}
