//! Trains and tests the sentiment model on labelled files:
//! `cargo bench --profile dev --bench sentiment -- FILE [MORE] [--rated FILE] [--repeat N]`.
//!
//! FILE is split at random; MORE is for training only; `--rated` lends the neutral class. `--repeat N` takes the rows
//! N times, each with a word of its own, to see time and memory at that size; the accuracy then means nothing.

use spar::sentiment::{
    Classes, Corpus, Evaluation, Fitting, Model, Prediction, Sentiment, Split, Vectors, read_labelled,
};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

const SEED: u64 = 42;

fn main() -> ExitCode {
    let mut files = Vec::new();
    let (mut rated, mut repeat) = (None, 1);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--bench" => {}
            "--rated" => rated = args.next(),
            "--repeat" => repeat = args.next().and_then(|n| n.parse().ok()).unwrap_or(1),
            _ => files.push(arg),
        }
    }
    if files.is_empty() {
        println!("sentiment: no labelled file given; see the first lines of benches/sentiment.rs");
        return ExitCode::SUCCESS;
    }
    match run(&files, rated.as_deref(), repeat) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("{e}");
            ExitCode::FAILURE
        }
    }
}

fn run(files: &[String], rated: Option<&str>, repeat: usize) -> spar::Result<()> {
    let mut clock = Instant::now();
    let mut corpus = Corpus::default();
    let mut of_first = 0;
    for (at, file) in files.iter().enumerate() {
        let found = read_labelled(read(file), file)?.corpus;
        for copy in 0..repeat {
            for row in 0..found.len() {
                match copy {
                    0 => corpus.push(found.label(row), found.text(row)),
                    _ => corpus.push(found.label(row), &format!("{} w{copy}r{row}", found.text(row))),
                }
            }
        }
        if at == 0 {
            of_first = corpus.len();
        }
    }
    println!("{:<12} {} rows, {:.2} s", "read", corpus.len(), lap(&mut clock));
    let vectors = Vectors::new(Arc::new(corpus));
    println!(
        "{:<12} {:.2} s; dropped: {} copies, {} contradictory, {} without a word",
        "vectorise",
        lap(&mut clock),
        vectors.duplicates,
        vectors.contradictory,
        vectors.empty
    );
    let drawn = Split::draw(&vectors, 1.0, 0.2, SEED);
    let (test, moved): (Vec<u32>, Vec<u32>) = drawn.test.into_iter().partition(|row| (*row as usize) < of_first);
    let split = Split { train: [drawn.train, moved].concat(), test };
    let rated = rated.map(|file| read_labelled(read(file), file)).transpose()?;
    let rated = rated.map(|found| Vectors::new(Arc::new(found.corpus)));
    let of_rated = rated.as_ref().map(|vectors| Split::draw(vectors, 1.0, 0.2, SEED));
    lap(&mut clock);
    let how = Fitting { penalty: 1.0, iterations: 100 };
    let model = Model::train(&vectors, &split, rated.as_ref().zip(of_rated.as_ref()), how)?;
    println!("{:<12} {} rows, {:.2} s", "train", split.train.len(), lap(&mut clock));
    let tested = answers(&model, &vectors, &split.test);
    println!("{:<12} {} rows, {:.2} s", "predict", split.test.len(), lap(&mut clock));
    println!("{:<12} {} bytes", "model", model.to_bytes().len());
    println!("{:<12} {}", "peak memory", peak_memory());
    if vectors.counts()[1] > 0 {
        println!("{}", Evaluation::of("three classes", &tested, Classes::Three));
    }
    println!("{}", Evaluation::of("two classes", &tested, Classes::Two));
    if let (Some(rated), Some(split)) = (&rated, &of_rated) {
        println!("{}", Evaluation::of("rated", &answers(&model, rated, &split.test), Classes::Three));
    }
    Ok(())
}

fn answers(model: &Model, vectors: &Vectors, rows: &[u32]) -> Vec<(Sentiment, Prediction)> {
    rows.iter().map(|row| (vectors.corpus().label(*row as usize), model.predict_row(vectors, *row))).collect()
}

fn read(file: &str) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|e| {
        eprintln!("cannot read {file}: {e}");
        std::process::exit(1)
    })
}

fn lap(clock: &mut Instant) -> f64 {
    let seconds = clock.elapsed().as_secs_f64();
    *clock = Instant::now();
    seconds
}

/// The most memory this process has held, as Linux tells it.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(|| "unknown".to_owned(), |peak| peak.trim().to_owned())
}
