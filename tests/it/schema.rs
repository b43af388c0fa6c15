use crate::desk::Desk;
use crate::messages::message;
use crate::support::{fresh_database, query, unique};
use spar::config::Secret;
use spar::{Config, Store};

fn with_database(config: &Config, name: &str) -> Config {
    let mut url = url::Url::parse(config.database_url().unwrap().expose()).unwrap();
    url.set_path(name);
    Config { database_url: Some(Secret::new(url)), ..config.clone() }
}

#[test]
fn a_missing_database_is_created_once() {
    let database = fresh_database();
    let name = unique("Fresh \"base");
    let config = with_database(&database, &name);
    for _ in 0..2 {
        assert!(Store::create_database(&config).unwrap().text().contains("PostgreSQL"));
        assert_eq!(Store::create_tables(&config).unwrap().height(), 6);
    }
    assert_eq!(
        query(
            config.database_url().unwrap(),
            "SELECT pg_encoding_to_char(encoding) FROM pg_database WHERE datname = current_database()"
        ),
        ["UTF8"]
    );
    query(database.database_url().unwrap(), &format!("DROP DATABASE \"{}\"", name.replace('"', "\"\"")));
}

#[test]
fn the_contracts_tables_have_its_columns_types_and_keys() {
    let database = fresh_database();
    Store::create(&database).unwrap();
    let url = database.database_url().unwrap();
    let columns = |table: &str| {
        query(url, &format!(
            "SELECT string_agg(column_name || ' ' || data_type || coalesce('(' || character_maximum_length || ')', ''), ', ' ORDER BY ordinal_position)
             FROM information_schema.columns WHERE table_name = '{table}' AND table_schema = 'public'"
        )).remove(0)
    };
    let toots = "toot_id character varying(255), timestamp timestamp without time zone, text text, user_id character varying(255), \
        language character varying(10), hashtags text, reblogs_count integer, favourites_count integer, replies_count integer, \
        content text, username text, text_length integer, edited_at timestamp without time zone";
    assert_eq!(columns("filtered_toots"), toots);
    assert_eq!(columns("history_toots"), toots);
    assert!(columns("toots_time_window_aggregates").starts_with(
        "window_start timestamp without time zone, window_end timestamp without time zone, total_toots integer, "
    ));
    assert!(
        columns("user_avg_length").starts_with("user_id character varying(255), average_length double precision, ")
    );
    assert!(
        columns("hashtag_avg_length").starts_with("hashtag character varying(255), average_length double precision, ")
    );
    assert!(columns("toots_sentiments").starts_with(
        "toot_id character varying(255), text text, prediction double precision, sentiment character varying(20), "
    ));
    let keys = query(url,
        "SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p' AND conrelid::regclass::text
         IN ('filtered_toots', 'history_toots', 'toots_sentiments', 'toots_time_window_aggregates', 'user_avg_length', 'hashtag_avg_length') ORDER BY 1");
    assert_eq!(
        keys,
        [
            "filtered_toots PRIMARY KEY (toot_id)",
            "hashtag_avg_length PRIMARY KEY (hashtag)",
            "history_toots PRIMARY KEY (toot_id)",
            "toots_sentiments PRIMARY KEY (toot_id)",
            "toots_time_window_aggregates PRIMARY KEY (window_start, window_end)",
            "user_avg_length PRIMARY KEY (user_id)",
        ]
    );
}

#[test]
fn a_database_of_the_original_is_upgraded_without_losing_a_toot() {
    let desk = Desk::new();
    // As the original leaves them: nine columns, and average tables rewritten without keys or lengths of text.
    desk.query(
        "DROP VIEW all_toots; DROP TABLE filtered_toots, history_toots, toots_sentiments, toots_time_window_aggregates,
            user_avg_length, hashtag_avg_length, about;
         CREATE TABLE filtered_toots (toot_id VARCHAR(255) PRIMARY KEY, timestamp TIMESTAMP, text TEXT, user_id VARCHAR(255),
            language VARCHAR(10), hashtags TEXT, reblogs_count INTEGER, favourites_count INTEGER, replies_count INTEGER);
         CREATE TABLE history_toots (LIKE filtered_toots INCLUDING ALL);
         CREATE TABLE toots_sentiments (toot_id VARCHAR(255) PRIMARY KEY, text TEXT, prediction DOUBLE PRECISION, sentiment VARCHAR(20));
         CREATE TABLE toots_time_window_aggregates (window_start TIMESTAMP, window_end TIMESTAMP, total_toots BIGINT);
         CREATE TABLE user_avg_length (user_id TEXT, average_length DOUBLE PRECISION);
         CREATE TABLE hashtag_avg_length (hashtag TEXT, average_length DOUBLE PRECISION);
         INSERT INTO filtered_toots VALUES ('1', '2024-10-10 11:17:26', 'hello', 'u1', 'en', 'AI,ai', 0, 0, 0), ('2', NULL, NULL, NULL, 'en', '', 0, 0, 0);
         INSERT INTO history_toots VALUES ('1', '2024-10-10 11:17:26', 'hello', 'u1', 'en', 'AI,ai', 0, 0, 0), ('3', '2024-10-10 12:17:26', 'worlds', 'u1', 'en', 'ML', 0, 0, 0);
         INSERT INTO toots_sentiments VALUES ('3', 'worlds', 4, 'positif');
         INSERT INTO user_avg_length VALUES ('u1', 99), ('u1', 98), (NULL, 3);
         INSERT INTO toots_time_window_aggregates VALUES ('2024-10-10 11:00', '2024-10-10 12:00', 7), ('2024-10-10 11:00', '2024-10-10 12:00', 9)",
    );
    for _ in 0..2 {
        desk.change_windows("1d by language, 1h/15min by hashtag");
        desk.assert_consistent();
        assert_eq!(
            desk.query("SELECT concat_ws(' ', user_id, average_length, toots) FROM user_avg_length"),
            ["u1 5.5 2"]
        );
        assert_eq!(
            desk.query("SELECT concat_ws(' ', hashtag, average_length) FROM hashtag_avg_length ORDER BY 1"),
            ["ai 5", "ml 6"]
        );
        assert_eq!(
            desk.query("SELECT concat_ws(' ', window_start, total_toots, pg_typeof(total_toots)) FROM toots_time_window_aggregates ORDER BY 1"),
            ["2024-10-10 11:00:00 1 integer", "2024-10-10 12:00:00 1 integer"]
        );
        assert_eq!(
            desk.query("SELECT concat_ws(' ', toot_id, text_length, sentiment) FROM all_toots ORDER BY 1"),
            ["1 5", "2", "3 6 positif"]
        );
    }
    desk.send(&[message("1"), message("3"), message("4").text("new").user("u1")]);
    let report = desk.run();
    assert_eq!((report.books.duplicates, report.books.on_time), (2, 1));
    assert_eq!(desk.query("SELECT concat_ws(' ', total_toots) FROM toots_time_window_aggregates WHERE window_start = '2024-10-10 11:00'"), ["2"]);
    desk.send(&[
        crate::messages::gone("1", "delete"),
        crate::messages::gone("2", "delete"),
        crate::messages::gone("4", "delete"),
    ]);
    desk.run();
    assert_eq!(desk.query("SELECT concat_ws(' ', user_id, average_length, toots) FROM user_avg_length"), ["u1 6 1"]);
    desk.assert_consistent();
}

#[test]
fn another_width_of_windows_is_refused_with_the_way_out() {
    let database = fresh_database();
    Store::create(&database).unwrap();
    let other = Config { window: std::time::Duration::from_secs(600), ..database.clone() };
    let error = Store::create(&other).err().expect("refused");
    assert!(error.is_invalid() && error.to_string().contains("SPAR_WINDOW_SECONDS=3600"), "{error}");
}

#[test]
fn two_set_ups_at_once_do_not_disturb_each_other() {
    let database = fresh_database();
    std::thread::scope(|scope| {
        let both = [0, 1].map(|_| scope.spawn(|| Store::create(&database).map(|_| ())));
        for one in both {
            one.join().unwrap().unwrap();
        }
    });
}
