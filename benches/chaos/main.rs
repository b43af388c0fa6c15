//! Every fault of the chaos tests, at length: `cargo bench --profile dev --bench chaos -- [toots] [fault …]`; half an hour
//! with 200,000 toots. Its table is kept in `docs/chaos.md`.
//!
//! It wants what the tests want (`./spar setup`), a C compiler, and a system that lets users make namespaces, for disks of
//! its own. Where KAFKA_BOOTSTRAP_SERVERS and DATABASE_URL are not set it starts servers of its own.

#![allow(dead_code, reason = "what the tests have beside")]

#[path = "../../tests/it/bad_records.rs"]
mod bad_records;
#[path = "../../tests/it/chaos/mod.rs"]
mod chaos;
#[path = "../../tests/it/desk.rs"]
mod desk;
mod disks;
#[path = "../../tests/it/messages.rs"]
mod messages;
#[path = "../../tests/it/namespaces.rs"]
mod namespaces;
#[path = "../../tests/it/place.rs"]
mod place;
#[path = "../../tests/it/server.rs"]
mod server;
#[path = "../../tests/it/session.rs"]
mod session;
#[path = "../../tests/it/signals.rs"]
mod signals;
mod slow;
#[path = "../../tests/it/machine/small_disk.rs"]
mod small_disk;
#[path = "../../tests/it/support.rs"]
mod support;
#[path = "../../tests/it/worker.rs"]
mod worker;

use chaos::{FAULTS, Fault, HEADING, brokers, owners};
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// The trials at length, in lanes that may run beside each other.
fn lanes() -> [Vec<Fault>; 3] {
    let short = |fault: &Fault| !matches!(fault.0, "5" | "6" | "19" | "+");
    let mut first: Vec<Fault> = FAULTS.into_iter().filter(short).collect();
    first.push(("11", "the disk of PostgreSQL is full", disks::of_postgres));
    first.push(("11", "the disk of Kafka is full", disks::of_kafka));
    first.push(("+", "one of 2 workers killed, 20 times", |toots| owners::kills(toots, 20)));
    first.push(("19", "2,000,000 toots wait for a worker", |_| slow::backlog(2_000_000)));
    [
        first,
        vec![
            ("5", "two owners: SIGSTOP for 60 s, another, SIGCONT", |toots| {
                owners::asleep(toots, Duration::from_secs(60))
            }),
            ("6", "Kafka killed, away for 1 s, 30 s, 310 s", |toots| brokers::away(toots, &[1, 30, 310])),
        ],
        vec![("19", "slow sink, 1,000 rows/s, for 10 min", |_| slow::flat(Duration::from_secs(600)))],
    ]
}

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with("--"));
    let toots = words.next().map_or(Ok(200_000), |word| word.parse()).expect("the number of toots");
    let only: Vec<String> = words.collect();
    let began = Instant::now();
    println!("{HEADING}");
    // Those that mostly wait go beside each other.
    let (send, verdicts) = channel();
    for lane in lanes() {
        let (send, only) = (send.clone(), only.clone());
        let wanted = move |number: &str| only.is_empty() || only.iter().any(|one| one == number);
        std::thread::spawn(move || {
            for (number, what, trial) in lane.into_iter().filter(|fault| wanted(fault.0)) {
                let verdict = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| trial(toots)));
                send.send((number, what, verdict.ok())).expect("the table is open");
            }
        });
    }
    drop(send);
    let (mut trials, mut failed, mut lost, mut doubled) = (0, 0, 0, 0);
    for (number, what, verdict) in verdicts {
        trials += 1;
        match verdict {
            Some(verdict) => {
                println!("{}", verdict.row(number, what));
                (lost, doubled) = (lost + verdict.lost, doubled + verdict.doubled);
            }
            None => {
                failed += 1;
                println!("| {number} | {what} | failed |");
            }
        }
    }
    let seconds = began.elapsed().as_secs();
    println!("\n{trials} trials of {toots} toots in {seconds} s, {failed} failed: lost {lost}, duplicated {doubled}");
    if failed == 0 && lost + doubled == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
