//! `psql` asks what was asked of the original's database.

use super::psql_program;
use crate::listen::{config, listener};
use crate::local::client::server;
use crate::scoring::score_all;
use crate::support::fresh_database;
use spar::config::Secret;
use spar::job::Control;
use spar::{Config, Pipeline, Scoring, Store, Until};
use std::process::Command;

/// The six tables of the original: columns in order, with their types, and the key.
const TABLES: [(&str, &str, &str); 6] = [
    ("filtered_toots", TOOT, "toot_id"),
    (
        "toots_time_window_aggregates",
        "window_start timestamp without time zone, window_end timestamp without time zone, total_toots integer",
        "window_start, window_end",
    ),
    ("user_avg_length", "user_id character varying(255), average_length double precision", "user_id"),
    ("hashtag_avg_length", "hashtag character varying(255), average_length double precision", "hashtag"),
    ("history_toots", TOOT, "toot_id"),
    (
        "toots_sentiments",
        "toot_id character varying(255), text text, prediction double precision, sentiment character varying(20)",
        "toot_id",
    ),
];

const TOOT: &str = "toot_id character varying(255), timestamp timestamp without time zone, text text, user_id character \
                    varying(255), language character varying(10), hashtags text, reblogs_count integer, \
                    favourites_count integer, replies_count integer";

/// What `psql` prints for a question, without headings: a line for each row, its columns separated by `|`.
fn psql(url: &Secret, question: &str) -> Vec<String> {
    psql_with(url, question, &["-t"])
}

fn psql_with(url: &Secret, command: &str, options: &[&str]) -> Vec<String> {
    let url = url::Url::parse(url.expose()).unwrap();
    let output = Command::new(psql_program())
        .args(["-X", "-q", "-A", "-F", "|", "-v", "ON_ERROR_STOP=1", "-c", command])
        .args(options)
        .env("PGHOST", url.host_str().unwrap())
        .env("PGPORT", url.port().unwrap_or(5432).to_string())
        .env("PGUSER", url.username())
        .env("PGPASSWORD", url.password().unwrap_or_default())
        .env("PGDATABASE", url.path().trim_start_matches('/'))
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaint.is_empty(), "{command}: {complaint}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn psql_finds_the_columns_types_and_keys_of_the_original() {
    let database = fresh_database();
    Store::create(&database).unwrap();
    spar::Scoring::open(&database).unwrap().create_tables().unwrap();
    let url = database.database_url().unwrap();
    let listed = psql(url, "\\dt");
    for (table, columns, key) in TABLES {
        assert!(listed.iter().any(|line| line.starts_with(&format!("public|{table}|table|"))), "{listed:?}");
        let wanted: Vec<&str> = columns.split(", ").collect();
        let described = psql_with(url, &format!("\\d {table}"), &[]);
        let found: Vec<String> = described
            .iter()
            .filter_map(|line| line.split_once('|'))
            .skip_while(|(name, _)| *name != "Column")
            .skip(1)
            .take(wanted.len())
            .map(|(name, rest)| format!("{name} {}", rest.split('|').next().unwrap()))
            .collect();
        assert_eq!(found, wanted, "{table}");
        assert!(described.iter().any(|line| line.contains(&format!("PRIMARY KEY, btree ({key})"))), "{described:?}");
        let catalogue = format!(
            "SELECT column_name || ' ' || data_type || coalesce('(' || character_maximum_length || ')', '')
             FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '{table}'
             ORDER BY ordinal_position LIMIT {}",
            wanted.len()
        );
        assert_eq!(psql(url, &catalogue), wanted, "{table}");
    }
}

#[test]
fn psql_gets_the_original_kind_of_answer_to_the_queries_of_the_original() {
    let (server, state) = server(3000);
    let database = fresh_database();
    let config = Config { database_url: database.database_url.clone(), ..config(&server, &state) };
    Store::create(&config).unwrap();
    listener(&config).run(Until::CaughtUp).unwrap();
    Pipeline::quiet(&config).unwrap().run_with(&Control::quiet(), Until::CaughtUp).unwrap();
    let scoring = Scoring::open(&config).unwrap();
    scoring.create_tables().unwrap();
    score_all(&scoring);
    let url = config.database_url().unwrap();
    let expected = server.expected().unwrap();

    // partie3 and partie5 load the toots.
    let mut toots = psql(url, "SELECT toot_id, text, user_id, language, hashtags FROM filtered_toots");
    let mut wanted: Vec<String> = expected
        .toots
        .iter()
        .map(|toot| {
            let l = &toot.label;
            [&*l.toot_id, &*l.text, &*l.user_id, "en", &*l.hashtags].join("|")
        })
        .collect();
    toots.sort();
    wanted.sort();
    assert_eq!(toots, wanted);
    let kept = wanted.len().to_string();

    // A TIMESTAMP in UTC reads the same whatever the time zone of who asks.
    let hour = "SELECT toot_id, timestamp FROM filtered_toots ORDER BY toot_id LIMIT 50";
    assert_eq!(psql(url, &format!("SET timezone = 'Asia/Tokyo'; {hour}")), psql(url, hour));

    // The same question to the database and to the books, one number each.
    let mut authors = std::collections::BTreeMap::<&str, (u64, usize)>::new();
    for toot in &expected.toots {
        let author = authors.entry(&toot.label.user_id).or_default();
        *author = (author.0 + 1, author.1 + toot.label.text.chars().count());
    }
    let active = authors.values().filter(|(toots, _)| *toots > 2).count().to_string();
    let with_tags = expected.toots.iter().filter(|toot| !toot.label.hashtags.is_empty());
    let tags: usize = with_tags.map(|toot| toot.label.hashtags.split(',').count()).sum();
    let answers = [
        ("SELECT count(*) FROM filtered_toots", kept.clone()),
        ("SELECT sum(total_toots) FROM toots_time_window_aggregates", kept.clone()),
        (
            "SELECT count(*) FROM toots_time_window_aggregates WHERE window_end - window_start <> interval '1 hour'",
            "0".into(),
        ),
        ("SELECT count(*) FROM user_avg_length", authors.len().to_string()),
        ("SELECT count(*) FROM (SELECT user_id FROM filtered_toots GROUP BY user_id HAVING count(*) > 2) a", active),
        (
            "SELECT count(*) FROM filtered_toots, unnest(string_to_array(hashtags, ',')) tag WHERE hashtags <> ''",
            tags.to_string(),
        ),
        // partie4: what was processed, what is new, and the labels.
        ("SELECT count(*) FROM history_toots", kept.clone()),
        ("SELECT count(*) FROM filtered_toots WHERE toot_id NOT IN (SELECT toot_id FROM history_toots)", "0".into()),
        (
            "SELECT count(*) FROM toots_sentiments WHERE prediction IN (0.0, 2.0, 4.0) AND sentiment IN ('négatif', 'neutre', 'positif')",
            kept.clone(),
        ),
        // partie5: each toot with its sentiment.
        ("SELECT count(*) FROM filtered_toots JOIN toots_sentiments USING (toot_id, text)", kept),
    ];
    let asked = answers.len();
    for (question, answer) in answers {
        assert_eq!(psql(url, question), [answer], "{question}");
    }
    for row in psql(url, "SELECT user_id, average_length FROM user_avg_length") {
        let (user, average) = row.split_once('|').unwrap();
        let (toots, length) = authors[user];
        let wanted = length as f64 / toots as f64;
        assert!((average.parse::<f64>().unwrap() - wanted).abs() < 1e-9 * wanted, "{row} instead of {wanted}");
    }

    // The original's writers name the original's columns only; their statements still work.
    let written = psql(
        url,
        "BEGIN;
         INSERT INTO filtered_toots (toot_id, timestamp, text, user_id, language, hashtags, reblogs_count, favourites_count,
            replies_count) VALUES ('1', '2024-10-10 11:17:26', 'text', '2', 'en', 'AI', 0, 0, 0);
         INSERT INTO toots_time_window_aggregates (window_start, window_end, total_toots)
            VALUES ('1999-10-10 11:00', '1999-10-10 12:00', 1);
         INSERT INTO user_avg_length (user_id, average_length) VALUES ('nobody', 4.5);
         INSERT INTO hashtag_avg_length (hashtag, average_length) VALUES ('nothing', 4.5);
         INSERT INTO history_toots (toot_id, timestamp, text, user_id, language, hashtags, reblogs_count, favourites_count,
            replies_count) SELECT toot_id, timestamp, text, user_id, language, hashtags, reblogs_count, favourites_count,
            replies_count FROM filtered_toots WHERE toot_id = '1';
         INSERT INTO toots_sentiments (toot_id, text, prediction, sentiment) VALUES ('1', 'text', 4.0, 'positif');
         SELECT sentiment FROM history_toots JOIN toots_sentiments USING (toot_id) WHERE toot_id = '1';
         ROLLBACK",
    );
    assert_eq!(written, ["positif"]);
    println!("psql: {asked} questions, {} toots and {} averages compared; different 0", toots.len(), authors.len());
}
