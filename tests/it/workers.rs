//! Many workers in one consumer group leave the tables that one leaves.

use crate::desk::Desk;
use crate::messages::{Draft, gone, message};
use crate::signals::Signal;
use crate::support::eventually;
use crate::worker::Worker;
use spar::pipeline::StreamStatus;
use std::collections::BTreeSet;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const PARTITIONS: i32 = 6;

fn toot(n: usize) -> Draft {
    message(&n.to_string())
        .user(&format!("u{}", n % 50))
        .text(&"w".repeat(n % 9 + 1))
        .tags(&[["AI", "Rust", "ml"][n % 3]])
        .at(&format!("2024-10-{:02}T{:02}:{:02}:00Z", 10 + n / 2000, n / 100 % 20, n % 60))
}

/// Toots, edits, deletes and wrong dates; all but the dates are told apart by their ids alone, whatever the order of
/// partitions.
pub fn story(toots: std::ops::Range<usize>) -> Vec<Draft> {
    toots
        .flat_map(|n| {
            let mut drafts = vec![toot(n)];
            match n % 50 {
                7 => drafts.push(toot(n).text("edited").edited("2024-12-01T00:00:00Z")),
                11 => drafts.push(gone(&n.to_string(), "delete")),
                13 => drafts.push(toot(n).set("id", format!("future-{n}")).at("2150-01-01T00:00:00Z")),
                17 => drafts.push(toot(n)),
                _ => {}
            }
            drafts
        })
        .collect()
}

/// Offsets not yet applied, over all partitions.
pub fn lag(desk: &Desk) -> i64 {
    let applied: i64 = desk.query(&format!(
        "SELECT coalesce(sum(next_offset), 0)::text FROM stream_partition WHERE topic = '{}'",
        desk.config.topic
    ))[0]
        .parse()
        .unwrap();
    spar::kafka::topic_info(&desk.config).unwrap().records() as i64 - applied
}

/// The owners of the partitions that were taken over.
fn owners(desk: &Desk) -> Vec<String> {
    desk.query(&format!("SELECT owner FROM stream_partition WHERE topic = '{}' ORDER BY part", desk.config.topic))
}

fn all_of(desk: &Desk, workers: &[&Worker]) -> bool {
    let owners = owners(desk);
    let whose: BTreeSet<usize> =
        owners.iter().filter_map(|o| workers.iter().position(|w| o.starts_with(&w.owner()))).collect();
    let known = owners.iter().all(|o| workers.iter().any(|w| o.starts_with(&w.owner())));
    owners.len() == PARTITIONS as usize && known && whose.len() == workers.len()
}

/// A desk with windows of every kind; the workers are not told.
fn desk() -> Desk {
    Desk::with_windows("5min, 1h/15min, 1h by language, 1d/6h by hashtag", PARTITIONS)
}

/// The tables of one run alone, over the same messages.
fn alone(drafts: &[Draft]) -> Vec<Vec<String>> {
    let desk = desk();
    desk.send(drafts);
    desk.run();
    desk.assert_consistent();
    desk.tables()
}

/// Sends the drafts a few at a time, as a stream does, while something else happens.
fn send_slowly(desk: &Desk, drafts: &[Draft]) {
    for some in drafts.chunks(30) {
        desk.send(some);
        std::thread::sleep(Duration::from_millis(40));
    }
}

#[test]
fn workers_join_leave_and_die_while_toots_arrive_and_the_tables_are_those_of_one() {
    let drafts = story(0..6000);
    let expected = alone(&drafts);
    let desk = desk();
    let folder = tempfile::tempdir().unwrap();
    let mut first = Worker::start(&desk.config, folder.path(), "first");
    let third = std::thread::scope(|scope| {
        scope.spawn(|| send_slowly(&desk, &drafts));
        eventually("one worker takes all partitions", LIMIT, || all_of(&desk, &[&first]));
        let mut second = Worker::start(&desk.config, folder.path(), "second");
        eventually("two workers share them", LIMIT, || all_of(&desk, &[&first, &second]));

        // One dies without a word, the other goes on alone.
        second.signal(Signal::KILL);
        eventually("the other takes over what the dead one held", LIMIT, || all_of(&desk, &[&first]));

        // One is asked to leave, and hands over at once.
        let third = Worker::start(&desk.config, folder.path(), "third");
        eventually("two workers share them again", LIMIT, || all_of(&desk, &[&first, &third]));
        first.signal(Signal::TERM);
        assert!(first.process.wait().unwrap().success(), "{}", first.told());
        third
    });
    eventually("the last one does the rest", LIMIT, || all_of(&desk, &[&third]) && lag(&desk) == 0);
    assert!(third.told().contains("partitions: "), "{}", third.told());

    assert_eq!(desk.tables(), expected);
    desk.assert_consistent();
    let status = StreamStatus::read(&desk.config).unwrap();
    assert_eq!((status.partitions.height(), status.lag), (PARTITIONS as usize, 0));
    assert!(status.to_string().contains(&third.owner()), "{status}");
    println!("6,000 toots, {} records, 3 workers, 1 killed: lost 0, doubled 0", drafts.len());
}

#[test]
fn two_workers_that_fall_idle_together_close_the_windows() {
    let mut desk = Desk::with_partitions(PARTITIONS);
    desk.config.idle = Duration::from_secs(1);
    let folder = tempfile::tempdir().unwrap();
    desk.send(&[message("first").at("2024-10-10T08:05:00Z")]);
    let first = Worker::start(&desk.config, folder.path(), "first");
    let second = Worker::start(&desk.config, folder.path(), "second");
    eventually("two workers share the topic", LIMIT, || all_of(&desk, &[&first, &second]));
    for hour in 8..11 {
        let drafts: Vec<Draft> =
            (0..60).map(|n| message(&format!("{hour}-{n}")).at(&format!("2024-10-10T{hour:02}:10:00Z"))).collect();
        desk.send(&drafts);
        eventually("all is written, and no window is left open", LIMIT, || {
            let open = "SELECT count(*)::text FROM toots_time_window_aggregates WHERE closed_by IS NULL";
            desk.count("filtered_toots") == 1 + 60 * (hour - 7) && desk.query(open) == ["0"]
        });
    }
    desk.assert_consistent();
}

#[test]
fn a_worker_learns_from_the_messages_whose_toots_they_are() {
    let desk = Desk::with_partitions(2);
    let folder = tempfile::tempdir().unwrap();
    let worker = Worker::start(&desk.config, folder.path(), "worker");
    let drafts: Vec<Draft> = (0..20).map(|n| message(&n.to_string()).set("source", "toots.example")).collect();
    desk.send(&drafts);
    eventually("the worker writes them", LIMIT, || lag(&desk) == 0);
    assert_eq!((desk.count("filtered_toots"), desk.count("dead_letter")), (20, 0), "{}", worker.told());
    assert_eq!(desk.query("SELECT value FROM about WHERE key = 'source'"), ["toots.example"]);
}

#[test]
fn windows_wait_for_the_slowest_worker() {
    let desk = Desk::with_partitions(PARTITIONS);
    let folder = tempfile::tempdir().unwrap();
    desk.send(&[message("first").at("2024-10-10T08:05:00Z")]);
    let first = Worker::start(&desk.config, folder.path(), "first");
    let second = Worker::start(&desk.config, folder.path(), "second");
    eventually("two workers share the topic", LIMIT, || all_of(&desk, &[&first, &second]));
    // Every partition gets one early toot; one of them gets a late hour too. None is idle: the default is a minute.
    let early: Vec<Draft> = (0..60).map(|n| message(&format!("e{n}")).at("2024-10-10T08:10:00Z")).collect();
    desk.send(&early);
    desk.send(&[message("ahead").at("2024-10-10T15:00:00Z")]);
    eventually("all is written", LIMIT, || lag(&desk) == 0);
    let closed = "SELECT count(*)::text FROM toots_time_window_aggregates WHERE closed_by IS NOT NULL";
    assert_eq!(desk.query(closed), ["0"], "one partition alone must not close a window");
    // When all have come as far, the window closes.
    let later: Vec<Draft> = (0..60).map(|n| message(&format!("l{n}")).at("2024-10-10T15:30:00Z")).collect();
    desk.send(&later);
    eventually("the window of all closes", LIMIT, || {
        desk.query("SELECT closed_by FROM toots_time_window_aggregates WHERE window_start = '2024-10-10 08:00'")
            == ["watermark"]
    });
}

#[test]
fn a_worker_makes_room_for_a_run_outside_of_its_group_and_goes_on_afterwards() {
    let desk = Desk::with_partitions(2);
    let folder = tempfile::tempdir().unwrap();
    let worker = Worker::start(&desk.config, folder.path(), "worker");
    desk.send(&story(0..10));
    eventually("the worker writes", LIMIT, || lag(&desk) == 0);
    desk.run();
    assert!(owners(&desk).iter().all(|owner| !owner.starts_with(&worker.owner())));
    desk.send(&story(10..20));
    eventually("the worker takes the partitions back", LIMIT, || lag(&desk) == 0);
    assert!(owners(&desk).iter().all(|owner| owner.starts_with(&worker.owner())));
    assert!(worker.told().contains("another worker owns it now"), "{}", worker.told());
    desk.assert_consistent();
}
