//! The pre-flight tells what is there and what to do, and never fails because a service is away.

use crate::support::{config_in, fresh_database, fresh_topic};
use spar::{Config, Table, preflight};
use std::path::Path;

/// One column of the table, from Mastodon to PostgreSQL.
fn column(table: &Table, name: &str) -> Vec<String> {
    let column = table.frame().column(name).unwrap().str().unwrap();
    column.iter().map(|cell| cell.unwrap_or_default().to_owned()).collect()
}

/// Settings that name only addresses where nobody listens.
fn nobody_there() -> Config {
    // The port is free again as soon as the listener is gone.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    config_in(
        folder.path(),
        &[
            ("KAFKA_BOOTSTRAP_SERVERS", &format!("127.0.0.1:{port}")),
            ("DATABASE_URL", &format!("postgres://spar:hidden@127.0.0.1:{port}/mastodon_data")),
            ("MASTODON_URL", &format!("http://127.0.0.1:{port}")),
        ],
    )
}

#[test]
fn services_that_are_away_are_shown_with_the_next_step() {
    let config = nobody_there();
    let table = preflight::check(&config).unwrap();
    assert_eq!(column(&table, "service"), ["Mastodon", "Kafka", "PostgreSQL"]);
    assert_eq!(column(&table, "état"), ["injoignable"; 3]);
    for (next, key) in column(&table, "suite").iter().zip(["MASTODON_URL", "KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL"]) {
        assert!(next.contains(key), "{next}");
    }
    assert!(!table.to_string().contains("hidden"));
    let failure = preflight::require(&config).unwrap_err();
    assert!(failure.is_transient(), "{failure}");
    assert!(!failure.to_string().contains("hidden"));
}

#[test]
fn embedded_services_that_do_not_run_name_the_command_that_starts_them() {
    let config = config_in(Path::new("there is no such folder"), &[]);
    let table = preflight::check(&config).unwrap();
    assert_eq!(column(&table, "état"), ["arrêté"; 3]);
    assert!(column(&table, "suite").iter().all(|next| next.contains("./spar services up")));
}

#[test]
fn running_services_tell_what_is_still_missing() {
    let database = fresh_database();
    let mut config = database.clone();
    config.topic = fresh_topic("preflight");
    let states = column(&preflight::check(&config).unwrap(), "état");
    assert!(states[1].starts_with("prêt") && states[1].ends_with("absent"), "{}", states[1]);
    assert!(states[2].starts_with("prêt") && !states[2].contains("absente"), "{}", states[2]);
    drop(database);
    let states = column(&preflight::check(&config).unwrap(), "état");
    assert!(states[2].ends_with("absente"), "{}", states[2]);
}
