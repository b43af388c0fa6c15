//! History in batch: named questions over every toot stored, whatever engine answers them.
//!
//! [`History`] asks a [`Question`]; `local` answers with polars. Another engine answers the same questions with
//! the same columns in the same order, and nothing else of the crate changes.

mod benchmark;
mod history;
pub(crate) mod local;
mod question;

pub use benchmark::Benchmark;
pub(crate) use history::origin;
pub use history::{History, engine};
pub use question::{Question, Scope};

use crate::display::Table;
use crate::error::Result;

/// What answers questions about toots.
pub(crate) trait Engine: Send + Sync {
    /// The answer, sorted, with exactly the columns that the question names.
    fn answer(&self, question: Question) -> Result<Table>;
    /// How the engine will find the answer, in its own words.
    fn explain(&self, question: Question) -> Result<String>;
}
