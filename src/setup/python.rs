//! The project's own Python environment: Jupyter, the PostgreSQL server, and Java where the machine has none.

use super::bound::bound;
use super::step::{Step, Work, unwritable};
use crate::error::Result;
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
        has(&program(tools), "jupyterlab") && !unfinished(&tools.join("venv")).exists()
    }

    fn install(&self, tools: &Path, work: &Work) -> Result<()> {
        fill(&tools.join("venv"), &self.packages(), "the Python packages (JupyterLab, nbconvert, PostgreSQL)", work)
    }
}

/// Installs `packages`, called `what`, into the environment `folder`, which is made when it is not there.
pub(super) fn fill(folder: &Path, packages: &str, what: &str, work: &Work) -> Result<()> {
    let write = |file: &Path, text: &str| std::fs::write(file, text).map_err(|e| unwritable(file, &e));
    let list = folder.with_extension("txt");
    write(&list, packages)?;
    let program = folder.join("bin/python");
    // An environment of another Python or a half-made one is replaced; a good one is only completed.
    let mark = unfinished(folder);
    if mark.exists() || !has(&program, "pip") {
        work.run(
            "create the Python environment",
            bound(crate::config::python())?.args(["-m", "venv", "--clear"]).arg(folder),
        )?;
    }
    // An installer that is killed may leave packages that look whole.
    write(&mark, "")?;
    work.run(
        &format!("fetch and install {what}"),
        bound(&program)?.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r"]).arg(&list),
    )?;
    std::fs::remove_file(&mark).map_err(|e| unwritable(&mark, &e))
}

/// The mark of an environment whose packages are being installed.
pub(super) fn unfinished(folder: &Path) -> PathBuf {
    folder.join("unfinished")
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
