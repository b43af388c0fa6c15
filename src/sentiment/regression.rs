//! linfa's logistic regressions, fitted on standardised columns and kept as plain numbers. `[pure]`

use super::label::Sentiment;
use crate::error::{Error, Result};
use linfa::Dataset;
use linfa::traits::Fit;
use linfa_logistic::{LogisticRegression, MultiLogisticRegression};
use ndarray::{Array1, Array2, Axis};

/// How a regression is fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fitting {
    /// The weight of the penalty on the squared weights; the loss is a sum over the rows.
    pub penalty: f64,
    /// The most steps of the solver; it stops earlier when the gradient is flat.
    pub iterations: u32,
}

/// The mean and the spread of each column over the training rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scale {
    pub(crate) mean: Vec<f64>,
    pub(crate) spread: Vec<f64>,
}

impl Scale {
    fn of(x: &Array2<f64>) -> Self {
        let mean = x.axis_iter(Axis(1)).map(|c| c.sum() / c.len() as f64).collect::<Vec<_>>();
        let spread = x
            .axis_iter(Axis(1))
            .zip(&mean)
            .map(|(c, m)| (c.fold(0.0, |sum, v| sum + (v - m).powi(2)) / c.len() as f64).sqrt())
            // A column that never changes says nothing, and must not divide by zero.
            .map(|s| if s > 1e-9 { s } else { 1.0 })
            .collect();
        Self { mean, spread }
    }

    fn apply(&self, x: &mut Array2<f64>) {
        for ((mut column, mean), spread) in x.axis_iter_mut(Axis(1)).zip(&self.mean).zip(&self.spread) {
            column.mapv_inplace(|v| (v - mean) / spread);
        }
    }

    fn dot(&self, row: &[f64], weights: &[f64]) -> f64 {
        let scaled = row.iter().zip(&self.mean).zip(&self.spread).map(|((v, m), s)| (v - m) / s);
        scaled.zip(weights).map(|(v, w)| v * w).sum()
    }
}

/// A fitted regression between two classes: its logit is above 0 for the class in favour.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Binary {
    pub(crate) scale: Scale,
    pub(crate) weights: Vec<f64>,
    pub(crate) intercept: f64,
}

impl Binary {
    /// Fits on the rows of `x`; `favour` says which are in favour.
    pub(crate) fn fit(mut x: Array2<f64>, favour: &[bool], how: Fitting) -> Result<Self> {
        let scale = Scale::of(&x);
        scale.apply(&mut x);
        let rows = x.nrows();
        let targets = Array1::from_iter(favour.iter().map(|f| usize::from(*f)));
        let fitted = LogisticRegression::default()
            .alpha(how.penalty)
            .max_iterations(u64::from(how.iterations))
            .gradient_tolerance(tolerance(rows))
            .fit(&Dataset::new(x, targets))
            .map_err(|e| failed(rows, &e))?;
        // linfa calls the more frequent class positive, and on a tie the one it met first.
        let sign = if fitted.labels().pos.class == 1 { 1.0 } else { -1.0 };
        let weights = fitted.params().iter().map(|w| sign * w).collect();
        Ok(Self { scale, weights, intercept: sign * fitted.intercept() })
    }

    pub(crate) fn logit(&self, row: &[f64]) -> f64 {
        self.intercept + self.scale.dot(row, &self.weights)
    }
}

/// A fitted regression between the three sentiments.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Softmax {
    pub(crate) scale: Scale,
    /// The weights of each sentiment, from negative to positive.
    pub(crate) weights: [Vec<f64>; 3],
    pub(crate) intercepts: [f64; 3],
}

impl Softmax {
    /// Fits on the rows of `x`, where all three sentiments occur.
    pub(crate) fn fit(mut x: Array2<f64>, labels: &[Sentiment], how: Fitting) -> Result<Self> {
        let scale = Scale::of(&x);
        scale.apply(&mut x);
        let rows = x.nrows();
        let targets = Array1::from_iter(labels.iter().map(|l| l.index()));
        let fitted = MultiLogisticRegression::default()
            .alpha(how.penalty)
            .max_iterations(u64::from(how.iterations))
            .gradient_tolerance(tolerance(rows))
            .fit(&Dataset::new(x, targets))
            .map_err(|e| failed(rows, &e))?;
        if fitted.classes() != [0, 1, 2] {
            return Err(failed(rows, &"one of the three sentiments does not occur"));
        }
        let weights = std::array::from_fn(|class| fitted.params().column(class).to_vec());
        Ok(Self { scale, weights, intercepts: std::array::from_fn(|class| fitted.intercept()[class]) })
    }

    pub(crate) fn probabilities(&self, row: &[f64]) -> [f64; 3] {
        softmax(std::array::from_fn(|class| self.intercepts[class] + self.scale.dot(row, &self.weights[class])))
    }
}

/// Scores as probabilities that sum to 1.
pub(crate) fn softmax(scores: [f64; 3]) -> [f64; 3] {
    let most = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers = scores.map(|s| (s - most).exp());
    let sum: f64 = powers.iter().sum();
    powers.map(|p| p / sum)
}

/// The gradient is a sum over the rows, so what counts as flat grows with them.
fn tolerance(rows: usize) -> f64 {
    1e-5 * rows.max(1) as f64
}

fn failed(rows: usize, cause: &dyn std::fmt::Display) -> Error {
    Error::cannot(format!("fit the logistic regression on {rows} rows"), cause)
        .next("give more labelled rows, of every label")
        .invalid()
}
