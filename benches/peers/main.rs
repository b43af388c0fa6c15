//! spar beside what one would use instead, in turns on the same topic, each on a fresh database:
//!
//! `cargo bench --profile dev --bench peers -- [toots] [rounds] [names…]` (2,000,000 toots, 3 rounds, all).
//!
//! It starts a Kafka and a PostgreSQL of its own (or uses those that the environment names), fetches the peers' packages
//! once, and writes `benches/RESULTS.md`. Results are kept: contenders named in a later command are measured anew, the
//! others stay in the table. `SPAR_PEERS_PYTHON` names a Python for peers that the one on PATH is too new for. Measure on
//! a quiet machine: Kafka and PostgreSQL share its cores.

mod contender;
mod environment;
mod machine;
#[path = "../common/messages.rs"]
mod messages;
mod process;
mod results;
mod truth;

use contender::{Contender, Program};
use process::{Running, Timed, bound};
use results::{Results, Run, whole};
use spar::config::Secret;
use spar::job::Control;
use spar::kafka::Loader;
use spar::pipeline::StreamStatus;
use spar::services::{self, Services};
use spar::{Config, Error, Pipeline, Result, Store, Timestamp, Until};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use truth::{Found, Truth};

/// Two cores, two workers at most: more partitions would help nobody.
const PARTITIONS: i32 = 2;

/// The tables as the original makes them, with the sums that an average needs to be added to.
const TABLES: [&str; 4] = [
    "CREATE TABLE filtered_toots (toot_id VARCHAR(255) PRIMARY KEY, \"timestamp\" TIMESTAMP, text TEXT,
        user_id VARCHAR(255), language VARCHAR(10), hashtags TEXT, reblogs_count INTEGER, favourites_count INTEGER,
        replies_count INTEGER)",
    "CREATE TABLE toots_time_window_aggregates (window_start TIMESTAMP, window_end TIMESTAMP, total_toots INTEGER,
        PRIMARY KEY (window_start, window_end))",
    "CREATE TABLE user_avg_length (user_id VARCHAR(255) PRIMARY KEY, average_length DOUBLE PRECISION,
        length_sum BIGINT, toots BIGINT)",
    "CREATE TABLE hashtag_avg_length (hashtag VARCHAR(255) PRIMARY KEY, average_length DOUBLE PRECISION,
        length_sum BIGINT, toots BIGINT)",
];

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if words.first().is_some_and(|word| word == "--ours") {
        return ours();
    }
    let (numbers, names): (Vec<_>, Vec<_>) = words.into_iter().partition(|word| word.parse::<usize>().is_ok());
    let mut numbers = numbers.iter().filter_map(|word| word.parse::<usize>().ok());
    let (toots, rounds) = (numbers.next().unwrap_or(2_000_000), numbers.next().unwrap_or(3));
    let all: Vec<_> = contender::ALL.iter().map(|c| c.name).collect();
    if let Some(stranger) = names.iter().find(|name| !all.contains(&name.as_str())) {
        eprintln!("cannot measure {stranger}: it is none of {}", all.join(", "));
        std::process::exit(2);
    }
    let mut config = Config::from_env()?;
    spar::setup::ensure(&config)?;
    let root = environment::folder(&config);
    std::fs::create_dir_all(root.join("logs")).map_err(|e| Error::path(&root, &e))?;
    let mut results = Results::read(root.join("results.json"));
    let session = Timestamp::now().to_string();
    let session = session[..16].to_owned();
    let page = config.home.join("benches/RESULTS.md");

    // A state of its own: nothing of the user's is touched or in the way.
    config.state = root.join("state");
    config.embedded.mastodon = false;
    let mut pythons = HashMap::new();
    let mut ready = Vec::new();
    for contender in contender::chosen(&names) {
        results.runs.retain(|run| run.name != contender.name || run.toots != toots);
        if let Program::Python { peer, .. } = &contender.program {
            match peer.prepare(&config) {
                Ok(python) => drop(pythons.insert(peer.name, python)),
                Err(why) => {
                    println!("  {}: cannot be set up: {why}", contender.name);
                    results.runs.push(failed(contender, toots, &session, format!("not set up: {why}")));
                    continue;
                }
            }
        }
        ready.push(contender);
    }
    let estimate = |c: &Contender| toots as f64 / c.rate + c.overhead + 2.0;
    let whole_time = 10.0 + toots as f64 / 200_000.0 + rounds as f64 * ready.iter().map(|c| estimate(c)).sum::<f64>();
    println!(
        "{} toots, {rounds} rounds: about {:.0} minutes on two cores",
        whole(toots as f64),
        (whole_time / 60.0).ceil()
    );
    for contender in &ready {
        println!("  {:12} about {:4.0} s a round   {}", contender.name, estimate(contender), contender.title);
    }

    let services = Services::start(&config, Path::new(env!("CARGO_BIN_EXE_spar")), &mut |line| println!("  {line}"))?;
    let mut config = services.config().clone();
    config.topic = format!("peers_{}_stream", std::process::id());
    let loader = Loader::connect(&config)?;
    loader.create_topic(&config.topic, PARTITIONS)?;
    let about = machine::about(&config, toots)?;
    let truth = Truth::produce(&loader, &config.topic, toots)?;
    println!("the topic holds {} messages in {PARTITIONS} partitions", whole(toots as f64));
    for round in 0..rounds {
        // Nobody is always the first, or always after the same one.
        for n in 0..ready.len() {
            let contender = ready[(n + round) % ready.len()];
            let limit = Duration::from_secs_f64(60.0 + 4.0 * estimate(contender));
            let name = format!("peers_{}_{}_{round}", std::process::id(), contender.name.replace('-', "_"));
            let bench =
                Bench { config: with_database(&config, &name), name, truth: &truth, pythons: &pythons, root: &root };
            let outcome = bench.run(contender, limit);
            let run = match outcome {
                Ok((timed, found)) => Run {
                    name: contender.name.into(),
                    toots,
                    session: session.clone(),
                    seconds: timed.seconds,
                    start_up: timed.start_up,
                    peak: timed.peak,
                    cpu: timed.cpu,
                    found,
                    failure: None,
                },
                Err(why) => failed(contender, toots, &session, why),
            };
            tell(&run, contender, round, rounds);
            results.runs.push(run);
            results.write(toots, &about, &page).map_err(|e| Error::path(&page, &e))?;
        }
    }
    loader.delete_topic(&config.topic)?;
    println!("\n{}", results.table(toots));
    println!("written to {}", page.display());
    let embedded = config.embedded;
    drop((loader, services));
    if embedded.kafka || embedded.postgres {
        services::reset(&config, &mut |_| true)?;
    }
    Ok(())
}

fn failed(contender: &Contender, toots: usize, session: &str, why: String) -> Run {
    Run {
        name: contender.name.into(),
        toots,
        session: session.into(),
        seconds: 0.0,
        start_up: 0.0,
        peak: 0,
        cpu: 0.0,
        found: Found::default(),
        failure: Some(why),
    }
}

fn tell(run: &Run, contender: &Contender, round: usize, rounds: usize) {
    let Run { seconds, start_up, peak, cpu, found, .. } = run;
    let head = format!("round {}/{rounds}  {:12}", round + 1, contender.name);
    match &run.failure {
        Some(why) => println!("{head} failed: {why}"),
        None => println!(
            "{head} {:>9} toots/s  {seconds:7.2} s after {start_up:4.1} s of start-up  CPU {cpu:6.1} s  {:5.0} MB  {}",
            whole(run.toots as f64 / seconds),
            *peak as f64 / 1e6,
            if found.is_right() { "all right".to_owned() } else { format!("{found:?}") }
        ),
    }
}

/// One contender on one fresh database.
struct Bench<'a> {
    config: Config,
    /// Of the database; also a name for whatever else no run may share.
    name: String,
    truth: &'a Truth,
    pythons: &'a HashMap<&'static str, PathBuf>,
    root: &'a Path,
}

impl Bench<'_> {
    fn run(&self, contender: &Contender, limit: Duration) -> std::result::Result<(Timed, Found), String> {
        let log = self.root.join(format!("logs/{}.log", contender.name));
        let told = |e: Error| e.to_string();
        let timed = match &contender.program {
            Program::Ours => {
                Store::create(&self.config).map_err(told)?;
                let this = spar::config::command().map_err(told)?;
                let mut command = bound(&this, &log);
                self.with_settings(command.arg("--ours"));
                Running::time(command, &log, limit)
            }
            Program::Workers(n) => {
                Store::create(&self.config).map_err(told)?;
                self.workers(*n, &log, limit)
            }
            Program::Python { file, peer, settings } => {
                self.create_tables().map_err(told)?;
                let mut command = bound(&self.pythons[peer.name], &log);
                command.arg(self.config.home.join("benches/peers").join(file)).envs(settings.iter().copied());
                self.with_addresses(&mut command);
                Running::time(command, &log, limit)
            }
        };
        let found = timed.and_then(|timed| Ok((timed, self.truth.compare(&self.config).map_err(told)?)));
        Store::drop_database(&self.config).map_err(told)?;
        found
    }

    /// From the start of the processes until every record is applied.
    fn workers(&self, n: usize, log: &Path, limit: Duration) -> std::result::Result<Timed, String> {
        let command = |_| {
            let mut command = bound(Path::new(env!("CARGO_BIN_EXE_spar")), log);
            self.with_settings(command.arg("worker").stdout(Stdio::null()));
            command
        };
        let mut running = Running::start(&mut (0..n).map(command).collect::<Vec<_>>())?;
        loop {
            std::thread::sleep(Duration::from_millis(50));
            running.look()?;
            let seconds = running.started.elapsed().as_secs_f64();
            if StreamStatus::read(&self.config).is_ok_and(|status| status.lag == 0) {
                return Ok(Timed { seconds, start_up: 0.0, peak: running.peak, cpu: running.cpu });
            }
            if seconds > limit.as_secs_f64() {
                return Err(format!("not done within {} s", limit.as_secs()));
            }
        }
    }

    /// The settings of our own programs, whatever else the environment or `.env` says.
    fn with_settings(&self, command: &mut Command) {
        command
            .env("SPAR_HOME", &self.config.home)
            .env("KAFKA_BOOTSTRAP_SERVERS", self.config.kafka().expect("a broker"))
            .env("DATABASE_URL", self.config.database_url().expect("a database").expose())
            .env("KAFKA_TOPIC", &self.config.topic)
            .env("MASTODON_URL", "");
    }

    /// What the programs of this folder want to know.
    fn with_addresses(&self, command: &mut Command) {
        let url = self.config.database_url().expect("a database").expose();
        command
            .env("PEER_BROKER", self.config.kafka().expect("a broker"))
            .env("PEER_TOPIC", &self.config.topic)
            .env("PEER_GROUP", &self.name)
            .env("PEER_DATABASE", url)
            .env("PEER_JARS", environment::jar_list(&self.config))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("SPARK_LOCAL_IP", "127.0.0.1")
            .env("TZ", "UTC");
        let java = services::java::find(&self.config).ok();
        if let Some(home) = java.as_deref().and_then(Path::parent).and_then(Path::parent).filter(|h| h.is_absolute()) {
            command.env("JAVA_HOME", home);
        }
    }

    fn create_tables(&self) -> Result<()> {
        Store::connect(&with_database(&self.config, "postgres"))?
            .query(&format!("CREATE DATABASE {}", self.name), &[])?;
        let store = Store::connect(&self.config)?;
        TABLES.iter().try_for_each(|table| store.query(table, &[]).map(drop))
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

fn with_database(config: &Config, name: &str) -> Config {
    let mut url = url::Url::parse(config.database_url().expect("a database").expose()).expect("a URL");
    url.set_path(name);
    Config { database_url: Some(Secret::new(url)), ..config.clone() }
}
