//! The generated timeline: the same seed gives the same statuses, bytes included, whatever is asked for first.
//!
//! The timeline comes in slices of a week. A slice is a number of statuses; each has a [`Plan`], and each version of
//! a status can be made at any time from its plan ([`Slice::status`]): nothing needs to be kept. Together with the
//! status comes its [`Label`]: what a right pipeline makes of it, known because the parts that the text was built
//! from are known. `[pure]`

mod author;
pub(crate) mod clock;
mod compose;
mod draft;
mod json;
mod plan;
mod random;
mod schedule;
mod status;
pub(in crate::local) mod words;

pub use plan::{Change, Event, Language, Plan, Timing};
pub use schedule::{Schedule, Step, Written};
pub use status::{Label, Made};

pub(crate) use author::HOME;

use clock::{ORIGIN, WEEK};
use serde::{Deserialize, Serialize};

/// A slice of the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slice {
    /// Its number, from 1.
    pub number: u32,
    /// What it is drawn from.
    pub seed: u64,
    /// How many statuses it has.
    pub statuses: u32,
    /// Where it starts, in milliseconds since 1970.
    pub start: i64,
    /// How long it is, in milliseconds.
    pub length: i64,
}

impl Slice {
    /// The slice that comes after `last`, or the first of a timeline.
    pub fn after(last: Option<&Self>, seed: u64, statuses: u32) -> Self {
        let number = last.map_or(1, |slice| slice.number + 1);
        let start = last.map_or(ORIGIN, Slice::end);
        Self { number, seed, statuses: statuses.max(1), start, length: WEEK }
    }

    /// Where it ends and the next one starts.
    pub fn end(&self) -> i64 {
        self.start + self.length
    }

    /// The plan of one of its statuses.
    pub fn plan(&self, index: u32) -> Plan {
        Plan::of(self, index)
    }

    /// Makes one version of a status; `edited` is when, for all but the first.
    pub fn status(&self, plan: &Plan, version: Version, edited: Option<i64>) -> Made {
        status::make(self, plan, version, edited)
    }

    /// Where the random numbers of a status are.
    fn place(&self, index: u32) -> u64 {
        (u64::from(self.number) << 32) | u64::from(index)
    }
}

/// Words of the vocabulary whose clean form is not known; there must be none.
pub fn words_without_clean_form() -> Vec<&'static str> {
    words::without_clean_form()
}

/// What a text is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Topic {
    /// It holds a keyword, as a tag or as a name.
    Keyword,
    /// It holds what a careless matcher takes for a keyword.
    Trap,
    /// Neither.
    Other,
}

/// One version of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// 0 for the first.
    pub number: u8,
    /// The language of its text.
    pub language: Language,
    /// What it is about.
    pub topic: Topic,
    /// Whether its author has just asked to be left alone.
    pub withdrawn: bool,
}
