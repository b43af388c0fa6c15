//! Two runs at once: the second is told so at once, and the first goes on as if nothing had been.

use super::ground::{Ground, LIMIT, fails_with, small_notebooks, told, words_only};
use crate::support::{config_in, eventually};
use spar::runner::{Scratch, Turn};
use std::fs::{self, File};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn a_second_run_into_the_same_folder_is_refused_while_the_first_works() {
    let ground = Ground::new();
    let first = ground.start(&["run", "--from", &small_notebooks(), "hangs"]);
    let hanging = ground.state(&format!("kernels/{}/hanging", first.pid()));
    eventually("the first run hangs in a cell", LIMIT, || hanging.exists());
    let page = ground.path("out/words.html");
    fs::write(&page, "the first run's").unwrap();

    let second = ["run", "--from", &words_only(&ground), "words"];
    fails_with(&ground.spar(&second), &["another `spar run` writes there", "--out"]);
    assert!(page.exists() && hanging.exists(), "the first run has lost nothing");
    let elsewhere = ground.path("elsewhere");
    let (said, code) = told(&ground.command(&second).arg("--out").arg(&elsewhere).output().unwrap());
    assert_eq!(code, Some(0), "{said}");

    // A killed run stands in nobody's way.
    first.kill();
    let (said, code) = told(&ground.spar(&second));
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_second_run_on_the_same_tables_is_refused_and_names_the_first() {
    let ground = Ground::new();
    let config = config_in(&ground.path("state"), &[]);
    let turn = Turn::take(&config, &ground.path("first"), true).unwrap();
    let pid = format!("pid {}", std::process::id());
    fails_with(&ground.spar(&["run", "partie1"]), &["another `spar run`", &pid, "wait until it ends"]);
    assert!(!ground.state("endpoints.json").exists(), "no service was started for a refusal");
    drop(turn);
    Turn::take(&config, &ground.path("second"), true).unwrap();
}

#[test]
fn a_start_makes_its_folder_while_nobody_sweeps_and_sweeps_what_killed_ones_left() {
    let ground = Ground::new();
    let config = config_in(&ground.path("state"), &[]);
    let folder = |name: &str| ground.state("kernels").join(name);
    for name in ["killed", "killed while removing", "at work"] {
        fs::create_dir_all(folder(name)).unwrap();
    }
    File::create(folder("killed/owner.lock")).unwrap();
    let at_work = File::create(folder("at work/owner.lock")).unwrap();
    at_work.lock().unwrap();
    let sweeping = File::create(folder("sweep.lock")).unwrap();
    sweeping.lock().unwrap();

    let swept = AtomicBool::new(false);
    let own = folder(&std::process::id().to_string());
    std::thread::scope(|scope| {
        let start = scope.spawn(|| {
            let scratch = Scratch::new(&config).unwrap();
            (scratch, swept.load(Ordering::SeqCst))
        });
        // Long enough for a start that waits for nobody.
        std::thread::sleep(Duration::from_millis(300));
        assert!(!own.exists(), "a sweep of another would find it not yet held");
        swept.store(true, Ordering::SeqCst);
        drop(sweeping);
        let (scratch, had_waited) = start.join().unwrap();
        assert!(had_waited && own.exists());
        assert!(File::open(own.join("owner.lock")).unwrap().try_lock().is_err(), "held from its beginning");
        assert!(!folder("killed").exists() && !folder("killed while removing").exists());
        assert!(folder("at work").exists(), "its owner holds it");
        drop(scratch);
        assert!(!own.exists());
    });
}
