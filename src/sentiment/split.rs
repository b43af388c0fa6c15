//! Which rows train and which test: by chance, from a seed, after the copies are gone. `[pure]`

use super::vectors::{Vectors, mix};

/// Rows to learn from and rows to test on; no row is in both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Rows to learn from, in random order.
    pub train: Vec<u32>,
    /// Rows to test on, in random order.
    pub test: Vec<u32>,
}

impl Split {
    /// Draws `sample` of the rows (1.0: all) and keeps `test` of those for the test.
    ///
    /// A row's place depends on its tokens and the seed alone: the order of the file changes nothing.
    pub fn draw(vectors: &Vectors, sample: f64, test: f64, seed: u64) -> Self {
        let mut order: Vec<(u64, u32)> =
            vectors.kept.iter().map(|row| (mix(vectors.key(*row as usize) ^ mix(seed)), *row)).collect();
        order.sort_unstable();
        let share = |of: usize, part: f64| ((of as f64 * part.clamp(0.0, 1.0)).round() as usize).min(of);
        order.truncate(share(order.len(), sample));
        let tested = share(order.len(), test);
        let rows = |part: &[(u64, u32)]| part.iter().map(|(_, row)| *row).collect();
        Self { train: rows(&order[tested..]), test: rows(&order[..tested]) }
    }
}
