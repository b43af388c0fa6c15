//! Faults 3 and 4: the end of a worker before its COMMIT, and a COMMIT whose answer never came.

use super::ledgers::Verdict;
use super::scene::{Scene, story};
use super::swallow::Swallow;
use spar::job::Control;
use spar::postgres::{Fault, Step};
use spar::{Config, Pipeline, Until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

/// The steps before COMMIT.
const STEPS: [Step; 5] = [Step::Read, Step::Moved, Step::Stored, Step::Aggregated, Step::Written];

/// A part of the story for each step; the run dies there, and its part stays for the next one.
pub fn before_commit(toots: usize) -> Verdict {
    let mut scene = Scene::new(1);
    let share = toots / STEPS.len();
    for (n, step) in STEPS.into_iter().enumerate() {
        scene.send(&story(n * share..(n + 1) * share));
        let before = scene.applied();
        let mut pipeline = scene.desk.pipeline();
        pipeline.on_step(Arc::new(move |now| if now == step { Fault::Crash } else { Fault::None }));
        assert!(pipeline.run_with(&Control::quiet(), Until::CaughtUp).is_err());
        assert_eq!(scene.applied(), before, "{step:?}");
        // Half of what was read then is applied, so that the next crash finds some stored already.
        let half = (scene.sent.records() as i64 - before) / 2;
        scene.desk.pipeline().run_with(&Control::quiet(), Until::Toots(half as u64)).unwrap();
    }
    scene.desk.run();
    scene.verdict(format!("{} crashes, the offset stayed, the batch was read again", STEPS.len()))
}

/// The server commits, and the worker never hears of it.
pub fn answer_lost(toots: usize) -> Verdict {
    const TIMES: usize = 5;
    let mut scene = Scene::new(1);
    let proxy = Arc::new(Swallow::before(&scene.desk.config));
    let config = Config { database_url: Some(proxy.url.clone()), ..scene.desk.config.clone() };
    let (mut read, mut retries) = (0, 0);
    for n in 0..TIMES {
        scene.send(&story(n * toots / TIMES..(n + 1) * toots / TIMES));
        let mut pipeline = Pipeline::quiet(&config).unwrap();
        let (armed, arming) = (AtomicBool::new(false), proxy.clone());
        pipeline.on_step(Arc::new(move |now| {
            if now == Step::Written && !armed.swap(true, SeqCst) {
                arming.arm();
            }
            Fault::None
        }));
        let report = pipeline.run_with(&Control::quiet(), Until::CaughtUp).unwrap();
        read += report.books.read;
        retries += report.retries;
    }
    assert_eq!(proxy.swallowed() as usize, TIMES);
    assert_eq!(read, scene.sent.records() as u64, "each batch counts once in the books");
    scene.verdict(format!("{TIMES} answers swallowed, {retries} batches asked for, each \"did commit\""))
}
