//! Fault 19: a database that cannot keep up.

use super::ledgers::Verdict;
use super::scene::{Scene, toot};
use std::time::Instant;

/// Twenty rows in twenty milliseconds: a single one could not be waited for as exactly.
pub const SLOW: &str = "CREATE FUNCTION slow() RETURNS trigger AS $$ BEGIN
        IF NEW.toot_id::bigint % 20 = 0 THEN PERFORM pg_sleep(0.02); END IF;
        RETURN NEW;
    END $$ LANGUAGE plpgsql;
    CREATE TRIGGER slow BEFORE INSERT ON filtered_toots FOR EACH ROW EXECUTE FUNCTION slow()";

/// The whole trial at once: the worker finds all toots waiting.
pub fn sink(toots: usize) -> Verdict {
    let mut scene = Scene::new(2);
    scene.desk.query(SLOW);
    scene.send(&(0..toots).map(toot).collect::<Vec<_>>());
    let began = Instant::now();
    let worker = scene.worker("worker");
    scene.until_applied();
    let rate = toots as f64 / began.elapsed().as_secs_f64();
    let most = worker.megabytes("VmHWM");
    drop(worker);
    scene.verdict(format!("{rate:.0} rows/s, at most {most:.0} MB"))
}
