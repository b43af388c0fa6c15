//! What a right pipeline has in its tables, said by the one who wrote the statuses. It owes nothing to the code that
//! reads, matches or cleans them: each status was labelled when it was made. `[pure]`

use super::generator::clock::HOUR;
use super::generator::{Change, Label, Plan, Schedule, Slice, Step, Timing, Topic, Version};
use serde::Serialize;

/// What was sent of one slice: a bit per step of its schedule.
pub struct SentSlice {
    /// The slice.
    pub slice: Slice,
    /// True for each step that was written whole to an open stream.
    pub sent: Vec<bool>,
}

/// A toot that belongs in `filtered_toots`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExpectedToot {
    /// What its row holds.
    #[serde(flatten)]
    pub label: Label,
    /// Whether it was late when it first came into the tables.
    pub late: bool,
}

/// Statuses that were sent and do not belong in `filtered_toots`, each counted once, under the first reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Deleted, or their delete came first.
    pub deleted: u64,
    /// Not public.
    pub not_public: u64,
    /// The author asked to be left alone.
    pub no_consent: u64,
    /// Without a keyword.
    pub no_keyword: u64,
    /// In another language, or in none.
    pub other_language: u64,
    /// Future-dated: they belong in `quarantine`.
    pub future: u64,
}

/// What a right pipeline has in its tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Expected {
    /// How many different statuses were sent.
    pub sent: u64,
    /// How many events were sent, edits and deletes included.
    pub events: u64,
    /// How many of the toots below.
    pub kept: u64,
    /// How many of them were late.
    pub late: u64,
    /// How many of them have been edited.
    pub edited: u64,
    /// Future-dated toots that would be kept otherwise; the same as in `left_out`.
    pub future: u64,
    /// Statuses of which both a version and the delete were sent; the same as in `left_out`.
    pub deleted: u64,
    /// The others, by reason.
    pub left_out: LeftOut,
    /// The toots that belong in `filtered_toots`, by id.
    pub toots: Vec<ExpectedToot>,
}

/// From how much on an event makes a toot late that it first brings into the tables: no event lies between the
/// lateness that never makes it late (an hour) and this.
const SURELY_LATE: i64 = 3 * HOUR;

/// Which versions and deletes of one status were sent: bit n is step n of its own.
type Heard = u16;

/// Says what belongs in the tables after what was sent of all slices, oldest first.
pub fn expected(slices: &[SentSlice]) -> Expected {
    let mut heard: Vec<Vec<Heard>> = slices.iter().map(|s| vec![0; s.slice.statuses as usize]).collect();
    let mut told = Expected::default();
    for (at, sent) in slices.iter().enumerate() {
        let previous = at.checked_sub(1).map(|before| slices[before].slice);
        let schedule = Schedule::of(sent.slice, previous);
        for (step, _) in schedule.steps.iter().zip(&sent.sent).filter(|(_, sent)| **sent) {
            told.events += 1;
            let owner = if step.previous { at.saturating_sub(1) } else { at };
            if step.kind != Step::STRAY {
                heard[owner][step.index as usize] |= 1 << step.kind;
            }
        }
    }
    for (sent, heard) in slices.iter().zip(&heard) {
        for (index, heard) in heard.iter().enumerate().filter(|(_, heard)| **heard != 0) {
            told.add(&sent.slice, &sent.slice.plan(index as u32), *heard);
        }
    }
    // Ids are numbers of one length or of another: by length first is by number.
    told.toots.sort_by(|a, b| {
        let key = |toot: &ExpectedToot| (toot.label.toot_id.len(), toot.label.toot_id.clone());
        key(a).cmp(&key(b))
    });
    told.kept = told.toots.len() as u64;
    told.late = told.toots.iter().filter(|toot| toot.late).count() as u64;
    told.edited = told.toots.iter().filter(|toot| toot.label.edited_at.is_some()).count() as u64;
    (told.deleted, told.future) = (told.left_out.deleted, told.left_out.future);
    told
}

impl Expected {
    fn add(&mut self, slice: &Slice, plan: &Plan, heard: Heard) {
        let was_heard = |kind: usize| heard & (1 << kind) != 0;
        let mut versions: Vec<(Option<i64>, Version)> = Vec::new();
        if was_heard(0) {
            versions.push((None, plan.first));
        }
        let mut deleted = false;
        for (_, event) in plan.changes.iter().enumerate().filter(|(number, _)| was_heard(number + 1)) {
            match event.change {
                Change::Edit(version) => versions.push((Some(event.at), version)),
                Change::Delete => deleted = true,
            }
        }
        let Some((edited, last)) = versions.last().copied() else { return };
        self.sent += 1;
        let out = &mut self.left_out;
        let count = match why_not(plan, last) {
            _ if deleted => &mut out.deleted,
            Some(Reason::NotPublic) => &mut out.not_public,
            Some(Reason::NoConsent) => &mut out.no_consent,
            Some(Reason::NoKeyword) => &mut out.no_keyword,
            Some(Reason::OtherLanguage) => &mut out.other_language,
            Some(Reason::Future) => &mut out.future,
            None => {
                let entered = versions.iter().find(|(_, version)| why_not(plan, *version).is_none());
                let late = entered.is_some_and(|(at, _)| at.unwrap_or(plan.arrival) - plan.created >= SURELY_LATE);
                let label = slice.status(plan, last, edited).label;
                self.toots.push(ExpectedToot { label, late });
                return;
            }
        };
        *count += 1;
    }
}

enum Reason {
    NotPublic,
    NoConsent,
    NoKeyword,
    OtherLanguage,
    Future,
}

/// Why a version does not belong in `filtered_toots`; nothing when it does.
fn why_not(plan: &Plan, version: Version) -> Option<Reason> {
    if plan.visibility != "public" {
        Some(Reason::NotPublic)
    } else if !plan.consents(version) {
        Some(Reason::NoConsent)
    } else if version.topic != Topic::Keyword {
        Some(Reason::NoKeyword)
    } else if !version.language.is_english() {
        Some(Reason::OtherLanguage)
    } else if plan.timing == Timing::Future {
        Some(Reason::Future)
    } else {
        None
    }
}
