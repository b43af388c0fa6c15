//! New toots with the sentiment that a model gives them; each step prints its messages.

use super::evaluate::{round, table};
use super::label::{Sentiment, label};
use super::model::Prediction;
use super::trained::Trained;
use crate::display::{Report, Table, neutralise, say};
use crate::error::Result;
use crate::postgres::scoring::{NewToot, NewToots};
use polars::prelude::df;
use rayon::prelude::*;
use std::fmt;

/// A toot with its sentiment, not yet recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredToot {
    /// The toot, in the version that was read.
    pub toot: NewToot,
    /// What the model says.
    pub prediction: Prediction,
}

/// Scored toots, not yet recorded.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The toots, by id.
    pub toots: Vec<ScoredToot>,
    /// The model that scored them.
    pub model_version: String,
}

/// Scores the toots, with the tokens and numbers that the model was trained on.
pub fn score(trained: &Trained, new: &NewToots) -> Scored {
    say("Tokenise les nouveaux toots...");
    say("Vectorise les nouveaux toots...");
    say("Prédit les sentiments sur les nouveaux toots...");
    let one = |toot: &NewToot| ScoredToot { toot: toot.clone(), prediction: trained.predict(&toot.content) };
    let toots = new.toots.par_iter().map(one).collect();
    say("Mappe les prédictions à des labels de sentiment...");
    Scored { toots, model_version: trained.card.version.clone() }
}

impl Scored {
    /// Five toots with their labels.
    ///
    /// # Errors
    ///
    /// Fails if polars cannot build the table.
    pub fn preview(&self) -> Result<Table> {
        say("Aperçu des résultats avec les labels de sentiment :");
        let shown = &self.toots[..self.toots.len().min(5)];
        let predictions: Vec<f64> = shown.iter().map(|t| t.prediction.sentiment().prediction()).collect();
        table(df!(
            "toot_id" => shown.iter().map(|t| t.toot.toot_id.as_str()).collect::<Vec<_>>(),
            "text" => shown.iter().map(|t| neutralise(&t.toot.content)).collect::<Vec<_>>(),
            "sentiment" => predictions.iter().map(|p| label(*p)).collect::<Vec<_>>(),
            "prediction" => predictions,
            "probability" => shown.iter().map(|t| round(t.prediction.probability())).collect::<Vec<_>>(),
        ))
    }

    /// How many toots each sentiment has.
    pub fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for toot in &self.toots {
            counts[toot.prediction.sentiment().index()] += 1;
        }
        counts
    }

    /// Shows the counts in a notebook.
    pub fn evcxr_display(&self) {
        Report::new(self.to_string()).evcxr_display();
    }
}

impl fmt::Display for Scored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} toots scorés", self.toots.len())?;
        for (class, count) in Sentiment::ALL.iter().zip(self.counts()) {
            write!(f, " · {} : {count}", class.name())?;
        }
        Ok(())
    }
}
