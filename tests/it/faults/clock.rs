use crate::desk::Desk;
use crate::exactly_once::story;
use crate::support::{config_in, fresh_database, query};
use spar::config::Secret;
use spar::job::Control;
use spar::{Charts, History, Pipeline, Question, Scope, Store, Until};
use std::path::Path;
use std::process::Command;

/// Says to the child which of its zones it runs in; the child is this very test.
const CHILD: &str = "SPAR_TEST_CLOCK_TOPIC";
const NAME: &str = "faults::clock::tables_days_and_hours_are_the_same_in_every_time_zone";

/// The steps of partie2, partie3 and partie5, as a notebook in that zone runs them; prints what they show.
fn steps(topic: &str) {
    let env = |key: &str| std::env::var(key).unwrap();
    let (kafka, database) = (env("KAFKA_BOOTSTRAP_SERVERS"), env("DATABASE_URL"));
    let settings = [
        ("KAFKA_BOOTSTRAP_SERVERS", kafka.as_str()),
        ("DATABASE_URL", &database),
        ("KAFKA_TOPIC", topic),
        ("SPAR_WINDOWS", "1h/15min, 1d by language"),
    ];
    let config = config_in(Path::new("unused"), &settings);
    Store::create(&config).unwrap();
    let report = Pipeline::quiet(&config).unwrap().run_with(&Control::quiet(), Until::CaughtUp).unwrap();
    assert!(report.books.balance());
    let history = History::load(&config).unwrap();
    for question in [
        Question::ActiveUsers(2),
        Question::HashtagsPerDay(Scope::All),
        Question::HashtagsPerHour(Scope::All),
        Question::TopHashtag(Scope::All),
        Question::TootsPerDay,
        Question::AverageLengthPerDay,
        Question::UserHours,
    ] {
        println!("TABLE {}", serde_json::json!(history.ask(question).unwrap().to_string()));
    }
    let charts = Charts::load(&config).unwrap();
    for table in [charts.toots_per_day().unwrap(), charts.users().unwrap()] {
        println!("TABLE {}", serde_json::json!(table.to_string()));
    }
}

/// Runs the steps in a process with this clock, on a database with these settings; gives tables and what was shown.
fn run_in(desk: &Desk, zone: &str, settings: &[&str]) -> Vec<Vec<String>> {
    let database = fresh_database();
    let url: &Secret = database.database_url().unwrap();
    for setting in settings {
        query(
            url,
            &format!(
                "DO $$ BEGIN
                    EXECUTE format('ALTER DATABASE %I SET {0}', current_database());
                    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET {0}', current_user, current_database());
                END $$",
                setting.replace('\'', "''")
            ),
        );
    }
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(CHILD, &desk.config.topic)
        .env("TZ", zone)
        .env("PGTZ", zone)
        .env("KAFKA_BOOTSTRAP_SERVERS", desk.config.kafka().unwrap())
        .env("DATABASE_URL", url.expose())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let shown: Vec<String> = said.lines().filter(|line| line.starts_with("TABLE ")).map(str::to_owned).collect();
    assert_eq!(shown.len(), 9);
    let mut tables = Desk::tables_of(url);
    for result in ["toots_per_day", "hashtags_per_day", "hashtags_per_hour", "average_length_per_day", "active_users"] {
        tables.push(query(url, &format!("SET datestyle = 'ISO'; SELECT t::text FROM partie3_{result} t ORDER BY 1")));
    }
    let late =
        "SET datestyle = 'ISO'; SELECT concat_ws(' ', toot_id, timestamp, window_start) FROM late_toots ORDER BY 1";
    tables.push(query(url, late));
    tables.push(shown);
    tables
}

#[test]
fn tables_days_and_hours_are_the_same_in_every_time_zone() {
    if let Ok(topic) = std::env::var(CHILD) {
        return steps(&topic);
    }
    let desk = Desk::new();
    let (first, second) = story();
    desk.send(&first);
    desk.send(&second);
    let utc = run_in(&desk, "UTC", &[]);
    assert!(utc.iter().all(|table| !table.is_empty()), "{utc:?}");
    for (zone, settings) in [
        ("Asia/Kolkata", &["timezone = 'UTC'"][..]),
        ("America/St_Johns", &["timezone = 'Asia/Kolkata'"]),
        (
            "Pacific/Kiritimati",
            &["timezone = 'Pacific/Kiritimati'", "datestyle = 'German, DMY'", "intervalstyle = 'sql_standard'"],
        ),
    ] {
        let other = run_in(&desk, zone, settings);
        println!("TZ={zone}, database {settings:?}: {} tables as in UTC", other.len());
        for (other, utc) in other.iter().zip(&utc) {
            assert_eq!(other, utc, "{zone}, {settings:?}");
        }
    }
}
