//! Faults 14, 16 and 20: records nobody can read, and records in every order.

use super::ledgers::Verdict;
use super::scene::{Scene, story, toot};
use crate::bad_records::{Due, every_kind};
use crate::messages::{Draft, gone};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Pareto};
use spar::Timestamp;
use spar::Until;
use spar::job::Control;
use spar::stream::Books;
use std::time::Duration;

/// Applies what there is, so many records a batch.
fn apply(scene: &Scene, most: u64) -> Books {
    let mut books = Books::default();
    loop {
        let left = scene.sent.records() as u64 - books.read;
        if left == 0 {
            return books;
        }
        let report = scene.desk.pipeline().run_with(&Control::quiet(), Until::Toots(left.min(most))).unwrap();
        assert!(report.books.balance(), "{:?}", report.books);
        books += report.books;
    }
}

/// Every kind of record that cannot be read, among good ones.
pub fn poison(toots: usize) -> Verdict {
    let mut scene = Scene::new(1);
    let topic = scene.desk.config.topic.clone();
    let kinds: Vec<_> = every_kind(0).into_iter().filter(|case| matches!(case.due, Due::Dead(..))).collect();
    let every = (toots / kinds.len()).max(1);
    let mut poison = kinds.iter();
    for some in story(0..toots).chunks(every) {
        scene.send(some);
        if let Some(case) = poison.next() {
            scene.desk.send_raw(&topic, case.key.as_deref(), case.value.as_deref());
            scene.sent.poison(case.key.as_deref().unwrap_or_default());
        }
    }
    scene.desk.flush();
    let books = apply(&scene, toots as u64 / 3);
    let total = scene.sent.records() as u64;
    assert_eq!((books.read, books.dead), (total, kinds.len() as u64));
    scene.verdict(format!(
        "{} good + {} dead letters of {} kinds = {total}",
        total - books.dead,
        books.dead,
        kinds.len()
    ))
}

/// Toots whose event time lies behind by a random delay.
pub fn disorder(toots: usize) -> Verdict {
    let mut scene = Scene::new(1);
    let mut random = ChaCha8Rng::seed_from_u64(42);
    let pareto = Pareto::new(60.0_f64, 0.7).unwrap();
    let drafts: Vec<Draft> = (0..toots)
        .map(|n| {
            let behind = match n * 3 / toots {
                0 => random.random_range(0.0..4.0 * 3600.0),
                1 => pareto.sample(&mut random).min(7.0 * 86_400.0),
                // Beyond the hour that is admitted, its window, and the minute that its neighbours are apart.
                _ => {
                    if n % 1000 == 0 {
                        2.0 * 3600.0 + 60.0
                    } else {
                        0.0
                    }
                }
            };
            let at: Timestamp = toot(n).get("created_at").as_str().unwrap().parse().unwrap();
            toot(n).at(&at.minus(Duration::from_secs_f64(behind)).to_offset_form())
        })
        .collect();
    scene.send(&drafts);
    let books = apply(&scene, toots as u64 / 7);
    assert_eq!(books.late, scene.sent.late() as u64);
    assert!(books.late > 0 && books.on_time > 0);
    scene.verdict(format!("{} late: merged, counted and listed; the books balance in every batch", books.late))
}

/// Events about one toot in an order of their own: a delete or an edit before the toot, many edits at once.
pub fn order(toots: usize) -> Verdict {
    let mut scene = Scene::new(6);
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let edit = |n: usize, minute: usize| {
        let time = format!("2025-12-01T00:{minute:02}:00Z");
        toot(n).text(&"e".repeat(minute % 30 + 1)).edited(&time)
    };
    let (mut deletes, mut edits, mut storms) = (0, 0, 0);
    let mut drafts = Vec::new();
    for some in (0..toots / 3).collect::<Vec<_>>().chunks(100) {
        let mut part = Vec::new();
        for n in some {
            part.push(toot(*n));
            match n % 10 {
                1 => (deletes, _) = (deletes + 1, part.insert(0, gone(&n.to_string(), "delete"))),
                3 => (edits, _) = (edits + 1, part.insert(0, edit(*n, 1))),
                5 => {
                    storms += 1;
                    part.extend((1..20).map(|minute| edit(*n, minute)));
                }
                7 => {
                    part.extend([edit(*n, 2), gone(&n.to_string(), "delete"), edit(*n, 3), toot(*n)]);
                }
                _ => {}
            }
        }
        // Whatever of a hundred toots comes first; the first and the last events stay where they are.
        let rest = part.len() / 4;
        part[rest..].shuffle(&mut random);
        drafts.extend(part);
    }
    scene.send(&drafts);
    apply(&scene, toots as u64 / 11);
    scene.verdict(format!("{deletes} deletes and {edits} edits before their toot, {storms} storms of 19 edits"))
}
