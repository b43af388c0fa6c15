//! What the oracle expects, and that it agrees with itself.

use spar::local::generator::{Change, Schedule, Slice, Timing};
use spar::local::oracle::{Expected, SentSlice, expected};
use std::collections::{BTreeMap, HashMap, HashSet};

fn all_sent(slice: Slice, previous: Option<Slice>) -> SentSlice {
    let steps = Schedule::of(slice, previous).steps.len();
    SentSlice { slice, sent: vec![true; steps] }
}

fn timeline(seed: u64, statuses: u32) -> [Slice; 2] {
    let first = Slice::after(None, seed, statuses);
    [first, Slice::after(Some(&first), seed, statuses)]
}

fn ids(expected: &Expected) -> HashSet<&str> {
    expected.toots.iter().map(|toot| toot.label.toot_id.as_str()).collect()
}

#[test]
fn a_default_slice_has_the_promised_shares() {
    for seed in [1, 42, 20_260_801] {
        let [first, _] = timeline(seed, 20_000);
        let told = expected(&[all_sent(first, None)]);
        assert!(told.kept >= 2000, "{} kept", told.kept);
        let mut authors: BTreeMap<&str, u32> = BTreeMap::new();
        for toot in &told.toots {
            *authors.entry(&toot.label.user_id).or_default() += 1;
        }
        let active = authors.values().filter(|toots| **toots > 5).count();
        assert!(active >= 15, "{active} authors have more than five kept toots");
        let out = told.left_out;
        for (why, count) in [("late", told.late), ("edited", told.edited), ("future", out.future)] {
            assert!(count >= 8, "{why}: {count}");
        }
        for (why, count) in [("deleted", out.deleted), ("not public", out.not_public), ("no consent", out.no_consent)] {
            assert!(count >= 40, "{why}: {count}");
        }
        let left = out.deleted + out.not_public + out.no_consent + out.no_keyword + out.other_language + out.future;
        // The statuses whose delete came first count like all others.
        assert_eq!(told.kept + left, told.sent);
        assert_eq!(told.sent, 20_000);
    }
}

#[test]
fn the_expected_toots_are_the_last_versions_of_what_was_neither_deleted_nor_left_out() {
    let [first, second] = timeline(9, 5000);
    let told = expected(&[all_sent(first, None), all_sent(second, Some(first))]);
    let by_id: HashMap<&str, _> = told.toots.iter().map(|toot| (toot.label.toot_id.as_str(), toot)).collect();
    assert_eq!(by_id.len() as u64, told.kept, "an id comes twice");
    for (slice, is_last) in [(first, false), (second, true)] {
        for index in 0..slice.statuses {
            let plan = slice.plan(index);
            // What people think of a week later has not happened yet for the last slice.
            let happened = |event: &&spar::local::generator::Event| !(event.next_slice && is_last);
            let changes: Vec<_> = plan.changes.iter().filter(happened).map(|event| event.change).collect();
            let found = by_id.get(plan.id.to_string().as_str());
            if changes.contains(&Change::Delete) || plan.timing == Timing::Future || plan.visibility != "public" {
                assert!(found.is_none());
            }
            let Some(toot) = found else { continue };
            let edits = changes.iter().filter(|change| matches!(change, Change::Edit(_))).count();
            let (edited, version) = plan.versions().nth(edits).unwrap();
            assert_eq!(toot.label, slice.status(&plan, version, edited).label);
            assert!(toot.label.language.unwrap().starts_with("en") && toot.label.keyword);
            if plan.timing == Timing::Late {
                assert!(toot.late);
            }
        }
    }
}

#[test]
fn what_was_not_sent_is_not_expected_and_an_unsent_delete_deletes_nothing() {
    let [first, _] = timeline(4, 3000);
    let schedule = Schedule::of(first, None);
    let whole = expected(&[all_sent(first, None)]);
    let mut sent = vec![false; schedule.steps.len()];
    assert_eq!(expected(&[SentSlice { slice: first, sent: sent.clone() }]), Expected::default());
    for (bit, step) in sent.iter_mut().zip(&schedule.steps) {
        let (_, plan) = schedule.plan(step);
        let deletes = step.kind > 0
            && plan.changes.get(usize::from(step.kind) - 1).is_some_and(|event| event.change == Change::Delete);
        *bit = !deletes;
    }
    let without = expected(&[SentSlice { slice: first, sent }]);
    assert_eq!(without.deleted, 0);
    assert!(ids(&whole).is_subset(&ids(&without)) && without.kept > whole.kept);
    // Half a slice: exactly the toots whose first matching version lies in it can be expected.
    let half: Vec<bool> = (0..schedule.steps.len()).map(|step| step < schedule.steps.len() / 2).collect();
    let half = expected(&[SentSlice { slice: first, sent: half }]);
    assert!(half.kept > whole.kept / 3 && half.kept < whole.kept * 2 / 3, "{} of {}", half.kept, whole.kept);
}

#[test]
fn toots_are_sorted_by_id() {
    let [first, _] = timeline(4, 2000);
    let told = expected(&[all_sent(first, None)]);
    let ids: Vec<u64> = told.toots.iter().map(|toot| toot.label.toot_id.parse().unwrap()).collect();
    assert!(ids.is_sorted());
}
