//! Fault 19 at length, and the bar that goes with it: the memory of a worker before a slow database, and before a backlog.

use crate::chaos::scene::{LIMIT, Scene, toot};
use crate::chaos::{Verdict, slow::SLOW};
use crate::support::eventually;
use std::time::{Duration, Instant};

/// A backlog that fills what is bounded, then half as many toots again as the sink takes, for so long; at last the sink is
/// as fast as ever and catches up.
pub fn flat(time: Duration) -> Verdict {
    const A_SECOND: usize = 1_500;
    const BACKLOG: usize = 200 * A_SECOND;
    let mut scene = Scene::new(2);
    scene.desk.query(SLOW);
    scene.send(&(0..BACKLOG).map(toot).collect::<Vec<_>>());
    let worker = scene.worker("worker");
    let began = Instant::now();
    let (mut memory, mut lags, mut n) = (Vec::new(), Vec::new(), BACKLOG);
    while began.elapsed() < time {
        scene.send(&(n..n + A_SECOND).map(toot).collect::<Vec<_>>());
        n += A_SECOND;
        // The first minute fills what is bounded: a batch, those before it, and the queue of the library.
        if began.elapsed() > time / 10 {
            memory.push(worker.megabytes("VmRSS"));
            lags.push(scene.sent.records() as i64 - scene.applied());
        }
        std::thread::sleep(
            (Duration::from_secs(1) * ((n - BACKLOG) / A_SECOND) as u32).saturating_sub(began.elapsed()),
        );
    }
    let rate = scene.applied() as f64 / began.elapsed().as_secs_f64();
    scene.desk.query("DROP TRIGGER slow ON filtered_toots");
    scene.until_applied();
    drop(worker);
    let (least, most) = memory.iter().fold((f64::MAX, 0f64), |(least, most), mb| (least.min(*mb), most.max(*mb)));
    let spread = (most - least) / (most + least) * 100.0;
    assert!(spread <= 10.0, "the memory is not flat: {least:.0} to {most:.0} MB");
    assert!(lags.last() > lags.first(), "the lag grows");
    scene.verdict(format!(
        "{rate:.0} rows/s for {} s, lag {} to {}; memory {least:.0} to {most:.0} MB (± {spread:.1} %)",
        time.as_secs(),
        lags[0],
        lags[lags.len() - 1]
    ))
}

/// A worker finds so many messages of 600 bytes waiting; its memory is bounded all the same.
pub fn backlog(messages: usize) -> Verdict {
    let mut scene = Scene::new(2);
    let name = "a name ".repeat(25);
    for n in (0..messages).step_by(1_000) {
        scene.send(&(n..n + 1_000).map(|n| toot(n).set("display_name", &*name)).collect::<Vec<_>>());
    }
    let worker = scene.worker("worker");
    let began = Instant::now();
    eventually("the backlog is applied", LIMIT * 10, || scene.applied() == messages as i64);
    let rate = messages as f64 / began.elapsed().as_secs_f64();
    let most = worker.megabytes("VmHWM");
    drop(worker);
    assert!(most <= 300.0, "{most:.0} MB");
    scene.verdict(format!("at most {most:.0} MB (bar: 300); {rate:.0} toots/s"))
}
