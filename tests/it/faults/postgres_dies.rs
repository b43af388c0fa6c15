use super::Server;
use super::kafka_dies::lost_and_doubled;
use crate::desk::Desk;
use crate::exactly_once::{clean_run, story};
use crate::scoring::score;
use crate::session::{Session, until_someone_waits};
use crate::signals::Signal;
use crate::support::query;
use crate::worker::Worker;
use spar::job::Control;
use spar::postgres::scoring::Scoring;
use spar::postgres::{Fault, Step};
use spar::{Config, History, Pipeline, Store, Until};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const STEPS: [Step; 4] = [Step::Moved, Step::Stored, Step::Written, Step::Committed];

/// Runs a desk and kills PostgreSQL at the first passage of `step`; starts it again beside the run, if wanted.
fn run_with_a_kill(
    desk: &Desk,
    postgres: &Arc<Server>,
    step: Step,
    back: bool,
) -> spar::Result<spar::pipeline::StreamReport> {
    let mut pipeline = desk.pipeline();
    let struck = AtomicBool::new(false);
    let starting: Arc<Mutex<Option<JoinHandle<()>>>> = Arc::default();
    let (server, handle) = (postgres.clone(), starting.clone());
    pipeline.on_step(Arc::new(move |now| {
        if now == step && !struck.swap(true, Ordering::SeqCst) {
            server.kill();
            if back {
                let server = server.clone();
                *handle.lock().unwrap() = Some(std::thread::spawn(move || server.start()));
            }
        }
        Fault::None
    }));
    let end = pipeline.run_with(&Control::quiet(), Until::CaughtUp);
    if let Some(starting) = starting.lock().unwrap().take() {
        starting.join().unwrap();
    }
    end
}

#[test]
fn partie2_leaves_the_same_tables_wherever_postgres_is_killed() {
    let expected = clean_run();
    let postgres = Arc::new(Server::postgres());
    let (first, second) = story();
    for step in STEPS {
        let desk = Desk::with_topic(postgres.database(), 1);
        desk.send(&first);
        desk.run();
        desk.send(&second);
        let report = run_with_a_kill(&desk, &postgres, step, true).unwrap();
        assert_eq!((report.books.read, report.retries > 0), (second.len() as u64, step != Step::Committed), "{step:?}");
        assert!(report.books.balance(), "{step:?}: {:?}", report.books);
        assert_eq!(desk.run().books.read, 0, "{step:?}");
        let (lost, doubled) = lost_and_doubled(&desk, &expected);
        let records = first.len() + second.len();
        println!("partie2, PostgreSQL killed at {step:?}: {records} records, {lost} lost, {doubled} doubled");
        assert_eq!(desk.tables(), expected, "{step:?}");
        desk.assert_consistent();
    }
}

#[test]
fn partie2_says_that_postgres_stays_away_and_the_next_run_completes_the_tables() {
    let expected = clean_run();
    let postgres = Arc::new(Server::postgres());
    let mut desk = Desk::with_topic(postgres.database(), 1);
    desk.config.away = Duration::from_secs(2);
    let (first, second) = story();
    desk.send(&first);
    desk.run();
    desk.send(&second);
    let began = Instant::now();
    let error = run_with_a_kill(&desk, &postgres, Step::Stored, false).unwrap_err();
    let said = error.to_string();
    println!("what a person reads after {:.0} s: {said}", began.elapsed().as_secs_f64());
    assert!(error.is_transient() && said.contains("cannot connect to PostgreSQL at 127.0.0.1"), "{said}");
    assert!(said.contains("services up") && !said.contains(password(&desk.config).as_str()), "{said}");
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    let again = Pipeline::quiet(&desk.config).map(drop).unwrap_err();
    assert!(again.is_transient() && again.to_string().contains("services up"), "{again}");

    postgres.start();
    let report = desk.run();
    assert_eq!(report.books.read, second.len() as u64);
    let (lost, doubled) = lost_and_doubled(&desk, &expected);
    println!(
        "partie2, PostgreSQL gone and back: {} records, {lost} lost, {doubled} doubled",
        first.len() + second.len()
    );
    assert_eq!(desk.tables(), expected);
    desk.assert_consistent();
}

fn password(config: &Config) -> String {
    let url = url::Url::parse(config.database_url().unwrap().expose()).unwrap();
    url.password().unwrap().to_owned()
}

/// A database with so many toots, two a day.
fn with_toots(postgres: &Server, toots: u32) -> Config {
    let config = postgres.database();
    Store::create(&config).unwrap();
    add_toots(&config, 1, toots);
    config
}

fn add_toots(config: &Config, from: u32, to: u32) {
    let insert = format!(
        "INSERT INTO filtered_toots (toot_id, timestamp, text, user_id, language, hashtags, content, username, text_length)
         SELECT n, timestamp '2024-10-10' + n * interval '12 hours', 'toot ' || n, 'u' || n % 7, 'en', 'AI',
             CASE n % 2 WHEN 0 THEN 'awful day ' ELSE 'great day ' END || n, 'ana', char_length('toot ' || n)
         FROM generate_series({from}, {to}) AS n"
    );
    query(config.database_url().unwrap(), &insert);
}

const SCORED: &str = "SELECT concat_ws('|', toot_id, s.text, prediction, sentiment, p_positive, h.user_id, h.timestamp)
    FROM toots_sentiments s JOIN history_toots h USING (toot_id) ORDER BY toot_id COLLATE \"C\"";

/// Does `work` while a session holds a table, so that it waits inside its transaction, and kills the server there.
fn killed_inside<T: Send>(
    postgres: &Server,
    config: &Config,
    held: &str,
    back: bool,
    work: impl FnOnce() -> T + Send,
) -> T {
    let session = Session::open(config);
    session.run(&format!("BEGIN; {held}"));
    std::thread::scope(|scope| {
        let working = scope.spawn(work);
        until_someone_waits(config);
        postgres.kill();
        if back {
            postgres.start();
        }
        working.join().unwrap()
    })
}

#[test]
fn a_toot_is_scored_once_wherever_postgres_dies_in_partie4() {
    const TOOTS: usize = 500;
    let postgres = Server::postgres();
    let ask = |config: &Config, sql: &str| query(config.database_url().unwrap(), sql);
    let undisturbed = {
        let config = with_toots(&postgres, TOOTS as u32);
        let scoring = Scoring::open(&config).unwrap();
        scoring.record(&score(&scoring.new_toots().unwrap())).unwrap();
        ask(&config, SCORED)
    };
    assert_eq!(undisturbed.len(), TOOTS);
    for back in [true, false] {
        let mut config = with_toots(&postgres, TOOTS as u32);
        config.away = Duration::from_secs(if back { 60 } else { 2 });
        let scoring = Scoring::open(&config).unwrap();
        let scored = score(&scoring.new_toots().unwrap());
        let row = format!("UPDATE filtered_toots SET reblogs_count = 1 WHERE toot_id = '{TOOTS}'");
        let began = Instant::now();
        let end = killed_inside(&postgres, &config, &row, back, || scoring.record(&scored));
        if back {
            assert_eq!(end.unwrap().written, TOOTS);
        } else {
            let error = end.unwrap_err();
            println!("what a person reads after {:.0} s: {error}", began.elapsed().as_secs_f64());
            assert!(error.is_transient() && error.to_string().contains("services up"), "{error}");
            assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
            postgres.start();
            assert_eq!(ask(&config, "SELECT count(*) FROM toots_sentiments"), ["0"]);
            assert_eq!(ask(&config, "SELECT count(*) FROM history_toots"), ["0"]);
            let scored = score(&scoring.new_toots().unwrap());
            assert_eq!(scoring.record(&scored).unwrap().written, TOOTS);
        }
        let found = ask(&config, SCORED);
        let lost = undisturbed.iter().filter(|row| !found.contains(row)).count();
        println!(
            "partie4, PostgreSQL killed in its transaction, back {back}: {TOOTS} toots, {lost} lost, {} doubled",
            found.len() - TOOTS
        );
        assert_eq!(found, undisturbed);
        assert!(scoring.new_toots().unwrap().toots.is_empty());
    }
}

#[test]
fn a_result_of_partie3_is_the_old_or_the_new_one_when_postgres_dies() {
    let postgres = Server::postgres();
    let ask = |config: &Config, sql: &str| query(config.database_url().unwrap(), sql);
    let stored = "SELECT concat_ws('|', date, total_toots) FROM partie3_toots_per_day ORDER BY 1";
    for back in [true, false] {
        let mut config = with_toots(&postgres, 20);
        config.away = Duration::from_secs(if back { 60 } else { 2 });
        History::load(&config).unwrap().toots_per_day().unwrap();
        let old = ask(&config, stored);
        add_toots(&config, 21, 40);
        let history = History::load(&config).unwrap();
        let end =
            killed_inside(&postgres, &config, "LOCK TABLE partie3_toots_per_day", back, || history.toots_per_day());
        if !back {
            let error = end.unwrap_err();
            println!("what a person reads: {error}");
            assert!(error.is_transient() && error.to_string().contains("services up"), "{error}");
            postgres.start();
            assert_eq!(ask(&config, stored), old, "the earlier answer is whole");
            history.toots_per_day().unwrap();
        } else {
            end.unwrap();
        }
        let new = ask(&config, stored);
        assert_eq!((old.len(), new.len()), (11, 21));
        assert_eq!(
            new,
            ask(
                &config,
                "SELECT concat_ws('|', timestamp::date, count(*)) FROM all_toots GROUP BY timestamp::date ORDER BY 1"
            )
        );
        println!(
            "partie3, PostgreSQL killed in its transaction, back {back}: 40 toots, {} days, 0 lost, 0 doubled",
            new.len()
        );
    }
}

#[test]
fn a_worker_hears_that_it_must_stop_while_postgres_is_away() {
    let postgres = Server::postgres();
    let desk = Desk::with_topic(postgres.database(), 1);
    let folder = tempfile::tempdir().unwrap();
    desk.send(&story().0);
    let mut worker = Worker::start(&desk.config, folder.path(), "worker");
    super::soon("the worker writes", || desk.count("filtered_toots") == 80);
    let address = url::Url::parse(desk.config.database_url().unwrap().expose()).unwrap().socket_addrs(|| None).unwrap();
    postgres.kill();
    // Whoever tries again knocks here now.
    let door = std::net::TcpListener::bind(address[0]).unwrap();
    desk.send(&story().1);
    for _ in 0..2 {
        door.accept().unwrap();
    }
    worker.signal(Signal::TERM);
    let asked = Instant::now();
    super::soon("the worker ends", || worker.process.try_wait().unwrap().is_some());
    println!("stopped after {:.1} s while PostgreSQL was away: {}", asked.elapsed().as_secs_f64(), worker.told());
    // It would have waited for a minute.
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    assert!(worker.told().contains("cannot connect to PostgreSQL"), "{}", worker.told());
    drop(door);
    postgres.start();
    assert_eq!(desk.run().books.read, story().1.len() as u64);
    assert_eq!(desk.tables(), clean_run());
}
