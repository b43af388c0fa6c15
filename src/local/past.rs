//! What has been played of the timeline, newest first or oldest first, without keeping it: ids are indexed slice by
//! slice, statuses are made again when asked for.

use super::generator::clock::{DAY, HOUR};
use super::generator::{Change, Made, Plan, Slice, Step, Version};
use std::sync::{Arc, Mutex, PoisonError};

/// How many slices' indexes are kept at hand.
const INDEXES: usize = 6;
/// How many statuses one page may look at before it gives up, so that a rare tag cannot keep the server busy.
const LOOKED_AT: usize = 400_000;

/// How far the timeline has come: its slices, and the first step of the last one that has not been played.
#[derive(Clone, Debug, Default)]
pub(super) struct Played {
    pub slices: Vec<Slice>,
    /// None when the last slice is played to its end.
    pub next: Option<Step>,
}

/// What a page asks for.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub max_id: Option<u64>,
    pub since_id: Option<u64>,
    pub min_id: Option<u64>,
    pub limit: usize,
}

/// The ids of one slice in order, each with its place.
type Index = Arc<Vec<(u64, u32)>>;

/// The indexes that were used lately.
#[derive(Default)]
pub(super) struct Past {
    indexes: Mutex<Vec<(u32, Index)>>,
}

impl Played {
    /// True when the step of a status has been played; `slice` is the place of its slice in the list.
    fn has(&self, slice: usize, step: Step) -> bool {
        let at = if step.previous { slice + 1 } else { slice };
        match (at + 1).cmp(&self.slices.len()) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => self.next.is_none_or(|next| step < next),
            std::cmp::Ordering::Greater => false,
        }
    }

    /// The version that can be seen now: none when it has not come yet or is gone.
    fn version(&self, at: usize, plan: &Plan) -> Option<(Option<i64>, Version)> {
        let slice = self.slices.get(at)?;
        let own = Step { at: (plan.arrival - slice.start) as u32, index: plan.index, kind: 0, previous: false };
        if !self.has(at, own) {
            return None;
        }
        let mut seen = (None, plan.first);
        for (number, event) in plan.changes.iter().enumerate() {
            let start = if event.next_slice { slice.end() } else { slice.start };
            let step = Step {
                at: (event.at - start) as u32,
                index: plan.index,
                kind: number as u8 + 1,
                previous: event.next_slice,
            };
            match event.change {
                _ if !self.has(at, step) => break,
                Change::Delete => return None,
                Change::Edit(version) => seen = (Some(event.at), version),
            }
        }
        Some(seen)
    }
}

impl Past {
    fn index(&self, slice: &Slice) -> Index {
        let mut indexes = self.indexes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = indexes.iter().position(|(number, _)| *number == slice.number) {
            let found = indexes.remove(at);
            indexes.push(found);
        } else {
            let mut ids: Vec<(u64, u32)> = (0..slice.statuses).map(|i| (slice.plan(i).id, i)).collect();
            ids.sort_unstable();
            if indexes.len() == INDEXES {
                indexes.remove(0);
            }
            indexes.push((slice.number, Arc::new(ids)));
        }
        indexes.last().map(|(_, index)| Arc::clone(index)).unwrap_or_default()
    }

    /// One status by its id, when it can be seen.
    pub fn status(&self, played: &Played, id: u64) -> Option<Made> {
        let near = |slice: &Slice| (low(slice)..=high(slice)).contains(&id);
        played.slices.iter().enumerate().filter(|(_, slice)| near(slice)).find_map(|(at, slice)| {
            let index = self.index(slice);
            let place = index.binary_search_by_key(&id, |(id, _)| *id).ok()?;
            visible(played, at, index[place].1)
        })
    }

    /// A page, newest first: the statuses that can be seen, are public, and pass `keep`.
    pub fn page(&self, played: &Played, wanted: &Wanted, keep: impl Fn(&Made) -> bool) -> Vec<(u64, Made)> {
        let mut page = Vec::new();
        // From `min_id` a page grows upwards; otherwise it starts at the newest and goes down.
        let rising = wanted.min_id.is_some();
        let above = wanted.min_id.max(wanted.since_id).map_or(0, |id| id.saturating_add(1));
        let below = wanted.max_id.unwrap_or(u64::MAX);
        let mut walk = Walk { past: self, played, rising, above, below, open: Vec::new(), unopened: 0 };
        for _ in 0..LOOKED_AT {
            let Some((at, id, place)) = walk.next() else { break };
            if let Some(made) = visible(played, at, place).filter(&keep) {
                page.push((id, made));
                if page.len() == wanted.limit {
                    break;
                }
            }
        }
        if rising {
            page.reverse();
        }
        page
    }
}

fn visible(played: &Played, at: usize, place: u32) -> Option<Made> {
    let slice = played.slices.get(at)?;
    let plan = slice.plan(place);
    let (edited, version) = played.version(at, &plan).filter(|_| plan.visibility == "public")?;
    Some(slice.status(&plan, version, edited))
}

/// No id of the slice is lower: late toots reach three days back.
fn low(slice: &Slice) -> u64 {
    ((slice.start - 3 * DAY - HOUR) as u64) << 16
}

/// No id of the slice is higher.
fn high(slice: &Slice) -> u64 {
    ((slice.end() as u64) << 16) | 0xffff
}

/// Ids in order across slices: those of neighbours interleave, so slices are opened as the walk comes near.
struct Walk<'a> {
    past: &'a Past,
    played: &'a Played,
    rising: bool,
    above: u64,
    below: u64,
    /// Slice, its ids within the bounds, how many of them were given.
    open: Vec<(usize, Index, std::ops::Range<usize>)>,
    unopened: usize,
}

impl Walk<'_> {
    fn next(&mut self) -> Option<(usize, u64, u32)> {
        loop {
            let best = self.best();
            let count = self.played.slices.len();
            if self.unopened == count {
                return best.map(|at| self.take(at));
            }
            let at = if self.rising { self.unopened } else { count - 1 - self.unopened };
            let slice = &self.played.slices[at];
            let beyond = match best.map(|best| self.peek(best)) {
                None => false,
                Some(id) if self.rising => id < low(slice),
                Some(id) => id > high(slice),
            };
            if beyond {
                return best.map(|at| self.take(at));
            }
            self.unopened += 1;
            if high(slice) >= self.above && low(slice) < self.below {
                let index = self.past.index(slice);
                let from = index.partition_point(|(id, _)| *id < self.above);
                let to = index.partition_point(|(id, _)| *id < self.below);
                self.open.push((at, index, from..to.max(from)));
            }
        }
    }

    fn best(&self) -> Option<usize> {
        let left = (0..self.open.len()).filter(|at| !self.open[*at].2.is_empty());
        if self.rising { left.min_by_key(|at| self.peek(*at)) } else { left.max_by_key(|at| self.peek(*at)) }
    }

    fn peek(&self, at: usize) -> u64 {
        let (_, index, range) = &self.open[at];
        index[if self.rising { range.start } else { range.end - 1 }].0
    }

    fn take(&mut self, at: usize) -> (usize, u64, u32) {
        let (slice, index, range) = &mut self.open[at];
        let place = if self.rising { range.start } else { range.end - 1 };
        if self.rising {
            range.start += 1
        } else {
            range.end -= 1
        }
        (*slice, index[place].0, index[place].1)
    }
}
