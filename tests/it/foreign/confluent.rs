//! confluent-kafka reads the topic as the original's consumer would.

use super::{Script, json};
use crate::listen::{config, listener};
use crate::local::client::server;
use crate::support::{fresh_topic, unique};
use crate::toot::FIELDS;
use serde_json::Value;
use spar::kafka::create_topic;
use spar::{Config, Until};
use std::collections::BTreeMap;

fn read(config: &Config) -> Vec<Value> {
    let group = unique("original");
    let script = Script::start("read_topic.py", &[config.kafka().unwrap(), &config.topic, &group]);
    script.finish().iter().map(|line| json(line)).collect()
}

#[test]
fn a_consumer_of_the_original_reads_nine_fields_of_every_message_from_the_first_one_on() {
    let (server, state) = server(3000);
    let config = Config { partitions: 3, topic: fresh_topic("foreign"), ..config(&server, &state) };
    create_topic(&config).unwrap();
    let report = listener(&config).run(Until::CaughtUp).unwrap();
    let messages = read(&config);
    assert_eq!(messages.len() as u64, report.acknowledged - report.gaps);
    let (mut without_text, mut beyond_ascii) = (0, 0);
    let mut rows: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for message in &messages {
        let row = &message["row"];
        let id = row["id"].as_str().expect("an id is text, also in a delete");
        assert_eq!(message["key"], id);
        let fields: Vec<&str> = message["fields"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
        assert_eq!(fields[..16], FIELDS, "{id}");
        assert_eq!(message["escaped"], false, "{message}");
        beyond_ascii += u64::from(message["ascii"] == false);
        // What the original did with a toot without content.
        if row["content"].is_null() {
            without_text += 1;
            assert!(["delete", "retract"].contains(&message["event"].as_str().unwrap()), "{message}");
            continue;
        }
        assert!(row["created_at"].as_str().unwrap().ends_with("+00:00"), "{row}");
        assert!(
            ["user_id", "tags", "reblogs_count", "favourites_count", "replies_count"]
                .iter()
                .all(|f| !row[*f].is_null())
        );
        rows.entry(id).or_default().push(row);
    }
    assert_eq!(without_text, report.deleted + report.retracted);
    assert!(without_text > 10 && beyond_ascii > 100, "{without_text} {beyond_ascii}");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = server.expected().unwrap();
    for toot in &expected.toots {
        let label = &toot.label;
        let found = rows.get(&*label.toot_id).is_some_and(|versions| {
            versions.iter().any(|row| {
                let tags: Vec<&str> = row["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
                words(row["content"].as_str().unwrap()) == words(&label.content)
                    && tags.join(",") == label.hashtags
                    && row["user_id"] == *label.user_id
                    && row["language"].as_str() == label.language
            })
        });
        assert!(found, "{label:?}");
    }
    println!(
        "confluent-kafka: {} messages, {without_text} without text, {} toots expected; lost 0",
        messages.len(),
        expected.toots.len()
    );
}
