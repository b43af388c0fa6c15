//! The model: naive Bayes ratios, a regression between the two poles, and one between the three sentiments. `[pure]`

use super::features::{COLUMNS, Ratios, cross_fitted};
use super::label::Sentiment;
use super::regression::{Binary, Fitting, Softmax, softmax};
use super::split::Split;
use super::vectors::{Vector, Vectors, vector};
use crate::display::Report;
use crate::error::Result;
use ndarray::{Array2, ShapeBuilder};
use std::fmt;

/// Fewer rows of a sentiment than this teach nothing about three sentiments.
const LEAST_ROWS: usize = 50;

/// The columns of the regression between three sentiments: those of a row, its logit and the logit's size.
pub(crate) const HEAD: usize = COLUMNS + 2;

/// A text is neutral, where no neutral text could be learnt from, when P(positive) lies within 0.33 and 0.67.
const BAND: f64 = 0.67;

/// How the model tells neutral texts from the others.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Neutral {
    /// Learnt from texts that people rated as neutral.
    Learnt(Softmax),
    /// A rule of thumb: a probability near one half.
    Band,
}

/// A trained model.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(crate) ratios: Ratios,
    pub(crate) poles: Binary,
    pub(crate) neutral: Neutral,
}

/// What a model says about one text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prediction {
    /// P(negative), P(neutral), P(positive); they sum to 1.
    pub probabilities: [f64; 3],
    /// P(positive) when only the two poles are allowed.
    pub positive: f64,
}

impl Prediction {
    /// The most probable sentiment.
    pub fn sentiment(&self) -> Sentiment {
        let p = self.probabilities;
        Sentiment::ALL.into_iter().max_by(|a, b| p[a.index()].total_cmp(&p[b.index()])).unwrap_or(Sentiment::Neutral)
    }

    /// The more probable of the two poles.
    pub fn pole(&self) -> Sentiment {
        if self.positive >= 0.5 { Sentiment::Positive } else { Sentiment::Negative }
    }

    /// The probability of [`Prediction::sentiment`].
    pub fn probability(&self) -> f64 {
        self.probabilities[self.sentiment().index()]
    }

    /// Shows the prediction in a notebook.
    pub fn evcxr_display(&self) {
        Report::new(self.to_string()).evcxr_display();
    }
}

impl fmt::Display for Prediction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (", self.sentiment().name())?;
        for (class, p) in Sentiment::ALL.iter().zip(self.probabilities) {
            write!(f, "{}{} : {p:.2}", if class.index() == 0 { "" } else { " · " }, class.name())?;
        }
        f.write_str(")")
    }
}

impl Model {
    /// Learns from the training rows of `split`. Where they hold too few neutral texts, `rated` lends its own training
    /// rows, from texts that people rated; without it, neutral is a band around P(positive) = 0.5.
    ///
    /// # Errors
    ///
    /// Fails if negative or positive rows are missing, or if linfa finds no solution.
    pub fn train(vectors: &Vectors, split: &Split, rated: Option<(&Vectors, &Split)>, how: Fitting) -> Result<Self> {
        let rows = &split.train;
        let labels: Vec<Sentiment> = rows.iter().map(|row| vectors.label(*row)).collect();
        let (x, ratios) = cross_fitted(vectors, rows, |row| favour(vectors.label(row)));
        let sides: Vec<bool> = labels.iter().copied().filter_map(favour).collect();
        if sides.len() < labels.len() {
            let poles = Binary::fit(polar_rows(&x, &labels), &sides, how)?;
            let mut model = Self { ratios, poles, neutral: Neutral::Band };
            if enough(&labels) {
                model.neutral = Neutral::Learnt(Softmax::fit(model.head(&x), &labels, how)?);
                return Ok(model);
            }
            return model.borrow_neutral(rated, how);
        }
        let poles = Binary::fit(x, &sides, how)?;
        Self { ratios, poles, neutral: Neutral::Band }.borrow_neutral(rated, how)
    }

    /// Learns what is neutral from rated texts, when they are given and enough.
    fn borrow_neutral(mut self, rated: Option<(&Vectors, &Split)>, how: Fitting) -> Result<Self> {
        let Some((vectors, split)) = rated else { return Ok(self) };
        let labels: Vec<Sentiment> = split.train.iter().map(|row| vectors.label(*row)).collect();
        if !enough(&labels) {
            return Ok(self);
        }
        let mut x = Array2::zeros((labels.len(), COLUMNS).f());
        for (mut to, row) in x.rows_mut().into_iter().zip(&split.train) {
            let (buckets, shape) = vectors.row(*row as usize);
            to.iter_mut().zip(self.ratios.columns(buckets, shape)).for_each(|(to, value)| *to = value);
        }
        self.neutral = Neutral::Learnt(Softmax::fit(self.head(&x), &labels, how)?);
        Ok(self)
    }

    /// The columns of the regression between three sentiments.
    fn head(&self, x: &Array2<f64>) -> Array2<f64> {
        let mut out = Array2::zeros((x.nrows(), HEAD).f());
        for (mut to, from) in out.rows_mut().into_iter().zip(x.rows()) {
            let row: Vec<f64> = from.to_vec();
            let logit = self.poles.logit(&row);
            to.iter_mut().zip(head_columns(&row, logit)).for_each(|(to, value)| *to = value);
        }
        out
    }

    /// What the model says about a raw text.
    pub fn predict(&self, text: &str) -> Prediction {
        let Vector { buckets, shape, .. } = vector(text);
        self.of_columns(&self.ratios.columns(&buckets, &shape))
    }

    /// What the model says about a row.
    pub fn predict_row(&self, vectors: &Vectors, row: u32) -> Prediction {
        let (buckets, shape) = vectors.row(row as usize);
        self.of_columns(&self.ratios.columns(buckets, shape))
    }

    fn of_columns(&self, row: &[f64; COLUMNS]) -> Prediction {
        let logit = self.poles.logit(row);
        let probabilities = match &self.neutral {
            Neutral::Learnt(head) => head.probabilities(&head_columns(row, logit).collect::<Vec<_>>()),
            // Neutral wins exactly inside the band, and the two poles keep their odds.
            Neutral::Band => softmax([-logit / 2.0, (BAND / (1.0 - BAND)).ln() / 2.0, logit / 2.0]),
        };
        Prediction { probabilities, positive: 1.0 / (1.0 + (-logit).exp()) }
    }
}

fn head_columns(row: &[f64], logit: f64) -> impl Iterator<Item = f64> {
    row.iter().copied().chain([logit, logit.abs()])
}

fn favour(label: Sentiment) -> Option<bool> {
    match label {
        Sentiment::Negative => Some(false),
        Sentiment::Neutral => None,
        Sentiment::Positive => Some(true),
    }
}

/// True when each sentiment has rows enough to be learnt.
fn enough(labels: &[Sentiment]) -> bool {
    Sentiment::ALL.iter().all(|s| labels.iter().filter(|l| *l == s).count() >= LEAST_ROWS)
}

/// The rows of the two poles; the neutral ones are left out.
fn polar_rows(x: &Array2<f64>, labels: &[Sentiment]) -> Array2<f64> {
    let polar: Vec<usize> = (0..labels.len()).filter(|i| favour(labels[*i]).is_some()).collect();
    let mut out = Array2::zeros((polar.len(), x.ncols()).f());
    for (mut to, from) in out.columns_mut().into_iter().zip(x.columns()) {
        to.iter_mut().zip(&polar).for_each(|(to, row)| *to = from[*row]);
    }
    out
}
