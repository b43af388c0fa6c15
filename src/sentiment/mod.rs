//! Sentiment: from labelled texts to a model, from a model to the toots.
//!
//! In reading order: `text` cuts a raw text into tokens, `dataset` reads a labelled file into a `corpus`,
//! `vectors` turns texts into numbers and drops the copies, `split` draws training and test rows, `features` and
//! `regression` learn, `model` puts them together, `evaluate` measures. All of that is pure. `shelf` reads and
//! writes files; `training`, `trained` and `scored` are the steps that partie4 calls.

mod bytes;
mod corpus;
mod dataset;
mod emoticon;
mod entities;
mod evaluate;
mod features;
mod label;
mod model;
mod pattern;
mod regression;
mod scored;
mod shelf;
mod split;
mod text;
mod trained;
mod training;
mod vectors;

pub use corpus::Corpus;
pub use dataset::{Labelled, Layout, read_labelled};
pub use entities::decode_entities;
pub(crate) use evaluate::table;
pub use evaluate::{Classes, Evaluation};
pub use label::{Sentiment, label};
pub use model::{Model, Prediction};
pub use regression::Fitting;
pub use scored::{Scored, ScoredToot, score};
pub use shelf::{Card, Source, model_file, own_file, rated_file, saved, source};
pub use split::Split;
pub use text::{NEGATED, TOKENISER, Tokens, tokens};
pub use trained::{Predictions, Trained, accuracy, check_toots, predict, retrain, train};
pub use training::{Parts, Prepared, Settings, Training, load_training, split, tokenise};
pub use vectors::{Vector, Vectors, vector};
