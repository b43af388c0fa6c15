//! The steps of a batch, where a test may strike.

use std::sync::Arc;

/// A point between two steps of a batch, where a test may strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The batch was read; its transaction has not begun.
    Read,
    /// The ledger has moved inside the transaction.
    Moved,
    /// The toots are written.
    Stored,
    /// Windows and averages are written.
    Aggregated,
    /// Everything is written; COMMIT is next.
    Written,
    /// COMMIT has succeeded; nobody was told yet.
    Committed,
}

/// What a test does to the run at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// The run ends there, as if the process had died.
    Crash,
    /// The connection to PostgreSQL breaks there.
    Cut,
}

/// Called at every step; see [`Fault`].
pub type Hook = Arc<dyn Fn(Step) -> Fault + Send + Sync>;
