//! spar beside what one would use instead, in turns on the same topic, each on a fresh database:
//!
//! `cargo bench --profile dev --bench peers -- [toots] [rounds] [names…]` (2,000,000 toots, 3 rounds, all).
//!
//! It starts a Kafka and a PostgreSQL of its own (or uses those that the environment names), fetches the peers' packages
//! once, and writes `benches/RESULTS.md`. Results are kept: contenders named in a later command are measured anew, the
//! others stay in the table. `SPAR_PEERS_PYTHON` names a Python for peers that the one on PATH is too new for. Measure on
//! a quiet machine: Kafka and PostgreSQL share its cores.

mod bench;
mod contender;
#[path = "../common/database.rs"]
mod database;
mod environment;
mod latency;
mod machine;
#[path = "../common/messages.rs"]
mod messages;
mod process;
mod results;
mod truth;

use bench::Bench;
use contender::{Contender, Program};
use database::with_database;
use results::{Latency, Results, Run, whole};
use spar::job::Control;
use spar::kafka::Loader;
use spar::services::{self, Services};
use spar::{Config, Error, Pipeline, Result, Timestamp, Until};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use truth::Truth;

/// Two cores, two workers at most: more partitions would help nobody.
const PARTITIONS: i32 = 2;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.first().is_some_and(|word| word == "--ours") {
        return ours();
    }
    let (numbers, names): (Vec<_>, Vec<_>) = words.into_iter().partition(|word| word.parse::<usize>().is_ok());
    let mut numbers = numbers.iter().filter_map(|word| word.parse::<usize>().ok());
    let (toots, rounds) = (numbers.next().unwrap_or(2_000_000), numbers.next().unwrap_or(3));
    let all: Vec<_> = contender::ALL.iter().map(|c| c.name).chain(["latency"]).collect();
    if let Some(stranger) = names.iter().find(|name| !all.contains(&name.as_str())) {
        eprintln!("cannot measure {stranger}: it is none of {}", all.join(", "));
        std::process::exit(2);
    }
    let is_chosen = |name: &str| names.is_empty() || names.iter().any(|chosen| chosen == name);
    let runners: Vec<_> = contender::ALL.iter().filter(|c| is_chosen(c.name)).collect();
    // Beside names, `latency` means theirs.
    let alone = names.iter().all(|name| name == "latency");
    let watched: Vec<_> =
        latency::contenders().filter(|c| is_chosen("latency") && (alone || is_chosen(c.name))).collect();

    let mut config = Config::from_env()?;
    spar::setup::ensure(&config)?;
    let root = environment::folder(&config);
    std::fs::create_dir_all(root.join("logs")).map_err(|e| Error::path(&root, &e))?;
    // A state of its own: nothing of the user's is touched or in the way.
    config.state = root.join("state");
    config.embedded.mastodon = false;
    let mut pythons = HashMap::new();
    let mut refusals = HashMap::new();
    for contender in runners.iter().chain(&watched) {
        if let Program::Python { peer, .. } = &contender.program {
            match peer.prepare(&config) {
                Ok(python) => drop(pythons.insert(peer.name, python)),
                Err(why) => drop(refusals.insert(contender.name, format!("not set up: {why}"))),
            }
        }
    }
    tell_plan(toots, rounds, &runners, watched.len());

    let services = Services::start(&config, Path::new(env!("CARGO_BIN_EXE_spar")), &mut |line| println!("  {line}"))?;
    let config = services.config().clone();
    let mut session = Session {
        toots,
        begun: Timestamp::now().to_string()[..16].to_owned(),
        about: machine::about(&config, toots)?,
        page: config.home.join("benches/RESULTS.md"),
        results: Results::read(root.join("results.json")),
        config,
        root,
        pythons,
        refusals,
    };
    session.rounds(&runners, rounds)?;
    session.latencies(&watched)?;
    println!("\n{}\n{}", session.results.table(toots), session.results.latency_table());
    println!("written to {}", session.page.display());
    let config = session.config;
    drop(services);
    if config.embedded.kafka || config.embedded.postgres {
        services::reset(&config, &mut |_| true)?;
    }
    Ok(())
}

/// Seconds that a round of this contender takes, about, on two cores.
fn estimate(contender: &Contender, toots: usize) -> f64 {
    toots as f64 / contender.rate + contender.overhead + 2.0
}

fn tell_plan(toots: usize, rounds: usize, runners: &[&Contender], watched: usize) {
    let round: f64 = runners.iter().map(|c| estimate(c, toots)).sum();
    let minutes = (toots as f64 / 200_000.0 + rounds as f64 * round) / 60.0 + latency::MINUTES * watched as f64;
    println!("{} toots, {rounds} rounds: about {:.0} minutes on two quiet cores", whole(toots as f64), minutes.ceil());
    for contender in runners {
        println!("  {:12} {:4.0} s a round   {}", contender.name, estimate(contender, toots), contender.title);
    }
    if watched > 0 {
        println!("  {:12} {:4.0} s", "latency", latency::MINUTES * 60.0 * watched as f64);
    }
}

/// All that one command measures.
struct Session {
    config: Config,
    root: PathBuf,
    toots: usize,
    /// When it began: it tells the figures of one command from those of another.
    begun: String,
    about: String,
    page: PathBuf,
    results: Results,
    /// The Python of each peer.
    pythons: HashMap<&'static str, PathBuf>,
    /// Why a contender cannot be measured.
    refusals: HashMap<&'static str, String>,
}

impl Session {
    fn rounds(&mut self, runners: &[&'static Contender], rounds: usize) -> Result<()> {
        if runners.is_empty() || rounds == 0 {
            return Ok(());
        }
        self.config.topic = format!("peers_{}_stream", std::process::id());
        let loader = Loader::connect(&self.config)?;
        loader.create_topic(&self.config.topic, PARTITIONS)?;
        let truth = Truth::produce(&loader, &self.config.topic, self.toots)?;
        println!("the topic holds {} messages in {PARTITIONS} partitions", whole(self.toots as f64));
        // PostgreSQL makes the files of its log, and Kafka's compiler its code, at the first who comes: at nobody's cost.
        let ours = &contender::ALL[0];
        let run = self.bench(ours.name, rounds).run(ours, &truth, self.limit(ours));
        println!("not counted  {}", Run::new(ours.name, self.toots, &self.begun, run));
        self.results.runs.retain(|run| run.toots != self.toots || runners.iter().all(|c| c.name != run.name));
        for round in 0..rounds {
            // Nobody is always the first, or always after the same one.
            for n in 0..runners.len() {
                let contender = runners[(n + round) % runners.len()];
                let run = match self.refusals.get(contender.name) {
                    Some(_) if round > 0 => continue,
                    Some(why) => Err(why.clone()),
                    None => self.bench(contender.name, round).run(contender, &truth, self.limit(contender)),
                };
                let run = Run::new(contender.name, self.toots, &self.begun, run);
                println!("round {}/{rounds}  {run}", round + 1);
                self.results.runs.push(run);
                self.results.write(self.toots, &self.about, &self.page).map_err(|e| Error::path(&self.page, &e))?;
            }
        }
        loader.delete_topic(&self.config.topic)
    }

    fn latencies(&mut self, watched: &[&'static Contender]) -> Result<()> {
        for contender in watched {
            self.config.topic = format!("peers_{}_{}_latency", std::process::id(), contender.name);
            let latency = match self.refusals.get(contender.name) {
                Some(why) => Latency::new(contender.name, &self.begun, Err(why.clone())),
                None => {
                    let times = latency::measure(&self.bench(contender.name, 0), contender);
                    Latency::new(contender.name, &self.begun, times)
                }
            };
            println!("latency  {latency}");
            self.results.latencies.retain(|old| old.name != contender.name);
            self.results.latencies.push(latency);
            self.results.write(self.toots, &self.about, &self.page).map_err(|e| Error::path(&self.page, &e))?;
        }
        Ok(())
    }

    fn limit(&self, contender: &Contender) -> Duration {
        Duration::from_secs_f64(120.0 + 6.0 * estimate(contender, self.toots))
    }

    fn bench(&self, name: &str, round: usize) -> Bench<'_> {
        let name = format!("peers_{}_{}_{round}", std::process::id(), name.replace('-', "_"));
        Bench { config: with_database(&self.config, &name), name, pythons: &self.pythons, root: &self.root }
    }
}
/// The engine until the topic's end: what the contender `ours` runs as a process of its own.
fn ours() -> Result<()> {
    let config = Config::from_env()?;
    println!("BEGIN");
    Pipeline::quiet(&config)?.run_with(&Control::quiet(), Until::CaughtUp)?;
    println!("END 0");
    Ok(())
}
