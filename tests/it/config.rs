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
    // `./spar` sets these two, before any file is read.
    assert!(read.remove("SPAR_HOME") && read.remove("SPAR_PYTHON"));
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
