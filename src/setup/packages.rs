//! The sources of every locked package, also of other platforms: the kernel works offline, and cargo's resolver then
//! wants them all at hand.

use super::bound::bound;
use super::step::{Step, Work};
use crate::config::Config;
use crate::error::Result;
use sha2::{Digest, Sha256};
use std::path::Path;

/// The step that fetches them.
pub(super) struct Packages<'a> {
    pub config: &'a Config,
}

impl Step for Packages<'_> {
    fn name(&self) -> &'static str {
        "packages"
    }

    fn about(&self) -> &'static str {
        "Sources of the Rust packages that the kernel's resolver reads (about half a minute)"
    }

    fn key(&self) -> String {
        // Without its lock file the project does not build, so this program would not run.
        let lock = std::fs::read(self.config.home.join("Cargo.lock")).unwrap_or_default();
        Sha256::digest(lock).iter().map(|b| format!("{b:02x}")).collect()
    }

    fn is_there(&self, _tools: &Path) -> bool {
        true
    }

    fn install(&self, _tools: &Path, work: &Work) -> Result<()> {
        work.run(
            "fetch the Rust packages of Cargo.lock",
            bound("cargo")?.args(["fetch", "--locked"]).current_dir(&self.config.home),
        )
    }
}
