//! Toots per second from Kafka into all four tables, on generated toots: `cargo bench --profile dev -- [toots]
//! [partitions]` (500,000 and 1); then the same with windows per language and per hashtag, run in turns with it.
//!
//! It needs KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL, or the embedded services running. It works on a topic and
//! databases of its own and removes them. Measure on a quiet machine: Kafka and PostgreSQL share its cores.

#[path = "common/database.rs"]
mod database;
#[path = "common/messages.rs"]
mod messages;

use database::with_database;
use messages::Messages;
use spar::job::Control;
use spar::kafka::{Loader, Raw};
use spar::stream::{Place, Record, Rules, Stream};
use spar::{Config, Pipeline, Result, Store, Timestamp, Until};
use std::time::Instant;

const RUNS: usize = 3;
/// What is measured apart.
const KINDS: &str = "1h by language, 1h by hashtag";

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<usize>().ok());
    let (toots, partitions) = (numbers.next().unwrap_or(500_000), numbers.next().unwrap_or(1));
    let mut config = Config::from_env()?;
    config.topic = format!("bench_{}_stream", std::process::id());
    let loader = Loader::connect(&config)?;
    loader.create_topic(&config.topic, partitions as i32)?;
    let kept = produce(&loader, &config.topic, toots)?;
    loader.flush()?;
    let (mut plain, mut more) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        for (kinds, rates) in [("none", &mut plain), (KINDS, &mut more)] {
            let database = format!("bench_{}_{run}", std::process::id());
            let windows = Some(kinds.parse().expect("kinds of windows"));
            let config = Config { windows, ..with_database(&config, &database) };
            rates.push(measure(&config, run, kinds, toots, kept)?);
            Store::drop_database(&config)?;
        }
    }
    loader.delete_topic(&config.topic)?;
    let (plain, more) = (median(plain), median(more));
    println!("Kafka to all tables: {plain:.0} toots/s (median of {RUNS}, {toots} toots of about 600 bytes)");
    println!("with the windows {KINDS}: {more:.0} toots/s, {:.2} of that", more / plain);
    println!("parse, clean, window in memory: {:.0} toots per second of one core", in_memory(&config)?);
    Ok(())
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Reads the topic into a database of its own, checks what is there, and gives toots per second.
fn measure(config: &Config, run: usize, kinds: &str, toots: usize, kept: u64) -> Result<f64> {
    let store = Store::create(config)?;
    let (began, used) = (Instant::now(), cpu_seconds());
    let report = Pipeline::quiet(config)?.run_with(&Control::quiet(), Until::CaughtUp)?;
    let seconds = began.elapsed().as_secs_f64();
    assert_eq!(report.books.on_time + report.books.late, kept, "every toot in English is stored once");
    assert_eq!(report.books.read, toots as u64, "every record is read");
    let agree = store.query(
        "SELECT 1 AS one WHERE $1 = (SELECT count(*) FROM filtered_toots)
            AND $1 = (SELECT sum(total_toots) FROM toots_time_window_aggregates)
            AND $1 = (SELECT sum(toots) FROM user_avg_length)
            AND $2 = (SELECT coalesce(sum(total_toots), 0) FROM toot_windows WHERE key = 'en')
            AND $2 <= (SELECT coalesce(sum(total_toots), 0) FROM toot_windows WHERE key <> 'en')",
        &[&(kept as i64), &(if kinds == "none" { 0 } else { kept as i64 })],
    )?;
    assert_eq!(agree.height(), 1, "rows, windows and averages hold {kept} toots each");
    println!(
        "run {}, windows {kinds}: {:>7.0} toots/s ({:.2} s, {} batches); reading {:.2} s, rows {:.2} s, aggregates {:.2} s, commit {:.2} s; CPU of this process {:.2} s",
        run + 1,
        toots as f64 / seconds,
        seconds,
        report.batches,
        report.reading,
        report.writing.rows,
        report.writing.aggregates,
        report.writing.commit,
        cpu_seconds() - used
    );
    Ok(toots as f64 / seconds)
}

/// Puts generated toots into the topic; gives how many of them are in English.
fn produce(loader: &Loader, topic: &str, toots: usize) -> Result<u64> {
    let mut messages = Messages::new();
    let mut kept = 0;
    for n in 0..toots {
        let (id, english) = messages.next(n, toots);
        kept += u64::from(english);
        let value = messages.text.as_bytes();
        loader.put(topic, Raw { key: Some(&id), value: Some(value), ..Raw::default() })?;
    }
    Ok(kept)
}

fn in_memory(config: &Config) -> Result<f64> {
    const N: usize = 200_000;
    let mut messages = Messages::new();
    let values: Vec<String> = (0..N)
        .map(|n| {
            messages.next(n, N);
            messages.text.clone()
        })
        .collect();
    let mut best = 0f64;
    for _ in 0..RUNS {
        let mut stream = Stream::new(Rules::new(config)?, [(0, None)]);
        let used = cpu_seconds();
        for (n, value) in values.iter().enumerate() {
            let place = Place { part: 0, offset: n as i64, received_at: Timestamp::now() };
            stream.step(&Record { place, key: None, value: Some(value.as_bytes()) });
            if stream.pending() == 50_000 {
                stream.finish(Vec::new());
            }
        }
        best = best.max(N as f64 / (cpu_seconds() - used).max(0.01));
    }
    Ok(best)
}

/// CPU time of this process so far, which a busy machine does not stretch; 0 where the system does not tell it.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|t| t.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
