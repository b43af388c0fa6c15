//! What is learnt before the regression: how much each word and pair speaks for one class, as in naive Bayes, and the
//! few dense columns that linfa can take. `[pure]`
//!
//! The ratios use the labels, so a training row must never see the ratio that it helped to make: each row's columns
//! come from the other folds ([`cross_fitted`]). With ratios of the same rows the regression learns to trust a leak.

use super::vectors::{SHAPE, Vectors, WORDS};
use ndarray::{Array2, ShapeBuilder};
use rayon::prelude::*;

/// The version of these columns; it is stored with a model, and another version is another model.
pub const FEATURES: u32 = 1;

/// Folds of the cross-fitting.
pub(crate) const FOLDS: usize = 5;

/// Words and pairs are summed apart by how often they were seen: the regression learns how far to trust each group.
const FREQUENCY: [u32; 5] = [2, 4, 10, 50, 500];

/// Added to the counts of a ratio, shared out as the classes are: a rare bucket says little, and nothing for the
/// rarer class.
const SMOOTHING: f64 = 4.0;

const SUMS: usize = 2 * FREQUENCY.len();

/// Dense columns of a row.
pub(crate) const COLUMNS: usize = SUMS + 5 + SHAPE;

/// A count of each bucket in the two classes.
#[derive(Clone)]
struct Counts {
    against: Vec<u32>,
    favour: Vec<u32>,
}

impl Counts {
    fn new() -> Self {
        Self { against: vec![0; 2 * WORDS], favour: vec![0; 2 * WORDS] }
    }

    fn add(&mut self, vectors: &Vectors, rows: impl Iterator<Item = (u32, bool)>) {
        for (row, favour) in rows {
            let side = if favour { &mut self.favour } else { &mut self.against };
            for bucket in vectors.row(row as usize).0 {
                side[*bucket as usize] += 1;
            }
        }
    }
}

/// The naive Bayes log ratio of every bucket seen at least twice, and how often it was seen.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ratios {
    /// 0 for a bucket that was not seen twice.
    pub(crate) value: Vec<f32>,
    /// The place in [`FREQUENCY`], counted from 1; 0 for a bucket that was not seen twice.
    pub(crate) group: Vec<u8>,
}

impl Ratios {
    pub(crate) fn empty() -> Self {
        Self { value: vec![0.0; 2 * WORDS], group: vec![0; 2 * WORDS] }
    }

    /// `group` when it names one.
    pub(crate) fn checked(group: u8) -> Option<u8> {
        (usize::from(group) <= FREQUENCY.len()).then_some(group)
    }

    /// From all counts, without those of one fold.
    fn of(all: &Counts, without: Option<&Counts>) -> Self {
        let mut ratios = Self::empty();
        let rest = |side: fn(&Counts) -> &Vec<u32>, i: usize| side(all)[i] - without.map_or(0, |w| side(w)[i]);
        let mut totals = [[0.0_f64; 2]; 2];
        for i in 0..2 * WORDS {
            totals[i / WORDS][0] += f64::from(rest(|c| &c.against, i));
            totals[i / WORDS][1] += f64::from(rest(|c| &c.favour, i));
        }
        for i in 0..2 * WORDS {
            let (n, p) = (rest(|c| &c.against, i), rest(|c| &c.favour, i));
            if n + p < FREQUENCY[0] {
                continue;
            }
            let [against, favour] = totals[i / WORDS];
            let share = (favour + 1.0) / (favour + against + 2.0);
            let odds = (f64::from(p) + SMOOTHING * share) / (f64::from(n) + SMOOTHING * (1.0 - share));
            let ratio = odds.ln() - (share / (1.0 - share)).ln();
            ratios.value[i] = ratio as f32;
            ratios.group[i] = FREQUENCY.iter().take_while(|least| n + p >= **least).count() as u8;
        }
        ratios
    }

    /// The dense columns of one text.
    pub(crate) fn columns(&self, buckets: &[u32], shape: &[f32; SHAPE]) -> [f64; COLUMNS] {
        let mut out = [0.0; COLUMNS];
        let (mut sum, mut size, mut known) = (0.0, 0.0, 0.0_f64);
        let (mut least, mut most) = (0.0_f64, 0.0_f64);
        for bucket in buckets {
            let i = *bucket as usize;
            if self.group[i] == 0 {
                continue;
            }
            let ratio = f64::from(self.value[i]);
            out[FREQUENCY.len() * (i / WORDS) + usize::from(self.group[i]) - 1] += ratio;
            sum += ratio;
            size += ratio.abs();
            known += 1.0;
            least = least.min(ratio);
            most = most.max(ratio);
        }
        let tail = [sum / known.max(1.0).sqrt(), size, least, most, known / buckets.len().max(1) as f64];
        out[SUMS..SUMS + tail.len()].copy_from_slice(&tail);
        for (to, from) in out[SUMS + tail.len()..].iter_mut().zip(shape) {
            *to = f64::from(*from);
        }
        out
    }
}

/// The columns of training rows, each from ratios learnt without its own fold; `side` says where a row stands, `None`
/// for a row that takes no part in the ratios.
pub(crate) fn cross_fitted(
    vectors: &Vectors,
    rows: &[u32],
    side: impl Fn(u32) -> Option<bool>,
) -> (Array2<f64>, Ratios) {
    let of_fold =
        |fold: usize| rows.iter().enumerate().filter(move |(i, _)| i % FOLDS == fold).map(|(i, row)| (i, *row));
    let sided = |fold: usize| of_fold(fold).filter_map(|(_, row)| Some((row, side(row)?)));
    let mut all = Counts::new();
    for fold in 0..FOLDS {
        all.add(vectors, sided(fold));
    }
    // Column order: linfa's products walk down the columns.
    let mut x = Array2::zeros((rows.len(), COLUMNS).f());
    for fold in 0..FOLDS {
        let mut own = Counts::new();
        own.add(vectors, sided(fold));
        let ratios = Ratios::of(&all, Some(&own));
        let rows: Vec<(usize, u32)> = of_fold(fold).collect();
        let columns = |(i, row): &(usize, u32)| {
            let (buckets, shape) = vectors.row(*row as usize);
            (*i, ratios.columns(buckets, shape))
        };
        for (i, columns) in rows.par_iter().map(columns).collect::<Vec<_>>() {
            columns.into_iter().enumerate().for_each(|(column, value)| x[[i, column]] = value);
        }
    }
    (x, Ratios::of(&all, None))
}
