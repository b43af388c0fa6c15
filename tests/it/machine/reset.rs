//! `services reset`: it asks, and deletes what the embedded services keep and nothing else.

use super::ground::{Ground, fails_with, told};
use crate::support::{config_in, query};
use spar::config::Secret;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

/// A ground whose services ran once, with a database of the test's own in them.
fn used() -> Ground {
    let ground = Ground::new();
    let (said, code) = told(&ground.spar(&["services", "up"]));
    assert_eq!(code, Some(0), "{said}");
    query(&postgres(&ground), "CREATE DATABASE kept");
    ground
}

/// How many of the databases are the test's own.
fn kept(ground: &Ground) -> String {
    query(&postgres(ground), "SELECT count(*) FROM pg_database WHERE datname = 'kept'").concat()
}

fn postgres(ground: &Ground) -> Secret {
    let config = config_in(&ground.path("state"), &[("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")]);
    let mut url = url::Url::parse(config.database_url().unwrap().expose()).unwrap();
    url.set_path("postgres");
    Secret::new(url)
}

fn answer(ground: &Ground, words: &str) -> Output {
    let mut reset = ground.command(&["services", "reset"]);
    let mut reset = reset.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that refuses before it asks has closed its end.
    let _ = reset.stdin.take().unwrap().write_all(words.as_bytes());
    reset.wait_with_output().unwrap()
}

#[test]
fn reset_deletes_after_a_typed_yes_only_and_the_next_start_is_the_first_one_again() {
    let ground = used();
    let others = [ground.path("state/mastodon.example/credentials.json"), ground.path("state/model/sentiment.model")];
    for other in &others {
        fs::create_dir_all(other.parent().unwrap()).unwrap();
        fs::write(other, "another's").unwrap();
    }
    fs::write(ground.state("credentials.json"), "{}").unwrap();
    let waiting = wait_for_kafka(&ground.state(""));

    let asked = ["", "no\n", "y\n", "YES\n", "yes please\n"];
    for words in asked {
        fails_with(&answer(&ground, words), &["nobody typed yes", "everything is still there", "--yes"]);
        assert_eq!(kept(&ground), "1", "{words:?}");
    }
    println!("{} answers that are no yes: nothing was deleted", asked.len());

    let (said, code) = told(&answer(&ground, "yes\n"));
    assert_eq!(code, Some(0), "{said}");
    for line in ["PostgreSQL", "Mastodon", "their logs", "application and token", "2 of the services run", "MB deleted"]
    {
        assert!(said.contains(line), "{line:?} is not in: {said}");
    }
    println!("{said}");
    for gone in ["postgres", "mastodon", "logs", "credentials.json", "endpoints.json", "pinned.json"] {
        assert!(!ground.state(gone).exists(), "{gone} is still there");
    }
    for other in &others {
        assert_eq!(fs::read_to_string(other).unwrap(), "another's");
    }
    assert!(
        waiting.exists() && !said.contains("undelivered"),
        "the topics of one's own Kafka stay, so this does: {said}"
    );
    ground.wait_until_nobody_is_left();

    let (said, code) = told(&ground.spar(&["services", "up"]));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(kept(&ground), "0", "a fresh server");
    assert_eq!(told(&ground.spar(&["services", "reset", "--yes"])).1, Some(0));
    let (said, code) = told(&ground.spar(&["services", "reset"]));
    assert!(code == Some(0) && said.contains("nothing to delete"), "{said}");
}

/// A message that an ingestion kept in the state folder because Kafka did not take it.
fn wait_for_kafka(state: &Path) -> PathBuf {
    let file = state.join("undelivered/00000001-1-0.jsonl");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(&file, "{\"topic\":\"mastodon_stream\",\"key\":\"1\",\"payload\":\"{}\"}\n").unwrap();
    file
}

#[test]
fn messages_that_wait_for_the_embedded_kafka_go_with_its_topics() {
    for topics in [true, false] {
        let ground = Ground::new();
        let state = ground.state("");
        let waiting = wait_for_kafka(&state);
        fs::write(state.join("lease.lock"), "").unwrap();
        if topics {
            fs::create_dir_all(state.join("kafka/data")).unwrap();
        }
        let mut reset = ground.command(&["services", "reset", "--yes"]);
        let (said, code) = told(&reset.env("KAFKA_BOOTSTRAP_SERVERS", "").output().unwrap());
        assert!(code == Some(0) && said.contains("undelivered messages"), "{said}");
        assert!(said.contains(waiting.parent().unwrap().to_str().unwrap()), "the question names the folder: {said}");
        assert!(!waiting.parent().unwrap().exists() && !state.join("kafka").exists(), "topics: {topics}");
    }
}

#[test]
fn reset_follows_no_link_and_finishes_what_a_killed_one_began() {
    let ground = Ground::new();
    let state = ground.state("");
    let outside = ground.path("outside");
    for folder in [&outside, &state, &state.join("deleted-1/kafka")] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::write(outside.join("precious"), "data").unwrap();
    fs::write(state.join("lease.lock"), "").unwrap();
    symlink(&outside, state.join("postgres")).unwrap();
    fs::create_dir_all(state.join("kafka")).unwrap();
    symlink(&outside, state.join("kafka/data")).unwrap();

    let (said, code) = told(&answer(&ground, "yes\n"));
    assert!(code == Some(0) && said.contains("a link; what it points to stays"), "{said}");
    assert!(!state.join("postgres").is_symlink() && !state.join("kafka").exists());
    assert_eq!(fs::read_to_string(outside.join("precious")).unwrap(), "data");

    // A state that is itself a link is left alone.
    fs::rename(&state, ground.path("real")).unwrap();
    symlink(ground.path("real"), state.parent().unwrap().join("local")).unwrap();
    fs::create_dir(ground.path("real/postgres")).unwrap();
    fails_with(&answer(&ground, "yes\n"), &["is a link", "SPAR_STATE"]);
    assert!(ground.path("real/postgres").exists());
    fs::remove_file(state.parent().unwrap().join("local")).unwrap();
    fs::rename(ground.path("real"), state.parent().unwrap().join("local")).unwrap();

    fs::remove_dir(ground.state("postgres")).unwrap();
    assert!(ground.state("deleted-1").exists());
    assert_eq!(told(&ground.spar(&["services", "up"])).1, Some(0));
    assert!(!ground.state("deleted-1").exists(), "the next start sweeps what a killed reset left");
}

#[test]
fn reset_of_a_real_instances_state_keeps_the_persons_token() {
    let ground = Ground::new();
    let state = ground.path("state/mastodon.example");
    fs::create_dir_all(state.join("postgres")).unwrap();
    for file in ["lease.lock", "credentials.json"] {
        fs::write(state.join(file), "{}").unwrap();
    }
    let mut reset = ground.command(&["services", "reset", "--yes"]);
    let (said, code) = told(&reset.env("MASTODON_URL", "https://mastodon.example").output().unwrap());
    assert!(code == Some(0) && said.contains("keep for mastodon.example"), "{said}");
    assert!(!state.join("postgres").exists());
    assert!(Path::new(&state).join("credentials.json").exists());
}
