use crate::world::Database;
use polars::prelude::*;
use spar::display::Table;
use spar::{Charts, History, Question, Scope};

/// The rows of a table as text, columns between `|`.
fn rows(table: &Table) -> Vec<String> {
    let frame = table.frame();
    (0..frame.height())
        .map(|row| {
            let cell = |c: &Column| {
                let value = c.get(row).unwrap();
                value.get_str().map_or_else(|| value.to_string(), str::to_owned)
            };
            frame.columns().iter().map(cell).collect::<Vec<_>>().join("|")
        })
        .collect()
}

/// Seven toots: ties, no tags, tags twice in another case, one toot in both tables, one only in the history.
fn known() -> Database {
    let database = Database::with_toots();
    database.execute(
        "INSERT INTO filtered_toots (toot_id, \"timestamp\", text, user_id, hashtags, username, text_length) VALUES \
         ('1', '2024-10-03 10:59:59', 'aaaa', 'u1', 'AI,Robotics', 'alice', 4), \
         ('2', '2024-10-03 11:00:00', 'aaaaaa', 'u1', 'ai,AI,ai', 'alice', 6), \
         ('3', '2024-10-03 11:30:00', 'aa', 'u1', '', 'alice', 2), \
         ('4', '2024-10-04 00:00:00', 'éàü', 'u2', 'robotics', NULL, NULL), \
         ('5', '2024-10-04 23:59:59', 'aaaaa', 'u2', NULL, NULL, 5), \
         ('6', '2024-10-05 00:00:00', 'a', NULL, ' nlp ,,', NULL, 1)",
    );
    database.execute(
        "INSERT INTO history_toots (toot_id, \"timestamp\", text, user_id, hashtags, username, text_length) VALUES \
         ('1', '2024-10-03 10:59:59', 'aaaa', 'u1', 'AI,Robotics', 'alice', 4), \
         ('7', '2024-10-06 12:00:00', 'aaaaaaaaaa', 'u3', 'ai', 'carol', 10)",
    );
    database.execute("INSERT INTO toots_sentiments (toot_id, sentiment) VALUES ('1', 'négatif'), ('7', 'positif')");
    database
}

#[test]
fn each_question_is_answered_over_both_tables_each_toot_once() {
    let database = known();
    let history = History::load(database.config()).unwrap();
    assert_eq!(rows(&history.schema()).len(), 6);
    assert_eq!(history.head(5).unwrap().height(), 5);
    assert_eq!(rows(&history.active_users(2).unwrap()), ["u1|3"]);
    assert_eq!(rows(&history.active_users(1).unwrap()), ["u1|3", "u2|2"]);
    assert_eq!(rows(&history.active_users(0).unwrap()), ["u1|3", "u2|2", "u3|1"]);
    let ids = |t: Table| rows(&t).iter().map(|r| r.split('|').next().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(ids(history.toots_of_active_users(2).unwrap()), ["1", "2", "3"]);
    let tagged = history.with_dates_and_tags(Scope::All).unwrap();
    assert_eq!(ids(tagged.clone()), ["1", "1", "2", "4", "6", "7"]);
    let named = tagged.query(|t| t.select([col("date"), col("hashtag")])).unwrap();
    assert_eq!(
        rows(&named),
        [
            "2024-10-03|ai",
            "2024-10-03|robotics",
            "2024-10-03|ai",
            "2024-10-04|robotics",
            "2024-10-05|nlp",
            "2024-10-06|ai"
        ]
    );
    assert_eq!(
        rows(&history.hashtags_per_day(Scope::All).unwrap()),
        ["2024-10-03|ai|2", "2024-10-03|robotics|1", "2024-10-04|robotics|1", "2024-10-05|nlp|1", "2024-10-06|ai|1"]
    );
    assert_eq!(
        rows(&history.hashtags_per_day(Scope::ActiveOver(2)).unwrap()),
        ["2024-10-03|ai|2", "2024-10-03|robotics|1"]
    );
    let hours = rows(&history.hashtags_per_hour(Scope::All).unwrap());
    assert_eq!(hours[0], "2024-10-03 10:00:00|ai|1", "{hours:?}");
    assert_eq!(hours.len(), 6);
    assert_eq!(rows(&history.top_hashtag(Scope::All).unwrap()), ["ai|3"]);
    assert_eq!(rows(&history.top_hashtag(Scope::ActiveOver(2)).unwrap()), ["ai|2"]);
    let days = ["2024-10-03|3", "2024-10-04|2", "2024-10-05|1", "2024-10-06|1"];
    assert_eq!(rows(&history.toots_per_day().unwrap()), days);
    let average = history.average_length().unwrap();
    let average = average.frame().column("average_toot_length").unwrap().f64().unwrap().get(0).unwrap();
    assert!((average - 31.0 / 7.0).abs() < 1e-12, "{average}");
    assert_eq!(rows(&history.average_length_per_user().unwrap()), ["u1|4.0|3", "u2|4.0|2", "u3|10.0|1"]);
    assert_eq!(rows(&history.average_length_per_day().unwrap())[3], "2024-10-06|10.0|1");
    let hours = rows(&history.answer(Question::UserHours).unwrap());
    assert_eq!(hours, ["u1|alice|10|1", "u1|alice|11|2", "u2|null|0|1", "u2|null|23|1", "u3|carol|12|1"]);
    assert!(history.explain(Question::TootsPerDay).unwrap().text().contains("total_toots"));
    assert!(!history.finish().text().is_empty());
}

#[test]
fn ties_are_broken_by_name() {
    let database = Database::with_toots();
    database.execute(
        "INSERT INTO filtered_toots (toot_id, \"timestamp\", user_id, hashtags, text) VALUES \
         ('1', '2024-10-03', 'b', 'zeta', 'x'), ('2', '2024-10-03', 'a', 'alpha', 'x'), ('3', '2024-10-03', 'c', 'Mid', 'x')",
    );
    let history = History::load(database.config()).unwrap();
    assert_eq!(rows(&history.top_hashtag(Scope::All).unwrap()), ["alpha|1"]);
    assert_eq!(rows(&history.active_users(0).unwrap()), ["a|1", "b|1", "c|1"]);
    let per_day = rows(&history.hashtags_per_day(Scope::All).unwrap());
    assert_eq!(per_day, ["2024-10-03|alpha|1", "2024-10-03|mid|1", "2024-10-03|zeta|1"]);
}

#[test]
fn odd_dates_are_counted_where_they_belong_and_break_nothing() {
    let database = Database::with_toots();
    database.execute(
        "INSERT INTO filtered_toots (toot_id, \"timestamp\", user_id, hashtags, text) VALUES \
         ('1', '1969-12-31 23:30:00', 'u', 'old', 'x'), ('2', 'infinity', 'u', 'never', 'x'), \
         ('3', '-infinity', 'u', 'ever', 'x'), ('4', NULL, 'u', 'undated', 'x')",
    );
    let history = History::load(database.config()).unwrap();
    let days = rows(&history.toots_per_day().unwrap());
    assert_eq!(days, ["1969-12-31|1"], "an infinite time is no day");
    let hours = history.answer(Question::UserHours).unwrap();
    let hours = hours.query(|t| t.filter(col("hour").eq(lit(23))).select([col("total_toots")])).unwrap();
    assert_eq!(rows(&hours), ["1"]);
    assert_eq!(history.hashtags_per_hour(Scope::All).unwrap().height(), 1);
    assert_eq!(history.answer(Question::Hashtags(Scope::All)).unwrap().height(), 4);
    assert!(!history.head(5).unwrap().to_string().is_empty());
    let charts = Charts::load(database.config()).unwrap();
    let figure = charts.draw_frequency(&charts.toots_per_day().unwrap()).unwrap();
    assert!(figure.summary().contains("31-12-1969"), "{figure}");
}

#[test]
fn no_toots_give_empty_answers_with_their_columns() {
    let database = Database::with_toots();
    let history = History::load(database.config()).unwrap();
    let empty = [
        (history.head(5).unwrap(), "toot_id timestamp user_id username hashtags text_length"),
        (history.active_users(2).unwrap(), "user_id toot_count"),
        (history.toots_of_active_users(2).unwrap(), "toot_id timestamp user_id username hashtags text_length"),
        (
            history.with_dates_and_tags(Scope::All).unwrap(),
            "toot_id timestamp user_id username text_length date hashtag",
        ),
        (history.hashtags_per_day(Scope::All).unwrap(), "date hashtag total_toots"),
        (history.hashtags_per_day(Scope::ActiveOver(2)).unwrap(), "date hashtag total_toots"),
        (history.hashtags_per_hour(Scope::All).unwrap(), "hour hashtag total_toots"),
        (history.top_hashtag(Scope::All).unwrap(), "hashtag hashtag_count"),
        (history.top_hashtag(Scope::ActiveOver(2)).unwrap(), "hashtag hashtag_count"),
        (history.toots_per_day().unwrap(), "date total_toots"),
        (history.average_length_per_user().unwrap(), "user_id average_toot_length toot_count"),
        (history.average_length_per_day().unwrap(), "date average_toot_length toot_count"),
        (history.answer(Question::UserHours).unwrap(), "user_id username hour total_toots"),
    ];
    for (table, columns) in empty {
        assert_eq!((table.height(), table.names().join(" ")), (0, columns.to_owned()));
    }
    assert_eq!(rows(&history.average_length().unwrap()), ["null"]);
    let benchmark = history.benchmark().unwrap();
    assert_eq!(benchmark.table().height(), 3);
    assert!(benchmark.conclusion().text().contains("Aucun toot"));
}

#[test]
fn every_answer_is_stored_and_a_second_run_replaces_it() {
    let database = known();
    for _ in 0..2 {
        let history = History::load(database.config()).unwrap();
        let answers = [
            ("partie3_active_users", history.active_users(1).unwrap()),
            ("partie3_hashtags_per_day", history.hashtags_per_day(Scope::All).unwrap()),
            ("partie3_hashtags_per_day_active", history.hashtags_per_day(Scope::ActiveOver(2)).unwrap()),
            ("partie3_hashtags_per_hour", history.hashtags_per_hour(Scope::All).unwrap()),
            ("partie3_top_hashtag", history.top_hashtag(Scope::All).unwrap()),
            ("partie3_top_hashtag_active", history.top_hashtag(Scope::ActiveOver(2)).unwrap()),
            ("partie3_toots_per_day", history.toots_per_day().unwrap()),
            ("partie3_average_length", history.average_length().unwrap()),
            ("partie3_average_length_per_user", history.average_length_per_user().unwrap()),
            ("partie3_average_length_per_day", history.average_length_per_day().unwrap()),
        ];
        for (name, answer) in answers {
            let stored = database.store().table(name).unwrap();
            let (mut stored, mut answer) = (rows(&stored), rows(&answer));
            stored.sort();
            answer.sort();
            assert_eq!(stored, answer, "{name}");
        }
    }
}

#[test]
fn the_benchmark_measures_the_same_work_three_times() {
    let database = known();
    let benchmark = History::load(database.config()).unwrap().benchmark().unwrap();
    let table = benchmark.table();
    assert_eq!(table.height(), 3);
    let seconds = table.frame().column("total_s").unwrap().f64().unwrap().clone();
    assert!(seconds.iter().all(|s| s.is_some_and(|s| s > 0.0)));
    let text = benchmark.conclusion().text().to_owned();
    assert!(text.contains("7 toots, chacun répété 28572 fois") || text.contains("28\u{202f}572 fois"), "{text}");
    assert_eq!(database.store().table("partie3_benchmark").unwrap().height(), 3);
}

#[test]
fn without_tables_the_error_names_the_notebook_that_makes_them() {
    let database = Database::fresh();
    let error = History::load(database.config()).err().unwrap().to_string();
    assert!(error.contains("partie2"), "{error}");
    assert!(Charts::load(database.config()).is_err());
}

#[test]
fn charts_and_history_agree_on_the_same_toots() {
    let database = known();
    database.execute("INSERT INTO toots_time_window_aggregates VALUES ('2024-10-03', '2024-10-03 01:00', 7)");
    database.execute("INSERT INTO user_avg_length (user_id) VALUES ('u1'), ('u2'), ('u3')");
    database.execute("INSERT INTO hashtag_avg_length (hashtag) VALUES ('ai'), ('robotics'), ('nlp')");
    let charts = Charts::load(database.config()).unwrap();
    let history = History::load(database.config()).unwrap();
    assert_eq!(rows(&charts.sentiments().unwrap()), ["négatif|1", "neutre|0", "positif|1", "null|5"]);
    assert_eq!(rows(&charts.toots_per_day().unwrap()), rows(&history.toots_per_day().unwrap()));
    assert_eq!(rows(&charts.hashtags().unwrap())[0], rows(&history.top_hashtag(Scope::All).unwrap())[0]);
    assert!(rows(&charts.agreement().unwrap()).iter().all(|row| row.ends_with("|true")));
    assert_eq!(charts.tables().unwrap().height(), 5);
}

#[test]
fn the_last_message_waits_for_the_four_charts() {
    let database = Database::with_toots();
    let charts = Charts::load(database.config()).unwrap();
    assert!(charts.finish().unwrap_err().to_string().contains("0 of 4"));
    charts.draw_sentiments(&charts.sentiments().unwrap()).unwrap();
    charts.draw_frequency(&charts.toots_per_day().unwrap()).unwrap();
    charts.draw_hashtags(&charts.hashtags().unwrap()).unwrap();
    assert!(charts.finish().is_err());
    let figure = charts.draw_users(&charts.users().unwrap()).unwrap();
    assert!(figure.svg().contains("Aucun utilisateur"));
    assert!(charts.finish().unwrap().text().starts_with("4 graphiques"));
}

#[test]
fn a_large_history_is_read_in_parallel_and_whole() {
    let database = Database::with_toots();
    database.execute(
        "INSERT INTO filtered_toots (toot_id, \"timestamp\", text, user_id, hashtags) SELECT n::text, \
         TIMESTAMP '2024-10-03' + n * interval '1 second', 'mot', (n % 100)::text, 'ai' FROM generate_series(1, 320000) n",
    );
    database.execute("ANALYZE filtered_toots");
    let history = History::load(database.config()).unwrap();
    let total = history.toots_per_day().unwrap().query(|t| t.select([col("total_toots").sum()])).unwrap();
    assert_eq!(rows(&total), ["320000"]);
    assert_eq!(rows(&history.top_hashtag(Scope::All).unwrap()), ["ai|320000"]);
}
