//! The order in which the events of a slice come: statuses, their edits and deletes, and those of the slice before
//! that people thought of a week later. `[pure]`

use super::plan::{Change, Plan};
use super::{Made, Slice};

/// One event of a slice, small enough to keep millions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Step {
    /// When, in milliseconds from the slice's start.
    pub at: u32,
    /// Which status; of the slice before, when `previous`.
    pub index: u32,
    /// 0: the status comes; n: its n-th change; [`Step::STRAY`]: an id that nobody saw is deleted.
    pub kind: u8,
    /// Whether the status belongs to the slice before.
    pub previous: bool,
}

impl Step {
    /// The delete of an id that was never shown.
    pub const STRAY: u8 = 15;
}

/// What a step writes to a stream.
pub enum Written {
    /// `update` or `status.update`.
    Status(&'static str, Box<Made>),
    /// `delete`, with the id and the last version of what goes; none when nobody ever saw it.
    Delete(u64, Option<Box<Made>>),
}

/// All events of a slice, in order.
pub struct Schedule {
    /// The slice itself.
    pub slice: Slice,
    /// The one before, when there is one.
    pub previous: Option<Slice>,
    /// The events.
    pub steps: Vec<Step>,
}

impl Schedule {
    /// Works out the order.
    pub fn of(slice: Slice, previous: Option<Slice>) -> Self {
        let mut steps = Vec::with_capacity(slice.statuses as usize * 17 / 16);
        for index in 0..slice.statuses {
            let plan = slice.plan(index);
            let step = |at: i64, kind: u8| Step { at: (at - slice.start) as u32, index, kind, previous: false };
            steps.push(step(plan.arrival, 0));
            if plan.stray_delete.is_some() {
                steps.push(step(plan.arrival, Step::STRAY));
            }
            for (number, event) in plan.changes.iter().enumerate().filter(|(_, event)| !event.next_slice) {
                steps.push(step(event.at, number as u8 + 1));
            }
        }
        for (of, index) in previous.iter().flat_map(|p| (0..p.statuses).map(move |index| (p, index))) {
            for (number, event) in of.plan(index).changes.iter().enumerate().filter(|(_, event)| event.next_slice) {
                if event.at >= slice.start && event.at < slice.end() {
                    let at = (event.at - slice.start) as u32;
                    steps.push(Step { at, index, kind: number as u8 + 1, previous: true });
                }
            }
        }
        steps.sort_unstable();
        Self { slice, previous, steps }
    }

    /// The slice and the plan of a step's status.
    pub fn plan(&self, step: &Step) -> (Slice, Plan) {
        let of = if step.previous { self.previous.unwrap_or(self.slice) } else { self.slice };
        (of, of.plan(step.index))
    }

    /// What a step writes.
    pub fn write(&self, step: &Step) -> Written {
        let (of, plan) = self.plan(step);
        match step.kind {
            Step::STRAY => Written::Delete(plan.stray_delete.unwrap_or(plan.id), None),
            0 => Written::Status("update", Box::new(of.status(&plan, plan.first, None))),
            n => {
                let event = plan.changes[usize::from(n) - 1];
                match event.change {
                    Change::Delete => {
                        let (edited, version) =
                            plan.versions().take(usize::from(n)).last().unwrap_or((None, plan.first));
                        Written::Delete(plan.id, Some(Box::new(of.status(&plan, version, edited))))
                    }
                    Change::Edit(version) => {
                        Written::Status("status.update", Box::new(of.status(&plan, version, Some(event.at))))
                    }
                }
            }
        }
    }
}
