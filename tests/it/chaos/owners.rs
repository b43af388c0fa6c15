//! Fault 5, and the one that has no number: a worker that sleeps while another takes over, and workers killed.

use super::ledgers::Verdict;
use super::scene::{LIMIT, Scene, story, toot};
use crate::signals::Signal;
use crate::support::eventually;
use std::time::Duration;

/// One worker is stopped, another takes over and writes, and the first wakes up among records of its own.
pub fn two_owners(toots: usize) -> Verdict {
    asleep(toots, Duration::ZERO)
}

/// The same with a sleep of at least so long.
pub fn asleep(toots: usize, pause: Duration) -> Verdict {
    let mut scene = Scene::new(2);
    let third = toots / 3;
    let mut first = scene.worker("first");
    scene.send(&story(0..third));
    scene.until_applied();
    first.signal(Signal::STOP);
    let second = scene.worker("second");
    scene.send(&story(third..2 * third));
    std::thread::sleep(pause);
    eventually("the second worker owns all", LIMIT, || scene.all_of(&second));
    scene.until_applied();
    first.signal(Signal::CONT);
    eventually("the first worker finds that it lost its partitions", LIMIT, || {
        first.told().contains("another worker owns it now") || first.told().matches("partitions: ").count() > 1
    });
    let fenced = first.told().contains("another worker owns it now");
    scene.send(&story(2 * third..toots));
    scene.until_applied();
    drop((first, second));
    scene.verdict(if fenced { "the old one: \"another worker owns it now\"" } else { "the old one gave up its share" })
}

/// Workers die one after the other while toots arrive.
pub fn killed(toots: usize) -> Verdict {
    kills(toots, 2)
}

/// So many of them.
pub fn kills(toots: usize, times: usize) -> Verdict {
    let mut scene = Scene::new(2);
    // Workers of an empty topic join nobody.
    scene.send(&[toot(0)]);
    let mut workers = [scene.worker("0"), scene.worker("1")];
    for n in 0..times {
        let part = story(n * toots / times..(n + 1) * toots / times);
        eventually("both work", LIMIT, || workers.iter().all(|w| w.told().contains("partitions: ")));
        let (before, after) = part.split_at(rand::random_range(0..part.len()));
        scene.send(before);
        let victim = &mut workers[n % 2];
        victim.signal(Signal::KILL);
        let _ = victim.process.wait();
        workers[n % 2] = scene.worker(&format!("{}", n + 2));
        scene.send_over(Duration::from_secs(1), after);
    }
    scene.until_applied();
    drop(workers);
    scene.verdict(format!("{times} kills, 2 workers"))
}
