//! From the local Mastodon to the tables, against what its generator says belongs there.

use crate::desk::consistent;
use crate::listen::{config, listener};
use crate::local::client;
use crate::support::{fresh_database, query};
use spar::job::Control;
use spar::{Config, Pipeline, Store, Until};

#[test]
fn the_tables_hold_what_the_generator_expects_after_each_slice_and_again() {
    let (server, state) = client::server(4000);
    let database = fresh_database();
    let config = Config { database_url: database.database_url.clone(), ..config(&server, &state) };
    Store::create(&config).unwrap();
    let url = config.database_url().unwrap().clone();
    let ingest = listener(&config);
    let mut tables = Vec::new();
    for _ in 0..2 {
        ingest.run(Until::CaughtUp).unwrap();
        // A small first run leaves the events of some toots on both sides of a restart.
        for until in [Until::Toots(500), Until::CaughtUp, Until::CaughtUp] {
            let report = Pipeline::quiet(&config).unwrap().run_with(&Control::quiet(), until).unwrap();
            assert!(report.books.balance(), "{:?}", report.books);
            assert_eq!((report.books.dead, report.books.unknown_event), (0, 0));
        }
        let expected = server.expected().unwrap();
        let row = |parts: &[&str]| parts.join(" | ");
        let mut wanted: Vec<String> = expected
            .toots
            .iter()
            .map(|toot| {
                let l = &toot.label;
                row(&[&l.toot_id, &l.text, &l.content, &l.user_id, &l.username, &l.hashtags, &toot.late.to_string()])
            })
            .collect();
        wanted.sort();
        let stored = query(
            &url,
            "SELECT concat_ws(' | ', f.toot_id, text, content, user_id, username, hashtags,
                CASE WHEN l.toot_id IS NULL THEN 'false' ELSE 'true' END)
             FROM filtered_toots f LEFT JOIN late_toots l USING (toot_id)",
        );
        let mut stored = stored;
        stored.sort();
        for (stored, wanted) in stored.iter().zip(&wanted) {
            assert_eq!(stored, wanted);
        }
        assert_eq!(stored.len(), wanted.len());
        assert_eq!(query(&url, "SELECT count(*) FROM quarantine"), [expected.future.to_string()]);
        assert!(expected.late > 0 && expected.future > 0 && expected.deleted > 0 && expected.edited > 0);
        consistent(&url);
        tables.push(stored);
    }
    assert!(tables[1].len() > tables[0].len());
}
