//! The command as a person types it, on a state of the test's own.

use crate::place::runs;
use crate::signals::{Signal, send};
use crate::support::{command, eventually, home};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// How long anything may take.
pub const LIMIT: Duration = Duration::from_secs(120);

/// A folder with state and results below it. Kafka is never embedded here: it takes longest, and is not the point.
pub struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("ground").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        Self { folder: folder.unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file of the state of the local source.
    pub fn state(&self, name: &str) -> PathBuf {
        self.path("state/local").join(name)
    }

    /// `spar` on this ground.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut spar = Command::new(command());
        self.settle(&mut spar);
        spar.args(arguments);
        spar
    }

    /// Gives a program the settings of this ground.
    pub fn settle(&self, command: &mut Command) {
        command
            .env("SPAR_HOME", home())
            .env("SPAR_STATE", self.path("state"))
            .env("SPAR_OUT", self.path("out"))
            // Nothing has to answer there.
            .env("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
            .stdin(Stdio::null());
        for key in ["MASTODON_URL", "MASTODON_ACCESS_TOKEN", "DATABASE_URL", "KAFKA_TOPIC"] {
            // Empty is absent, and wins over the `.env` of the person who runs the tests.
            command.env(key, "");
        }
    }

    /// Runs `spar` to its end.
    pub fn spar(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts `spar` and leaves it alone, its words in a file.
    pub fn start(&self, arguments: &[&str]) -> Started {
        let words = self.path(&format!("words-{}", crate::support::unique("of")));
        let out = fs::File::create(&words).unwrap();
        let mut command = self.command(arguments);
        let child = command.stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap();
        Started { child, words }
    }

    /// Every process that knows this ground by its environment, its words or its folder.
    pub fn processes(&self) -> Vec<String> {
        processes_of(self.folder.path())
    }

    /// Waits until no process is left that knows this ground.
    pub fn wait_until_nobody_is_left(&self) {
        let mut left = Vec::new();
        let deadline = std::time::Instant::now() + LIMIT;
        while std::time::Instant::now() < deadline {
            left = self.processes();
            if left.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("still there after {LIMIT:?}: {left:#?}");
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.spar(&["services", "down"]);
    }
}

/// A command that was started; a test that fails leaves none behind.
pub struct Started {
    pub child: std::process::Child,
    words: PathBuf,
}

impl Started {
    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    /// What it said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.words).unwrap_or_default()
    }

    pub fn signal(&self, signal: Signal) {
        assert!(send(self.pid(), signal));
    }

    /// SIGKILL: it gets no chance to put anything in order.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end, and gives its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let mut status = None;
        eventually("the command ends", LIMIT, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap().code()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processes whose environment, words or working folder name `folder`, but for this one.
pub fn processes_of(folder: &Path) -> Vec<String> {
    let wanted = folder.to_str().unwrap();
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| *pid != std::process::id() as i32 && runs(*pid))
        .filter_map(|pid| {
            let file = |name: &str| fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            let words = String::from_utf8_lossy(&file("cmdline")).replace('\0', " ");
            let place = fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
            let knows = words.contains(wanted)
                || place.starts_with(folder)
                || String::from_utf8_lossy(&file("environ")).contains(wanted);
            knows.then(|| format!("{pid}: {words}"))
        })
        .collect()
}

/// Everything a command said, and its exit code.
pub fn told(output: &Output) -> (String, Option<i32>) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (text, output.status.code())
}

/// Asserts that a command failed with exit code 1 and one sentence of `spar` that says each of `words`; prints it.
pub fn fails_with(output: &Output, words: &[&str]) {
    let (text, code) = told(output);
    assert_eq!(code, Some(1), "{text}");
    let sentences: Vec<&str> = text.lines().filter(|line| line.starts_with("spar: ")).collect();
    assert_eq!(sentences.len(), 1, "one sentence is wanted: {text}");
    for word in words {
        assert!(sentences[0].contains(word), "{word:?} is not in: {text}");
    }
    println!("{}", sentences[0]);
}

/// The folder of the tests' small notebooks.
pub fn small_notebooks() -> String {
    home().join("tests/notebooks").display().to_string()
}

/// A folder with the notebook `words`, which has nothing to compile, and is larger than one page of memory.
pub fn words_only(ground: &Ground) -> String {
    let folder = ground.path("notebooks");
    fs::create_dir_all(&folder).unwrap();
    let words = "some words ".repeat(1000);
    let cell = serde_json::json!({"cell_type": "markdown", "id": "words", "metadata": {}, "source": words});
    let about = serde_json::json!({"kernelspec": {"name": "rust", "display_name": "Rust", "language": "rust"}});
    let notebook = serde_json::json!({"cells": [cell], "metadata": about, "nbformat": 4, "nbformat_minor": 5});
    fs::write(folder.join("words.ipynb"), notebook.to_string()).unwrap();
    folder.display().to_string()
}
