//! The settings: what `.env` may hold, and what is told about it.

use crate::support::{command, home};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

#[test]
fn a_line_of_the_env_file_that_cannot_be_read_is_never_repeated() {
    let project = tempfile::tempdir().unwrap();
    fs::write(project.path().join(".env"), "KAFKA_TOPIC=toots\nMASTODON_ACCESS_TOKEN=invented hidden-word\n").unwrap();
    let output =
        Command::new(command()).args(["services", "status"]).env("SPAR_HOME", project.path()).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(told.contains(".env") && told.contains("first 1 settings"), "{told}");
    assert!(!told.contains("invented") && !told.contains("hidden-word"), "{told}");
}

/// The words in capitals between quotes of a text that begin like a setting.
fn settings(text: &str) -> BTreeSet<&str> {
    let of_us = ["SPAR_", "KAFKA_", "MASTODON_", "DATABASE_", "JAVA_"];
    let all = text.split('"').filter(|w| w.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
    all.filter(|w| of_us.iter().any(|start| w.starts_with(start))).collect()
}

#[test]
fn the_example_of_an_env_file_lists_every_setting_and_no_other() {
    let mut read = settings(include_str!("../../src/config.rs"));
    // `./spar` sets the first two, before any file is read; its kernel has the third.
    assert!(["SPAR_HOME", "SPAR_PYTHON", "SPAR_KERNEL"].into_iter().all(|key| read.remove(key)));
    let example = fs::read_to_string(home().join(".env.example")).unwrap();
    let mut listed: BTreeSet<&str> = example
        .lines()
        .filter_map(|l| l.strip_prefix('#')?.split_once('='))
        .map(|(k, _)| k)
        .filter(|k| !k.contains(' '))
        .collect();
    for of_compose in ["POSTGRES_PASSWORD", "SPAR_PASSWORD", "JUPYTER_TOKEN", "COMPOSED_KAFKA"] {
        assert!(listed.remove(of_compose), "{of_compose}");
    }
    assert_eq!(listed, read);
}

#[test]
fn every_setting_comes_from_the_environment_and_has_its_default() {
    let state = tempfile::tempdir().unwrap();
    let config = crate::support::config_in(state.path(), &[]);
    assert_eq!((config.topic.as_str(), config.partitions, config.replication), ("mastodon_stream", 1, 1));
    assert_eq!((config.languages.as_slice(), config.active_over, config.heatmap_over), (&["en".to_owned()][..], 2, 5));
    assert_eq!((config.window.as_secs(), config.lateness.as_secs(), config.seed), (3600, 3600, 42));
    assert!(config.extra_keywords.is_empty() && config.is_local());

    let set = [
        ("MASTODON_URL", "https://toots.example/"),
        ("MASTODON_ACCESS_TOKEN", "invented"),
        ("KAFKA_BOOTSTRAP_SERVERS", "one.example:9092,two.example:9092"),
        ("KAFKA_TOPIC", "toots"),
        ("KAFKA_PARTITIONS", "6"),
        ("KAFKA_REPLICATION", "3"),
        ("DATABASE_URL", "postgres://ana@base.example/toots"),
        ("SPAR_KEYWORDS", "#Rust, Ada Lovelace"),
        ("SPAR_LANGUAGES", "en,FR"),
        ("SPAR_WINDOW_SECONDS", "600"),
        ("SPAR_ACTIVE_OVER", "3"),
        ("SPAR_HEATMAP_OVER", "9"),
    ];
    let config = crate::support::config_in(state.path(), &set);
    assert_eq!((config.mastodon_url().unwrap(), config.source.as_str()), ("https://toots.example", "toots.example"));
    assert_eq!(config.access_token().unwrap().expose(), "invented");
    assert_eq!(config.kafka().unwrap(), "one.example:9092,two.example:9092");
    assert_eq!((config.topic.as_str(), config.partitions, config.replication), ("toots", 6, 3));
    assert_eq!(config.database_url().unwrap().expose(), "postgres://ana@base.example/toots");
    assert_eq!(config.extra_keywords, ["#Rust", "Ada Lovelace"]);
    assert_eq!(config.languages, ["en", "fr"]);
    assert_eq!((config.window.as_secs(), config.active_over, config.heatmap_over), (600, 3, 9));
    assert_eq!(config.embedded, spar::config::Embedded::default());
}

#[test]
fn a_password_of_any_characters_reaches_the_server() {
    let place = crate::place::Place::new("password", false);
    let services = place.start();
    let mut config = services.config().clone();
    let password = "p@ss:w/o?r#d %41 é'\"\\";
    let written = format!("ALTER ROLE spar PASSWORD '{}'", password.replace('\'', "''"));
    let mut url = url::Url::parse(config.database_url().unwrap().expose()).unwrap();
    url.set_path("postgres");
    crate::support::query(&spar::config::Secret::new(url.as_str()), &written);
    assert!(spar::Store::create(&config).is_err(), "the old password is no longer good");
    url.set_path("toots");
    // `url` leaves a percent sign as it is: it may be the beginning of an escape.
    url.set_password(Some(&password.replace('%', "%25"))).unwrap();
    config.database_url = Some(spar::config::Secret::new(url));
    let store = spar::Store::create(&config).unwrap();
    assert_eq!(store.query("SELECT current_database()::text AS name", &[]).unwrap().height(), 1);
}
