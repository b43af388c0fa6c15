//! One question timed three ways, honestly: warm-up, several runs, median and spread, the same answer each time.

use super::history::APPLICATION;
use super::local::Local;
use super::{Engine, Question, Scope};
use crate::config::Config;
use crate::display::{Report, Table, grouped, say, show};
use crate::error::{Error, Result};
use crate::postgres::snapshot::Snapshot;
use polars::prelude::{Column, DataFrame, DataType, IdxCa, IntoLazy, NewChunkedArray, SortMultipleOptions, col};
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::time::{Duration, Instant};

/// Runs measured, after one that warms caches up.
const RUNS: usize = 5;

/// Fewer runs when they take longer than this in all.
const BUDGET: Duration = Duration::from_secs(25);
const FEWEST_RUNS: usize = 3;

/// The partitions of the contract.
const PARTITIONS: usize = 8;

/// Toots are repeated until there are so many rows: on a few thousand, noise is all that is measured.
const ENOUGH: usize = 200_000;

/// The question that is timed, beside the count of toots.
const QUESTION: Question = Question::HashtagsPerDay(Scope::All);

/// The ways, with the words of their printed lines.
const WAYS: [(&str, &str, &str); 3] = [
    ("sans optimisation", "Nombre total de toots : ", "Temps sans optimisation : "),
    ("repartition", "Nombre total de toots (après repartition): ", "Temps avec repartition : "),
    ("cache", "Nombre total de toots (après cache): ", "Temps avec cache : "),
];

/// Measured times and what they say.
pub struct Benchmark {
    table: Table,
    conclusion: Report,
}

/// Seconds of one run.
#[derive(Clone, Copy)]
struct Run {
    /// Reading PostgreSQL, when that is part of each question.
    read: f64,
    /// Splitting into partitions, or filling the cache.
    prepare: f64,
    /// Answering.
    question: f64,
}

/// The runs of one way; the split is paid by each question, the cache by the first one only.
struct Measure {
    runs: Vec<Run>,
    once: bool,
}

impl Measure {
    fn median(&self, part: impl Fn(&Run) -> f64) -> f64 {
        let mut values: Vec<f64> = self.runs.iter().map(part).collect();
        values.sort_by(f64::total_cmp);
        let half = values.len() / 2;
        if values.len() % 2 == 1 { values[half] } else { (values[half - 1] + values[half]) / 2.0 }
    }

    /// What one more question costs.
    fn total(&self, run: &Run) -> f64 {
        run.read + run.question + if self.once { 0.0 } else { run.prepare }
    }

    fn totals(&self) -> (f64, f64, f64) {
        let all = || self.runs.iter().map(|r| self.total(r));
        (self.median(|r| self.total(r)), all().fold(f64::INFINITY, f64::min), all().fold(0.0, f64::max))
    }
}

/// What every way must find.
#[derive(PartialEq)]
struct Answer {
    toots: usize,
    rows: DataFrame,
}

pub(super) fn run(config: &Config) -> Result<Benchmark> {
    let snapshot = Snapshot::open(config, APPLICATION)?;
    let toots = count(&snapshot)?;
    let copies = if toots == 0 { 1 } else { ENOUGH.div_ceil(toots) };
    let source =
        format!("SELECT toot_id, \"timestamp\", hashtags FROM all_toots CROSS JOIN generate_series(1, {copies})");
    let mut measures = [false, false, true].map(|once| Measure { runs: Vec::new(), once });
    let begun = Instant::now();
    let mut reference: Option<Answer> = None;
    for round in 0..=RUNS {
        let late = begun.elapsed() > BUDGET;
        if late && round > FEWEST_RUNS || begun.elapsed() > 3 * BUDGET && round > 1 {
            break;
        }
        // The ways take turns, so that a slow moment of the machine hits all of them.
        for (way, measure) in measures.iter_mut().enumerate() {
            let (run, answer) = once(&snapshot, &source, way)?;
            match &reference {
                None => reference = Some(answer),
                Some(first) if *first == answer => {}
                Some(_) => return Err(Error::cannot("compare the three ways", "they do not give the same answer")),
            }
            // Round 0 warms up: the server's pages, the threads, the allocator.
            if round > 0 {
                measure.runs.push(run);
            }
        }
    }
    for ((_, counted, timed), measure) in WAYS.iter().zip(&measures) {
        say(format!("{counted}{toots}"));
        say(format!("{timed}{:.3} secondes", measure.totals().0));
    }
    let rows = toots * copies;
    Ok(Benchmark { table: table(&measures, rows)?, conclusion: Report::new(conclusion(&measures, toots, copies)) })
}

fn once(snapshot: &Snapshot, source: &str, way: usize) -> Result<(Run, Answer)> {
    let start = Instant::now();
    let data = snapshot.read(source)?;
    let read = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let parts = if way == 1 { split(data.frame())? } else { Vec::new() };
    let prepare = if way == 1 { start.elapsed().as_secs_f64() } else { 0.0 };
    let start = Instant::now();
    let answer = if way == 1 { in_parallel(&parts)? } else { work(data.frame())? };
    let question = start.elapsed().as_secs_f64();
    let run = match way {
        2 => Run { read: 0.0, prepare: read, question },
        _ => Run { read, prepare, question },
    };
    Ok((run, answer))
}

/// Counts the toots and answers the question over rows where toots may be repeated.
fn work(rows: &DataFrame) -> Result<Answer> {
    let failed = |e| Error::cannot("count the toots", e);
    let toots = rows.column("toot_id").and_then(|c| c.as_materialized_series().n_unique()).map_err(failed)?;
    let answer = Local::new(&Table::new(rows.clone())).answer(QUESTION)?;
    Ok(Answer { toots, rows: answer.frame().clone() })
}

/// The rows in eight parts, all rows of a toot in one of them.
fn split(rows: &DataFrame) -> Result<Vec<DataFrame>> {
    let failed = |e| Error::cannot("split the toots", e);
    let ids = rows.column("toot_id").and_then(|c| c.str().cloned()).map_err(failed)?;
    let hasher = BuildHasherDefault::<DefaultHasher>::default();
    let mut places: Vec<Vec<u32>> = vec![Vec::new(); PARTITIONS];
    for (row, id) in ids.iter().enumerate() {
        places[hasher.hash_one(id) as usize % PARTITIONS].push(row as u32);
    }
    places.iter().map(|rows_of| rows.take(&IdxCa::from_slice("rows".into(), rows_of)).map_err(failed)).collect()
}

/// Each part on a thread of its own, then the parts' answers added up.
fn in_parallel(parts: &[DataFrame]) -> Result<Answer> {
    let answers: Vec<Result<Answer>> = std::thread::scope(|scope| {
        let threads: Vec<_> = parts.iter().map(|part| scope.spawn(|| work(part))).collect();
        let panicked = |_| Err(Error::cannot("answer in parallel", "a thread panicked"));
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(panicked)).collect()
    });
    let failed = |e| Error::cannot("join the partitions", e);
    let (mut toots, mut rows) = (0, DataFrame::empty());
    for answer in answers {
        let answer = answer?;
        toots += answer.toots;
        rows = if rows.width() == 0 { answer.rows } else { rows.vstack(&answer.rows).map_err(failed)? };
    }
    let order = SortMultipleOptions::default().with_order_descending_multi([true, false, false]);
    let rows = rows
        .lazy()
        .group_by([col("date"), col("hashtag")])
        .agg([col("total_toots").sum().cast(DataType::Int64)])
        .sort_by_exprs([col("total_toots"), col("date"), col("hashtag")], order)
        .collect()
        .map_err(failed)?;
    Ok(Answer { toots, rows })
}

fn count(snapshot: &Snapshot) -> Result<usize> {
    let counted = snapshot.read("SELECT count(*) AS toots FROM all_toots")?;
    let column =
        counted.frame().column("toots").and_then(|c| c.get(0)).map_err(|e| Error::cannot("count the toots", e))?;
    Ok(column.extract::<usize>().unwrap_or(0))
}

fn table(measures: &[Measure; 3], rows: usize) -> Result<Table> {
    let all = |value: &dyn Fn(&Measure) -> f64| -> Vec<f64> {
        measures.iter().map(|m| (value(m) * 1e6).round() / 1e6).collect()
    };
    let columns = vec![
        Column::new("variant".into(), WAYS.map(|(name, ..)| name)),
        Column::new("rows".into(), vec![rows as i64; WAYS.len()]),
        Column::new("runs".into(), measures.iter().map(|m| m.runs.len() as i64).collect::<Vec<_>>()),
        Column::new("prepare_s".into(), all(&|m| m.median(|r| r.prepare))),
        Column::new("read_s".into(), all(&|m| m.median(|r| r.read))),
        Column::new("question_s".into(), all(&|m| m.median(|r| r.question))),
        Column::new("total_s".into(), all(&|m| m.totals().0)),
        Column::new("min_s".into(), all(&|m| m.totals().1)),
        Column::new("max_s".into(), all(&|m| m.totals().2)),
    ];
    DataFrame::new(WAYS.len(), columns).map(Table::new).map_err(|e| Error::cannot("gather the measures", e))
}

fn conclusion(measures: &[Measure; 3], toots: usize, copies: usize) -> String {
    if toots == 0 {
        return "Aucun toot : ces temps ne mesurent que l'aller-retour vers PostgreSQL.".into();
    }
    let [plain, split, cache] = measures;
    let rows = grouped(&(toots * copies).to_string());
    let source = match copies {
        1 => format!("{rows} toots"),
        _ => format!(
            "{rows} lignes : {} toots, chacun répété {copies} fois pour que la mesure ait un sens",
            grouped(&toots.to_string())
        ),
    };
    let times: Vec<_> = WAYS
        .iter()
        .zip(measures)
        .map(|((name, ..), m)| {
            let (median, low, high) = m.totals();
            format!("{name} {median:.3} s (de {low:.3} à {high:.3})")
        })
        .collect();
    let runs = plain.runs.len();
    format!(
        "Mesuré sur {source} ; médianes de {runs} essais après un essai de chauffe : {}.\n{}\n{}",
        times.join(", "),
        compare_split(plain, split),
        compare_cache(plain, cache)
    )
}

fn compare_split(plain: &Measure, split: &Measure) -> String {
    let (before, low, high) = plain.totals();
    let (after, after_low, after_high) = split.totals();
    let cost = split.median(|r| r.prepare);
    let verdict = if after_low <= high && low <= after_high {
        "ne change rien que l'on puisse distinguer du bruit".to_owned()
    } else if after > before {
        format!("ralentit ({:.2} fois le temps simple)", after / before)
    } else {
        format!("accélère ({:.2} fois plus vite)", before / after)
    };
    format!(
        "Répartir en {PARTITIONS} partitions traitées en parallèle {verdict} : polars occupe déjà tous les cœurs, et \
         répartir coûte {cost:.3} s à chaque question."
    )
}

fn compare_cache(plain: &Measure, cache: &Measure) -> String {
    let (before, after) = (plain.totals().0, cache.totals().0);
    let cost = cache.median(|r| r.prepare);
    let gain = before - after;
    if gain <= 0.0 {
        return format!("Garder les données en mémoire ne gagne rien ici ; le remplissage coûte {cost:.3} s.");
    }
    // The first question pays for the cache what it would have paid for reading.
    let pays = (cost / gain).ceil().max(1.0);
    format!(
        "Garder les données en mémoire rend chaque question {:.1} fois plus rapide ; le remplissage coûte {cost:.3} s \
         une seule fois, regagné après {pays:.0} question{}.",
        before / after,
        if pays > 1.0 { "s" } else { "" }
    )
}

impl Benchmark {
    /// The measures, in seconds: medians of preparing, reading, answering and their total, with its least and most.
    pub fn table(&self) -> Table {
        self.table.clone()
    }

    /// What the measures say.
    pub fn conclusion(&self) -> Report {
        self.conclusion.clone()
    }

    /// Shows measures and conclusion in a notebook.
    pub fn evcxr_display(&self) {
        let html = format!("{}\n{}", self.table.to_html(), self.conclusion.to_html());
        show(&[("text/html", &html), ("text/plain", &self.to_string())]);
    }
}

impl fmt::Display for Benchmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n\n{}", self.table, self.conclusion)
    }
}
