use crate::desk::Desk;
use crate::messages::{gone, message};
use crate::scoring::score;
use crate::session::{Session, until_someone_waits};
use crate::support::query;
use spar::config::Secret;
use spar::postgres::scoring::Scoring;
use spar::{Charts, History, Scope, Store};

/// How the original left its tables.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Left {
    /// With the keys of its own statements.
    Keyed,
    /// With the average tables and windows written anew by Spark: no keys, other types, rows twice.
    Rewritten,
}

const TOOTS: u32 = 60;

/// Takes the tables of the desk away and makes those of the original, with toots in both toot tables, some scored,
/// averages and windows that are wrong, and what a user has added.
fn original(desk: &Desk, left: Left) {
    let columns = "toot_id VARCHAR(255) PRIMARY KEY, timestamp TIMESTAMP, text TEXT, user_id VARCHAR(255), \
        language VARCHAR(10), hashtags TEXT, reblogs_count INTEGER, favourites_count INTEGER, replies_count INTEGER";
    let aggregates = match left {
        Left::Keyed => {
            "CREATE TABLE toots_time_window_aggregates (window_start TIMESTAMP, window_end TIMESTAMP, total_toots INTEGER,
                 PRIMARY KEY (window_start, window_end));
             CREATE TABLE user_avg_length (user_id VARCHAR(255) PRIMARY KEY, average_length FLOAT);
             CREATE TABLE hashtag_avg_length (hashtag VARCHAR(255) PRIMARY KEY, average_length FLOAT);"
        }
        Left::Rewritten => {
            "CREATE TABLE toots_time_window_aggregates (window_start TIMESTAMP, window_end TIMESTAMP, total_toots BIGINT);
             CREATE TABLE user_avg_length (user_id TEXT, average_length DOUBLE PRECISION);
             CREATE TABLE hashtag_avg_length (hashtag TEXT, average_length DOUBLE PRECISION);
             INSERT INTO toots_time_window_aggregates VALUES ('2024-10-10 00:00', '2024-10-10 01:00', 40);
             INSERT INTO user_avg_length VALUES ('u1', 77), (NULL, 5);
             INSERT INTO hashtag_avg_length VALUES ('AI', 3), ('ai', 4);"
        }
    };
    desk.query(&format!(
        "DROP SCHEMA public CASCADE; CREATE SCHEMA public;
         CREATE TABLE filtered_toots ({columns});
         CREATE TABLE history_toots ({columns});
         CREATE TABLE toots_sentiments (toot_id VARCHAR(255) PRIMARY KEY, text TEXT, prediction DOUBLE PRECISION,
             sentiment VARCHAR(20));
         {aggregates}
         INSERT INTO filtered_toots SELECT n, timestamp '2024-10-10' + n * interval '17 minutes', repeat('mot ', n % 9),
             'u' || n % 5, 'en', CASE n % 4 WHEN 0 THEN '' WHEN 1 THEN 'AI' ELSE 'AI,Rust' END, 0, 0, 0
             FROM generate_series(1, {TOOTS}) AS n WHERE n % 3 > 0;
         INSERT INTO history_toots SELECT n, timestamp '2024-10-10' + n * interval '17 minutes', repeat('mot ', n % 9),
             'u' || n % 5, 'en', CASE n % 4 WHEN 0 THEN '' WHEN 1 THEN 'AI' ELSE 'AI,Rust' END, 0, 0, 0
             FROM generate_series(1, {TOOTS}) AS n WHERE n % 3 < 2;
         INSERT INTO toots_sentiments SELECT n, 'mot', n % 3 * 2, 'neutre' FROM generate_series(3, 30, 3) AS n;
         INSERT INTO toots_time_window_aggregates VALUES ('2024-10-10 00:00', '2024-10-10 01:00', 39);
         INSERT INTO user_avg_length VALUES ('u1', 99), ('gone', 1);
         INSERT INTO hashtag_avg_length VALUES ('AI', 99.5);
         ALTER TABLE filtered_toots ADD COLUMN my_note TEXT DEFAULT 'seen';
         CREATE TABLE my_table AS SELECT 7 AS seven;
         CREATE VIEW my_view AS SELECT user_id, count(*) AS n FROM filtered_toots GROUP BY user_id;
         CREATE VIEW my_means AS SELECT user_id, average_length FROM user_avg_length WHERE average_length > 0;
         CREATE VIEW my_hours AS SELECT window_start, total_toots FROM toots_time_window_aggregates"
    ));
}

/// The contract's nine columns of every toot of both tables.
fn toots(url: &Secret) -> Vec<String> {
    let columns =
        "toot_id, timestamp, text, user_id, language, hashtags, reblogs_count, favourites_count, replies_count";
    query(
        url,
        &format!(
            "SELECT concat_ws('|', 'f', {columns}) FROM filtered_toots
             UNION ALL SELECT concat_ws('|', 'h', {columns}) FROM history_toots
             UNION ALL SELECT concat_ws('|', 's', toot_id, text, prediction, sentiment) FROM toots_sentiments ORDER BY 1"
        ),
    )
}

fn assert_upgraded(desk: &Desk, before: &[String], left: Left) {
    let url = desk.config.database_url().unwrap();
    assert_eq!(toots(url), before, "{left:?}: no toot and no sentiment changes");
    desk.assert_consistent();
    assert_eq!(desk.count("all_toots"), i64::from(TOOTS));
    assert_eq!(desk.query("SELECT sum(total_toots) FROM toots_time_window_aggregates"), [TOOTS.to_string()]);
    assert_eq!(desk.query("SELECT count(*) FROM filtered_toots WHERE my_note = 'seen'"), ["40"], "{left:?}");
    assert_eq!(desk.query("SELECT seven FROM my_table"), ["7"]);
    assert_eq!(desk.query("SELECT sum(n) FROM my_view"), ["40"], "{left:?}");
    assert_eq!(desk.query("SELECT count(*) FROM my_means"), ["5"], "{left:?}");
    assert_eq!(desk.query("SELECT sum(total_toots) FROM my_hours"), [TOOTS.to_string()], "{left:?}");
}

#[test]
fn a_database_of_the_original_goes_through_every_part_and_loses_nothing() {
    for left in [Left::Keyed, Left::Rewritten] {
        let desk = Desk::new();
        original(&desk, left);
        let before = toots(desk.config.database_url().unwrap());
        assert_eq!(before.len(), 40 + 40 + 10);
        for _ in 0..2 {
            Store::create_tables(&desk.config).unwrap();
            assert_upgraded(&desk, &before, left);
        }

        // partie2: some of the toots again, new ones, an edit, a delete.
        desk.send(&[message("1"), message("3"), message("new").at("2024-10-10T05:00:00Z").user("u1")]);
        desk.send(&[message("2").text("changed").edited("2024-10-11T00:00:00Z"), gone("4", "delete")]);
        let books = desk.run().books;
        assert_eq!(
            (books.duplicates, books.on_time + books.late, books.edits, books.deletes),
            (2, 1, 1, 1),
            "{left:?}"
        );
        desk.assert_consistent();
        let toots = i64::from(TOOTS);
        assert_eq!(desk.count("all_toots"), toots, "one came, one went");

        // partie3, partie4 and partie5 see each of them once.
        let total = |column: &str, table: &spar::Table| {
            let column = table.frame().column(column).unwrap().cast(&polars::prelude::DataType::Int64).unwrap();
            column.i64().unwrap().iter().flatten().sum::<i64>()
        };
        let history = History::load(&desk.config).unwrap();
        assert_eq!(total("total_toots", &history.toots_per_day().unwrap()), toots);
        history.top_hashtag(Scope::All).unwrap();
        let scoring = Scoring::open(&desk.config).unwrap();
        scoring.create_tables().unwrap();
        let new = scoring.new_toots().unwrap();
        assert_eq!(new.toots.len(), TOOTS as usize - 10, "ten had a sentiment of the original");
        assert_eq!(scoring.record(&score(&new)).unwrap().written, new.toots.len());
        scoring.copy_history().unwrap();
        assert!(scoring.new_toots().unwrap().toots.is_empty());
        assert_eq!(desk.count("toots_sentiments"), toots);
        assert_eq!(desk.count("history_toots"), toots);
        let history = History::load(&desk.config).unwrap();
        assert_eq!(total("total_toots", &history.toots_per_day().unwrap()), toots);
        let charts = Charts::load(&desk.config).unwrap();
        assert_eq!(total("total_toots", &charts.toots_per_day().unwrap()), toots);
        desk.assert_consistent();
        println!("{left:?}: {TOOTS} toots of the original, 0 lost, 0 doubled; a column, a table and three views kept");
    }
}

#[test]
fn an_upgrade_that_is_cut_off_changes_nothing_and_is_done_by_the_next_run() {
    let desk = Desk::new();
    original(&desk, Left::Rewritten);
    let url = desk.config.database_url().unwrap();
    let before = toots(url);
    let shape = "SELECT string_agg(table_name || '.' || column_name || ' ' || data_type, ', ' ORDER BY table_name, ordinal_position)
        FROM information_schema.columns WHERE table_schema = 'public'";
    let rows = "SELECT concat_ws(' ', user_id, average_length) FROM user_avg_length ORDER BY 1";
    let (shaped, averages) = (desk.query(shape), desk.query(rows));

    // The last of the average tables is read by somebody, so that the upgrade waits with half of its work done.
    let reader = Session::open(&desk.config);
    reader.run("BEGIN; LOCK TABLE hashtag_avg_length IN ROW EXCLUSIVE MODE");
    let error = std::thread::scope(|scope| {
        let upgrade = scope.spawn(|| Store::create_tables(&desk.config).map(drop));
        until_someone_waits(&desk.config);
        let ended = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'";
        assert_eq!(desk.query(ended), ["true"]);
        upgrade.join().unwrap().unwrap_err()
    });
    println!("what a person reads: {error}");
    assert!(error.is_transient(), "{error}");
    reader.run("COMMIT");
    assert_eq!((desk.query(shape), desk.query(rows)), (shaped, averages), "half an upgrade stays");
    Store::create_tables(&desk.config).unwrap();
    assert_upgraded(&desk, &before, Left::Rewritten);
}

#[test]
fn two_upgrades_at_once_give_one_upgraded_database() {
    for left in [Left::Keyed, Left::Rewritten] {
        let desk = Desk::new();
        original(&desk, left);
        let before = toots(desk.config.database_url().unwrap());
        std::thread::scope(|scope| {
            let partie2 = [(); 2].map(|()| scope.spawn(|| Store::create_tables(&desk.config).map(drop)));
            let partie4 = scope.spawn(|| Scoring::open(&desk.config)?.create_tables().map(drop));
            for one in partie2.into_iter().chain([partie4]) {
                one.join().unwrap().unwrap();
            }
        });
        assert_upgraded(&desk, &before, left);
    }
}
