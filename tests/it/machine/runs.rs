//! Two runs at once: the second is told so at once, and the first goes on as if nothing had been.

use super::ground::{Ground, LIMIT, fails_with, small_notebooks, told, words_only};
use crate::support::{config_in, eventually};
use spar::runner::Turn;
use std::fs;

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
