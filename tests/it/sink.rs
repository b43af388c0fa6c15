use crate::desk::Desk;
use crate::messages::{Draft, gone, message};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};

#[test]
fn a_message_becomes_a_row_a_window_and_two_averages() {
    let desk = Desk::new();
    desk.send(&[message("1").text("Hello World https://a.example").tags(&["AI", "ai", "Rust"])]);
    let report = desk.run();
    assert_eq!((report.books.read, report.books.on_time), (1, 1));
    assert_eq!(
        desk.query("SELECT concat_ws('|', toot_id, timestamp, text, user_id, language, hashtags, content, username, text_length) FROM filtered_toots"),
        ["1|2024-10-10 11:17:26|hello world|u1|en|AI,ai,Rust|Hello World https://a.example|ann|11"]
    );
    assert_eq!(
        desk.query("SELECT concat_ws('|', window_start, window_end, total_toots) FROM toots_time_window_aggregates"),
        ["2024-10-10 11:00:00|2024-10-10 12:00:00|1"]
    );
    assert_eq!(desk.query("SELECT concat_ws('|', user_id, average_length) FROM user_avg_length"), ["u1|11"]);
    assert_eq!(
        desk.query("SELECT concat_ws('|', hashtag, average_length, toots) FROM hashtag_avg_length ORDER BY 1"),
        ["ai|11|1", "rust|11|1"]
    );
    desk.assert_consistent();
}

#[test]
fn the_same_statuses_sent_again_change_nothing() {
    let desk = Desk::new();
    let drafts: Vec<Draft> =
        (0..500).map(|n| message(&n.to_string()).user(&format!("u{}", n % 7)).text(&"x".repeat(n % 50))).collect();
    desk.send(&drafts);
    desk.run();
    let before = desk.tables();
    desk.send(&drafts);
    let report = desk.run();
    assert_eq!((report.books.duplicates, report.books.on_time), (500, 0));
    assert_eq!(desk.tables(), before);
    desk.assert_consistent();
}

#[test]
fn old_and_new_toots_in_one_batch_are_told_apart() {
    let desk = Desk::new();
    let drafts: Vec<Draft> = (0..100).map(|n| message(&n.to_string())).collect();
    desk.send(&drafts[..60]);
    desk.run();
    desk.send(&drafts[40..]);
    let report = desk.run();
    assert_eq!((report.books.duplicates, report.books.on_time), (20, 40));
    assert_eq!(desk.count("filtered_toots"), 100);
    desk.assert_consistent();
}

#[test]
fn a_toot_twice_in_a_batch_is_one_row() {
    let desk = Desk::new();
    desk.send(&[message("1"), message("2"), message("1"), message("1")]);
    let report = desk.run();
    assert_eq!((report.books.on_time, report.books.duplicates), (2, 2));
    desk.assert_consistent();
}

#[test]
fn a_toot_in_the_history_does_not_come_back_as_new() {
    let desk = Desk::new();
    desk.query("INSERT INTO history_toots (toot_id, timestamp, text, user_id, language, hashtags) VALUES ('1', '2024-10-10 11:17:26', 'hello world', 'u1', 'en', 'AI')");
    desk.send(&[message("1"), message("2")]);
    let report = desk.run();
    assert_eq!((report.books.on_time, report.books.duplicates), (1, 1));
    assert_eq!(desk.query("SELECT toot_id FROM filtered_toots"), ["2"]);
}

#[test]
fn an_edit_replaces_the_row_and_asks_for_a_new_score() {
    let desk = Desk::new();
    desk.send(&[message("1").text("first words").tags(&["old"])]);
    desk.run();
    desk.query("INSERT INTO history_toots SELECT * FROM filtered_toots");
    desk.query("INSERT INTO toots_sentiments (toot_id, prediction) VALUES ('1', 4)");
    desk.send(&[message("1").text("second thoughts").tags(&["new"]).edited("2024-10-10T12:00:00Z")]);
    let report = desk.run();
    assert_eq!(report.books.edits, 1);
    assert_eq!(
        desk.query("SELECT text || '|' || edited_at FROM filtered_toots"),
        ["second thoughts|2024-10-10 12:00:00"]
    );
    assert_eq!((desk.count("history_toots"), desk.count("toots_sentiments")), (0, 0));
    assert_eq!(desk.query("SELECT hashtag FROM hashtag_avg_length"), ["new"]);
    desk.send(&[message("1").text("first words").tags(&["old"])]);
    assert_eq!(desk.run().books.stale, 1);
    desk.assert_consistent();
}

#[test]
fn a_delete_takes_the_toot_out_of_every_table_and_is_final() {
    let desk = Desk::new();
    desk.send(&[
        message("1"),
        message("2").at("2024-10-10T20:00:00Z"),
        message("3").at("2024-10-10T11:00:00Z"),
        message("4").at("2199-01-01T00:00:00Z"),
        message("5").set("content", 5),
    ]);
    let report = desk.run();
    assert_eq!((report.books.late, report.books.quarantined, report.books.dead), (1, 1, 1));
    desk.query("INSERT INTO history_toots SELECT * FROM filtered_toots");
    desk.query("INSERT INTO toots_sentiments (toot_id, prediction) SELECT toot_id, 4 FROM filtered_toots");
    desk.send(&["1", "2", "3", "4", "5"].map(|id| gone(id, "delete")));
    assert_eq!(desk.run().books.deletes, 5);
    for table in [
        "filtered_toots",
        "history_toots",
        "toots_sentiments",
        "late_toots",
        "quarantine",
        "dead_letter",
        "toots_time_window_aggregates",
        "user_avg_length",
        "hashtag_avg_length",
    ] {
        assert_eq!(desk.count(table), 0, "{table}");
    }
    desk.send(&[message("1"), message("1").edited("2025-01-01T00:00:00Z")]);
    assert_eq!(desk.run().books.tombstoned, 2);
    assert_eq!(desk.count("filtered_toots"), 0);
}

#[test]
fn a_delete_takes_dead_letters_out_whatever_their_order() {
    let desk = Desk::new();
    let broken = |id: &str| message(id).set("content", 5);
    desk.send(&[gone("1", "delete")]);
    desk.run();
    desk.send(&[broken("1"), broken("2"), gone("2", "delete"), gone("3", "delete"), broken("3"), broken("4")]);
    let report = desk.run();
    assert_eq!((report.books.dead, report.books.deletes), (4, 2));
    assert_eq!(desk.query("SELECT toot_id FROM dead_letter"), ["4"]);
}

#[test]
fn a_delete_before_its_toot_keeps_it_out() {
    let desk = Desk::new();
    desk.send(&[gone("1", "delete")]);
    desk.run();
    desk.send(&[message("1"), message("2")]);
    let report = desk.run();
    assert_eq!((report.books.tombstoned, report.books.on_time), (1, 1));
    assert_eq!(desk.query("SELECT toot_id FROM filtered_toots"), ["2"]);
}

#[test]
fn a_retract_lasts_until_a_newer_version() {
    let desk = Desk::new();
    let edited = |hour: u32| format!("2024-10-10T{hour}:00:00Z");
    desk.send(&[message("1"), gone("1", "retract").set("edited_at", edited(12))]);
    desk.run();
    assert_eq!(desk.count("filtered_toots"), 0);
    desk.send(&[message("1"), message("1").edited(&edited(12)), message("1").edited(&edited(13)).text("back")]);
    let report = desk.run();
    assert_eq!((report.books.tombstoned, report.books.on_time), (2, 1));
    assert_eq!(desk.query("SELECT text FROM filtered_toots"), ["back"]);
    desk.assert_consistent();
}

#[test]
fn an_edit_into_another_language_takes_the_toot_out() {
    let desk = Desk::new();
    desk.send(&[
        message("1"),
        message("2").set("language", "fr"),
        message("3").set("language", "en-GB"),
        message("4").set("language", serde_json::Value::Null),
        message("5").set("language", "en-a-very-long-tag"),
    ]);
    assert_eq!(desk.run().books.other_language, 2);
    assert_eq!(desk.query("SELECT toot_id || language FROM filtered_toots ORDER BY 1"), ["1en", "3en", "5en"]);
    desk.send(&[message("1").edited("2024-10-10T12:00:00Z").set("language", "fr")]);
    assert_eq!(desk.run().books.other_language, 1);
    desk.send(&[message("1")]);
    assert_eq!(desk.run().books.tombstoned, 1);
    assert_eq!(desk.query("SELECT toot_id FROM filtered_toots ORDER BY 1"), ["3", "5"]);
    desk.assert_consistent();
}

#[test]
fn late_toots_are_merged_counted_and_listed() {
    let desk = Desk::new();
    desk.send(&[message("1").at("2024-10-10T10:30:00Z"), message("2").at("2024-10-10T12:00:00Z")]);
    desk.run();
    assert_eq!(desk.query("SELECT closed_by FROM toots_time_window_aggregates ORDER BY window_start"), ["watermark"]);
    // The watermark is 11:00: the window of 10 h is final, that of 11 h is not.
    desk.send(&[message("3").at("2024-10-10T10:59:59Z"), message("4").at("2024-10-10T11:00:00Z")]);
    let report = desk.run();
    assert_eq!((report.books.late, report.books.on_time), (1, 1));
    assert_eq!(
        desk.query(
            "SELECT toot_id || ' ' || window_start || ' ' || lateness_seconds || ' ' || \"offset\" FROM late_toots"
        ),
        ["3 2024-10-10 10:00:00 1 2"]
    );
    assert_eq!(
        desk.query("SELECT concat_ws(' ', window_start, total_toots, late_n, closed_by, revised_at IS NOT NULL) FROM toots_time_window_aggregates ORDER BY 1"),
        ["2024-10-10 10:00:00 2 1 watermark t", "2024-10-10 11:00:00 1 0 f", "2024-10-10 12:00:00 1 0 f"]
    );
    desk.send(&[
        message("3").at("2024-10-10T10:59:59Z"),
        message("1").at("2024-10-10T10:30:00Z").edited("2024-10-10T10:40:00Z"),
    ]);
    let report = desk.run();
    assert_eq!((report.books.duplicates, report.books.edits, report.books.late), (1, 1, 0));
    desk.assert_consistent();
}

#[test]
fn a_future_dated_toot_is_set_aside_and_moves_no_watermark() {
    let desk = Desk::new();
    let soon = spar::Timestamp::now().plus(std::time::Duration::from_secs(240));
    desk.send(&[
        message("1"),
        message("2").at("2199-01-01T00:00:00Z"),
        message("3").at("2199-01-01T00:00:00Z").set("language", "fr"),
        message("4").at("2024-10-10T10:00:00Z"),
        message("5").at(&soon.to_string()),
    ]);
    let report = desk.run();
    assert_eq!((report.books.quarantined, report.books.on_time, report.books.late), (1, 3, 0));
    assert_eq!(desk.query("SELECT toot_id FROM quarantine"), ["2"]);
    desk.send(&[message("2").at("2199-01-01T00:00:00Z")]);
    assert_eq!(desk.run().books.duplicates, 1);
    desk.assert_consistent();
}

#[test]
fn dead_letters_keep_their_place_cause_and_bytes() {
    let desk = Desk::new();
    desk.send(&[message("1")]);
    let topic = desk.config.topic.clone();
    desk.send_raw(&topic, Some("k1"), Some(b"{\"id\": "));
    desk.send_raw(&topic, None, None);
    desk.send_raw(&topic, None, Some(&message("4").set("content", "a\0b").json()));
    desk.send_raw(&topic, None, Some(&vec![b'x'; 70_000]));
    desk.flush();
    desk.send(&[
        message("5").set("source", "elsewhere.example"),
        message("6").event("poll"),
        message("7").set("content", serde_json::Value::Null),
    ]);
    let report = desk.run();
    assert_eq!(
        (
            report.books.dead,
            report.books.other_source,
            report.books.unknown_event,
            report.books.null_content,
            report.books.on_time
        ),
        (5, 1, 1, 1, 1)
    );
    assert_eq!(
        desk.query("SELECT concat_ws(' ', \"offset\", reason, coalesce(toot_id, '-'), size, coalesce(length(bytes), -1)) FROM dead_letter ORDER BY \"offset\""),
        ["1 not_json k1 7 7".to_owned(), "2 null_value - 0 -1".to_owned(),
         format!("3 null_byte 4 {0} {0}", message("4").set("content", "a\0b").json().len()),
         "4 not_json - 70000 65536".to_owned(),
         format!("5 other_source 5 {0} {0}", message("5").set("source", "elsewhere.example").json().len())]
    );
}

#[test]
fn a_very_long_tag_is_kept_but_not_averaged() {
    let desk = Desk::new();
    let long = "t".repeat(256);
    desk.send(&[message("1").tags(&[&long, "AI"])]);
    assert_eq!(desk.run().books.dropped_tags, 1);
    assert_eq!(desk.query("SELECT hashtag FROM hashtag_avg_length"), ["ai"]);
    assert_eq!(desk.query("SELECT length(hashtags)::text FROM filtered_toots"), ["259"]);
    desk.send(&[message("1").tags(&[&long, "AI"])]);
    assert_eq!(desk.run().books.dropped_tags, 0, "a duplicate drops nothing");
}

#[test]
fn messages_about_gaps_fill_their_table() {
    let desk = Desk::new();
    let topic = spar::kafka::gaps_topic(&desk.config.topic);
    desk.loader.create_topic(&topic, 1).unwrap();
    let gap = |filled: bool| {
        format!(
            r#"{{"id":"g1","from":"2024-10-10T11:00:00+00:00","to":"2024-10-10T11:05:00+00:00","from_id":"9","reason":"cut","filled":{filled},"source":"local"}}"#
        )
    };
    desk.send_raw(&topic, Some("g1"), Some(gap(false).as_bytes()));
    desk.flush();
    assert_eq!(desk.run().books.gaps, 1);
    desk.send_raw(&topic, Some("g1"), Some(gap(true).as_bytes()));
    desk.flush();
    desk.run();
    assert_eq!(
        desk.query("SELECT concat_ws('|', gap_id, from_id, to_time, reason, filled) FROM gaps"),
        ["g1|9|2024-10-10 11:05:00+00|cut|t"]
    );
}

/// Events of a few toots: every version of a toot has one content, as on Mastodon.
fn events() -> impl Strategy<Value = Vec<Draft>> {
    let event = (0u32..4, 0u32..4, 0u32..10).prop_map(|(id, version, kind)| {
        let minute = 30 + u32::from(kind == 2 || kind == 3);
        let time = format!("2024-10-10T1{version}:{minute}:00Z");
        let draft = match kind {
            0 => return gone(&id.to_string(), "delete"),
            1 => return gone(&id.to_string(), "retract").set("edited_at", time),
            2 | 3 if version > 0 => message(&id.to_string()).set("language", "fr").edited(&time),
            _ => message(&id.to_string()).tags(&[&format!("v{version}")]).text(&"w".repeat(version as usize + 1)),
        };
        if version == 0 || kind == 2 || kind == 3 { draft } else { draft.edited(&time) }
    });
    prop::collection::vec(event, 1..14)
}

#[test]
fn any_order_of_the_same_events_leaves_the_same_tables() {
    let mut runner = TestRunner::new(Cases { cases: 5, failure_persistence: None, ..Cases::default() });
    let strategy = (events(), 1usize..14)
        .prop_flat_map(|(events, cut)| (Just(events.clone()), Just(events).prop_shuffle(), Just(cut)));
    runner
        .run(&strategy, |(first, second, cut)| {
            let [one, other] = [first, second].map(|events| {
                let desk = Desk::new();
                for part in events.chunks(cut) {
                    desk.send(part);
                    desk.run();
                }
                desk.assert_consistent();
                let stones =
                    desk.query("SELECT toot_id || deleted || coalesce(edited_at::text, '') FROM tombstones ORDER BY 1");
                (desk.tables(), stones)
            });
            prop_assert_eq!(one.0, other.0);
            prop_assert_eq!(one.1, other.1);
            Ok(())
        })
        .unwrap();
}
