use crate::session::{Session, until_someone_waits};
use crate::support::{self, FreshDatabase, query};
use spar::Config;
use spar::postgres::scoring::{NewToots, Recorded, Scoring};
use spar::sentiment::{self, Scored, Settings, Trained};
use std::sync::OnceLock;

/// A database with the project's tables.
fn database() -> (FreshDatabase, Scoring) {
    let database = support::fresh_database();
    let scoring = Scoring::open(&database).unwrap();
    scoring.create_tables().unwrap();
    (database, scoring)
}

fn run(config: &Config, statements: &str) {
    drop(query(config.database_url().unwrap(), statements));
}

fn ask(config: &Config, question: &str) -> Vec<String> {
    query(config.database_url().unwrap(), question)
}

fn put(config: &Config, table: &str, ids: &[&str]) {
    for id in ids {
        let content = format!("I LOVE toot number {id} & <b>it's</b> great!");
        run(
            config,
            &format!(
                "INSERT INTO {table} (toot_id, timestamp, text, user_id, language, hashtags, reblogs_count, \
                 favourites_count, replies_count, content, username, text_length) VALUES ('{id}', '2024-10-10 11:00:00', \
                 'i love toot {id}', 'u', 'en', 'AI,x', 1, 2, 3, '{}', 'ana', 13)",
                content.replace('\'', "''")
            ),
        );
    }
}

/// A small model, trained once.
pub fn model() -> &'static Trained {
    static MODEL: OnceLock<Trained> = OnceLock::new();
    MODEL.get_or_init(|| {
        let home = tempfile::tempdir().unwrap();
        let rows: String = (0..200)
            .map(|i| format!("{},{} day {i} of my week\n", if i % 2 == 0 { 0 } else { 4 }, ["awful", "great"][i % 2]))
            .collect();
        let file = home.path().join("data/tweets_dataset.csv");
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, rows).unwrap();
        let config = Config::from_settings(home.path(), |_| None).unwrap();
        let prepared = sentiment::tokenise(&sentiment::load_training(&config).unwrap());
        sentiment::train(&config, &sentiment::split(&prepared, &Settings::of(&config))).unwrap()
    })
}

pub fn score(new: &NewToots) -> Scored {
    sentiment::score(model(), new)
}

/// Scores what is new with a small model and stores it.
pub fn score_all(scoring: &Scoring) -> Recorded {
    scoring.record(&score(&scoring.new_toots().unwrap())).unwrap()
}

fn ids(new: &NewToots) -> Vec<&str> {
    new.toots.iter().map(|t| t.toot_id.as_str()).collect()
}

#[test]
fn scored_toots_stay_and_are_copied_with_their_sentiment() {
    let (db, scoring) = database();
    put(&db, "filtered_toots", &["1", "2", "10"]);
    let new = scoring.new_toots().unwrap();
    assert_eq!(ids(&new), ["1", "10", "2"]);
    assert_eq!(new.toots[0].content, "I LOVE toot number 1 & <b>it's</b> great!");
    let scored = score(&new);
    assert_eq!(scoring.record(&scored).unwrap(), Recorded { scored: 3, written: 3 });
    let both = "SELECT count(*)::text FROM filtered_toots f JOIN history_toots h ON f = h";
    assert_eq!(ask(&db, both), ["3"]);
    let sentiments = "SELECT concat_ws('|', toot_id, text, prediction, sentiment, model_version) FROM toots_sentiments \
                      WHERE scored_at > now() - interval '1 minute' AND edited_at IS NULL \
                      AND abs(p_negative + p_neutral + p_positive - 1) < 1e-9 \
                      AND probability = greatest(p_negative, p_neutral, p_positive) ORDER BY toot_id COLLATE \"C\"";
    let value = |i: usize| scored.toots[i].prediction.sentiment();
    let wanted: Vec<_> = ["1", "10", "2"]
        .iter()
        .enumerate()
        .map(|(i, id)| {
            let version = &model().card.version;
            format!("{id}|i love toot {id}|{}|{}|{version}", value(i).prediction(), value(i).name())
        })
        .collect();
    assert_eq!(ask(&db, sentiments), wanted);
}

#[test]
fn running_twice_scores_nothing_twice() {
    let (db, scoring) = database();
    put(&db, "filtered_toots", &["1", "2"]);
    let first = score(&scoring.new_toots().unwrap());
    assert_eq!(scoring.record(&first).unwrap().written, 2);
    let before =
        ask(&db, "SELECT s::text || h::text FROM toots_sentiments s JOIN history_toots h USING (toot_id) ORDER BY 1");
    assert!(scoring.new_toots().unwrap().toots.is_empty());
    assert_eq!(score_all(&scoring), Recorded { scored: 0, written: 0 });
    // A second session that had read the same toots comes late.
    assert_eq!(scoring.record(&first).unwrap(), Recorded { scored: 2, written: 0 });
    let after =
        ask(&db, "SELECT s::text || h::text FROM toots_sentiments s JOIN history_toots h USING (toot_id) ORDER BY 1");
    assert_eq!(after, before);
}

#[test]
fn a_toot_that_arrives_during_the_run_waits_for_the_next() {
    let (db, scoring) = database();
    put(&db, "filtered_toots", &["1"]);
    let new = scoring.new_toots().unwrap();
    put(&db, "filtered_toots", &["2"]);
    assert_eq!(scoring.record(&score(&new)).unwrap().written, 1);
    assert_eq!(ask(&db, "SELECT toot_id FROM history_toots"), ["1"]);
    assert_eq!(ids(&scoring.new_toots().unwrap()), ["2"]);
}

#[test]
fn an_edit_during_scoring_is_left_for_the_next_run() {
    let (db, scoring) = database();
    put(&db, "filtered_toots", &["1", "2"]);
    let scored = score(&scoring.new_toots().unwrap());
    run(&db, "UPDATE filtered_toots SET edited_at = '2024-10-11 10:00:00.123456', content = 'bad' WHERE toot_id = '1'");
    assert_eq!(scoring.record(&scored).unwrap(), Recorded { scored: 2, written: 1 });
    assert_eq!(ask(&db, "SELECT toot_id FROM toots_sentiments"), ["2"]);
    assert_eq!(ask(&db, "SELECT toot_id FROM history_toots"), ["2"]);
    let next = scoring.new_toots().unwrap();
    assert_eq!((ids(&next), next.toots[0].content.as_str()), (vec!["1"], "bad"));
    assert_eq!(scoring.record(&score(&next)).unwrap().written, 1);
    assert_eq!(
        ask(&db, "SELECT edited_at::text FROM toots_sentiments WHERE toot_id = '1'"),
        ["2024-10-11 10:00:00.123456"]
    );
    assert!(scoring.new_toots().unwrap().toots.is_empty());
}

#[test]
fn an_edit_whose_transaction_is_open_is_waited_for() {
    let (db, scoring) = database();
    put(&db, "filtered_toots", &["1", "2"]);
    let scored = score(&scoring.new_toots().unwrap());
    let editor = Session::open(&db);
    editor.run("BEGIN; UPDATE filtered_toots SET edited_at = '2024-10-11', content = 'new' WHERE toot_id = '1'");
    let written = std::thread::scope(|scope| {
        let recording = scope.spawn(|| scoring.record(&scored).unwrap().written);
        until_someone_waits(&db);
        assert_eq!(ask(&db, "SELECT toot_id FROM toots_sentiments"), [""; 0]);
        editor.run("COMMIT");
        recording.join().unwrap()
    });
    assert_eq!(written, 1);
    assert_eq!(ask(&db, "SELECT toot_id FROM toots_sentiments"), ["2"]);
    assert_eq!(ids(&scoring.new_toots().unwrap()), ["1"]);
}

#[test]
fn a_toot_deleted_during_scoring_leaves_no_trace() {
    let (db, scoring) = database();
    put(&db, "filtered_toots", &["1", "2"]);
    let scored = score(&scoring.new_toots().unwrap());
    run(&db, "DELETE FROM filtered_toots WHERE toot_id = '1'");
    assert_eq!(scoring.record(&scored).unwrap().written, 1);
    assert_eq!(
        ask(&db, "SELECT toot_id FROM toots_sentiments UNION ALL SELECT toot_id FROM history_toots"),
        ["2", "2"]
    );
    assert!(scoring.new_toots().unwrap().toots.is_empty());
}

#[test]
fn a_sentiment_of_an_earlier_version_is_replaced() {
    let (db, scoring) = database();
    put(&db, "filtered_toots", &["1"]);
    score_all(&scoring);
    run(
        &db,
        "UPDATE filtered_toots SET edited_at = '2024-10-11', text = 'i hate it', content = 'awful' WHERE toot_id = '1'",
    );
    assert_eq!(score_all(&scoring), Recorded { scored: 1, written: 1 });
    assert_eq!(ask(&db, "SELECT text FROM toots_sentiments"), ["i hate it"]);
    assert_eq!(ask(&db, "SELECT count(*)::text FROM filtered_toots f JOIN history_toots h ON f = h"), ["1"]);
}

#[test]
fn a_crash_at_any_table_leaves_every_toot_new() {
    let (db, scoring) = database();
    put(&db, "filtered_toots", &["1", "2"]);
    put(&db, "history_toots", &["old"]);
    run(&db, "CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''crash''; END'");
    let scored = score(&scoring.new_toots().unwrap());
    assert_eq!(scored.toots.len(), 3);
    // The second trigger fires at the commit, after everything was written.
    for when in [
        "BEFORE INSERT ON history_toots FOR EACH ROW WHEN (new.toot_id = '2')",
        "AFTER INSERT ON toots_sentiments DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.toot_id = 'old')",
    ] {
        let table = when.split(' ').nth(3).unwrap();
        let kind = if when.contains("DEFERRED") { "CREATE CONSTRAINT TRIGGER" } else { "CREATE TRIGGER" };
        run(&db, &format!("{kind} t {when} EXECUTE FUNCTION crash()"));
        let error = scoring.record(&scored).unwrap_err();
        assert!(error.to_string().contains("crash"), "{error}");
        assert_eq!(ask(&db, "SELECT toot_id FROM toots_sentiments"), [""; 0]);
        assert_eq!(ask(&db, "SELECT toot_id FROM history_toots"), ["old"]);
        assert_eq!(ids(&scoring.new_toots().unwrap()), ["1", "2", "old"]);
        run(&db, &format!("DROP TRIGGER t ON {table}"));
    }
    assert_eq!(scoring.record(&scored).unwrap().written, 3);
}

#[test]
fn a_lost_connection_before_the_commit_is_tried_again() {
    let (db, scoring) = database();
    put(&db, "filtered_toots", &["1", "2"]);
    let scored = score(&scoring.new_toots().unwrap());
    let editor = Session::open(&db);
    editor.run("BEGIN; UPDATE filtered_toots SET reblogs_count = 7 WHERE toot_id = '1'");
    let written = std::thread::scope(|scope| {
        let recording = scope.spawn(|| scoring.record(&scored).unwrap().written);
        until_someone_waits(&db);
        let killed = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity \
                      WHERE datname = current_database() AND wait_event_type = 'Lock'";
        assert_eq!(ask(&db, killed), ["true"]);
        editor.run("COMMIT");
        recording.join().unwrap()
    });
    assert_eq!(written, 2);
    assert_eq!(ask(&db, "SELECT reblogs_count::text FROM history_toots WHERE toot_id = '1'"), ["7"]);
}

#[test]
fn an_old_history_row_without_a_sentiment_is_scored() {
    let (db, scoring) = database();
    put(&db, "history_toots", &["1", "2"]);
    put(&db, "filtered_toots", &["2"]);
    let new = scoring.new_toots().unwrap();
    assert_eq!(
        new.toots.iter().map(|t| (t.toot_id.as_str(), t.archived)).collect::<Vec<_>>(),
        [("1", true), ("2", false)]
    );
    assert!(scoring.history().unwrap().text().contains("2 sans sentiment"));
    assert_eq!(scoring.record(&score(&new)).unwrap().written, 2);
    assert_eq!(ask(&db, "SELECT count(*)::text FROM history_toots JOIN toots_sentiments USING (toot_id)"), ["2"]);
    assert!(scoring.new_toots().unwrap().toots.is_empty());
}

#[test]
fn a_database_of_the_original_is_completed() {
    let database = support::fresh_database();
    for table in ["filtered_toots", "history_toots"] {
        let columns = "toot_id VARCHAR(255) PRIMARY KEY, timestamp TIMESTAMP, text TEXT, user_id VARCHAR(255), \
                       language VARCHAR(10), hashtags TEXT, reblogs_count INTEGER, favourites_count INTEGER, \
                       replies_count INTEGER";
        run(&database, &format!("CREATE TABLE {table} ({columns})"));
    }
    run(
        &database,
        "CREATE TABLE toots_sentiments (toot_id VARCHAR(255) PRIMARY KEY, text TEXT, prediction DOUBLE PRECISION, \
         sentiment VARCHAR(20)); \
         INSERT INTO filtered_toots (toot_id, timestamp, text) VALUES ('1', '2024-10-10', 'i love toot 1'), ('2', \
         '2024-10-10', 'i love toot 2'); \
         INSERT INTO toots_sentiments VALUES ('1', 'i love toot 1', 4, 'positif')",
    );
    let scoring = Scoring::open(&database).unwrap();
    scoring.create_tables().unwrap();
    scoring.create_tables().unwrap();
    let new = scoring.new_toots().unwrap();
    // Where there is no readable content, the cleaned text is read.
    assert_eq!((ids(&new), new.toots[0].content.as_str()), (vec!["2"], "i love toot 2"));
    assert_eq!(scoring.record(&score(&new)).unwrap().written, 1);
    // The sentiment that never reached the history does now.
    assert!(scoring.copy_history().unwrap().text().contains("dont 1 ajoutés"));
    assert!(scoring.copy_history().unwrap().text().contains("dont 0 ajoutés"));
    assert_eq!(ask(&database, "SELECT toot_id FROM history_toots ORDER BY 1"), ["1", "2"]);
    scoring.keep_toots().unwrap();
    assert_eq!(ask(&database, "SELECT count(*)::text FROM filtered_toots"), ["2"]);
}

#[test]
fn every_step_runs_on_an_empty_database() {
    let (_db, scoring) = database();
    let new = scoring.new_toots().unwrap();
    assert_eq!(new.preview().unwrap().height(), 0);
    let scored = score(&new);
    assert_eq!(scored.preview().unwrap().height(), 0);
    assert_eq!(scoring.record(&scored).unwrap(), Recorded { scored: 0, written: 0 });
    assert!(scoring.state().unwrap().text().contains("PostgreSQL"));
    scoring.history().unwrap();
    scoring.copy_history().unwrap();
    scoring.keep_toots().unwrap();
}

#[test]
fn a_step_run_again_after_the_end_opens_another_connection() {
    let (db, scoring) = database();
    put(&db, "filtered_toots", &["1"]);
    scoring.close();
    scoring.close();
    assert_eq!(score_all(&scoring).written, 1);
}

#[test]
fn a_toot_alone_is_scored_as_within_a_batch() {
    let (db, scoring) = database();
    put(&db, "filtered_toots", &["1", "2", "3"]);
    let all = scoring.new_toots().unwrap();
    let batch = score(&all);
    for (toot, scored) in all.toots.iter().zip(&batch.toots) {
        let alone = score(&NewToots { toots: vec![toot.clone()] });
        assert_eq!(&alone.toots[0], scored);
    }
}

#[test]
fn hostile_ids_are_bound_and_never_printed() {
    let (db, scoring) = database();
    let hostile = ["'); DROP TABLE filtered_toots; --", "1' OR '1'='1", "{1,2}", "\\", "NULL", "%", "$1"];
    for id in hostile {
        put(&db, "filtered_toots", &[&id.replace('\'', "''")]);
    }
    let scored = score(&scoring.new_toots().unwrap());
    let recorded = scoring.record(&scored).unwrap();
    assert_eq!(recorded.written, hostile.len());
    assert!(!format!("{scored} {recorded:?}").contains("DROP TABLE"), "{scored}");
    assert_eq!(ask(&db, "SELECT count(*)::text FROM toots_sentiments JOIN history_toots USING (toot_id)"), ["7"]);
}
