//! What a person at the terminal sees while notebooks run.

use super::Ran;
use crate::display::neutralise;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;

/// One live line for the running cell; one printed line for each finished notebook.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new_spinner();
        bar.set_style(ProgressStyle::with_template("{spinner} {prefix:12} {wide_msg}").expect("a valid template"));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    /// A notebook's kernel is awaited.
    pub(super) fn notebook(&self, name: &str) {
        self.bar.set_prefix(name.to_owned());
        self.bar.set_message("kernel starts");
    }

    /// A cell begins.
    pub(super) fn cell(&self, name: &str, at: usize, of: usize, line: &str) {
        self.bar.set_prefix(name.to_owned());
        self.bar.set_message(format!("cell {at}/{of}  {}", neutralise(line)));
        if self.bar.is_hidden() && at == 1 {
            eprintln!("  {name}: {of} cells");
        }
    }

    /// Does something that may print.
    pub(super) fn hidden<T>(&self, work: impl FnOnce() -> T) -> T {
        self.bar.suspend(work)
    }

    /// A notebook ended.
    pub(super) fn finished(&self, ran: &Ran) {
        self.bar.suspend(|| match &ran.failure {
            None => eprintln!("✓ {:12} {:>3} cells  {:>6.1} s", ran.notebook, ran.cells, ran.seconds),
            Some(failure) => {
                eprintln!("✗ {:12} cell {}  {:>6.1} s", ran.notebook, failure.cell, ran.seconds);
                eprintln!("  {}", neutralise(&failure.line));
                for line in failure.message.lines() {
                    // What a cell says may be anyone's words, and a terminal obeys control characters.
                    eprintln!("  | {}", neutralise(line));
                }
            }
        });
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
