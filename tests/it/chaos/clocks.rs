//! Faults 17 and 18: a clock that is wrong and steps, and nothing to read.

use super::ledgers::Verdict;
use super::scene::{LIMIT, Scene, story, toot};
use crate::messages::Draft;
use crate::support::{eventually, home};
use crate::worker::Worker;
use spar::kafka::Raw;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The wall clock of one process: a small library, loaded before all others, adds so many seconds to it.
struct Clock {
    shift: PathBuf,
    library: PathBuf,
}

impl Clock {
    fn new(folder: &Path) -> Self {
        let clock = Self { shift: folder.join("shift"), library: folder.join("clock.so") };
        clock.set(0);
        let source = home().join("tests/it/chaos/clock.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&clock.library).arg(source).arg("-ldl");
        assert!(compiler.status().unwrap().success());
        clock
    }

    fn set(&self, seconds: i64) {
        // In place: the process has mapped the file.
        use std::os::unix::fs::FileExt;
        let file = std::fs::OpenOptions::new().create(true).truncate(false).write(true).open(&self.shift).unwrap();
        file.write_all_at(&seconds.to_ne_bytes(), 0).unwrap();
    }
}

/// The clock of a worker goes an hour ahead, an hour behind, and back, while toots arrive.
pub fn steps(toots: usize) -> Verdict {
    const SHIFTS: [i64; 5] = [0, 3600, -3600, 3600, 0];
    let mut scene = Scene::new(2);
    let clock = Clock::new(scene.folder());
    let (library, shift) = (clock.library.display().to_string(), clock.shift.display().to_string());
    let more = [("LD_PRELOAD", library.as_str()), ("CLOCK_SHIFT", &shift)];
    let worker = Worker::with(&scene.desk.config, scene.folder(), "worker", &[], &more);
    let share = toots / SHIFTS.len();
    let marks = "SELECT coalesce(extract(epoch FROM max_event_time), 0)::bigint::text FROM stream_partition ORDER BY topic, part";
    let mut before: Vec<i64> = Vec::new();
    let mut hours = Vec::new();
    for (n, seconds) in SHIFTS.into_iter().enumerate() {
        clock.set(seconds);
        scene.send_over(Duration::from_millis(500), &story(n * share..(n + 1) * share));
        scene.until_applied();
        let now: Vec<i64> = scene.desk.query(marks).iter().map(|mark| mark.parse().unwrap()).collect();
        assert!(
            before.iter().zip(&now).all(|(before, now)| before <= now),
            "a watermark went back: {before:?}, {now:?}"
        );
        before = now;
        hours.push(format!("{:+}", seconds / 3600));
    }
    // No window is closed by a watermark that has not passed it, whatever the clock says.
    let early = scene.desk.query(
        "SELECT window_start::text FROM toots_time_window_aggregates WHERE closed_by = 'watermark' AND window_end AT TIME ZONE 'UTC'
            > (SELECT min(max_event_time) FROM stream_partition WHERE max_event_time IS NOT NULL) - interval '1 hour'",
    );
    assert_eq!(early, Vec::<String>::new());
    drop(worker);
    let future = scene.desk.count("quarantine");
    scene.verdict(format!("{} h; watermarks never fell, none closed early; {future} in quarantine", hours.join(", ")))
}

/// One partition gets nothing more, then none does, then a toot comes after all.
pub fn idle(toots: usize) -> Verdict {
    let mut scene = Scene::new(2);
    scene.desk.config.idle = Duration::from_secs(1);
    let worker = scene.worker("worker");
    let drafts: Vec<Draft> = (0..toots).map(toot).collect();
    let (both, rest) = drafts.split_at(toots / 3);
    let (one, last) = rest.split_at(rest.len() - 1);
    for (n, draft) in both.iter().enumerate() {
        put(&mut scene, draft, n as i32 % 2);
    }
    scene.until_applied();
    // Partition 1 is silent from here on. Its mark would hold every later window open.
    for some in one.chunks(one.len().div_ceil(30)) {
        some.iter().for_each(|draft| put(&mut scene, draft, 0));
        scene.desk.flush();
        std::thread::sleep(Duration::from_millis(100));
    }
    let windows = |by| windows_of(&scene, by);
    let held = both.len() as i64 * 30 + 1_728_547_200;
    let passed = |windows: &[String]| windows.iter().filter(|start| start.parse::<i64>().unwrap() > held).count();
    eventually("the watermark closes windows without the silent partition", LIMIT, || {
        passed(&windows("NOT DISTINCT FROM 'watermark'")) > 0
    });
    let by_watermark = passed(&windows("NOT DISTINCT FROM 'watermark'"));
    eventually("an idle stream closes the others", LIMIT, || windows("NULL").is_empty());
    let by_idle = windows("NOT DISTINCT FROM 'idle'").len();
    assert!(by_idle > 0);
    put(&mut scene, &last[0], 1);
    scene.until_applied();
    eventually("the window of the last toot is closed again", LIMIT, || windows_of(&scene, "NULL").is_empty());
    drop(worker);
    scene.verdict(format!("{by_watermark} windows closed beside a silent partition, {by_idle} by silence"))
}

/// The starts of the windows whose `closed_by` is as it says.
fn windows_of(scene: &Scene, by: &str) -> Vec<String> {
    scene.desk.query(&format!(
        "SELECT extract(epoch FROM window_start)::bigint::text FROM toots_time_window_aggregates WHERE closed_by IS {by}"
    ))
}

/// Sends a message to a partition.
fn put(scene: &mut Scene, draft: &Draft, part: i32) {
    let (key, value) = (draft.id(), draft.json());
    let raw = Raw { part: Some(part), key: Some(&key), value: Some(&value), ..Raw::default() };
    scene.desk.loader.put(&scene.desk.config.topic, raw).unwrap();
    scene.sent.note(draft);
}
