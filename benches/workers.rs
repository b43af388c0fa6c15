//! Two workers on six partitions while toots arrive, one of them killed at random again and again; the tables must be
//! those of one clean run: `cargo bench --profile dev --bench workers -- [toots] [kills]`, about ten seconds a kill.
//!
//! It needs KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL, or the embedded services running, and cleans up after itself.

#[path = "common/database.rs"]
mod database;
#[path = "common/messages.rs"]
mod messages;

use database::with_database;
use messages::Messages;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spar::job::Control;
use spar::kafka::{Loader, Raw};
use spar::pipeline::StreamStatus;
use spar::{Config, Pipeline, Result, Store, Until};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PARTITIONS: i32 = 6;
const LIMIT: Duration = Duration::from_secs(90);

/// The four tables and the late counts, each as one number.
const DIGESTS: &str = "SELECT
    (SELECT md5(string_agg(t::text, ',' ORDER BY toot_id)) FROM (SELECT toot_id, \"timestamp\", text, user_id, language,
        hashtags, reblogs_count, favourites_count, replies_count FROM filtered_toots) t) AS toots,
    (SELECT md5(string_agg(t::text, ',' ORDER BY window_start)) FROM (SELECT window_start, window_end, total_toots,
        late_n FROM toots_time_window_aggregates) t) AS windows,
    (SELECT md5(string_agg(t::text, ',' ORDER BY user_id)) FROM (SELECT user_id, average_length FROM user_avg_length) t)
        AS users,
    (SELECT md5(string_agg(t::text, ',' ORDER BY hashtag)) FROM (SELECT hashtag, average_length FROM hashtag_avg_length)
        t) AS tags,
    (SELECT count(*) FROM filtered_toots) AS rows,
    (SELECT count(DISTINCT toot_id) FROM filtered_toots) AS ids";

fn main() -> Result<()> {
    let mut numbers = std::env::args().skip(1).filter_map(|arg| arg.parse::<usize>().ok());
    let (toots, kills) = (numbers.next().unwrap_or(200_000), numbers.next().unwrap_or(20));
    let name = format!("bench_{}", std::process::id());
    let mut config = Config::from_env()?;
    config.topic = format!("{name}_stream");
    let loader = Loader::connect(&config)?;
    loader.create_topic(&config.topic, PARTITIONS)?;

    let chaotic = with_database(&config, &format!("{name}_chaos"));
    Store::create(&chaotic)?;
    let mut workers = [worker(&chaotic), worker(&chaotic)];
    let mut random = ChaCha8Rng::seed_from_u64(42);
    let mut messages = Messages::new();
    let mut put = |n| {
        let (id, _) = messages.next(n, toots);
        loader.put(&config.topic, Raw { key: Some(&id), value: Some(messages.text.as_bytes()), ..Raw::default() })
    };
    let began = Instant::now();
    // A worker learns from a first message whose toots these are, and joins the group then.
    put(0)?;
    loader.flush()?;
    let mut sent = 1;
    for kill in 0..kills {
        wait("both workers have partitions", || share(&chaotic, &workers));
        // One of them dies at any moment of this part.
        let (victim, at) = (random.random_range(0..2), random.random_range(0..toots / kills));
        for n in sent..toots * (kill + 1) / kills {
            if n == sent + at {
                workers[victim].kill();
            }
            put(n)?;
        }
        loader.flush()?;
        sent = toots * (kill + 1) / kills;
        workers[victim] = worker(&chaotic);
        println!(
            "kill {:2}: {sent} toots sent, {} records not yet applied",
            kill + 1,
            StreamStatus::read(&chaotic)?.lag
        );
    }
    wait("everything is applied", || StreamStatus::read(&chaotic).is_ok_and(|status| status.lag == 0));
    let seconds = began.elapsed().as_secs_f64();
    workers.iter_mut().for_each(Worker::kill);

    let clean = with_database(&config, &format!("{name}_clean"));
    Store::create(&clean)?;
    Pipeline::quiet(&clean)?.run_with(&Control::quiet(), Until::CaughtUp)?;
    let tables = |config: &Config| Store::connect(config)?.query(DIGESTS, &[]).map(|table| table.to_string());
    let (left, right) = (tables(&chaotic)?, tables(&clean)?);
    println!("with {kills} kills:\n{left}\none clean run:\n{right}");
    assert_eq!(left, right, "the tables differ");
    println!("{toots} toots, {PARTITIONS} partitions, 2 workers, {kills} kills, {seconds:.0} s: lost 0, duplicated 0");
    for config in [&chaotic, &clean] {
        Store::drop_database(config)?;
    }
    loader.delete_topic(&config.topic)
}

/// A process that does not outlive this one, whatever ends it.
struct Worker(Child);

impl Worker {
    fn kill(&mut self) {
        self.0.kill().expect("a worker is killed");
        self.0.wait().expect("a killed worker ends");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // One that was killed before is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn worker(config: &Config) -> Worker {
    let child = Command::new(env!("CARGO_BIN_EXE_spar"))
        .arg("worker")
        .env("SPAR_HOME", env!("CARGO_MANIFEST_DIR"))
        .env("KAFKA_BOOTSTRAP_SERVERS", config.kafka().expect("a broker"))
        .env("DATABASE_URL", config.database_url().expect("a database").expose())
        .env("KAFKA_TOPIC", &config.topic)
        .env("SPAR_SESSION_SECONDS", "6")
        .stderr(Stdio::null())
        .spawn()
        .expect("a worker starts");
    Worker(child)
}

/// True when both workers own partitions and nobody else does.
fn share(config: &Config, workers: &[Worker; 2]) -> bool {
    let Ok(status) = StreamStatus::read(config) else { return false };
    let owners = status.partitions.frame().column("owner").and_then(|c| c.str()).expect("a column of text");
    let owns = |owner: Option<&str>, worker: &Worker| {
        owner.is_some_and(|o| o.starts_with(&format!("spar-{}-", worker.0.id())))
    };
    owners.iter().all(|owner| workers.iter().any(|worker| owns(owner, worker)))
        && workers.iter().all(|worker| owners.iter().any(|owner| owns(owner, worker)))
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {LIMIT:?}: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
