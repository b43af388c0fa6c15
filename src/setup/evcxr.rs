//! The Rust kernel of Jupyter, built into a folder of the project.

use super::bound::bound;
use super::step::{Step, Work};
use crate::error::Result;
use std::path::{Path, PathBuf};

/// What is built.
pub(crate) const VERSION: &str = "0.22.0";

fn root(tools: &Path) -> PathBuf {
    tools.join(format!("evcxr-{VERSION}"))
}

/// The kernel's program.
pub(super) fn program(tools: &Path) -> PathBuf {
    root(tools).join("bin/evcxr_jupyter")
}

/// The step that builds it.
pub(super) struct Evcxr;

impl Step for Evcxr {
    fn name(&self) -> &'static str {
        "evcxr"
    }

    fn about(&self) -> &'static str {
        "Rust kernel for Jupyter: evcxr_jupyter 0.22.0, compiled (about 6 minutes on 2 cores)"
    }

    fn key(&self) -> String {
        VERSION.into()
    }

    fn is_there(&self, tools: &Path) -> bool {
        program(tools).exists()
    }

    fn install(&self, tools: &Path, work: &Work) -> Result<()> {
        let scratch = crate::config::target().unwrap_or_else(|| tools.to_owned()).join("evcxr-build");
        work.run(
            "fetch and build evcxr_jupyter 0.22.0, the Rust kernel",
            bound("cargo")?
                .args(["install", "--locked", "--force", &format!("evcxr_jupyter@{VERSION}"), "--root"])
                .arg(root(tools))
                // Kept when interrupted, so that the next try goes on; removed when done.
                .env("CARGO_TARGET_DIR", &scratch)
                .env_remove("RUSTFLAGS"),
        )?;
        // What is left there is only space.
        let _ = std::fs::remove_dir_all(&scratch);
        Ok(())
    }
}
