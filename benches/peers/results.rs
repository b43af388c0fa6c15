//! The runs so far, and the table that they make.

use super::contender::{ALL, Contender, Program};
use super::latency;
use super::process::Timed;
use super::truth::{Found, Output};
use serde::{Deserialize, Serialize};
use std::fmt::{self, Write as _};
use std::fs;
use std::path::{Path, PathBuf};

/// One contender's run over the whole topic.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    pub name: String,
    pub toots: usize,
    /// Which command it belongs to.
    pub session: String,
    pub seconds: f64,
    pub start_up: f64,
    pub peak: u64,
    pub cpu: f64,
    pub found: Found,
    pub failure: Option<String>,
}

/// One contender's time from a message to its row, in milliseconds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Latency {
    pub name: String,
    pub session: String,
    pub sent: usize,
    pub seen: usize,
    /// p50, p95, p99.
    pub millis: [f64; 3],
    pub failure: Option<String>,
}

impl Run {
    pub fn new(name: &str, toots: usize, session: &str, outcome: Result<(Timed, Found), String>) -> Self {
        let (timed, found, failure) = match outcome {
            Ok((timed, found)) => (timed, found, None),
            Err(why) => (Timed::default(), Found::default(), Some(why)),
        };
        let Timed { seconds, start_up, peak, cpu } = timed;
        Self { name: name.into(), toots, session: session.into(), seconds, start_up, peak, cpu, found, failure }
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, toots, seconds, start_up, peak, cpu, found, failure, .. } = self;
        if let Some(why) = failure {
            return write!(f, "{name:12} failed: {why}");
        }
        let (rate, peak) = (whole(*toots as f64 / seconds), *peak as f64 / 1e6);
        write!(
            f,
            "{name:12} {rate:>9} toots/s  {seconds:7.2} s after {start_up:4.1} s  CPU {cpu:6.1} s  {peak:5.0} MB  "
        )?;
        if found.is_right() { write!(f, "all right") } else { write!(f, "{found:?}") }
    }
}

impl Latency {
    pub fn new(name: &str, session: &str, outcome: Result<(Vec<u64>, usize), String>) -> Self {
        let (mut times, sent, failure) = match outcome {
            Ok((times, sent)) => (times, sent, None),
            Err(why) => (Vec::new(), 0, Some(why)),
        };
        times.sort_unstable();
        let quantile = |q: f64| {
            let at = (times.len() as f64 * q).ceil() as usize;
            times.get(at.saturating_sub(1)).map_or(0.0, |micros| *micros as f64 / 1e3)
        };
        let millis = [0.50, 0.95, 0.99].map(quantile);
        Self { name: name.into(), session: session.into(), sent, seen: times.len(), millis, failure }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, sent, seen, millis: [p50, p95, p99], failure, .. } = self;
        match failure {
            Some(why) => write!(f, "{name:12} failed: {why}"),
            None => {
                write!(f, "{name:12} p50 {p50:.0} ms, p95 {p95:.0} ms, p99 {p99:.0} ms; {seen} of {sent} rows seen")
            }
        }
    }
}

/// All that was measured, kept from command to command, so that contenders can be added one by one.
#[derive(Default, Serialize, Deserialize)]
pub struct Results {
    pub runs: Vec<Run>,
    pub latencies: Vec<Latency>,
    #[serde(skip)]
    file: PathBuf,
}

impl Results {
    pub fn read(file: PathBuf) -> Self {
        let kept = fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self { file, ..kept.unwrap_or_default() }
    }

    /// Writes what there is, here and as the page.
    pub fn write(&self, toots: usize, about: &str, page: &Path) -> std::io::Result<()> {
        fs::write(&self.file, serde_json::to_vec_pretty(self)?)?;
        fs::write(page, self.page(toots, about))
    }

    fn runs_of<'a>(&'a self, name: &'a str, toots: usize) -> impl Iterator<Item = &'a Run> {
        self.runs.iter().filter(move |run| run.name == name && run.toots == toots)
    }

    /// The median rate of the runs that came to their end.
    fn rate(&self, name: &str, toots: usize) -> Option<f64> {
        let ended = self.runs_of(name, toots).filter(|run| run.failure.is_none());
        median(ended.map(|run| toots as f64 / run.seconds).collect())
    }

    /// The table of throughput, for the screen and the page.
    pub fn table(&self, toots: usize) -> String {
        let mut out = String::from(
            "| who | toots/s | ours is | runs | peak memory | CPU | start-up | toots | windows' sum | users | tags |\n\
             |---|---:|---:|---|---:|---:|---:|---|---|---|---|\n",
        );
        let ours = self.rate("ours", toots);
        for contender in ALL {
            let runs: Vec<&Run> = self.runs_of(contender.name, toots).collect();
            let Some(last) = runs.last() else { continue };
            let ended: Vec<&&Run> = runs.iter().filter(|run| run.failure.is_none()).collect();
            let Some(rate) = self.rate(contender.name, toots) else {
                let why = last.failure.as_deref().unwrap_or_default();
                let _ = writeln!(out, "| {} | failed: {} | | 0 of {} |", contender.title, cell(why), runs.len());
                continue;
            };
            let of = |value: fn(&Run) -> f64| median(ended.iter().map(|run| value(run)).collect()).unwrap_or_default();
            let (slow, fast) = ended
                .iter()
                .map(|run| toots as f64 / run.seconds)
                .fold((f64::MAX, 0.0), |(a, b), r| (f64::min(a, r), f64::max(b, r)));
            // The worst of the runs stands for all: an error is not made good by a run without one.
            let worst = ended.iter().max_by_key(|run| badness(&run.found)).expect("a run");
            let _ = writeln!(
                out,
                "| {} | **{}** | {} | {} of {}, {}–{} | {:.0} MB | {:.0} s | {:.1} s | {} | {} | {} | {} |",
                contender.title,
                whole(rate),
                ours.map_or_else(String::new, |ours| format!("{:.1} ×", ours / rate)),
                ended.len(),
                runs.len(),
                whole(slow),
                whole(fast),
                of(|run| run.peak as f64) / 1e6,
                of(|run| run.cpu),
                of(|run| run.start_up),
                output(worst.found.toots, "characters"),
                output(worst.found.windows, "windows"),
                output(worst.found.users, "averages"),
                output(worst.found.tags, "averages"),
            );
        }
        out
    }

    /// The table of latency.
    pub fn latency_table(&self) -> String {
        let mut out = String::from("| who | p50 | p95 | p99 | rows seen |\n|---|---:|---:|---:|---|\n");
        for contender in ALL {
            let Some(latency) = self.latencies.iter().rfind(|l| l.name == contender.name) else { continue };
            let [p50, p95, p99] = latency.millis;
            let _ = match &latency.failure {
                Some(why) => writeln!(out, "| {} | failed: {} |", contender.title, cell(why)),
                None => writeln!(
                    out,
                    "| {} | **{p50:.0} ms** | {p95:.0} ms | {p99:.0} ms | {} of {} |",
                    contender.title, latency.seen, latency.sent
                ),
            };
        }
        out
    }

    fn page(&self, toots: usize, about: &str) -> String {
        let mut out = format!("# spar beside what one would use instead\n\n{about}\n\n{}\n", self.table(toots));
        let mut sessions: Vec<&str> =
            ALL.iter().flat_map(|c| self.runs_of(c.name, toots)).map(|run| run.session.as_str()).collect();
        sessions.sort_unstable();
        sessions.dedup();
        let _ = match sessions[..] {
            [one] => writeln!(out, "All in one run, begun {one}, in turns, after a first pass that is not counted."),
            _ => writeln!(
                out,
                "From {} runs: {}. Ratios between them are less sure.",
                sessions.len(),
                sessions.join(", ")
            ),
        };
        out.push_str(
            "\n\"ours is\" compares spar with one worker. Outputs are compared with the messages themselves: ✓ means that every \
             number is right; the worst run is shown. Memory is the largest sum of resident memory over the \
             contender's process tree, CPU the processor time of that tree; Kafka's and PostgreSQL's are in neither.\n",
        );
        if !self.latencies.is_empty() {
            let _ = writeln!(
                out,
                "\n## From message to visible row\n\n{} toots/s for {} s, the first 5 s left out; from before the producer's \
                 call to the moment a second connection, which asks every few milliseconds, sees the row.\n\n{}",
                latency::RATE,
                latency::LENGTH.as_secs(),
                self.latency_table()
            );
        }
        out.push_str("\n## How each is set up\n\n");
        for contender in ALL.iter().filter(|c| self.runs_of(c.name, toots).next().is_some()) {
            let _ = writeln!(out, "- **{}**{}: {}", contender.title, version(contender), contender.note);
        }
        out
    }
}

fn version(contender: &Contender) -> String {
    match &contender.program {
        Program::Python { peer, .. } => format!(" ({})", peer.version()),
        _ => String::new(),
    }
}

fn badness(found: &Found) -> i64 {
    [found.toots, found.windows, found.users, found.tags].iter().map(|o| (o.expected - o.found).abs() + o.wrong).sum()
}

fn output(output: Output, what: &str) -> String {
    let Output { expected, found, wrong } = output;
    match found - expected {
        0 if wrong == 0 => format!("{} ✓", whole(found as f64)),
        0 => format!("{}, **{wrong} {what} wrong**", whole(found as f64)),
        off => format!(
            "**{} ({}{} = {:+.1} %)**, {wrong} {what} wrong",
            whole(found as f64),
            if off > 0 { "+" } else { "−" },
            whole(off.abs() as f64),
            off as f64 / expected as f64 * 100.0
        ),
    }
}

/// A number with commas.
pub fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let parts: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|part| std::str::from_utf8(part).expect("digits")).collect();
    parts.join(",")
}

fn cell(text: &str) -> String {
    text.replace(['|', '\n'], " ").chars().take(300).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    (n > 0).then(|| (values[(n - 1) / 2] + values[n / 2]) / 2.0)
}
