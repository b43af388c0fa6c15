//! Tools of a test's own: copies of the real ones, as far as they shall be there.
#![allow(dead_code, reason = "each test uses its part")]

use crate::support::{command, config_in, home};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

/// A folder of tools; nothing done to it reaches the real ones.
pub struct Tools {
    folder: tempfile::TempDir,
}

/// The steps of the set-up, in order, and what each puts into the folder.
pub const STEPS: [(&str, &str); 5] = [
    ("python", "venv"),
    ("evcxr", "evcxr-0.22.0"),
    ("packages", ""),
    ("kafka", "kafka-4.4.0"),
    ("training", "training"),
];

impl Tools {
    /// With nothing in it.
    pub fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("tools").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        Self { folder: folder.unwrap() }
    }

    /// With every step done.
    pub fn finished() -> Self {
        let tools = Self::empty();
        for (step, _) in STEPS {
            tools.finish(step);
        }
        // What only `spar test` installs, as far as it did.
        for more in ["clients", "checkers"] {
            if real().join("stamps").join(more).exists() {
                symlink(real().join(more), tools.path().join(more)).unwrap();
                fs::copy(real().join("stamps").join(more), tools.stamp(more)).unwrap();
            }
        }
        tools
    }

    /// With every step done, and an environment of one's own: the one of [`Tools::finished`] must not be touched.
    pub fn with_own_environment() -> Self {
        let tools = Self::finished();
        fs::remove_file(tools.path().join("venv")).unwrap();
        tools.copy("venv");
        tools
    }

    /// With every step done but one, of which nothing is there.
    pub fn without(step: &str) -> Self {
        let tools = Self::empty();
        for (other, _) in STEPS.iter().filter(|(other, _)| *other != step) {
            tools.finish(other);
        }
        tools
    }

    /// Does a step by taking what the real tools have of it.
    fn finish(&self, step: &str) {
        static DONE: Once = Once::new();
        DONE.call_once(|| {
            let mut setup = Command::new(command());
            assert!(setup.arg("setup").env("SPAR_HOME", home()).status().unwrap().success());
        });
        match STEPS.iter().find(|(name, _)| *name == step).unwrap().1 {
            "" => {}
            // Thousands of files that no other step touches.
            "venv" => symlink(real().join("venv"), self.path().join("venv")).unwrap(),
            folder => self.copy(folder),
        }
        fs::create_dir_all(self.path().join("stamps")).unwrap();
        fs::copy(real().join("stamps").join(step), self.stamp(step)).unwrap();
    }

    /// By hard links where that is possible: who changes a file here must replace it.
    fn copy(&self, folder: &str) {
        let copied =
            |how| Command::new("cp").args([how, "--"]).arg(real().join(folder)).arg(self.path()).output().unwrap();
        assert!(copied("-al").status.success() || copied("-a").status.success());
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn stamp(&self, step: &str) -> PathBuf {
        self.path().join("stamps").join(step)
    }

    /// Uses these tools, without any network and without what an earlier download left elsewhere.
    pub fn without_network(&self, command: &mut Command) {
        command
            .env("SPAR_TOOLS", self.path())
            .env("CARGO_HOME", self.path().join("cargo"))
            .env("CARGO_TARGET_DIR", self.path().join("target"))
            .env("PIP_CACHE_DIR", self.path().join("pip"))
            .env("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
            .env_remove("PIP_FIND_LINKS")
            .env_remove("PIP_EXTRA_INDEX_URL");
        for proxy in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            command.env(proxy, "http://127.0.0.1:9");
        }
        // Few tries: who waits for a network that is not there learns nothing new.
        for (key, tries) in [("PIP_RETRIES", "1"), ("CARGO_NET_RETRY", "0")] {
            command.env(key, tries);
        }
    }
}

/// The tools that the tests run with.
pub fn real() -> PathBuf {
    config_in(Path::new("unused"), &[]).tools
}
