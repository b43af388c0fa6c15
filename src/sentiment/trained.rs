//! The trained model, saved and reloaded, and its tests; each step prints its messages.

use super::evaluate::{Classes, Evaluation, round, table};
use super::label::Sentiment;
use super::model::{Model, Neutral, Prediction};
use super::shelf::{self, Card};
use super::training::Parts;
use crate::config::Config;
use crate::display::{Report, Table, say};
use crate::error::Result;
use crate::timestamp::Timestamp;
use polars::prelude::df;
use std::fmt;
use std::sync::Arc;

/// A trained model with its version, date and measures.
#[derive(Clone)]
pub struct Trained {
    /// What is known about it.
    pub card: Card,
    pub(crate) model: Arc<Model>,
}

/// Trains, or takes the saved model when data, settings and code are the same.
///
/// # Errors
///
/// Fails if a label is missing, or if the model cannot be saved.
pub fn train(config: &Config, parts: &Parts) -> Result<Trained> {
    match shelf::saved(config) {
        Ok(Some((card, model))) if card.version == parts.version() => {
            say(format!(
                "Modèle de régression logistique rechargé : {}, entraîné le {}.",
                card.version, card.trained_at
            ));
            return Ok(Trained { card, model: Arc::new(model) });
        }
        Ok(_) => {}
        Err(e) => say(format!("Modèle enregistré illisible, nouvel entraînement : {e}")),
    }
    retrain(config, parts)
}

/// Trains whatever is saved, and saves the result.
///
/// # Errors
///
/// Fails if a label is missing, or if the model cannot be saved.
pub fn retrain(config: &Config, parts: &Parts) -> Result<Trained> {
    say("Entraînement du modèle de régression logistique...");
    let model = parts.model()?;
    let answers = parts.answers(&model);
    let card = Card {
        version: parts.version(),
        trained_at: Timestamp::now().to_string(),
        trained_on: parts.prepared.name.clone(),
        rows: parts.split.train.len(),
        evaluations: [Some(parts.test(&answers)), parts.second_test(&model, &answers)].into_iter().flatten().collect(),
    };
    shelf::save(config, &card, &model)?;
    say("Modèle de régression logistique entraîné.");
    Ok(Trained { card, model: Arc::new(model) })
}

impl Trained {
    /// What the model says about a raw text.
    pub fn predict(&self, text: &str) -> Prediction {
        self.model.predict(text)
    }

    /// How the model tells neutral texts.
    pub fn neutral(&self) -> &'static str {
        match self.model.neutral {
            Neutral::Learnt(_) => "apprise sur des tweets notés neutres",
            Neutral::Band => "règle empirique : P(positif) entre 0,33 et 0,67",
        }
    }

    /// Every measure that was taken when it was trained, a column for each test.
    ///
    /// # Errors
    ///
    /// Fails if polars cannot build the table.
    pub fn measures(&self) -> Result<Table> {
        let all = &self.card.evaluations;
        let column = |value: fn(&Evaluation) -> f64| all.iter().map(|e| round(value(e))).collect::<Vec<_>>();
        table(df!(
            "test" => all.iter().map(|e| e.name.as_str()).collect::<Vec<_>>(),
            "classes" => all.iter().map(|e| e.classes.count()).collect::<Vec<_>>(),
            "lignes" => all.iter().map(Evaluation::rows).collect::<Vec<_>>(),
            "exactitude" => column(Evaluation::accuracy),
            "majorité" => column(Evaluation::baseline),
            "F1 macro" => column(Evaluation::macro_f1),
            "AUC" => column(|e| e.auc),
            "log-loss" => column(|e| e.log_loss),
            "calibration" => column(|e| e.calibration_error),
        ))
    }

    /// The model beside the published figures of others, each on its own data.
    ///
    /// # Errors
    ///
    /// Fails if polars cannot build the table.
    pub fn comparison(&self) -> Result<Table> {
        let ours = self.card.evaluations.iter().find(|e| e.classes == Classes::Two);
        let (accuracy, rows) = ours.map_or((f64::NAN, 0), |e| (round(e.accuracy()), e.rows()));
        table(df!(
            "modèle" => ["celui-ci, deux classes", "l'original", "autre projet", "autre projet", "autre projet"],
            "exactitude" => [accuracy, 0.7133, 0.759, 0.766, 0.789],
            "lignes d'entraînement" => [Some(self.card.rows as u64), Some(128_069), None, None, Some(1_280_209)],
            "lignes de test" => [Some(rows), Some(31_671), None, None, None],
            "données" => [self.card.trained_on.as_str(), "Sentiment140, 10 %", "Sentiment140", "Sentiment140", "Sentiment140"],
        ))
    }

    /// Which model it is.
    pub fn report(&self) -> Report {
        Report::new(self.to_string())
    }

    /// Shows [`Trained::report`] in a notebook.
    pub fn evcxr_display(&self) {
        self.report().evcxr_display();
    }
}

impl fmt::Display for Trained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Card { version, trained_at, trained_on, rows, .. } = &self.card;
        write!(
            f,
            "Modèle {version}, entraîné le {trained_at} sur {rows} lignes de {trained_on}\nClasse neutre : {}",
            self.neutral()
        )
    }
}

/// What a model says about the test rows.
#[derive(Clone)]
pub struct Predictions {
    parts: Parts,
    answers: Vec<(Sentiment, Prediction)>,
}

/// Predicts the test rows.
pub fn predict(trained: &Trained, parts: &Parts) -> Predictions {
    say("Prédiction sur les données de test...");
    Predictions { parts: parts.clone(), answers: parts.answers(&trained.model) }
}

impl Predictions {
    /// Five test rows with what the model says about them.
    ///
    /// # Errors
    ///
    /// Fails if polars cannot build the table.
    pub fn preview(&self) -> Result<Table> {
        say("Aperçu des prédictions :");
        let texts = self.parts.test_texts(5);
        let shown = &self.answers[..texts.len()];
        let p = |class: usize| shown.iter().map(|(_, p)| round(p.probabilities[class])).collect::<Vec<_>>();
        table(df!(
            "text" => texts,
            "target" => shown.iter().map(|(truth, _)| truth.prediction()).collect::<Vec<_>>(),
            "prediction" => shown.iter().map(|(_, p)| p.sentiment().prediction()).collect::<Vec<_>>(),
            "p_negative" => p(0), "p_neutral" => p(1), "p_positive" => p(2),
        ))
    }
}

/// The main test of the model, and its accuracy.
pub fn accuracy(predictions: &Predictions) -> Evaluation {
    say("Évaluation de la précision du modèle...");
    let evaluation = predictions.parts.test(&predictions.answers);
    say(format!("Précision du modèle : {}", evaluation.accuracy()));
    evaluation
}

/// Labelled by hand, in the manner of toots; written for this project, so nobody's words.
const TOOTS: &str = include_str!("toots.tsv");

/// A check on text that looks like toots: three dozen invented ones, labelled by hand, used for nothing else.
pub fn check_toots(trained: &Trained) -> Evaluation {
    let answers: Vec<_> = TOOTS
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(label, text)| Some((Sentiment::from_target(label)?, trained.predict(text))))
        .collect();
    Evaluation::of("Toots écrits pour ce projet et étiquetés à la main", &answers, Classes::Three)
}
