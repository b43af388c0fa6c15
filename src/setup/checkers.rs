//! Checkers of files that no compiler reads (Dockerfile, shell scripts, the compose file), which only the tests use.

use super::python::{fill, unfinished};
use super::step::{Step, Work};
use crate::error::Result;
use std::path::{Path, PathBuf};

const PACKAGES: &str = include_str!("requirements-checkers.txt");

/// The programs that the tests run.
const PROGRAMS: [&str; 3] = ["hadolint", "shellcheck", "check-jsonschema"];

fn folder(tools: &Path) -> PathBuf {
    tools.join("checkers")
}

/// The folder of the programs.
pub(super) fn programs(tools: &Path) -> PathBuf {
    folder(tools).join("bin")
}

/// The step that installs them.
pub(super) struct Checkers;

impl Step for Checkers {
    fn name(&self) -> &'static str {
        "checkers"
    }

    fn about(&self) -> &'static str {
        "Checkers for the tests: hadolint, ShellCheck, the compose schema (a few seconds)"
    }

    fn key(&self) -> String {
        PACKAGES.into()
    }

    fn is_there(&self, tools: &Path) -> bool {
        PROGRAMS.iter().all(|program| programs(tools).join(program).exists()) && !unfinished(&folder(tools)).exists()
    }

    fn install(&self, tools: &Path, work: &Work) -> Result<()> {
        fill(&folder(tools), PACKAGES, "the checkers of the tests (hadolint, ShellCheck)", work)
    }
}
