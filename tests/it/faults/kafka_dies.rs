use super::{Server, soon};
use crate::desk::Desk;
use crate::exactly_once::{clean_run, story};
use crate::session::{Session, until_someone_waits};
use crate::support::fresh_database;
use spar::Config;
use spar::Until;
use spar::job::Control;
use std::time::{Duration, Instant};

/// What a desk holds beside what an undisturbed run leaves: toots lost, toots counted twice.
pub fn lost_and_doubled(desk: &Desk, expected: &[Vec<String>]) -> (usize, i64) {
    let found = desk.tables();
    let lost =
        expected.iter().zip(&found).map(|(wanted, rows)| wanted.iter().filter(|row| !rows.contains(row)).count());
    let counted = desk
        .query("SELECT (sum(total_toots) - (SELECT count(*) FROM all_toots))::text FROM toots_time_window_aggregates");
    (lost.sum(), counted[0].parse().unwrap())
}

/// Makes the next run of a desk wait before it reads its first record, until the session commits.
fn hold(desk: &Desk) -> Session {
    let session = Session::open(&desk.config);
    session.run("BEGIN; LOCK TABLE stream_partition");
    session
}

#[test]
fn partie2_goes_on_or_says_why_not_when_kafka_dies_in_its_middle() {
    let kafka = Server::kafka();
    let expected = clean_run();
    let databases = [(); 3].map(|()| fresh_database());
    let [mut cell, background, mut given_up] = databases
        .each_ref()
        .map(|database| Desk::with_topic(Config { database_url: database.database_url.clone(), ..kafka.config() }, 1));
    cell.config.away = Duration::from_secs(60);
    given_up.config.away = Duration::from_secs(2);
    let (first, second) = story();
    for desk in [&cell, &background, &given_up] {
        desk.send(&first);
    }
    for desk in [&cell, &given_up] {
        desk.run();
        desk.send(&second);
    }
    let mut job = background.pipeline().start().unwrap();
    soon("the job has written the first part", || background.count("filtered_toots") == 80);
    let held = [&cell, &given_up].map(hold);

    std::thread::scope(|scope| {
        let [going_on, ending] = [&cell, &given_up].map(|desk| scope.spawn(|| desk.try_run()));
        for desk in [&cell, &given_up] {
            until_someone_waits(&desk.config);
        }
        kafka.kill();
        let killed = Instant::now();
        held.iter().for_each(|session| session.run("COMMIT"));

        let error = ending.join().unwrap().unwrap_err();
        let said = error.to_string();
        println!("what a person reads after {:.0} s: {said}", killed.elapsed().as_secs_f64());
        assert!(
            error.is_transient() && said.contains("from Kafka at") && said.contains("run the cell again"),
            "{said}"
        );
        assert!(killed.elapsed() < Duration::from_secs(60), "{:?}", killed.elapsed());
        assert!(!going_on.is_finished() && job.is_running());

        kafka.start();
        let report = going_on.join().unwrap().unwrap();
        assert_eq!(report.books.read, second.len() as u64);
        assert!(report.books.balance(), "{:?}", report.books);
    });
    // The loader's own connection is new after the restart as well.
    background.send(&second);
    soon("the job has written the second part", || background.count("filtered_toots") == 160);
    job.stop().unwrap();
    let report = given_up.pipeline().run_with(&Control::quiet(), Until::CaughtUp).unwrap();
    assert_eq!(report.books.read, second.len() as u64);

    for (what, desk) in [("in a cell", &cell), ("in the background", &background), ("given up, run again", &given_up)] {
        let (lost, doubled) = lost_and_doubled(desk, &expected);
        let records = first.len() + second.len();
        println!("partie2 {what}, Kafka killed: {records} records, {lost} lost, {doubled} doubled");
        assert_eq!((lost, doubled), (0, 0));
        assert_eq!(desk.tables(), expected, "{what}");
        desk.assert_consistent();
    }
}
