use proptest::prelude::*;
use spar::Config;
use spar::sentiment::{
    self, Classes, Corpus, Evaluation, Fitting, Model, Prediction, Sentiment, Settings, Split, Vectors, label,
};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

const HOW: Fitting = Fitting { penalty: 1.0, iterations: 100 };

const GLAD: [&str; 6] = ["wonderful", "love", "great", "happy", "brilliant", "thanks"];
const SAD: [&str; 6] = ["awful", "hate", "broken", "sad", "terrible", "sorry"];
const FLAT: [&str; 6] = ["release", "version", "schedule", "table", "agenda", "list"];
const FILL: [&str; 9] = ["the", "train", "model", "today", "with", "my", "phone", "some", "music"];

/// A sentence whose sentiment lies in two of its words; `i` makes it unlike the others.
fn sentence(class: Sentiment, i: usize) -> String {
    let words = match class {
        Sentiment::Negative => SAD,
        Sentiment::Neutral => FLAT,
        Sentiment::Positive => GLAD,
    };
    let fill = |n: usize| FILL[(i / 9_usize.pow(n as u32)) % 9];
    format!("{} {} {} {} {} {}", fill(0), words[i % 6], fill(1), words[(i / 6) % 6], fill(2), fill(3))
}

fn corpus(rows: [usize; 3]) -> Corpus {
    let mut corpus = Corpus::default();
    for class in Sentiment::ALL {
        (0..rows[class as usize]).for_each(|i| corpus.push(class, &sentence(class, i)));
    }
    corpus
}

fn vectors(rows: [usize; 3]) -> Vectors {
    Vectors::new(Arc::new(corpus(rows)))
}

fn trained(rows: [usize; 3]) -> Model {
    let vectors = vectors(rows);
    Model::train(&vectors, &Split::draw(&vectors, 1.0, 0.2, 42), None, HOW).unwrap()
}

#[test]
fn a_separable_corpus_is_learnt() {
    let vectors = vectors([400, 400, 400]);
    let split = Split::draw(&vectors, 1.0, 0.2, 42);
    let model = Model::train(&vectors, &split, None, HOW).unwrap();
    let right = split.test.iter().filter(|row| {
        let said = model.predict(vectors.corpus().text(**row as usize)).sentiment();
        said == vectors.corpus().label(**row as usize)
    });
    assert!(right.count() as f64 >= 0.95 * split.test.len() as f64);
}

#[test]
fn the_more_frequent_label_never_turns_the_answers_around() {
    for rows in [[600, 0, 200], [200, 0, 600], [400, 0, 400]] {
        let model = trained(rows);
        assert!(model.predict("the love today wonderful with my").positive > 0.8, "{rows:?}");
        assert!(model.predict("the hate today awful with my").positive < 0.2, "{rows:?}");
    }
    // On a tie linfa's positive class is the first that it meets: both orders are tried.
    for glad_first in [true, false] {
        let mut corpus = Corpus::default();
        for i in 0..300 {
            let both = [Sentiment::Positive, Sentiment::Negative];
            let both = if glad_first { both } else { [both[1], both[0]] };
            both.iter().for_each(|class| corpus.push(*class, &sentence(*class, i)));
        }
        let vectors = Vectors::new(Arc::new(corpus));
        let rows: Vec<u32> = (0..600).collect();
        let model = Model::train(&vectors, &Split { train: rows, test: vec![] }, None, HOW).unwrap();
        assert!(model.predict("the love today wonderful with my").positive > 0.8, "{glad_first}");
        assert!(model.predict("the hate today awful with my").positive < 0.2, "{glad_first}");
    }
}

#[test]
fn copies_are_dropped_before_the_split() {
    let mut all = corpus([200, 0, 200]);
    for i in 0..200 {
        all.push(Sentiment::Negative, &format!("@user{i} {}!!!", sentence(Sentiment::Negative, i).to_uppercase()));
        all.push(Sentiment::Negative, &format!("@other {} !!", sentence(Sentiment::Negative, i)));
        all.push(Sentiment::Positive, "the same words for all");
    }
    all.push(Sentiment::Negative, "one each way");
    all.push(Sentiment::Positive, "One each way");
    all.push(Sentiment::Positive, "&nbsp;");
    let vectors = Vectors::new(Arc::new(all));
    assert_eq!((vectors.duplicates, vectors.contradictory, vectors.empty), (399, 2, 1));
    assert_eq!(vectors.counts(), [400, 0, 201]);
    let split = Split::draw(&vectors, 1.0, 0.2, 7);
    assert_eq!(split.test.len(), 120);
    let tokens = |row: &u32| sentiment::tokens(vectors.corpus().text(*row as usize)).to_string();
    let train: BTreeSet<_> = split.train.iter().map(tokens).collect();
    let test: BTreeSet<_> = split.test.iter().map(tokens).collect();
    assert_eq!(train.len() + test.len(), 601);
    assert!(train.is_disjoint(&test));
}

#[test]
fn the_label_that_most_copies_have_is_kept() {
    let mut all = Corpus::default();
    for label in [Sentiment::Negative, Sentiment::Positive, Sentiment::Positive] {
        all.push(label, "good night");
    }
    let vectors = Vectors::new(Arc::new(all));
    assert_eq!(vectors.counts(), [0, 0, 1]);
}

#[test]
fn the_test_part_teaches_nothing() {
    let plain = corpus([300, 300, 300]);
    let vectors = Vectors::new(Arc::new(plain.clone()));
    let split = Split::draw(&vectors, 1.0, 0.2, 42);
    let tested: BTreeSet<_> = split.test.iter().copied().collect();
    let mut lied = Corpus::default();
    for row in 0..plain.len() {
        let truth = plain.label(row);
        let label = if tested.contains(&(row as u32)) { Sentiment::ALL[2 - truth as usize] } else { truth };
        lied.push(label, plain.text(row));
    }
    let lied = Vectors::new(Arc::new(lied));
    assert_eq!(Split::draw(&lied, 1.0, 0.2, 42), split);
    let model = Model::train(&vectors, &split, None, HOW).unwrap();
    assert!(model.to_bytes() == Model::train(&lied, &split, None, HOW).unwrap().to_bytes());
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_threads_and_in_any_order_of_the_file() {
    let forward = corpus([300, 100, 300]);
    let mut backward = Corpus::default();
    (0..forward.len()).rev().for_each(|row| backward.push(forward.label(row), forward.text(row)));
    let bytes = |corpus: &Corpus, threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let vectors = Vectors::new(Arc::new(corpus.clone()));
            Model::train(&vectors, &Split::draw(&vectors, 1.0, 0.2, seed), None, HOW).unwrap().to_bytes()
        })
    };
    let first = bytes(&forward, 1, 42);
    assert!(first == bytes(&forward, 3, 42));
    assert!(first == bytes(&backward, 2, 42));
    assert!(first != bytes(&forward, 1, 43));
}

#[test]
fn a_model_comes_back_from_its_bytes_whole() {
    for rows in [[300, 0, 300], [200, 200, 200]] {
        let model = trained(rows);
        let again = Model::from_bytes(&model.to_bytes()).unwrap();
        assert!(again == model);
        assert_eq!(again.predict("a great day").probabilities, model.predict("a great day").probabilities);
    }
}

#[test]
fn damaged_bytes_are_refused() {
    let bytes = trained([100, 0, 100]).to_bytes();
    for damaged in [&[][..], b"{}\n", &bytes[..bytes.len() - 1], &bytes[1..], &[&bytes[..], b"x"].concat()] {
        assert!(Model::from_bytes(damaged).is_err());
    }
    for at in (0..bytes.len()).step_by(bytes.len() / 50 + 1) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        assert!(Model::from_bytes(&damaged).is_err(), "byte {at}");
    }
}

#[test]
fn neutral_is_reached_with_and_without_neutral_texts_to_learn_from() {
    let learnt = trained([300, 300, 300]);
    assert_eq!(learnt.predict("the agenda and the release schedule").sentiment(), Sentiment::Neutral);
    let band = trained([300, 0, 300]);
    for text in ["love wonderful great", "hate awful broken", "the train today", "love and hate", "xyzzy"] {
        let said = band.predict(text);
        assert_eq!(said.sentiment() == Sentiment::Neutral, (0.33..=0.67).contains(&said.positive), "{said:?}");
    }
    assert_eq!(band.predict("the train today").sentiment(), Sentiment::Neutral);
}

#[test]
fn rated_texts_lend_their_neutral_class() {
    let (polar, rated) = (vectors([400, 0, 400]), vectors([150, 150, 150]));
    let split = Split::draw(&polar, 1.0, 0.2, 42);
    let of_rated = Split::draw(&rated, 1.0, 0.2, 42);
    let model = Model::train(&polar, &split, Some((&rated, &of_rated)), HOW).unwrap();
    assert_eq!(model.predict("the release today table with my").sentiment(), Sentiment::Neutral);
    assert_eq!(model.predict("the love today wonderful with my").sentiment(), Sentiment::Positive);
}

#[test]
fn a_row_alone_is_scored_as_within_the_corpus() {
    let vectors = vectors([200, 200, 200]);
    let model = Model::train(&vectors, &Split::draw(&vectors, 1.0, 0.2, 42), None, HOW).unwrap();
    for row in (0..600).step_by(37) {
        assert_eq!(model.predict_row(&vectors, row), model.predict(vectors.corpus().text(row as usize)));
    }
}

#[test]
fn a_missing_pole_is_refused() {
    let vectors = vectors([100, 100, 0]);
    let error = Model::train(&vectors, &Split::draw(&vectors, 1.0, 0.2, 42), None, HOW).unwrap_err();
    assert!(error.is_invalid(), "{error}");
}

#[test]
fn every_prediction_has_its_label() {
    let labels = [0.0, 2.0, 4.0, 1.0, -1.0, f64::NAN, f64::INFINITY].map(label);
    assert_eq!(labels, ["négatif", "neutre", "positif", "inconnu", "inconnu", "inconnu", "inconnu"]);
    assert_eq!(Sentiment::ALL.map(Sentiment::prediction), [0.0, 2.0, 4.0]);
    assert_eq!(Sentiment::ALL.map(Sentiment::name), ["négatif", "neutre", "positif"]);
}

fn said(positive: f64) -> Prediction {
    Prediction { probabilities: [1.0 - positive, 0.0, positive], positive }
}

#[test]
fn the_measures_are_those_of_the_textbook() {
    use Sentiment::{Negative, Positive};
    let answers = [
        (Positive, said(0.9)),
        (Positive, said(0.4)),
        (Negative, said(0.2)),
        (Negative, said(0.6)),
        (Negative, said(0.1)),
    ];
    let e = Evaluation::of("test", &answers, Classes::Two);
    assert_eq!(e.confusion, [[2, 0, 1], [0, 0, 0], [1, 0, 1]]);
    assert_eq!((e.rows(), e.accuracy(), e.baseline()), (5, 0.6, 0.6));
    assert_eq!(e.scores(Positive), [0.5, 0.5, 0.5]);
    // Of the six pairs of a positive and a negative row, five are in order.
    assert!((e.auc - 5.0 / 6.0).abs() < 1e-12);
    let loss = -(0.9_f64.ln() + 0.4_f64.ln() + 0.8_f64.ln() + 0.4_f64.ln() + 0.9_f64.ln()) / 5.0;
    assert!((e.log_loss - loss).abs() < 1e-12);
    let (low, high) = e.interval();
    assert!((low - 0.2307).abs() < 1e-3 && (high - 0.8824).abs() < 1e-3);
    assert_eq!(e.per_class().unwrap().height(), 2);
    assert_eq!(e.confusion_matrix().unwrap().height(), 2);
    let none = Evaluation::of("nothing", &[], Classes::Three);
    assert_eq!((none.rows(), none.accuracy(), none.auc), (0, 0.0, 0.5));
}

/// A project folder with a labelled file in it.
fn project(home: &Path, file: &str, rows: [usize; 3]) -> Config {
    let corpus = corpus(rows);
    let target = |row: usize| corpus.label(row).prediction() as u8;
    let text: String = match file.ends_with(".csv") {
        true => (0..corpus.len())
            .map(|r| format!("\"{}\",\"1\",\"d\",\"q\",\"u\",\"{}\"\n", target(r), corpus.text(r)))
            .collect(),
        false => {
            (0..corpus.len()).map(|r| format!("{r}\t{}\t{}\r\n", f64::from(target(r)) - 2.0, corpus.text(r))).collect()
        }
    };
    std::fs::create_dir_all(home.join(file).parent().unwrap()).unwrap();
    std::fs::write(home.join(file), text).unwrap();
    Config::from_settings(home, |_| None).unwrap()
}

const OWN: &str = "data/tweets_dataset.csv";
const RATED: &str = ".spar/tools/training/tweets_GroundTruth.txt";

fn train(config: &Config, settings: &Settings) -> sentiment::Trained {
    let prepared = sentiment::tokenise(&sentiment::load_training(config).unwrap());
    let parts = sentiment::split(&prepared, settings);
    sentiment::train(config, &parts).unwrap()
}

#[test]
fn a_second_run_reloads_the_model_until_data_or_settings_change() {
    let home = tempfile::tempdir().unwrap();
    let config = project(home.path(), OWN, [200, 0, 200]);
    let settings = Settings::of(&config);
    let first = train(&config, &settings);
    let again = train(&config, &settings);
    assert_eq!(first.card, again.card);
    assert_eq!(first.predict("a great day"), again.predict("a great day"));
    let seeded = train(&config, &Settings { seed: 7, ..settings });
    assert_ne!(seeded.card.version, first.card.version);
    project(home.path(), OWN, [210, 0, 200]);
    assert_ne!(train(&config, &settings).card.version, first.card.version);
    // A damaged file is no reason to stop: the model is trained again.
    std::fs::write(sentiment::model_file(&config), "nonsense").unwrap();
    assert!(sentiment::saved(&config).is_err());
    assert_eq!(train(&config, &settings).card.rows, 328);
}

#[test]
fn the_users_file_comes_before_the_default_set_and_both_are_named() {
    let home = tempfile::tempdir().unwrap();
    let config = project(home.path(), RATED, [100, 100, 100]);
    let training = sentiment::load_training(&config).unwrap();
    assert!(training.to_string().contains("Hutto & Gilbert 2014"), "{training}");
    assert_eq!(training.labels().unwrap().height(), 3);
    let model = train(&config, &Settings::of(&config));
    assert_eq!(model.predict("the agenda and the release schedule").sentiment(), Sentiment::Neutral);
    assert_eq!(model.card.evaluations.iter().map(|e| e.classes).collect::<Vec<_>>(), [Classes::Three, Classes::Two]);
    assert_eq!(sentiment::check_toots(&model).rows(), 36);
    project(home.path(), OWN, [150, 0, 150]);
    let training = sentiment::load_training(&config).unwrap();
    assert!(training.to_string().contains("tweets_dataset.csv"), "{training}");
    let model = train(&config, &Settings::of(&config));
    assert_eq!(model.card.evaluations.iter().map(|e| e.classes).collect::<Vec<_>>(), [Classes::Two, Classes::Three]);
    assert_eq!(model.predict("the agenda and the release schedule").sentiment(), Sentiment::Neutral);
}

#[test]
fn without_a_labelled_file_both_places_are_named() {
    let home = tempfile::tempdir().unwrap();
    let config = Config::from_settings(home.path(), |_| None).unwrap();
    let told = sentiment::load_training(&config).err().expect("there is no file").to_string();
    assert!(told.contains(OWN) && told.contains(RATED) && told.contains("Sentiment140"), "{told}");
    let named = Config::from_settings(home.path(), |k| (k == "SPAR_TRAINING_FILE").then(|| "mine.csv".into())).unwrap();
    let told = sentiment::load_training(&named).err().expect("there is no file").to_string();
    assert!(told.contains("mine.csv") && told.contains("SPAR_TRAINING_FILE"), "{told}");
}

#[test]
fn a_sample_and_the_steps_of_the_solver_are_settings() {
    let vectors = vectors([500, 0, 500]);
    let all = Split::draw(&vectors, 1.0, 0.2, 42);
    let tenth = Split::draw(&vectors, 0.1, 0.2, 42);
    assert_eq!((all.train.len(), all.test.len()), (800, 200));
    assert_eq!((tenth.train.len(), tenth.test.len()), (80, 20));
    let few = Model::train(&vectors, &all, None, Fitting { penalty: 1.0, iterations: 1 }).unwrap();
    let many = Model::train(&vectors, &all, None, HOW).unwrap();
    assert!(few.to_bytes() != many.to_bytes());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_three_probabilities_of_any_text_sum_to_one(text in "\\PC{0,120}", neutral in any::<bool>()) {
        thread_local!(static MODELS: [Model; 2] = [trained([150, 0, 150]), trained([150, 150, 150])]);
        let said = MODELS.with(|models| models[usize::from(neutral)].predict(&text));
        prop_assert!((said.probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        prop_assert!(said.probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
        prop_assert_eq!(said.probability(), said.probabilities.iter().copied().fold(0.0, f64::max));
    }

    #[test]
    fn no_row_is_lost_or_in_both_parts(seed in any::<u64>(), test in 0.0..1.0) {
        thread_local!(static VECTORS: Vectors = vectors([60, 60, 60]));
        VECTORS.with(|vectors| {
            let split = Split::draw(vectors, 1.0, test, seed);
            let mut rows: Vec<u32> = split.train.iter().chain(&split.test).copied().collect();
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..180).collect::<Vec<u32>>());
            Ok(())
        })?;
    }
}
