use crate::desk::Desk;
use crate::messages::{gone, message};
use spar::{Pipeline, Store};

#[test]
fn the_steps_of_the_notebook_show_what_the_run_then_writes() {
    let desk = Desk::new();
    desk.send(&[
        message("1").text("Don't panic: https://a.example #AI"),
        message("2").text("second").user("u2").at("2024-10-10T12:00:00Z"),
        message("3").set("language", "fr"),
        gone("9", "delete"),
        message("4").set("language", serde_json::Value::Null),
    ]);
    desk.send_raw(&desk.config.topic, None, Some(b"not json"));
    desk.flush();
    assert_eq!(Pipeline::settings(&desk.config).unwrap().height(), 8);
    let pipeline = Pipeline::open(&desk.config).unwrap();
    let sample = pipeline.sample(1000).unwrap();
    assert_eq!(sample.len(), 4);
    assert_eq!(sample.parsed().unwrap().height(), 4);
    let languages = sample.languages().unwrap().to_string();
    assert!(languages.contains("inconnue") && languages.contains("true"), "{languages}");
    let cleaned = sample.cleaned().unwrap().to_string();
    assert!(cleaned.contains("don't panic #ai"), "{cleaned}");
    for table in [sample.hashtags(), sample.rows(), sample.windows(), sample.user_lengths()] {
        assert_eq!(table.unwrap().height(), 2);
    }
    assert_eq!(sample.hashtag_lengths().unwrap().height(), 1);
    assert_eq!(pipeline.topic().unwrap().height(), 1);
    assert_eq!(pipeline.writers().unwrap().height(), 4);
    pipeline.start_writers().unwrap();
    assert_eq!(desk.count("filtered_toots"), 0, "looking moves nothing");
    desk.run();
    let store = Store::connect(&desk.config).unwrap();
    assert_eq!(store.query("SELECT text FROM filtered_toots ORDER BY toot_id", &[]).unwrap().height(), 2);
    let topic = pipeline.topic().unwrap().to_string();
    assert!(topic.contains('6'), "everything is read: {topic}");
}

#[test]
fn a_sample_with_edits_and_wrong_dates_shows_the_rows_that_the_run_stores() {
    let desk = Desk::new();
    desk.send(&[
        message("1").text("one"),
        message("2").text("two").user("u2"),
        message("1").text("one more").edited("2024-10-10T12:00:00Z"),
        message("3").at("2199-01-01T00:00:00Z"),
        message("2").text("two").user("u2"),
    ]);
    let sample = desk.pipeline().sample(1000).unwrap();
    assert_eq!((sample.rows().unwrap().height(), sample.user_lengths().unwrap().height()), (2, 2));
    let windows = sample.windows().unwrap().to_string();
    desk.run();
    assert_eq!(desk.query("SELECT sum(total_toots)::text FROM toots_time_window_aggregates"), ["2"]);
    assert_eq!(sample.windows().unwrap().height(), 1, "{windows}");
    let cleaned = sample.cleaned().unwrap().to_string();
    assert!(cleaned.contains("one more"), "{cleaned}");
}

#[test]
fn an_empty_or_missing_topic_is_told_and_nothing_crashes() {
    let mut desk = Desk::new();
    let sample = desk.pipeline().sample(10).unwrap();
    assert!(sample.is_empty());
    assert_eq!(sample.parsed().unwrap().height(), 0);
    assert_eq!(sample.windows().unwrap().height(), 0);
    assert_eq!(desk.run().to_string(), "Aucun nouveau message : tout était déjà écrit.");
    desk.config.topic = format!("{}_absent", desk.config.topic);
    let error = desk.try_run().unwrap_err();
    assert!(error.to_string().contains("run partie1"), "{error}");
}
