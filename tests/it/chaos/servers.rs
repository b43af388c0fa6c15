//! Faults 9 and 10: PostgreSQL restarted in three ways, and refusals that may pass.

use super::ledgers::Verdict;
use super::scene::{LIMIT, Scene, story, toot};
use crate::desk::Desk;
use crate::server::Server;
use crate::session::{Session, until_someone_waits};
use crate::signals::Signal;
use crate::support::{eventually, query};
use spar::job::Control;
use spar::postgres::{Fault, Step};
use spar::{Config, Until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

/// The server ends in each of its ways under a worker, while toots arrive; in the last one it forgets what it confirmed.
pub fn restarted(toots: usize) -> Verdict {
    let postgres = Server::postgres();
    let mut scene = Scene::on(Desk::with_topic(postgres.database(), 2), 2);
    // A worker of an empty topic joins nobody.
    scene.send(&[toot(0)]);
    let mut worker = scene.worker("worker");
    let ways = [Signal::INT, Signal::QUIT, Signal::KILL, Signal::KILL];
    let share = toots / ways.len();
    for (n, way) in ways.into_iter().enumerate() {
        eventually("the worker has partitions", LIMIT, || worker.told().contains("partitions: "));
        if n == 3 {
            scene.desk.query(
                "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END $$",
            );
            end_sessions(&scene.desk.config);
        }
        let part = story(n * share..(n + 1) * share);
        std::thread::scope(|scope| {
            let sending = scope.spawn(|| scene.send_over(Duration::from_secs(1), &part));
            std::thread::sleep(Duration::from_millis(rand::random_range(200..800)));
            postgres.end(way);
            postgres.start();
            sending.join().unwrap();
        });
        scene.until_applied();
    }
    assert!(worker.process.try_wait().unwrap().is_none(), "{}", worker.told());
    let off = scene.desk.query("SHOW synchronous_commit");
    drop(worker);
    scene.verdict(format!("fast, immediate, kill -9, kill -9 with synchronous_commit {}; one worker process", off[0]))
}

/// Ends the sessions of every pipeline on this database.
fn end_sessions(config: &Config) {
    query(
        config.database_url().unwrap(),
        "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'spar'",
    );
}

/// What a second session does to a batch: before which step, and the code that the batch gets.
const REFUSALS: [(Step, &str); 3] = [(Step::Moved, "40P01"), (Step::Read, "40001"), (Step::Moved, "57014")];

/// A second session makes the server refuse a batch: by a deadlock, a serialisation failure, a time limit.
pub fn refusals(toots: usize) -> Verdict {
    let mut scene = Scene::new(1);
    scene.desk.query(
        "DO $$ BEGIN
            EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = ''repeatable read''', current_database());
        END $$",
    );
    let share = toots / REFUSALS.len();
    let mut seen = Vec::new();
    for (n, (step, code)) in REFUSALS.into_iter().enumerate() {
        scene.send(&story(n * share..(n + 1) * share));
        // The ledger has a row to fight for.
        scene.desk.pipeline().run_with(&Control::quiet(), Until::Toots(10)).unwrap();
        let mut pipeline = scene.desk.pipeline();
        let (config, struck) = (scene.desk.config.clone(), AtomicBool::new(false));
        pipeline.on_step(Arc::new(move |now| {
            if now == step && !struck.swap(true, SeqCst) {
                strike(&config, code);
            }
            Fault::None
        }));
        let report = pipeline.run_with(&Control::quiet(), Until::CaughtUp).unwrap();
        assert_eq!(report.retries, 1, "{code}");
        seen.push(format!("{code} once"));
    }
    // Bounded: a server that refuses for ever ends the run by name, and nothing is applied.
    scene.desk.query(
        "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '40001'; END $$
            LANGUAGE plpgsql;
         CREATE TRIGGER refuse BEFORE INSERT ON filtered_toots FOR EACH STATEMENT EXECUTE FUNCTION refuse()",
    );
    scene.send(&story(toots..toots + 100));
    let before = scene.applied();
    scene.desk.config.away = Duration::from_secs(1);
    let error = scene.desk.try_run().unwrap_err();
    assert!(error.is_transient() && error.to_string().contains("(40001)"), "{error}");
    assert_eq!(scene.applied(), before);
    scene.desk.query("DROP TRIGGER refuse ON filtered_toots");
    scene.desk.run();
    scene.verdict(format!("{}, each a retry counted; refused for ever: the run ends and says so", seen.join(", ")))
}

/// Does it, on a thread of its own, as soon as the batch waits for it.
fn strike(config: &Config, code: &'static str) {
    let config = config.clone();
    let (ready, holds) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let session = Session::open(&config);
        // The batch holds the ledger at `Moved`, and nothing at `Read`.
        match code {
            "40001" => session.run("BEGIN; UPDATE stream_partition SET updated_at = now()"),
            _ => session.run("BEGIN ISOLATION LEVEL READ COMMITTED; LOCK TABLE filtered_toots"),
        }
        ready.send(()).unwrap();
        until_someone_waits(&config);
        match code {
            // Whoever waited first looks first whether there is a circle, and gives way.
            "40P01" => session.run("UPDATE stream_partition SET updated_at = now(); COMMIT"),
            "40001" => session.run("COMMIT"),
            _ => {
                session.run(
                    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity
                     WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'spar'",
                );
                session.run("COMMIT");
            }
        }
    });
    holds.recv().unwrap();
}
