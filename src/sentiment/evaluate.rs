//! How good a model is, measured on rows it never saw. `[pure]`

use super::label::Sentiment;
use super::model::Prediction;
use crate::display::{Report, Table};
use crate::error::{Error, Result};
use polars::prelude::df;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Which answers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Classes {
    /// Negative or positive, decided at P(positive) = 0.5; neutral rows are left out.
    Two,
    /// All three.
    Three,
}

impl Classes {
    /// 2 or 3.
    pub fn count(self) -> u32 {
        match self {
            Self::Two => 2,
            Self::Three => 3,
        }
    }
}

/// The measures of one test.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// What was tested on.
    pub name: String,
    /// Which answers counted.
    pub classes: Classes,
    /// `confusion[truth][answer]`, from negative to positive.
    pub confusion: [[u64; 3]; 3],
    /// The mean of −ln P(truth).
    pub log_loss: f64,
    /// The area under the ROC curve of P(positive) over the polar rows; 0.5 when a pole is missing.
    pub auc: f64,
    /// The mean gap between the probability of the answer and its accuracy, over ten bins.
    pub calibration_error: f64,
}

impl Evaluation {
    /// Measures answers against the truth.
    pub fn of(name: &str, answers: &[(Sentiment, Prediction)], classes: Classes) -> Self {
        let mut confusion = [[0; 3]; 3];
        let (mut loss, mut rows) = (0.0, 0.0_f64);
        let mut bins = [[0.0_f64; 3]; 10];
        let mut scores = Vec::new();
        for (truth, prediction) in answers {
            let polar = *truth != Sentiment::Neutral;
            if polar {
                scores.push((prediction.positive, *truth == Sentiment::Positive));
            }
            if classes == Classes::Two && !polar {
                continue;
            }
            let poles = [1.0 - prediction.positive, 0.0, prediction.positive];
            let (answer, p) = match classes {
                Classes::Two => (prediction.pole(), poles),
                Classes::Three => (prediction.sentiment(), prediction.probabilities),
            };
            confusion[truth.index()][answer.index()] += 1;
            rows += 1.0;
            loss -= p[truth.index()].max(1e-15).ln();
            let sure = p[answer.index()];
            let bin = &mut bins[((sure * 10.0) as usize).min(9)];
            bin[0] += 1.0;
            bin[1] += sure;
            bin[2] += f64::from(u8::from(answer == *truth));
        }
        let calibration_error = bins.iter().map(|b| (b[1] - b[2]).abs()).sum::<f64>() / rows.max(1.0);
        let log_loss = loss / rows.max(1.0);
        Self { name: name.to_owned(), classes, confusion, log_loss, auc: auc(scores), calibration_error }
    }

    /// The number of rows tested.
    pub fn rows(&self) -> u64 {
        self.confusion.iter().flatten().sum()
    }

    /// The share of right answers.
    pub fn accuracy(&self) -> f64 {
        share((0..3).map(|c| self.confusion[c][c]).sum(), self.rows())
    }

    /// The 95 % interval of the accuracy (Wilson).
    pub fn interval(&self) -> (f64, f64) {
        let (n, p, z) = (self.rows().max(1) as f64, self.accuracy(), 1.96_f64);
        let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        (middle - half, middle + half)
    }

    /// The accuracy of always answering the most frequent class.
    pub fn baseline(&self) -> f64 {
        share(self.confusion.iter().map(|row| row.iter().sum()).max().unwrap_or(0), self.rows())
    }

    /// Precision, recall and F1 of a class; 0 where they are undefined.
    pub fn scores(&self, class: Sentiment) -> [f64; 3] {
        let c = class.index();
        let right = self.confusion[c][c];
        let precision = share(right, self.confusion.iter().map(|row| row[c]).sum());
        let recall = share(right, self.confusion[c].iter().sum());
        let sum = precision + recall;
        [precision, recall, if sum > 0.0 { 2.0 * precision * recall / sum } else { 0.0 }]
    }

    /// The mean F1 of the classes that count.
    pub fn macro_f1(&self) -> f64 {
        let counted = self.counted();
        counted.iter().map(|c| self.scores(*c)[2]).sum::<f64>() / counted.len() as f64
    }

    fn counted(&self) -> Vec<Sentiment> {
        Sentiment::ALL.into_iter().filter(|c| self.classes == Classes::Three || *c != Sentiment::Neutral).collect()
    }

    /// Precision, recall and F1 of each class.
    ///
    /// # Errors
    ///
    /// Fails if polars cannot build the table.
    pub fn per_class(&self) -> Result<Table> {
        let classes = self.counted();
        let column = |i: usize| classes.iter().map(|c| round(self.scores(*c)[i])).collect::<Vec<_>>();
        let rows: Vec<u64> = classes.iter().map(|c| self.confusion[c.index()].iter().sum()).collect();
        table(df!(
            "sentiment" => names(&classes), "lignes" => rows,
            "précision" => column(0), "rappel" => column(1), "F1" => column(2),
        ))
    }

    /// The confusion matrix: a row for each true class, a column for each answer.
    ///
    /// # Errors
    ///
    /// Fails if polars cannot build the table.
    pub fn confusion_matrix(&self) -> Result<Table> {
        let classes = self.counted();
        let column = |answer: Sentiment| {
            classes.iter().map(|truth| self.confusion[truth.index()][answer.index()]).collect::<Vec<_>>()
        };
        let truth = names(&classes);
        match self.classes {
            Classes::Two => table(df!(
                "vrai" => truth,
                "prédit négatif" => column(Sentiment::Negative), "prédit positif" => column(Sentiment::Positive),
            )),
            Classes::Three => table(df!(
                "vrai" => truth, "prédit négatif" => column(Sentiment::Negative),
                "prédit neutre" => column(Sentiment::Neutral), "prédit positif" => column(Sentiment::Positive),
            )),
        }
    }

    /// The measures in a few sentences.
    pub fn report(&self) -> Report {
        Report::new(self.to_string())
    }

    /// Shows [`Evaluation::report`] in a notebook.
    pub fn evcxr_display(&self) {
        self.report().evcxr_display();
    }
}

impl fmt::Display for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.interval();
        let classes = match self.classes {
            Classes::Two => "deux classes",
            Classes::Three => "trois classes",
        };
        write!(
            f,
            "{} : {} lignes, {classes}\n\
             exactitude {:.4} (intervalle à 95 % : {low:.4} à {high:.4}) ; toujours la classe majoritaire : {:.4}\n\
             F1 macro {:.4} · AUC {:.4} · log-loss {:.4} · erreur de calibration {:.4}",
            self.name,
            self.rows(),
            self.accuracy(),
            self.baseline(),
            self.macro_f1(),
            self.auc,
            self.log_loss,
            self.calibration_error,
        )
    }
}

fn share(part: u64, of: u64) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}

fn names(classes: &[Sentiment]) -> Vec<&'static str> {
    classes.iter().map(|c| c.name()).collect()
}

pub(crate) fn round(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

pub(crate) fn table(frame: polars::prelude::PolarsResult<polars::prelude::DataFrame>) -> Result<Table> {
    frame.map(Table::new).map_err(|e| Error::cannot("build the table", e))
}

/// The chance that a positive row scores above a negative one; ties count half.
fn auc(mut scores: Vec<(f64, bool)>) -> f64 {
    scores.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut rank, mut sum, mut positives) = (0.0, 0.0, 0.0);
    for tie in scores.chunk_by(|a, b| a.0 == b.0) {
        let among = tie.iter().filter(|(_, positive)| *positive).count() as f64;
        sum += among * (rank + (tie.len() as f64 + 1.0) / 2.0);
        rank += tie.len() as f64;
        positives += among;
    }
    let negatives = rank - positives;
    if positives == 0.0 || negatives == 0.0 {
        return 0.5;
    }
    (sum - positives * (positives + 1.0) / 2.0) / (positives * negatives)
}
