//! Faults 6 and 8: Kafka away, a topic created anew, and records that retention removed.

use super::ledgers::Verdict;
use super::scene::{LIMIT, Scene, story, toot};
use crate::desk::Desk;
use crate::server::Server;
use crate::support::{eventually, fresh_database};
use crate::worker::Worker;
use spar::Config;
use std::time::Duration;

pub fn away_for_a_second(toots: usize) -> Verdict {
    away(toots, &[1])
}

/// Kafka is killed under a worker, stays away for so many seconds each time, and comes back.
pub fn away(toots: usize, seconds: &[u64]) -> Verdict {
    let kafka = Server::kafka();
    let database = fresh_database();
    let config = Config { database_url: database.database_url.clone(), ..kafka.config() };
    let mut scene = Scene::on(Desk::with_topic(config, 2), 2);
    let mut worker = scene.worker("worker");
    let share = toots / (seconds.len() + 1);
    scene.send(&story(0..share));
    for (n, seconds) in seconds.iter().enumerate() {
        eventually("the worker writes", LIMIT, || scene.applied() > (n * share) as i64);
        kafka.kill();
        std::thread::sleep(Duration::from_secs(*seconds));
        kafka.start();
        // A client that throws messages away after five minutes is not what is tried here.
        scene.desk.loader = Desk::loader(&scene.desk.config);
        scene.send(&story((n + 1) * share..(n + 2) * share));
        scene.until_applied();
    }
    assert!(worker.process.try_wait().unwrap().is_none(), "{}", worker.told());
    let rejoined = worker.told().matches("; again in ").count();
    drop(worker);
    let list: Vec<String> = seconds.iter().map(|s| format!("{s} s")).collect();
    scene.verdict(format!(
        "kill -9, away for {}; one worker process, {rejoined} times out of its group",
        list.join(", ")
    ))
}

/// The topic is deleted and made again; its offsets begin at 0.
pub fn created_anew(toots: usize) -> Verdict {
    let mut scene = Scene::new(1);
    let third = toots / 3;
    scene.send(&story(0..third));
    scene.desk.run();
    let topic = scene.desk.config.topic.clone();
    scene.desk.loader.delete_topic(&topic).unwrap();
    eventually("the topic can be made again", LIMIT, || scene.desk.loader.create_topic(&topic, 1).is_ok());
    scene.desk.loader = Desk::loader(&scene.desk.config);
    scene.sent.anew();
    // As many as before and more: the stored offset lies inside of the new topic.
    scene.send(&story(third..toots));
    let before = scene.applied();
    let error = scene.desk.try_run().unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("created anew"), "{error}");
    assert_eq!(scene.applied(), before);
    // What the sentence says.
    scene.desk.query(&format!("DELETE FROM stream_partition WHERE topic = '{topic}'"));
    scene.desk.run();
    scene.verdict("refused: \"the topic was created anew\"; read whole once its row is removed")
}

/// Records are removed before they are read.
pub fn retention(toots: usize) -> Verdict {
    let mut scene = Scene::new(1);
    let (read, lost) = (toots / 3, toots / 6);
    scene.send(&story(0..read));
    scene.desk.run();
    let stored = scene.applied() as usize;
    scene.send(&(read..toots).map(toot).collect::<Vec<_>>());
    let topic = scene.desk.config.topic.clone();
    scene.desk.loader.delete_records(&topic, 0, (stored + lost) as i64).unwrap();
    let error = scene.desk.try_run().unwrap_err();
    let range = format!("records {stored} to {} are gone", stored + lost - 1);
    assert!(error.is_refused() && error.to_string().contains(&range), "{error}");
    assert!(error.to_string().contains("--accept-gap"), "{error}");

    let mut worker = Worker::with(&scene.desk.config, scene.folder(), "refuses", &[], &[]);
    assert!(!worker.process.wait().unwrap().success());
    assert!(worker.told().contains(&range), "{}", worker.told());
    let worker = Worker::with(&scene.desk.config, scene.folder(), "accepts", &["--accept-gap"], &[]);
    scene.until_applied();
    drop(worker);
    scene.sent.removed(stored + lost, lost);
    let gap = scene.desk.query(
        "SELECT concat_ws(' ', reason, filled, from_id IS NOT NULL, detail::jsonb->>'partition', detail::jsonb->>'from',
            detail::jsonb->>'to') FROM gaps",
    );
    assert_eq!(gap, [format!("retention f t 0 {stored} {}", stored + lost - 1)]);
    scene.verdict(format!("refused with the range; --accept-gap: {lost} removed records are one row of gaps"))
}
