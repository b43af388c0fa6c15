//! Clients that nobody here wrote, which only the tests use: in an environment of their own, so that what they need
//! never changes what the notebooks run on.

use super::python::{fill, has, unfinished};
use super::step::{Step, Work};
use crate::error::Result;
use std::path::{Path, PathBuf};

const PACKAGES: &str = include_str!("requirements-clients.txt");

fn folder(tools: &Path) -> PathBuf {
    tools.join("clients")
}

/// Their Python.
pub(super) fn program(tools: &Path) -> PathBuf {
    folder(tools).join("bin/python")
}

/// The step that installs them.
pub(super) struct Clients;

impl Step for Clients {
    fn name(&self) -> &'static str {
        "clients"
    }

    fn about(&self) -> &'static str {
        "Clients for the tests: Mastodon.py, confluent-kafka (a few seconds)"
    }

    fn key(&self) -> String {
        PACKAGES.into()
    }

    fn is_there(&self, tools: &Path) -> bool {
        ["mastodon", "confluent_kafka"].iter().all(|module| has(&program(tools), module))
            && !unfinished(&folder(tools)).exists()
    }

    fn install(&self, tools: &Path, work: &Work) -> Result<()> {
        fill(&folder(tools), PACKAGES, "the clients of the tests (Mastodon.py, confluent-kafka)", work)
    }
}
