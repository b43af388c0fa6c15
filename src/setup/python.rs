//! The project's own Python environment: Jupyter, the PostgreSQL server, and Java where the machine has none.

use super::step::{Step, Work};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PACKAGES: &str = include_str!("requirements.txt");
const JAVA_PACKAGES: &str = include_str!("requirements-java.txt");
/// The environment's Python.
pub(super) fn program(tools: &Path) -> PathBuf {
    tools.join("venv/bin/python")
}

/// The step that builds the environment.
pub(super) struct Environment {
    /// The machine has no Java that Kafka runs on.
    pub with_java: bool,
}

impl Environment {
    fn packages(&self) -> String {
        if self.with_java { format!("{PACKAGES}{JAVA_PACKAGES}") } else { PACKAGES.to_owned() }
    }
}

impl Step for Environment {
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
        has(&program(tools), "jupyterlab")
    }

    fn install(&self, tools: &Path, work: &Work) -> Result<()> {
        fill(&tools.join("venv"), &self.packages(), work)
    }
}

/// Installs `packages` into the environment `folder`, which is made when it is not there.
pub(super) fn fill(folder: &Path, packages: &str, work: &Work) -> Result<()> {
    let list = folder.with_extension("txt");
    std::fs::write(&list, packages).map_err(|e| Error::cannot(format!("write {}", list.display()), e))?;
    let program = folder.join("bin/python");
    // An environment of another Python or a half-made one is replaced; a good one is only completed.
    if !has(&program, "pip") {
        work.run(
            "create the Python environment",
            Command::new(crate::config::python()).args(["-m", "venv", "--clear"]).arg(folder),
        )?;
    }
    work.run(
        "install the Python packages",
        Command::new(program)
            .args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r"])
            .arg(&list),
    )
}

/// True when the Python `program` runs and finds `module`. It does not in an environment whose making was interrupted,
/// or whose Python the machine has replaced by another version.
pub(super) fn has(program: &Path, module: &str) -> bool {
    const FIND: &str = "import sys, importlib.util as u; sys.exit(u.find_spec(sys.argv[1]) is None)";
    Command::new(program)
        .args(["-c", FIND, module])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
