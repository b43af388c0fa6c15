use crate::desk::Desk;
use crate::listen::config_on;
use crate::local::client;
use crate::messages::{Draft, gone, message};
use crate::server::Server;
use crate::signals::{Signal, send};
use crate::support::{config, config_in, eventually};
use spar::config::Secret;
use spar::ingest::IngestReport;
use spar::job::Control;
use spar::kafka::{Raw, gaps_topic, tail, topic_info};
use spar::local::{LocalServer, LocalSettings, start};
use spar::{Config, Ingest, Journal, Mastodon, Pipeline, Producer, Timestamp, Until};
use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Says to a child what it is; it is one of these very tests.
const CHILD: &str = "SPAR_TEST_CHILD";

/// Starts this test again as a process of its own with a state of its own, which a test may kill.
fn child(test: &str, config: &Config, state: &Path, more: &[(&str, &str)]) -> Child {
    let name = format!("faults::process_dies::{test}");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &name, "--nocapture"]).env(CHILD, test).env("KAFKA_TOPIC", &config.topic);
    child.env("KAFKA_BOOTSTRAP_SERVERS", config.kafka().unwrap()).stdout(Stdio::null()).stderr(Stdio::null());
    child.env("SPAR_STATE", state).envs(more.iter().copied()).spawn().unwrap()
}

/// The settings that the parent gave.
fn given() -> Config {
    let env = |key: &str| std::env::var(key).ok();
    let state = env("SPAR_STATE").expect("the parent gives a folder");
    let mut config = config_in(Path::new(&state), &[]);
    config.topic = env("KAFKA_TOPIC").unwrap();
    config.kafka = env("KAFKA_BOOTSTRAP_SERVERS");
    config.database_url = env("DATABASE_URL").map(Secret::new);
    config.mastodon_url = env("MASTODON_URL");
    config.mastodon_control = env("MASTODON_CONTROL");
    config.access_token = env("MASTODON_ACCESS_TOKEN").map(Secret::new);
    config
}

fn signal(child: &mut Child, signal: Signal) {
    assert!(send(child.id() as i32, signal));
    assert!(!child.wait().unwrap().success(), "it was still at work");
}

/// partie1, until the local Mastodon's slice is over.
fn listen(config: &Config) -> IngestReport {
    let mastodon = Mastodon::connect(config).unwrap();
    let ingest = Ingest::new(config, &mastodon, &Producer::connect(config).unwrap(), Journal::default());
    ingest.listen(Until::CaughtUp, &Control::quiet()).unwrap()
}

/// A local Mastodon whose slice takes about eight seconds.
fn server(folder: &Path) -> LocalServer {
    let settings = LocalSettings { statuses: 3000, speed: Some(7.0 * 86_400.0 / 8.0), ..LocalSettings::new(folder) };
    start(&settings).unwrap()
}

/// What a child needs to listen to it.
fn address<'a>(server: &'a LocalServer, config: &'a Config) -> [(&'static str, &'a str); 3] {
    [
        ("MASTODON_URL", server.url.as_str()),
        ("MASTODON_CONTROL", server.control.as_str()),
        ("MASTODON_ACCESS_TOKEN", config.access_token.as_ref().unwrap().expose()),
    ]
}

/// Enough for several batches: toots, edits, deletes, some late, in an order of their own.
fn drafts() -> Vec<Draft> {
    let toot = |n: usize| {
        message(&n.to_string())
            .user(&format!("u{}", n % 50))
            .text(&"word ".repeat(n % 40 + 1))
            .tags(&[["AI", "Rust", "ml"][n % 3]])
            .at(&format!("2024-10-{:02}T{:02}:{:02}:00Z", 1 + n / 600, n / 25 % 24, n % 60))
    };
    (0..6000)
        .map(|n| match n % 10 {
            3 => toot(n - 3).text("edited").edited("2024-11-01T00:00:00Z"),
            7 if n % 100 == 7 => gone(&(n - 5).to_string(), "delete"),
            9 if n % 100 == 99 => toot(n).at("2024-09-30T00:00:00Z"),
            _ => toot(n),
        })
        .collect()
}

#[test]
fn partie2_killed_at_any_moment_leaves_the_tables_of_an_undisturbed_run() {
    const NAME: &str = "partie2_killed_at_any_moment_leaves_the_tables_of_an_undisturbed_run";
    if std::env::var(CHILD).is_ok() {
        let config = given();
        Pipeline::quiet(&config).unwrap().run_with(&Control::quiet(), Until::Stopped).unwrap();
        return;
    }
    let drafts = drafts();
    let (undisturbed, desk) = (Desk::new(), Desk::new());
    undisturbed.send(&drafts);
    let books = undisturbed.run().books;
    assert!(books.late > 0 && books.edits > 0 && books.deletes > 0);
    let url = desk.config.database_url().unwrap().expose();
    let folder = tempfile::tempdir().unwrap();
    let (mut epochs, mut positions) = (0, Vec::new());
    for n in 0..8u64 {
        // There is always something to read, and the blow falls a little later each time.
        desk.send(&drafts[n as usize * 750..][..750]);
        let mut worker = child(NAME, &desk.config, folder.path(), &[("DATABASE_URL", url)]);
        eventually("the worker takes over", Duration::from_secs(60), || {
            let epoch = desk.query("SELECT coalesce(max(epoch), 0)::text FROM stream_partition")[0].parse().unwrap();
            std::mem::replace(&mut epochs, epoch) < epoch
        });
        std::thread::sleep(Duration::from_millis(n * 60));
        signal(&mut worker, [Signal::KILL, Signal::TERM][n as usize % 2]);
        positions.extend(desk.query("SELECT sum(next_offset)::text FROM stream_partition"));
    }
    let left = desk.run().books.read;
    let found = desk.tables();
    let expected = undisturbed.tables();
    let lost = expected.iter().zip(&found).map(|(a, b)| a.iter().filter(|row| !b.contains(row)).count());
    let lost: usize = lost.sum();
    println!(
        "partie2 killed {} times, at positions {positions:?}: {} records, {left} left for the last run, {lost} rows differ",
        positions.len(),
        drafts.len()
    );
    assert_eq!(found, expected);
    desk.assert_consistent();
    assert_eq!(desk.query("SELECT sum(next_offset)::text FROM stream_partition"), [drafts.len().to_string()]);
}

#[test]
fn partie1_killed_in_its_middle_leaves_a_gap_that_the_next_run_records() {
    const NAME: &str = "partie1_killed_in_its_middle_leaves_a_gap_that_the_next_run_records";
    if std::env::var(CHILD).is_ok() {
        listen(&given());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let config = config_on(Config { state: folder.path().join("state"), ..config() }, &server);
    let records = || topic_info(&config).unwrap().records();
    let mut kept: HashSet<String> = HashSet::new();
    for how in [Signal::TERM, Signal::KILL] {
        let before = records();
        let mut listener = child(NAME, &config, &folder.path().join("child"), &address(&server, &config));
        eventually("messages are in the topic", Duration::from_secs(60), || records() > before + 20);
        signal(&mut listener, how);
        let ended = Timestamp::now();
        let standing = client::get(&server.control, "/control/slice").json();
        assert_eq!(standing["state"], "running", "the listener was killed in the middle");
        kept.extend(tail(&config, &config.topic, u32::MAX).unwrap().into_iter().filter_map(|r| r.key));

        let report = listen(&config);
        assert_eq!((report.sent, report.errors), (report.acknowledged, 0));
        let gaps = tail(&config, &gaps_topic(&config.topic), u32::MAX).unwrap();
        let gap: serde_json::Value = serde_json::from_slice(gaps.last().unwrap().value.as_ref().unwrap()).unwrap();
        let at = |key: &str| gap[key].as_str().unwrap().parse::<Timestamp>().unwrap();
        assert!(at("from") <= ended && ended <= at("to"), "{gap} around {ended}");
        assert_eq!(gap["reason"], "nobody listened");
        let now: HashSet<String> =
            tail(&config, &config.topic, u32::MAX).unwrap().into_iter().filter_map(|r| r.key).collect();
        let lost = kept.difference(&now).count();
        let doubled = records() - versions(&config);
        println!(
            "partie1 stopped by {how:?}: {} records acknowledged, {lost} lost, {doubled} doubled, one gap",
            kept.len()
        );
        assert_eq!((lost, doubled), (0, 0));
    }
}

#[test]
fn what_waited_for_kafka_when_partie1_was_killed_lies_in_the_gap_although_newer_toots_are_there() {
    const NAME: &str = "what_waited_for_kafka_when_partie1_was_killed_lies_in_the_gap_although_newer_toots_are_there";
    if std::env::var(CHILD).is_ok() {
        listen(&given());
        return;
    }
    let kafka = Server::kafka();
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path());
    let config = config_on(Config { state: folder.path().join("state"), ..kafka.config() }, &server);
    let state = folder.path().join("child");
    let mut listener = child(NAME, &config, &state, &address(&server, &config));
    let soon = |what: &str, is_so: &mut dyn FnMut() -> bool| eventually(what, Duration::from_secs(60), is_so);
    soon("messages are in the topic", &mut || topic_info(&config).unwrap().records() > 20);
    kafka.kill();
    let killed = Timestamp::now();
    let notes = || files(&state).into_iter().filter(|name| name.starts_with("waiting-")).count();
    soon("the listener notes that toots wait", &mut || notes() == 1);
    signal(&mut listener, Signal::KILL);
    kafka.start();
    // As in a partition whose leader was there.
    let loader = Desk::loader(&config);
    let newer = message("newer").json();
    loader.put(&config.topic, Raw { key: Some("newer"), value: Some(&newer), ..Raw::default() }).unwrap();
    loader.flush().unwrap();

    listen(&Config { state: state.clone(), ..config.clone() });
    let gaps = tail(&config, &gaps_topic(&config.topic), u32::MAX).unwrap();
    let gap: serde_json::Value = serde_json::from_slice(gaps.last().unwrap().value.as_ref().unwrap()).unwrap();
    let from: Timestamp = gap["from"].as_str().unwrap().parse().unwrap();
    println!("Kafka was gone at {killed}; the gap: {gap}");
    // What was sent just before may not have been acknowledged either; a second is far more than that takes.
    assert!(from <= killed.plus(Duration::from_secs(1)), "{gap}, but Kafka was gone at {killed}");
    assert_ne!(gap["from_id"], "newer");
    assert_eq!(notes(), 0, "it is forgotten once the gap is recorded");
}

/// The names of all files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => files(&path),
            _ => vec![entry.file_name().to_string_lossy().into_owned()],
        })
        .collect()
}

/// How many different messages the topic holds.
fn versions(config: &Config) -> i64 {
    let records = tail(config, &config.topic, u32::MAX).unwrap();
    records.into_iter().map(|record| record.value).collect::<HashSet<_>>().len() as i64
}
