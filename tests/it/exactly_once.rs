use crate::desk::Desk;
use crate::messages::{Draft, gone, message};
use spar::job::Control;
use spar::pipeline::StreamReport;
use spar::postgres::{Fault, Step};
use spar::{Pipeline, Result, Until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

const STEPS: [Step; 6] = [Step::Read, Step::Moved, Step::Stored, Step::Aggregated, Step::Written, Step::Committed];

/// A little of everything, in two parts.
pub fn story() -> (Vec<Draft>, Vec<Draft>) {
    let toot = |n: usize| {
        message(&n.to_string())
            .user(&format!("u{}", n % 5))
            .text(&"w".repeat(n % 9 + 1))
            .tags(&[["AI", "Rust", "ml"][n % 3]])
            .at(&format!("2024-10-10T{:02}:{:02}:00Z", 8 + n / 40, n % 60))
    };
    let first: Vec<Draft> = (0..80).map(toot).collect();
    let mut second: Vec<Draft> = (60..160).map(toot).collect();
    second.push(gone("3", "delete"));
    second.push(toot(7).text("edited").edited("2024-10-10T20:00:00Z"));
    second.push(toot(200).at("2024-10-10T01:00:00Z"));
    second.push(toot(201).at("2150-01-01T00:00:00Z"));
    (first, second)
}

/// Runs with a fault at the first passage of a step.
fn run_with_fault(desk: &Desk, step: Step, fault: Fault) -> Result<StreamReport> {
    let mut pipeline = desk.pipeline();
    let struck = AtomicBool::new(false);
    pipeline.on_step(Arc::new(
        move |now| {
            if now == step && !struck.swap(true, Ordering::Relaxed) { fault } else { Fault::None }
        },
    ));
    pipeline.run_with(&Control::quiet(), Until::CaughtUp)
}

fn offsets(desk: &Desk) -> Vec<String> {
    desk.query("SELECT concat_ws(' ', topic, part, next_offset, max_event_time) FROM stream_partition ORDER BY 1")
}

/// A desk with windows of every kind.
fn desk() -> Desk {
    Desk::with_windows("5min, 1h/15min, 1h by language, 1d/6h by hashtag", 1)
}

/// The tables of a run without any fault.
pub fn clean_run() -> Vec<Vec<String>> {
    clean_run_on(&Desk::new())
}

fn clean_run_on(desk: &Desk) -> Vec<Vec<String>> {
    let (first, second) = story();
    desk.send(&first);
    desk.run();
    desk.send(&second);
    let report = desk.run();
    let b = report.books;
    assert_eq!((b.duplicates, b.deletes, b.edits, b.late, b.quarantined), (20, 1, 1, 1, 1));
    desk.assert_consistent();
    desk.tables()
}

#[test]
fn a_crash_between_any_two_steps_leaves_rows_and_offsets_as_they_were() {
    let expected = clean_run_on(&desk());
    for step in STEPS {
        let desk = desk();
        let (first, second) = story();
        desk.send(&first);
        desk.run();
        let (tables, before) = (desk.tables(), offsets(&desk));
        desk.send(&second);
        assert!(run_with_fault(&desk, step, Fault::Crash).is_err(), "{step:?}");
        if step == Step::Committed {
            assert_eq!(desk.tables(), expected, "{step:?}");
        } else {
            assert_eq!((desk.tables(), offsets(&desk)), (tables, before), "{step:?}");
        }
        let report = desk.run();
        assert_eq!(report.books.read, if step == Step::Committed { 0 } else { second.len() as u64 }, "{step:?}");
        assert_eq!(desk.tables(), expected, "{step:?}");
        desk.assert_consistent();
    }
}

#[test]
fn a_table_that_refuses_its_rows_ends_the_run_by_name() {
    let (first, second) = story();
    for table in
        ["filtered_toots", "toots_time_window_aggregates", "user_avg_length", "hashtag_avg_length", "toot_windows"]
    {
        let desk = desk();
        desk.send(&first);
        desk.run();
        let (tables, before) = (desk.tables(), offsets(&desk));
        desk.send(&second);
        desk.query(&format!("ALTER TABLE {table} ADD CONSTRAINT closed_for_now CHECK (false) NOT VALID"));
        let control = Control::quiet();
        let error = desk.pipeline().run_with(&control, Until::CaughtUp).unwrap_err().to_string();
        assert!(error.contains(table) && error.contains("closed_for_now"), "{error}");
        let said = control.lines().join("\n");
        assert!(!said.contains("avec succès") && !said.contains("terminé"), "{said}");
        assert_eq!((desk.tables(), offsets(&desk)), (tables, before), "{table}");
        desk.query(&format!("ALTER TABLE {table} DROP CONSTRAINT closed_for_now"));
        desk.run();
        desk.assert_consistent();
    }
}

#[test]
fn a_broken_connection_at_any_step_counts_nothing_twice() {
    let expected = clean_run_on(&desk());
    for step in STEPS {
        let desk = desk();
        let (first, second) = story();
        desk.send(&first);
        desk.run();
        desk.send(&second);
        let report = run_with_fault(&desk, step, Fault::Cut).unwrap();
        assert_eq!((report.retries, report.books.read), (1, second.len() as u64), "{step:?}");
        assert!(report.books.balance(), "{step:?}");
        assert_eq!(desk.tables(), expected, "{step:?}");
    }
}

/// Ends the sessions of every pipeline on this database.
fn end_sessions(url: &spar::config::Secret) {
    crate::support::query(
        url,
        "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
         WHERE datname = current_database() AND application_name = 'spar'",
    );
}

/// Holds the table until a statement waits for it, and cancels that one, as `statement_timeout` does: with one code.
const HOLD_AND_CANCEL: &str = "DO $$ BEGIN
    LOCK TABLE filtered_toots;
    FOR n IN 1..1000 LOOP
        PERFORM pg_cancel_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'spar';
        EXIT WHEN FOUND;
        PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
    END LOOP;
END $$";

#[test]
fn a_statement_that_took_too_long_is_tried_again() {
    let desk = Desk::new();
    desk.send(&[message("1")]);
    let mut pipeline = desk.pipeline();
    let (url, times) = (desk.config.database_url().unwrap().clone(), AtomicU32::new(0));
    pipeline.on_step(Arc::new(move |step| {
        if step == Step::Moved && times.fetch_add(1, Ordering::Relaxed) == 0 {
            let other = url.clone();
            std::thread::spawn(move || crate::support::query(&other, HOLD_AND_CANCEL));
            crate::support::eventually("the table is held", Duration::from_secs(60), || {
                let held = "SELECT 'held' FROM pg_locks WHERE relation = 'filtered_toots'::regclass
                            AND mode = 'AccessExclusiveLock' AND granted";
                crate::support::query(&url, held) == ["held"]
            });
        }
        Fault::None
    }));
    pipeline.run_with(&Control::quiet(), Until::CaughtUp).unwrap();
    assert_eq!(desk.count("filtered_toots"), 1);
}

/// Refuses many rows at once as a server does that is too slow for them, the second time as the first.
const TOO_SLOW: &str = "CREATE FUNCTION too_slow() RETURNS trigger AS $$ BEGIN
        IF (SELECT count(*) FROM fresh) > 400 THEN
            RAISE EXCEPTION 'canceling statement due to statement timeout' USING ERRCODE = '57014';
        END IF;
        RETURN NULL;
    END $$ LANGUAGE plpgsql;
    CREATE TRIGGER too_slow AFTER INSERT ON filtered_toots REFERENCING NEW TABLE AS fresh
        FOR EACH STATEMENT EXECUTE FUNCTION too_slow()";

#[test]
fn a_server_too_slow_for_a_large_batch_gets_smaller_ones() {
    let desk = Desk::new();
    let drafts: Vec<Draft> = (0..1500).map(|n| message(&n.to_string()).user(&format!("u{}", n % 7))).collect();
    desk.send(&drafts);
    desk.query(TOO_SLOW);
    let report = desk.run();
    assert_eq!((report.books.on_time, desk.count("filtered_toots")), (1500, 1500));
    assert!(report.batches >= 4, "{} batches", report.batches);
    desk.assert_consistent();
}

/// Records of each batch, in order.
fn batches(desk: &Desk) -> Vec<usize> {
    let rows = desk.query("SELECT num_input_rows::text FROM progress ORDER BY batch_id");
    rows.iter().map(|n| n.parse().unwrap()).collect()
}

#[test]
fn a_batch_is_bounded_by_its_bytes_while_the_database_is_busy() {
    const BYTES: usize = 700_000;
    const BOUND: usize = 48 << 20;
    let desk = Desk::new();
    let text = "x".repeat(BYTES);
    let drafts: Vec<Draft> = (0..200).map(|n| message(&n.to_string()).text(&text)).collect();
    desk.send(&drafts);
    let mut pipeline = desk.pipeline();
    let busy = AtomicBool::new(false);
    pipeline.on_step(Arc::new(move |step| {
        if step == Step::Read && !busy.swap(true, Ordering::Relaxed) {
            // The first batch takes its time; meanwhile as much is read as may be.
            std::thread::sleep(Duration::from_secs(4));
        }
        Fault::None
    }));
    pipeline.run_with(&Control::quiet(), Until::CaughtUp).unwrap();
    let batches = batches(&desk);
    println!("140 MB in batches of {batches:?} records of {BYTES} bytes");
    assert_eq!(batches.iter().sum::<usize>(), 200);
    // The record that passes the bound is the last one.
    assert!(batches.iter().all(|records| (records - 1) * BYTES < BOUND), "{batches:?}");
    assert!(batches.iter().any(|records| records * BYTES > BOUND / 2), "one was filled: {batches:?}");
}

#[test]
fn toots_that_never_stop_coming_are_written_all_the_same() {
    let desk = Desk::new();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Without a pause long enough to end a batch.
            for n in 0.. {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                desk.send_raw(&desk.config.topic, Some(&n.to_string()), Some(&message(&n.to_string()).json()));
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let mut job = desk.pipeline().start().unwrap();
        crate::support::eventually("several batches are written meanwhile", Duration::from_secs(40), || {
            batches(&desk).len() > 3
        });
        over.store(true, Ordering::Relaxed);
        job.stop().unwrap();
    });
    // Far from full: time alone has ended them.
    assert!(batches(&desk).iter().all(|records| *records < 20_000), "{:?}", batches(&desk));
}

#[test]
fn a_server_that_ends_the_session_costs_a_retry_and_nothing_else() {
    let expected = clean_run();
    let desk = Desk::new();
    let (first, second) = story();
    desk.send(&first);
    desk.run();
    desk.send(&second);
    let mut pipeline = desk.pipeline();
    let (url, times) = (desk.config.database_url().unwrap().clone(), AtomicU32::new(0));
    pipeline.on_step(Arc::new(move |step| {
        if matches!(step, Step::Moved | Step::Written) && times.fetch_add(1, Ordering::Relaxed) < 3 {
            end_sessions(&url);
        }
        Fault::None
    }));
    let report = pipeline.run_with(&Control::quiet(), Until::CaughtUp).unwrap();
    assert!(report.retries >= 1);
    assert_eq!(desk.tables(), expected);
}

#[test]
fn a_worker_that_lost_its_partition_writes_nothing_more() {
    let desk = Desk::new();
    let (first, second) = story();
    desk.send(&first);
    let mut zombie = desk.pipeline();
    let (config, woken) = (desk.config.clone(), AtomicBool::new(false));
    zombie.on_step(Arc::new(move |step| {
        if step == Step::Read && !woken.swap(true, Ordering::Relaxed) {
            // While it slept, another worker took over and read the same records.
            let other = || Pipeline::quiet(&config).unwrap().run_with(&Control::quiet(), Until::CaughtUp).unwrap();
            std::thread::scope(|scope| scope.spawn(other).join().map(drop)).unwrap();
        }
        Fault::None
    }));
    let error = zombie.run_with(&Control::quiet(), Until::CaughtUp).unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("another worker owns it"), "{error}");
    assert_eq!(desk.count("filtered_toots"), 80);
    desk.send(&second);
    desk.run();
    assert_eq!(desk.tables(), clean_run());
}

#[test]
fn a_bounded_run_stops_there_and_the_next_goes_on() {
    let expected = clean_run();
    let desk = Desk::new();
    let (first, second) = story();
    desk.send(&first);
    desk.send(&second);
    let total = (first.len() + second.len()) as u64;
    let mut read = 0;
    for n in [1, 30, 60] {
        let report = desk.pipeline().run_with(&Control::quiet(), Until::Toots(n)).unwrap();
        assert_eq!(report.books.read, n);
        read += n;
    }
    assert_eq!(desk.run().books.read, total - read);
    assert_eq!(desk.run().books.read, 0);
    assert_eq!(desk.tables(), expected);
}

#[test]
fn a_background_job_reads_on_until_it_is_stopped() {
    let desk = Desk::new();
    let (first, second) = story();
    let mut job = desk.pipeline().start().unwrap();
    desk.send(&first);
    crate::support::eventually("the job writes the first part", Duration::from_secs(60), || {
        assert!(job.is_running(), "{}", job.status());
        desk.count("filtered_toots") == 80
    });
    desk.send(&second);
    crate::support::eventually("the job writes the second part", Duration::from_secs(60), || {
        assert!(job.is_running(), "{}", job.status());
        desk.count("filtered_toots") == 160
    });
    assert!(job.status().text().contains("en cours"), "{}", job.status());
    let end = job.stop().unwrap();
    assert!(end.text().contains("184 messages"), "{end}");
    assert_eq!(desk.tables(), clean_run());
    assert_eq!(desk.run().books.read, 0);
}

#[test]
fn several_partitions_are_one_stream() {
    let desk = Desk::with_partitions(4);
    let drafts: Vec<Draft> = (0..300).map(|n| message(&n.to_string()).user(&format!("u{}", n % 11))).collect();
    desk.send(&drafts);
    assert_eq!(desk.run().books.on_time, 300);
    desk.send(&drafts[..50]);
    assert_eq!(desk.run().books.duplicates, 50);
    assert_eq!(desk.query("SELECT sum(next_offset)::text FROM stream_partition"), ["350"]);
    desk.assert_consistent();
}

#[test]
fn a_topic_created_anew_is_refused_and_not_skipped() {
    for records in [1, 100, 200] {
        let desk = Desk::new();
        desk.send(&(0..100).map(|n| message(&n.to_string())).collect::<Vec<_>>());
        desk.run();
        desk.loader.delete_topic(&desk.config.topic).unwrap();
        crate::support::eventually("the topic can be created again", Duration::from_secs(60), || {
            desk.loader.create_topic(&desk.config.topic, 1).is_ok()
        });
        let fresh = crate::desk::Desk::loader(&desk.config);
        for n in 0..records {
            let draft = message(&format!("new{n}"));
            let raw = spar::kafka::Raw { value: Some(&draft.json()), ..Default::default() };
            fresh.put(&desk.config.topic, raw).unwrap();
        }
        fresh.flush().unwrap();
        let error = desk.try_run().unwrap_err();
        assert!(error.to_string().contains("created anew"), "{error}");
        assert_eq!(desk.count("filtered_toots"), 100);
    }
}

#[test]
fn an_idle_stream_closes_its_windows_and_a_toot_opens_them_again() {
    let mut desk = Desk::new();
    desk.config.idle = Duration::from_secs(1);
    let closed = |desk: &Desk| {
        desk.query("SELECT concat_ws(' ', window_start, closed_by) FROM toots_time_window_aggregates ORDER BY 1")
    };
    desk.send(&[message("1"), message("2").at("2024-10-10T11:59:00Z")]);
    let mut job = desk.pipeline().start().unwrap();
    crate::support::eventually("the window is closed", Duration::from_secs(60), || {
        closed(&desk) == ["2024-10-10 11:00:00 idle"]
    });
    desk.send(&[message("3")]);
    crate::support::eventually("the window is open again", Duration::from_secs(60), || {
        desk.query("SELECT total_toots::text FROM toots_time_window_aggregates") == ["3"]
    });
    crate::support::eventually("the window is closed again", Duration::from_secs(60), || {
        closed(&desk) == ["2024-10-10 11:00:00 idle"]
    });
    desk.send(&[message("4").at("2024-10-10T13:00:00Z")]);
    crate::support::eventually("the watermark closes it", Duration::from_secs(60), || {
        closed(&desk).first().is_some_and(|w| w == "2024-10-10 11:00:00 watermark")
    });
    job.stop().unwrap();
}

#[test]
fn an_idle_stream_outlives_a_session_that_the_server_ended() {
    let mut desk = Desk::new();
    desk.config.idle = Duration::from_secs(1);
    desk.send(&[message("1")]);
    let mut pipeline = desk.pipeline();
    let url = desk.config.database_url().unwrap().clone();
    pipeline.on_step(Arc::new(move |step| {
        if step == Step::Committed {
            end_sessions(&url);
        }
        Fault::None
    }));
    let mut job = pipeline.start().unwrap();
    crate::support::eventually("the window is closed", Duration::from_secs(60), || {
        !job.is_running()
            || desk.query("SELECT closed_by FROM toots_time_window_aggregates WHERE closed_by IS NOT NULL") == ["idle"]
    });
    job.stop().unwrap();
}

#[test]
fn what_the_watermark_passed_is_closed_by_it_even_when_the_stream_is_idle_by_then() {
    let mut desk = Desk::new();
    desk.config.idle = Duration::from_millis(1);
    desk.send(&[message("1").at("2024-10-10T11:00:00Z"), message("2").at("2024-10-10T14:00:00Z")]);
    crate::support::eventually("every window is closed", Duration::from_secs(60), || {
        desk.run();
        desk.query("SELECT concat_ws(' ', window_start, closed_by) FROM toots_time_window_aggregates ORDER BY 1")
            == ["2024-10-10 11:00:00 watermark", "2024-10-10 14:00:00 idle"]
    });
}

#[test]
fn every_batch_leaves_a_row_of_progress() {
    let desk = Desk::new();
    desk.send(&[message("1"), message("1"), message("2").set("language", "fr")]);
    desk.run();
    assert_eq!(
        desk.query("SELECT concat_ws(' ', name, batch_id, num_input_rows, observed_metrics->>'on_time', observed_metrics->>'duplicates',
            sources->0->>'endOffset', sources->0->>'latestOffset', observed_metrics->>'lag') FROM progress"),
        ["partie2 0 3 1 1 3 3 0"]
    );
    assert_eq!(desk.query("SELECT value FROM about WHERE key = 'source'"), ["local"]);
}

#[test]
fn the_lag_falls_from_what_was_waiting_to_nothing() {
    let desk = Desk::new();
    let pipeline = Pipeline::quiet(&desk.config).unwrap();
    assert_eq!(pipeline.lag().unwrap().height(), 0);
    assert!(pipeline.lag_chart().unwrap().summary().contains("aucun batch"));
    desk.send(&(0..5).map(|n| message(&n.to_string())).collect::<Vec<_>>());
    desk.pipeline().run_with(&Control::quiet(), Until::Toots(2)).unwrap();
    desk.run();
    let lags = pipeline.lag().unwrap();
    let lags: Vec<_> = lags.frame().column("lag").unwrap().i64().unwrap().into_no_null_iter().collect();
    assert_eq!(lags, [5, 3, 0]);
    let summary = pipeline.lag_chart().unwrap().summary().to_owned();
    assert!(summary.contains("au plus 5 messages, 0 à la fin"), "{summary}");
}
