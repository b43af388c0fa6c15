//! Faults, and three ledgers compared after each: what was sent, what Kafka holds, what PostgreSQL holds.
//!
//! Short here, one test a fault; long by `cargo bench --profile dev --bench chaos`, whose output is `docs/chaos.md`.

pub mod brokers;
mod clocks;
mod crashes;
mod data;
mod ledgers;
pub mod owners;
pub mod scene;
mod servers;
pub mod slow;
mod swallow;

pub use ledgers::{HEADING, Verdict};

/// A fault: its number in the matrix, what happens, and the trial of so many toots.
pub type Fault = (&'static str, &'static str, fn(usize) -> Verdict);

/// All that needs neither minutes nor a disk of its own.
pub const FAULTS: [Fault; 15] = [
    ("3", "killed before COMMIT, at each step", crashes::before_commit),
    ("4", "the answer to COMMIT is lost", crashes::answer_lost),
    ("5", "two owners: SIGSTOP, another, SIGCONT", owners::two_owners),
    ("6", "Kafka killed, away for 1 s", brokers::away_for_a_second),
    ("8", "topic created anew", brokers::created_anew),
    ("8", "retention passes the stored offset", brokers::retention),
    ("9", "PostgreSQL: fast, immediate, kill -9", servers::restarted),
    ("10", "deadlock, 40001, statement timeout", servers::refusals),
    ("14", "poison of every kind in Kafka", data::poison),
    ("16", "disorder: uniform, Pareto, one 1 h late", data::disorder),
    ("17", "clock + 1 h, - 1 h, back; future dates", clocks::steps),
    ("18", "idle partition, idle stream", clocks::idle),
    ("19", "slow sink, 1,000 rows/s", slow::sink),
    ("20", "delete, edit before the toot; edit storm", data::order),
    ("+", "worker killed at any moment", owners::killed),
];

mod short {
    use super::*;

    /// How many toots a trial sends.
    const TOOTS: usize = 5_000;

    fn holds((number, what, strike): Fault) {
        let verdict = strike(TOOTS);
        println!("{HEADING}\n{}", verdict.row(number, what));
        assert_eq!((verdict.lost, verdict.doubled), (0, 0));
    }

    #[test]
    fn a_worker_that_dies_at_any_step_before_its_commit_loses_and_doubles_nothing() {
        holds(FAULTS[0]);
    }

    #[test]
    fn a_commit_whose_answer_is_lost_counts_once() {
        holds(FAULTS[1]);
    }

    #[test]
    fn a_worker_that_wakes_up_after_another_took_over_writes_nothing() {
        holds(FAULTS[2]);
    }

    #[test]
    fn a_worker_outlives_a_broker_that_was_killed() {
        holds(FAULTS[3]);
    }

    #[test]
    fn a_topic_created_anew_is_refused_and_then_read_whole() {
        holds(FAULTS[4]);
    }

    #[test]
    fn what_retention_removed_is_refused_or_recorded_never_skipped() {
        holds(FAULTS[5]);
    }

    #[test]
    fn a_worker_outlives_every_way_of_restarting_postgresql() {
        holds(FAULTS[6]);
    }

    #[test]
    fn what_the_server_refuses_for_now_is_tried_again_and_counted() {
        holds(FAULTS[7]);
    }

    #[test]
    fn good_toots_and_dead_letters_are_all_the_records() {
        holds(FAULTS[8]);
    }

    #[test]
    fn late_toots_are_those_of_the_oracle_in_every_disorder() {
        holds(FAULTS[9]);
    }

    #[test]
    fn a_clock_that_is_wrong_and_steps_changes_no_window() {
        holds(FAULTS[10]);
    }

    #[test]
    fn windows_close_beside_an_idle_partition_and_on_an_idle_stream() {
        holds(FAULTS[11]);
    }

    #[test]
    fn a_slow_sink_loses_and_doubles_nothing() {
        holds(FAULTS[12]);
    }

    #[test]
    fn the_last_version_of_a_toot_stays_in_whatever_order_its_events_come() {
        holds(FAULTS[13]);
    }

    #[test]
    fn workers_killed_while_toots_arrive_leave_every_toot_once() {
        holds(FAULTS[14]);
    }
}
