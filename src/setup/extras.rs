//! Python packages that only the tests use, each set in an environment of its own: what they need never changes what
//! the notebooks run on.

use super::python::{fill, has, unfinished};
use super::step::{Step, Work};
use crate::error::Result;
use std::path::{Path, PathBuf};

/// A set of packages; it is a step of the set-up.
pub(super) struct Extra {
    name: &'static str,
    about: &'static str,
    /// What the failure of a fetch calls it.
    what: &'static str,
    packages: &'static str,
    /// Modules that its Python must find.
    modules: &'static [&'static str],
    /// Programs that it must hold.
    programs: &'static [&'static str],
}

/// Clients that nobody here wrote.
pub(super) const CLIENTS: Extra = Extra {
    name: "clients",
    about: "Clients for the tests: Mastodon.py, confluent-kafka (a few seconds)",
    what: "the clients of the tests (Mastodon.py, confluent-kafka)",
    packages: include_str!("requirements-clients.txt"),
    modules: &["mastodon", "confluent_kafka"],
    programs: &[],
};

/// Checkers of files that no compiler reads: Dockerfile, shell scripts, the compose file.
pub(super) const CHECKERS: Extra = Extra {
    name: "checkers",
    about: "Checkers for the tests: hadolint, ShellCheck, the compose schema (a few seconds)",
    what: "the checkers of the tests (hadolint, ShellCheck)",
    packages: include_str!("requirements-checkers.txt"),
    modules: &[],
    programs: &["hadolint", "shellcheck", "check-jsonschema"],
};

/// What drives the machine's browser.
pub(super) const BROWSER: Extra = Extra {
    name: "browser",
    about: "Playwright for the browser test (a few seconds)",
    what: "the browser test's Playwright",
    packages: include_str!("requirements-browser.txt"),
    modules: &["playwright"],
    programs: &[],
};

impl Extra {
    fn folder(&self, tools: &Path) -> PathBuf {
        tools.join(self.name)
    }

    /// The folder of its programs.
    pub(super) fn programs(&self, tools: &Path) -> PathBuf {
        self.folder(tools).join("bin")
    }

    /// Its Python.
    pub(super) fn python(&self, tools: &Path) -> PathBuf {
        self.programs(tools).join("python")
    }
}

impl Step for Extra {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn key(&self) -> String {
        self.packages.into()
    }

    fn is_there(&self, tools: &Path) -> bool {
        !unfinished(&self.folder(tools)).exists()
            && self.modules.iter().all(|module| has(&self.python(tools), module))
            && self.programs.iter().all(|program| self.programs(tools).join(program).exists())
    }

    fn install(&self, tools: &Path, work: &Work) -> Result<()> {
        fill(&self.folder(tools), self.packages, self.what, work)
    }
}
