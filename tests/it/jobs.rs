//! Work in the background: asked, stopped, dropped, started twice.

use crate::listen::{config_on, expected, listener};
use crate::local::client;
use crate::messages::message;
use crate::support::{eventually, fresh_database, query};
use spar::job::{Control, Job};
use spar::{Config, Ingest, Pipeline, Report, Store, Until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);

/// Work that tells a record and ends when it is asked to; `began` counts how often.
fn patient(began: &Arc<AtomicU32>) -> impl FnOnce(&Control) -> spar::Result<Report> + Send + 'static {
    let began = began.clone();
    move |control| {
        began.fetch_add(1, Ordering::SeqCst);
        for n in 0..9 {
            control.record(&[("lus", n), ("écrits", 10 * n)]);
        }
        while !control.stopping() {
            control.pause(Duration::from_millis(50));
        }
        Ok(Report::new("fini"))
    }
}

#[test]
fn a_job_tells_a_line_and_its_latest_records_and_ends_when_it_is_stopped() {
    let began = Arc::default();
    let mut job = Job::start("essai", patient(&began)).unwrap();
    eventually("the records are there", SOON, || job.status().records().is_some_and(|t| t.to_string().contains("80")));
    let status = job.status();
    assert!(status.text().starts_with("essai : en cours depuis"), "{status}");
    let records = status.records().unwrap();
    assert_eq!(records.names(), ["heure (UTC)", "lus", "écrits"]);
    assert!(records.height() == 5 && !records.to_string().contains("30\n"), "the latest five: {records}");
    assert!(status.to_html().contains("<table") && status.to_html().contains("en cours depuis"));
    assert_eq!(job.stop().unwrap().text(), "fini");
    assert!(!job.is_running() && job.status().text().starts_with("essai : terminé"));
    assert!(job.stop().unwrap().text().contains("déjà arrêté"), "stopping twice is no failure");
}

#[test]
fn the_work_ends_with_the_last_handle_of_its_job() {
    let gone = Arc::new(AtomicBool::new(false));
    let seen = gone.clone();
    let job = Job::start("essai", move |control| {
        while !control.stopping() {
            control.pause(Duration::from_secs(1));
        }
        seen.store(true, Ordering::SeqCst);
        Ok(Report::new(""))
    });
    drop(job);
    assert!(gone.load(Ordering::SeqCst), "dropping waits until the work has ended");
}

#[test]
fn a_second_start_is_the_same_job_until_that_one_ends() {
    let began: Arc<AtomicU32> = Arc::default();
    let start = |place: &str| Job::start_or_attach("essai", place.into(), || Ok(patient(&began))).unwrap();
    let first = start("here");
    let mut second = start("here");
    let elsewhere = start("there");
    eventually("two began", SOON, || began.load(Ordering::SeqCst) == 2);
    assert!(second.status().text().contains("déjà en route"), "{}", second.status());
    assert!(!elsewhere.status().text().contains("déjà en route"));
    // A cell that is run again: the new value comes, then the old one goes.
    drop(first);
    assert!(second.is_running(), "another handle holds it");
    assert_eq!(second.stop().unwrap().text(), "fini");
    let third = start("here");
    eventually("the third is a new one", SOON, || began.load(Ordering::SeqCst) == 3);
    assert!(third.is_running() && elsewhere.is_running());
}

#[test]
fn a_job_that_fails_or_panics_says_so_and_ends() {
    let mut failing = Job::start("essai", |_| {
        Config::from_settings(std::path::Path::new("/"), |key| (key == "SPAR_WINDOW_SECONDS").then(|| "x".into()))
            .map(|_| Report::new(""))
    })
    .unwrap();
    let status = failing.wait_seconds(30);
    assert!(status.text().starts_with("essai : terminé en erreur\n  cannot "), "{status}");
    assert!(failing.join().unwrap_err().to_string().contains("SPAR_WINDOW_SECONDS"));
    let mut panicking = Job::start("essai", |_| panic!("a fault of ours")).unwrap();
    assert!(panicking.wait_seconds(30).text().starts_with("essai : terminé en erreur"));
    assert!(panicking.join().unwrap_err().to_string().contains("panicked"));
}

#[test]
fn two_jobs_together_bring_the_stream_into_the_tables_while_others_read_them() {
    let (server, state) = client::server(3000);
    let database = fresh_database();
    let config = config_on(Config { state: state.path().join("state"), ..database.clone() }, &server);
    Store::create(&config).unwrap();
    let mut pipeline = Pipeline::quiet(&config).unwrap();
    let mut writing = pipeline.start().unwrap();
    let mut listening = Ingest::in_background(&config, Until::CaughtUp).unwrap();
    // A cell that is run again.
    let again = (pipeline.start().unwrap(), listener(&config).start_until(Until::CaughtUp).unwrap());
    assert!(again.0.status().text().contains("déjà en route") && again.1.status().text().contains("déjà en route"));
    drop(again);

    let count = || query(config.database_url().unwrap(), "SELECT count(*) FROM all_toots")[0].parse::<usize>().unwrap();
    eventually("the tables grow while both work", SOON, || count() > 0);
    let status = listening.wait_seconds(60);
    assert!(!listening.is_running(), "{status}");
    assert_eq!(status.records().unwrap().names()[1..4], ["reçus", "gardés", "édités"]);
    let wanted = expected(&server).len();
    assert!(wanted > 100);
    eventually("all is in the tables", SOON, || count() == wanted);
    assert!(writing.status().records().unwrap().names().contains(&"messages".to_owned()));
    writing.stop().unwrap();
    let report = listening.stop().unwrap();
    assert!(report.text().contains("reçus"), "{report}");
    assert_eq!(pipeline.run_with(&Control::quiet(), Until::CaughtUp).unwrap().books.read, 0, "nothing was left");
}

#[test]
fn a_second_program_that_listens_in_the_background_is_refused_in_one_sentence() {
    let (server, state) = client::server(100);
    let config = config_on(Config { state: state.path().join("state"), ..crate::support::config() }, &server);
    let job = Ingest::in_background(&config, Until::Stopped).unwrap();
    let folder = config.state.join(&config.source);
    let lock = || {
        let mut files = std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path());
        files.find(|f| f.extension().is_some_and(|e| e == "lock")).expect("the job holds a lock")
    };
    let other = std::fs::File::open(lock()).unwrap();
    assert!(other.try_lock().is_err(), "held while the job runs");
    drop(job);
    other.try_lock().expect("free when the job is dropped");
    let error = Ingest::in_background(&config, Until::Stopped).map(|_| ()).unwrap_err();
    let said = error.to_string();
    assert!(
        error.is_refused() && said.contains("another program already does") && said.contains("shut down"),
        "{said}"
    );
    drop(other);
    assert!(Ingest::in_background(&config, Until::Stopped).unwrap().is_running());
}

#[test]
fn a_job_that_another_owner_replaces_ends_with_one_sentence_and_loses_nothing() {
    let desk = crate::desk::Desk::new();
    let old = desk.pipeline().start().unwrap();
    desk.send(&[message("1")]);
    eventually("the old one writes", SOON, || desk.count("filtered_toots") == 1);
    // As another process does: it asks nobody.
    desk.run();
    desk.send(&[message("2")]);
    let status = old.wait_seconds(30);
    assert!(!old.is_running() && status.text().contains("terminé en erreur"), "{status}");
    assert!(status.text().contains("another worker owns it now"), "{status}");
    desk.run();
    assert_eq!(desk.count("filtered_toots"), 2);
}
