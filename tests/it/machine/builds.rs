//! Builds of the library beside an open JupyterLab: what its kernels load stays.

use super::ground::Ground;
use spar::config::Config;
use spar::setup::{Kernel, Tools};
use std::fs::{self, File};
use std::path::PathBuf;

#[test]
fn builds_that_an_open_lab_may_load_outlive_any_number_of_newer_ones() {
    let ground = Ground::new();
    let config = Config::from_settings(&ground.path("home"), |_| None).unwrap();
    let builds = ground.path("home/.spar/kernel/lib");
    let name = format!("{}spar{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    // Their names begin with the time of the build.
    let build = |at: u64| -> PathBuf {
        let library = builds.join(format!("{at:016x}-1")).join(&name);
        fs::create_dir_all(library.parent().unwrap()).unwrap();
        fs::write(&library, "").unwrap();
        library
    };
    let [left, of_a_lab, later] = [1, 2, 3].map(build);
    let newest: Vec<PathBuf> = (0..6).map(|n| build(u64::MAX - n)).collect();
    let lab = File::open(&of_a_lab).unwrap();
    lab.lock_shared().unwrap();

    let tools = Tools::of(&config);
    let kernel = Kernel::prepare(&config, &tools).unwrap();
    assert!(!left.exists(), "nobody uses it");
    assert!(of_a_lab.exists(), "a lab's kernels load it");
    assert!(later.exists(), "a kernel that the lab started again may have loaded it");

    drop(lab);
    let _another = Kernel::prepare(&config, &tools).unwrap();
    assert!(!of_a_lab.exists() && !later.exists(), "the lab is closed");
    let here = fs::read_dir(&builds).unwrap().flatten().map(|entry| entry.path().join(&name));
    let ours: Vec<PathBuf> = here.filter(|library| !newest.contains(library)).collect();
    assert_eq!(ours.len(), 1, "the build of this program, older than the newest: {ours:?}");
    assert!(File::open(&ours[0]).unwrap().try_lock().is_err(), "held by whoever prepared it");
    assert!(newest.iter().all(|library| library.exists()), "newer than one that is held");
    drop(kernel);
}
