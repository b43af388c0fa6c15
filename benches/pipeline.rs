//! Toots per second from Kafka into all four tables, on generated toots: `cargo bench --profile dev -- [toots]`.
//!
//! It needs KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL, or the embedded services running. It works on a topic and
//! databases of its own and removes them. Measure on a quiet machine: Kafka and PostgreSQL share its cores.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Zipf};
use spar::config::Secret;
use spar::job::Control;
use spar::kafka::{Loader, Raw};
use spar::pipeline::StreamReport;
use spar::stream::{Place, Record, Rules, Stream};
use spar::{Config, Pipeline, Result, Store, Timestamp, Until};
use std::fmt::Write as _;
use std::time::Instant;

const RUNS: usize = 3;
const WORDS: [&str; 24] = [
    "model", "training", "data", "robots", "learning", "Paper", "today", "with", "the", "and", "café", "network", "is",
    "really", "good", "a", "new", "Don't", "language", "prompt", "of", "results", "vision", "open",
];

fn main() -> Result<()> {
    let toots = std::env::args().skip(1).find_map(|arg| arg.parse().ok()).unwrap_or(500_000usize);
    let mut config = Config::from_env()?;
    config.topic = format!("bench_{}_stream", std::process::id());
    let loader = Loader::connect(&config)?;
    loader.create_topic(&config.topic, 1)?;
    let kept = produce(&loader, &config.topic, toots)?;
    loader.flush()?;
    let mut rates: Vec<(f64, StreamReport)> = Vec::new();
    for run in 0..RUNS {
        let database = format!("bench_{}_{run}", std::process::id());
        let config = with_database(&config, &database);
        Store::create(&config)?;
        let (began, used) = (Instant::now(), cpu_seconds());
        let report = Pipeline::quiet(&config)?.run_with(&Control::quiet(), Until::CaughtUp)?;
        let seconds = began.elapsed().as_secs_f64();
        assert_eq!(report.books.on_time + report.books.late, kept, "every toot in English is stored once");
        assert_eq!(report.books.read, toots as u64, "every record is read");
        let agree = Store::connect(&config)?.query(
            "SELECT 1 AS one WHERE $1 = (SELECT count(*) FROM filtered_toots)
                AND $1 = (SELECT sum(total_toots) FROM toots_time_window_aggregates)
                AND $1 = (SELECT sum(toots) FROM user_avg_length)",
            &[&(kept as i64)],
        )?;
        assert_eq!(agree.height(), 1, "rows, windows and averages hold {kept} toots each");
        println!(
            "run {}: {:>7.0} toots/s ({:.2} s, {} batches); reading {:.2} s, rows {:.2} s, aggregates {:.2} s, commit {:.2} s; CPU of this process {:.2} s",
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
        rates.push((toots as f64 / seconds, report));
        Store::drop_database(&config)?;
    }
    loader.delete_topic(&config.topic)?;
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    println!(
        "Kafka to all tables: {:.0} toots/s (median of {RUNS}, {toots} toots of about 600 bytes)",
        rates[RUNS / 2].0
    );
    println!("parse, clean, window in memory: {:.0} toots per second of one core", in_memory(&config)?);
    Ok(())
}

fn with_database(config: &Config, name: &str) -> Config {
    let mut url = url::Url::parse(config.database_url().expect("a database").expose()).expect("a URL");
    url.set_path(name);
    Config { database_url: Some(Secret::new(url)), ..config.clone() }
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
                stream.finish(Vec::new(), |_| false);
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

/// Messages of about 600 bytes: 80 % in English, 50,000 authors, 3,000 tags, 48 hours in mild disorder.
struct Messages {
    random: ChaCha8Rng,
    users: Zipf<f64>,
    tags: Zipf<f64>,
    text: String,
}

impl Messages {
    fn new() -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(42),
            users: Zipf::new(50_000.0, 1.05).expect("a distribution"),
            tags: Zipf::new(3_000.0, 1.05).expect("a distribution"),
            text: String::new(),
        }
    }

    /// Writes the next message into `text`; gives its id and whether it is in English.
    fn next(&mut self, n: usize, of: usize) -> (String, bool) {
        const BEGIN: i64 = 1_728_000_000_000_000;
        let random = &mut self.random;
        let id = (113_000_000_000_000_000u64 + n as u64 * 1_000).to_string();
        let step = 48 * 3_600_000_000 / of as i64;
        let at = Timestamp::from_micros(BEGIN + n as i64 * step - random.random_range(0..600_000_000));
        let english = random.random_bool(0.8);
        let user = self.users.sample(random) as u64;
        self.text.clear();
        let out = &mut self.text;
        let _ = write!(out, r#"{{"id":"{id}","created_at":"{}","content":""#, at.to_offset_form());
        for word in 0..random.random_range(12..24) {
            out.push_str(if word == 0 { "" } else { " " });
            out.push_str(WORDS[random.random_range(0..WORDS.len())]);
        }
        let _ = write!(
            out,
            r#" #AI https://example.org/{n}","user_id":"{user}","username":"user{user}","acct":"user{user}@example.org","display_name":"User {user}","visibility":"public","reblogs_count":0,"favourites_count":0,"tags":["AI""#
        );
        for _ in 0..random.random_range(0..4) {
            let _ = write!(out, r#","Tag{}""#, self.tags.sample(random) as u64);
        }
        let language = if english { "en" } else { ["fr", "de", "ja", "es"][n % 4] };
        let _ = write!(
            out,
            r#"],"language":"{language}","replies_count":0,"followers_count":120,"following_count":80,"statuses_count":2400,"event":"update","edited_at":null,"source":"local","url":"https://example.org/@user{user}/{id}","sensitive":false,"in_reply_to_id":null,"bot":false}}"#
        );
        (id, english)
    }
}
