//! What was measured on.

use super::{PARTITIONS, results::whole, with_database};
use spar::{Config, Result, Store, Timestamp};
use std::fs;

/// Topic, machine, settings and date, in a few sentences.
pub fn about(config: &Config, toots: usize) -> Result<String> {
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    let (cpu, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let kilobytes: f64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or(f64::NAN);
    let server = Store::connect(&with_database(config, "postgres"))?.query(
        "SELECT current_setting('server_version') AS version, current_setting('synchronous_commit') AS durable",
        &[],
    )?;
    let setting = |name: &str| {
        let column = server.frame().column(name).and_then(|column| column.str()).expect("a setting");
        column.get(0).unwrap_or_default().to_owned()
    };
    Ok(format!(
        "{} generated toots of about 600 bytes, 80 % in English, 50,000 authors, 3,000 tags, 48 hours in mild disorder, in a \
         topic of {PARTITIONS} partitions, into the four tables of partie2 on a fresh database: toots, hourly windows, average \
         length per user and per hashtag. Clean text is the same for all: lower case, no URLs, no punctuation.\n\n\
         Machine: {} cores ({}), {:.0} GB of memory, which Kafka and PostgreSQL {} share with the contender; \
         `synchronous_commit = {}` for everyone. {} UTC, spar {}. \
         Again: `cargo bench --profile dev --bench peers -- {toots}`.",
        whole(toots as f64),
        std::thread::available_parallelism().map_or(0, usize::from),
        model.trim_start_matches([' ', '\t', ':']),
        kilobytes / 1e6,
        setting("version"),
        setting("durable"),
        &Timestamp::now().to_string()[..16],
        env!("CARGO_PKG_VERSION"),
    ))
}
