//! From the labelled file to training and test rows, one step for each cell of partie4; each prints its messages.

use super::bytes::sha256;
use super::corpus::Corpus;
use super::dataset::Layout;
use super::entities::decode_entities;
use super::evaluate::{Classes, Evaluation, table};
use super::features::FEATURES;
use super::label::Sentiment;
use super::model::{Model, Prediction};
use super::regression::Fitting;
use super::shelf::{self, Source};
use super::split::Split;
use super::text::TOKENISER;
use super::vectors::Vectors;
use crate::config::Config;
use crate::display::{Report, Table, neutralise, say};
use crate::error::Result;
use polars::prelude::df;
use rayon::prelude::*;
use std::fmt;
use std::sync::Arc;

/// How partie4 learns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The share of the rows to use, 1.0 for all; the original took 0.1.
    pub sample: f64,
    /// The share of those kept for the test.
    pub test: f64,
    /// The seed of sample and split.
    pub seed: u64,
    /// The most steps of the solver; the original took 10.
    pub iterations: u32,
    /// The penalty on the squared weights.
    pub penalty: f64,
}

impl Settings {
    /// All rows, split 0.8/0.2 with the seed of `config`, up to 100 steps.
    pub fn of(config: &Config) -> Self {
        Self { sample: 1.0, test: 0.2, seed: config.seed, iterations: 100, penalty: 1.0 }
    }

    fn fitting(&self) -> Fitting {
        Fitting { penalty: self.penalty, iterations: self.iterations }
    }

    /// Shows the settings in a notebook.
    pub fn evcxr_display(&self) {
        Report::new(self.to_string()).evcxr_display();
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sample, test, seed, iterations, penalty } = self;
        write!(
            f,
            "{:.0} % des lignes, division {:.1}/{test:.1}, graine {seed}, au plus {iterations} itérations, pénalité {penalty}",
            100.0 * sample,
            1.0 - test
        )
    }
}

/// Labelled texts, and what is known about them.
#[derive(Clone)]
pub struct Training {
    /// Where they come from.
    pub source: Source,
    found: String,
    digest: String,
    corpus: Arc<Corpus>,
    rated: Option<(Arc<Corpus>, String)>,
}

/// Loads the labelled file, and says which one it is.
///
/// # Errors
///
/// Fails if there is no labelled file, or if it cannot be understood.
pub fn load_training(config: &Config) -> Result<Training> {
    say("Chargement des données étiquetées pour l'entraînement...");
    let source = shelf::source(config)?;
    let (labelled, digest) = shelf::read(source.path())?;
    let rated_file = shelf::rated_file(config);
    let rated = if labelled.layout != Layout::Rated && rated_file.is_file() {
        let (rated, digest) = shelf::read(&rated_file)?;
        Some((Arc::new(rated.corpus), digest))
    } else {
        None
    };
    let layout = match labelled.layout {
        Layout::SixColumns => "six colonnes (target, ids, date, flag, user, text)",
        Layout::TwoColumns => "deux colonnes (target, text)",
        Layout::Tab => "target TAB text",
        Layout::Rated => "id TAB note TAB text, notes de -4 à 4",
    };
    let found = format!(
        "{} lignes lues ({layout} ; {}{}), {} sans texte ou sans label",
        labelled.read,
        labelled.encoding,
        if labelled.header { ", avec en-tête" } else { "" },
        labelled.incomplete
    );
    say(format!("Nombre de lignes après suppression des valeurs nulles : {}", labelled.corpus.len()));
    Ok(Training { source, found, digest, corpus: Arc::new(labelled.corpus), rated })
}

impl Training {
    /// How many rows each label has.
    ///
    /// # Errors
    ///
    /// Fails if polars cannot build the table.
    pub fn labels(&self) -> Result<Table> {
        let counts = self.corpus.counts().map(|c| c as u64);
        table(df!(
            "target" => Sentiment::ALL.map(Sentiment::prediction),
            "sentiment" => Sentiment::ALL.map(Sentiment::name),
            "lignes" => counts,
        ))
    }

    /// The data's name for readers: the file and, for the default set, its authors.
    pub fn name(&self) -> String {
        let file = self.source.path().file_name().unwrap_or_default().to_string_lossy();
        match &self.source {
            Source::Own(_) => format!("{file} (fichier de l'utilisateur)"),
            Source::Rated(_) => format!("{file} (jeu par défaut, Hutto & Gilbert 2014, licence MIT)"),
        }
    }

    /// Which file it is and what was found in it.
    pub fn report(&self) -> Report {
        Report::new(self.to_string())
    }

    /// Shows [`Training::report`] in a notebook.
    pub fn evcxr_display(&self) {
        self.report().evcxr_display();
    }
}

impl fmt::Display for Training {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Données d'entraînement : {}\n{}", self.name(), self.found)?;
        match (&self.source, &self.rated) {
            (Source::Rated(_), _) => write!(
                f,
                "\nPetit jeu : pour mieux faire, mettre Sentiment140 (1 600 000 lignes) dans data/tweets_dataset.csv"
            ),
            (_, Some((rated, _))) => {
                write!(f, "\nClasse neutre : apprise à part, sur {} tweets notés (Hutto & Gilbert 2014)", rated.len())
            }
            (_, None) => Ok(()),
        }
    }
}

/// The labelled texts as numbers, each text once.
#[derive(Clone)]
pub struct Prepared {
    pub(super) name: String,
    digest: String,
    vectors: Arc<Vectors>,
    rated: Option<Arc<Vectors>>,
}

/// Cuts every text into tokens and turns them into numbers; texts that occur several times are kept once.
pub fn tokenise(training: &Training) -> Prepared {
    say("Tokenisation du texte...");
    say("Vectorisation du texte...");
    let rated = training.rated.as_ref();
    Prepared {
        name: training.name(),
        digest: format!("{}+{}", training.digest, rated.map_or("", |(_, digest)| digest.as_str())),
        vectors: Arc::new(Vectors::new(Arc::clone(&training.corpus))),
        rated: rated.map(|(corpus, _)| Arc::new(Vectors::new(Arc::clone(corpus)))),
    }
}

impl Prepared {
    /// Rows read, dropped and kept.
    ///
    /// # Errors
    ///
    /// Fails if polars cannot build the table.
    pub fn summary(&self) -> Result<Table> {
        let v = &self.vectors;
        let counts = v.counts();
        let rows = [
            ("lignes lues", v.corpus().len()),
            ("sans aucun mot", v.empty),
            ("copies retirées", v.duplicates),
            ("copies aux labels contradictoires", v.contradictory),
            ("lignes gardées", v.kept.len()),
            ("dont négatif", counts[0]),
            ("dont neutre", counts[1]),
            ("dont positif", counts[2]),
        ];
        table(df!("quoi" => rows.map(|r| r.0), "lignes" => rows.map(|r| r.1 as u64)))
    }
}

/// The rows to learn from and the rows to test on.
#[derive(Clone)]
pub struct Parts {
    pub(super) prepared: Prepared,
    settings: Settings,
    pub(super) split: Split,
    rated: Option<Split>,
}

/// Draws the training and the test rows.
pub fn split(prepared: &Prepared, settings: &Settings) -> Parts {
    say("Division des données en ensembles d'entraînement et de test...");
    let Settings { sample, test, seed, .. } = *settings;
    let split = Split::draw(&prepared.vectors, sample, test, seed);
    say(format!("Nombre de lignes d'entraînement : {}", split.train.len()));
    say(format!("Nombre de lignes de test : {}", split.test.len()));
    let rated = prepared.rated.as_ref().map(|rated| Split::draw(rated, 1.0, test, seed));
    Parts { prepared: prepared.clone(), settings: *settings, split, rated }
}

impl Parts {
    /// The version of the model that these parts give.
    pub fn version(&self) -> String {
        let Settings { sample, test, seed, iterations, penalty } = self.settings;
        let all =
            format!("{} {TOKENISER} {FEATURES} {sample} {test} {seed} {iterations} {penalty}", self.prepared.digest);
        format!("lr{FEATURES}-{}", &sha256(all.as_bytes())[..12])
    }

    fn rated(&self) -> Option<(&Vectors, &Split)> {
        Some((self.prepared.rated.as_deref()?, self.rated.as_ref()?))
    }

    /// A model learnt from the training rows.
    pub(super) fn model(&self) -> Result<Model> {
        Model::train(&self.prepared.vectors, &self.split, self.rated(), self.settings.fitting())
    }

    /// What a model says about every test row, beside the truth.
    pub(super) fn answers(&self, model: &Model) -> Vec<(Sentiment, Prediction)> {
        answers(model, &self.prepared.vectors, &self.split.test)
    }

    /// The main test: three classes where the data has them.
    pub(super) fn test(&self, answers: &[(Sentiment, Prediction)]) -> Evaluation {
        let classes = if self.prepared.vectors.counts()[1] > 0 { Classes::Three } else { Classes::Two };
        let file = self.prepared.name.split(" (").next().unwrap_or_default();
        Evaluation::of(&format!("Test sur {file}"), answers, classes)
    }

    /// The other view of the same model: the poles alone where the main test has three classes, the three classes on
    /// rated tweets where it has two.
    pub(super) fn second_test(&self, model: &Model, answers: &[(Sentiment, Prediction)]) -> Option<Evaluation> {
        if self.prepared.vectors.counts()[1] > 0 {
            return Some(Evaluation::of("Les mêmes lignes, sans les neutres", answers, Classes::Two));
        }
        let (rated, split) = self.rated()?;
        let answers = self::answers(model, rated, &split.test);
        Some(Evaluation::of("Test sur des tweets notés (Hutto & Gilbert 2014)", &answers, Classes::Three))
    }

    /// The first rows of the test with their texts.
    pub(super) fn test_texts(&self, rows: usize) -> Vec<String> {
        let corpus = self.prepared.vectors.corpus();
        self.split.test.iter().take(rows).map(|row| neutralise(&decode_entities(corpus.text(*row as usize)))).collect()
    }
}

fn answers(model: &Model, vectors: &Vectors, rows: &[u32]) -> Vec<(Sentiment, Prediction)> {
    rows.par_iter().map(|row| (vectors.label(*row), model.predict_row(vectors, *row))).collect()
}
