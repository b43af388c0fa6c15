use crate::messages::{SEVEN_BATCHES, message, record, rules};
use proptest::prelude::*;
use spar::Timestamp;
use spar::stream::{ChangeKind, Stream, Width, closing, tumbling};
use std::collections::BTreeMap;
use std::time::Duration;

#[test]
fn a_toot_on_the_border_opens_the_next_window() {
    let hour = Duration::from_secs(3600);
    let before = tumbling("2024-10-10T11:59:59.999999Z".parse().unwrap(), hour).unwrap();
    let border = tumbling("2024-10-10T12:00:00Z".parse().unwrap(), hour).unwrap();
    assert_eq!(before.end, border.start);
    assert_eq!(border.start.to_string(), "2024-10-10T12:00:00Z");
    assert!(tumbling(border.start, Duration::ZERO).is_err());
}

proptest! {
    #[test]
    fn a_window_holds_its_toot_and_has_its_width(micros in -60_000_000_000_000_000i64..250_000_000_000_000_000, secs in 1u64..1_000_000) {
        let at = Timestamp::from_micros(micros);
        let window = Width::new(Duration::from_secs(secs)).unwrap().window(at);
        prop_assert!(window.start <= at && at < window.end);
        prop_assert_eq!(window.start.plus(Duration::from_secs(secs)), window.end);
        prop_assert_eq!(window.start.as_micros().rem_euclid(secs as i64 * 1_000_000), 0);
    }

    #[test]
    fn lateness_does_not_depend_on_the_size_of_batches(minutes in prop::collection::vec(0i64..600, 1..80), cut in 1usize..20) {
        let late_with = |batch: usize| {
            let mut stream = Stream::new(rules(), [(0, None)]);
            let mut late = Vec::new();
            for (n, minute) in minutes.iter().enumerate() {
                let at = Timestamp::from_micros(minute * 60_000_000);
                let value = message(&n.to_string()).at(&at.to_string()).json();
                stream.step(&record(n as i64, &value));
                if n % batch == batch - 1 || n + 1 == minutes.len() {
                    let done = stream.finish(Vec::new());
                    late.extend(done.changes.iter().map(|c| matches!(c.kind, ChangeKind::Put { late: Some(_), .. })));
                }
            }
            late
        };
        prop_assert_eq!(late_with(1000), late_with(cut));
    }
}

#[test]
fn the_seven_batches_give_the_counts_of_the_design() {
    let mut rules = rules();
    rules.width = Width::new(Duration::from_secs(300)).unwrap();
    rules.lateness = Duration::from_secs(120);
    let mut stream = Stream::new(rules, [(0, None)]);
    let (mut counts, mut late, mut offset) = (BTreeMap::new(), 0, 0);
    for batch in SEVEN_BATCHES {
        for (time, key) in batch {
            let value = message(&offset.to_string()).at(&format!("2024-10-10T{time}Z")).user(key).json();
            stream.step(&record(offset, &value));
            offset += 1;
        }
        let done = stream.finish(Vec::new());
        for (window, change) in &done.delta.windows {
            late += change.late;
            let minute = window.start.to_string()[11..16].to_owned();
            for change in &done.changes {
                if let ChangeKind::Put { toot, .. } = change.kind {
                    let toot = done.toots.get(toot);
                    if window.start <= toot.at && toot.at < window.end {
                        *counts.entry((minute.clone(), toot.user_id.unwrap().to_owned())).or_insert(0) += 1;
                    }
                }
            }
        }
    }
    let count = |minute: &str, key: &str| counts.get(&(minute.to_owned(), key.to_owned())).copied().unwrap_or(0);
    assert_eq!((count("12:00", "a"), count("12:00", "b")), (4, 1));
    assert_eq!((count("12:05", "a"), count("12:05", "z")), (2, 2));
    assert_eq!(late, 2);
    assert_eq!(stream.watermark(0).unwrap().at().unwrap().to_string(), "2024-10-10T12:28:00Z");
}

#[test]
fn a_topic_has_come_as_far_as_its_slowest_partition_that_is_not_idle() {
    let at = |hour: i64| Some(Timestamp::from_micros(hour * 3_600_000_000));
    assert_eq!(closing(&[(at(3), false), (at(1), false), (at(2), true)]), at(1));
    assert_eq!(closing(&[(at(3), false), (at(1), true)]), at(3));
    assert_eq!(closing(&[(at(3), false), (None, false)]), None, "a partition without a toot holds windows open");
    assert_eq!(closing(&[(at(3), false), (None, true)]), at(3));
    assert_eq!(closing(&[(at(3), true), (at(1), true), (None, true)]), at(1), "idle ones close what all have passed");
    assert_eq!(closing(&[]), None);
}
