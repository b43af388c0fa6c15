//! The table `toot_windows` on a real Kafka and PostgreSQL: always what SQL counts from the stored toots.

use crate::desk::Desk;
use crate::exactly_once::story;
use crate::messages::{SEVEN_BATCHES, gone, message};
use crate::support::{eventually, fresh_database};
use crate::worker::Worker;
use crate::workers;
use spar::job::Control;
use spar::pipeline::StreamStatus;

use spar::{Config, Pipeline, Store, Until};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const KINDS: &str = "5min, 1h/15min, 1d/6h by language, 1h by hashtag";

fn kinds(desk: &Desk) -> Vec<String> {
    desk.query("SELECT DISTINCT kind FROM toot_windows ORDER BY 1")
}

#[test]
fn edits_deletes_late_toots_and_languages_leave_what_sql_counts() {
    let mut desk = Desk::with_windows(KINDS, 1);
    desk.config.languages = vec!["en".into(), "fr".into()];
    let (first, second) = story();
    let at = |id: &str, language: &str| message(id).set("language", language).at("2024-10-10T10:59:59.999999Z");
    let third = [
        at("fr", "fr-CA").tags(&["Été", "été", "AI"]),
        at("moved", "en").tags(&["AI"]),
        at("moved", "fr").tags(&["ML"]).text("longer than before").edited("2024-10-10T20:00:00Z"),
        at("left", "fr"),
        at("left", "de").edited("2024-10-10T20:00:00Z"),
        gone("9", "retract").set("edited_at", "2024-10-10T20:00:00Z"),
        gone("never seen", "delete"),
        message("later").at("2024-10-11T09:00:00Z"),
        at("late", "fr"),
    ];
    for part in [&first[..], &second[..], &third[..]] {
        desk.send(part);
        desk.run();
        desk.assert_consistent();
    }
    assert_eq!(kinds(&desk), ["1d/6h by language", "1h by hashtag", "1h/15min", "5min"]);
    assert_eq!(
        desk.query(
            "SELECT concat_ws(' ', key, total_toots, late_n) FROM toot_windows
            WHERE kind = '1d/6h by language' AND key = 'fr' AND window_start = '2024-10-10'"
        ),
        ["fr 3 1"]
    );
    // Deleted toots take their last window along.
    let ids = desk.query("SELECT toot_id FROM filtered_toots");
    desk.send(&ids.iter().map(|id| gone(id, "delete")).collect::<Vec<_>>());
    desk.run();
    assert_eq!(desk.count("toot_windows"), 0);
    desk.assert_consistent();
}

#[test]
fn the_seven_batches_leave_the_counts_of_the_design() {
    let database = fresh_database();
    let config = Config {
        window: Duration::from_secs(300),
        lateness: Duration::from_secs(120),
        windows: Some("5min by hashtag, 10min/5min".parse().unwrap()),
        ..database.clone()
    };
    let desk = Desk::with_topic(config, 1);
    for batch in SEVEN_BATCHES {
        let toot = |(time, tag): &(&str, &str)| message(time).at(&format!("2024-10-10T{time}Z")).tags(&[tag]);
        desk.send(&batch.iter().map(toot).collect::<Vec<_>>());
        desk.run();
    }
    let rows = |kind: &str| {
        desk.query(&format!(
            "SELECT concat_ws(' ', to_char(window_start, 'HH24:MI'), nullif(key, ''), total_toots, late_n, closed_by,
                revised_at IS NOT NULL) FROM toot_windows WHERE kind = '{kind}' ORDER BY window_start, key"
        ))
    };
    assert_eq!(
        rows("5min by hashtag"),
        [
            "12:00 a 4 2 watermark t",
            "12:00 b 1 0 watermark f",
            "12:05 a 2 0 watermark f",
            "12:05 z 2 0 watermark f",
            "12:30 q 1 0 f"
        ]
    );
    assert_eq!(
        rows("10min/5min"),
        ["11:55 5 2 watermark t", "12:00 9 2 watermark f", "12:05 4 0 watermark f", "12:25 1 0 f", "12:30 1 0 f"]
    );
    assert_eq!(desk.count("late_toots"), 2);
    let table = Store::connect(&desk.config).unwrap().windows("300s by hashtag").unwrap();
    assert_eq!(table.height(), 5);
    let error = Store::connect(&desk.config).unwrap().windows("1h").map(drop).unwrap_err().to_string();
    assert!(error.contains("10min/5min, 5min by hashtag") && error.contains("SPAR_WINDOWS='1h'"), "{error}");
}

#[test]
fn a_narrow_window_closes_before_its_hour_and_counts_what_comes_while_the_hour_is_open() {
    let desk = Desk::with_windows("5min", 1);
    let row = "SELECT concat_ws(' ', total_toots, late_n, closed_by, revised_at IS NOT NULL) FROM toot_windows
        WHERE window_start = '2024-10-10 11:15'";
    desk.send(&[message("1"), message("2").at("2024-10-10T12:30:00Z")]);
    desk.run();
    assert_eq!(desk.query(row), ["1 0 watermark f"]);
    // The hour of 11 is final at 13:00; until then its toots are not late, whatever its narrow windows are.
    desk.send(&[message("3")]);
    assert_eq!(desk.run().books.late, 0);
    assert_eq!(desk.query(row), ["2 0 watermark t"]);
    desk.assert_consistent();
}

#[test]
fn an_idle_stream_closes_windows_of_every_kind_and_a_toot_opens_its_own_again() {
    let mut desk = Desk::with_windows("1h, 1h by hashtag", 1);
    desk.config.idle = Duration::from_secs(1);
    let rows = || {
        desk.query("SELECT concat_ws(' ', nullif(key, ''), total_toots, closed_by) FROM toot_windows ORDER BY kind, key, window_start")
    };
    let mut job = desk.pipeline().start().unwrap();
    desk.send(&[message("1").tags(&["a"]), message("2").tags(&["b"])]);
    eventually("all are closed", LIMIT, || rows() == ["2 idle", "a 1 idle", "b 1 idle"]);
    let closed = desk.query("SELECT closed_at::text FROM toot_windows WHERE key = 'b'");
    desk.send(&[message("3").tags(&["a"])]);
    eventually("two were opened and closed again", LIMIT, || rows() == ["3 idle", "a 2 idle", "b 1 idle"]);
    assert_eq!(desk.query("SELECT count(*)::text FROM toot_windows WHERE revised_at IS NULL"), ["3"]);
    assert_eq!(desk.query("SELECT closed_at::text FROM toot_windows WHERE key = 'b'"), closed);
    desk.send(&[message("4").tags(&["a"]).at("2024-10-10T13:00:00Z")]);
    eventually("the watermark closes them", LIMIT, || {
        rows() == ["3 watermark", "1 idle", "a 2 watermark", "a 1 idle", "b 1 watermark"]
    });
    job.stop().unwrap();
    // A kind that is added now finds the hours closed, each in its way.
    desk.change_windows("5min");
    assert_eq!(rows(), ["3 watermark", "1 idle"]);
}

#[test]
fn without_other_kinds_their_table_is_not_even_asked() {
    let mut desk = Desk::new();
    desk.config.idle = Duration::from_millis(1);
    desk.query("DROP TABLE toot_windows");
    desk.send(&[message("1"), message("2"), message("2").edited("2024-10-10T12:00:00Z"), gone("1", "delete")]);
    eventually("all is written and closed", LIMIT, || {
        desk.run();
        desk.query("SELECT total_toots || closed_by FROM toots_time_window_aggregates") == ["1idle"]
    });
}

#[test]
fn kinds_that_are_added_later_are_counted_from_the_stored_toots_and_the_others_removed() {
    let desk = Desk::new();
    let (first, second) = story();
    desk.send(&first);
    desk.send(&second);
    desk.run();
    assert_eq!(desk.count("toot_windows"), 0);
    desk.change_windows(KINDS);
    desk.assert_consistent();
    assert_eq!(kinds(&desk).len(), 4);
    // Those that end with a closed hour are closed, those of the open hours are not.
    assert_eq!(
        desk.query(
            "SELECT count(*)::text FROM toot_windows WHERE (closed_by IS NOT NULL) <> (window_end <=
            (SELECT max(window_end) FROM toots_time_window_aggregates WHERE closed_by = 'watermark'))"
        ),
        ["0"]
    );
    let at = desk.query("SELECT max(closed_at)::text FROM toot_windows WHERE kind = '5min'");
    desk.change_windows("1d by hashtag, 5min");
    desk.assert_consistent();
    assert_eq!(kinds(&desk), ["1d by hashtag", "5min"]);
    assert_eq!(desk.query("SELECT max(closed_at)::text FROM toot_windows WHERE kind = '5min'"), at, "it was kept");
    // A set-up that does not name any leaves them.
    Store::create(&desk.config).unwrap();
    assert_eq!(kinds(&desk), ["1d by hashtag", "5min"]);
    // A table that was lost comes back whole.
    desk.query("DROP TABLE toot_windows");
    Store::create(&desk.config).unwrap();
    assert_eq!(kinds(&desk), ["1d by hashtag", "5min"]);
    desk.assert_consistent();
    desk.change_windows("none");
    assert_eq!(desk.count("toot_windows"), 0);
}

#[test]
fn a_run_under_way_when_the_kinds_change_reads_again_and_goes_on_with_the_new_ones() {
    let desk = Desk::with_windows("1h", 1);
    let (first, second) = story();
    desk.send(&first);
    let config = Config { windows: Some("5min by hashtag".parse().unwrap()), ..desk.config.clone() };
    let mut pipeline = desk.pipeline();
    let changed = std::sync::atomic::AtomicBool::new(false);
    pipeline.on_step(std::sync::Arc::new(move |step| {
        if step == spar::postgres::Step::Read && !changed.swap(true, std::sync::atomic::Ordering::Relaxed) {
            let change = || Store::create(&config).map(drop).unwrap();
            std::thread::scope(|scope| scope.spawn(change).join()).unwrap();
        }
        spar::postgres::Fault::None
    }));
    let report = pipeline.run_with(&Control::quiet(), Until::CaughtUp).unwrap();
    assert_eq!((report.books.on_time, desk.count("filtered_toots")), (80, 80));
    assert_eq!(kinds(&desk), ["5min by hashtag"]);
    desk.assert_consistent();
    desk.send(&second);
    desk.run();
    assert_eq!(kinds(&desk), ["5min by hashtag"]);
    desk.assert_consistent();
}

#[test]
fn workers_follow_a_change_of_kinds_and_one_with_others_says_so_and_changes_nothing() {
    let desk = Desk::with_partitions(2);
    let folder = tempfile::tempdir().unwrap();
    let worker = Worker::start(&desk.config, folder.path(), "worker");
    desk.send(&workers::story(0..60));
    eventually("the worker writes", LIMIT, || workers::lag(&desk) == 0);
    desk.change_windows(KINDS);
    desk.assert_consistent();
    desk.send(&workers::story(60..120));
    eventually("the worker goes on", LIMIT, || workers::lag(&desk) == 0);
    desk.assert_consistent();
    assert_eq!(kinds(&desk).len(), 4, "{}", worker.told());
    let other = Worker::with(&desk.config, folder.path(), "other", &[], &[("SPAR_WINDOWS", "7d")]);
    eventually("the other one says so", LIMIT, || {
        other.told().contains("SPAR_WINDOWS=7d is left aside: the tables have 5min, 1h/15min")
    });
    desk.send(&workers::story(120..180));
    eventually("both go on", LIMIT, || workers::lag(&desk) == 0);
    desk.assert_consistent();
    assert_eq!(kinds(&desk).len(), 4);
}

#[test]
fn tables_keep_the_settings_that_they_were_made_with() {
    let desk = Desk::new();
    let made =
        Config { languages: vec!["fr".into(), "en".into()], lateness: Duration::from_secs(60), ..desk.config.clone() };
    // Nothing is fixed before somebody writes.
    Store::create(&made).unwrap();
    Store::create(&desk.config).unwrap();
    desk.send(&[message("1").set("language", "fr")]);
    let run = |config: &Config| Pipeline::quiet(config)?.run_with(&Control::quiet(), Until::CaughtUp);
    run(&made).unwrap();
    assert_eq!(
        desk.query("SELECT key || ' ' || value FROM about WHERE key <> 'schema' ORDER BY 1"),
        ["languages en,fr", "lateness_seconds 60", "source local", "window_seconds 3600", "windows none"]
    );
    // Who sets nothing follows.
    desk.send(&[message("2").set("language", "fr"), message("3")]);
    let report = run(&desk.config).unwrap();
    assert_eq!((report.books.on_time, report.books.other_language), (2, 0));
    let engine = Pipeline::quiet(&desk.config).unwrap().to_string();
    assert!(engine.contains("langues en, fr") && engine.contains("retard admis 60 s"), "{engine}");
    let status = StreamStatus::read(&desk.config).unwrap().to_string();
    assert!(status.contains("2024-10-10T11:16:26Z"), "the watermark is a minute behind: {status}");
    // Who sets something else is refused, at any step, and changes nothing.
    let given = |setting: &'static str| Config { given: [setting].into(), ..desk.config.clone() };
    for (config, setting, theirs) in [
        (given("SPAR_LANGUAGES"), "SPAR_LANGUAGES=en", "SPAR_LANGUAGES=en,fr"),
        (Config { languages: vec!["de".into()], ..desk.config.clone() }, "SPAR_LANGUAGES=de", "SPAR_LANGUAGES=en,fr"),
        (given("SPAR_LATENESS_SECONDS"), "SPAR_LATENESS_SECONDS=3600", "SPAR_LATENESS_SECONDS=60"),
        (Config { window: Duration::from_secs(60), ..desk.config.clone() }, "SPAR_WINDOW_SECONDS=60", "=3600"),
    ] {
        desk.send(&[message("4").set("language", "de")]);
        for error in [Store::create(&config).map(drop).unwrap_err(), run(&config).map(drop).unwrap_err()] {
            let told = error.to_string();
            assert!(error.is_invalid() && told.contains(setting) && told.contains(theirs), "{told}");
            assert!(told.contains("; leave ") && told.contains("DATABASE_URL"), "{told}");
        }
    }
    assert_eq!(desk.count("filtered_toots"), 3);
    let folder = tempfile::tempdir().unwrap();
    let mut worker = Worker::with(&desk.config, folder.path(), "worker", &[], &[("SPAR_LANGUAGES", "en")]);
    assert!(!worker.process.wait().unwrap().success());
    assert!(worker.told().contains("were made with SPAR_LANGUAGES=en,fr"), "{}", worker.told());
}

#[test]
fn two_that_write_first_with_different_settings_agree_on_those_of_one() {
    let desk = Desk::with_partitions(2);
    let configs = ["de", "fr"].map(|language| Config { languages: vec![language.into()], ..desk.config.clone() });
    desk.send(&(0..40).map(|n| message(&n.to_string()).set("language", ["de", "fr"][n % 2])).collect::<Vec<_>>());
    let pipelines = configs.each_ref().map(|config| Pipeline::quiet(config).unwrap());
    let results: Vec<_> = std::thread::scope(|scope| {
        let both = pipelines.map(|mut p| scope.spawn(move || p.run_with(&Control::quiet(), Until::CaughtUp)));
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let refused = |result: &spar::Result<_>| result.as_ref().is_err_and(spar::Error::is_invalid);
    let losers = results.iter().filter(|result| refused(result)).count();
    assert_eq!(losers, 1, "{:?}", results.iter().map(|r| r.as_ref().map(drop)).collect::<Vec<_>>());
    assert_eq!(
        desk.query("SELECT DISTINCT language FROM filtered_toots"),
        desk.query("SELECT value FROM about WHERE key = 'languages'")
    );
}
