//! One batch, one transaction: ledger, toots, windows, averages and everything set aside, or nothing.

use super::connect::{self, statement_failed};
use super::ledger::{self, Advance, Epochs, PIPELINE, Position, Truth};
use super::retry::Patience;
use super::run::{Run, Statements};
use super::step::{Fault, Hook, Step};
use super::{aggregates, rows, windows};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::job::Control;
use crate::runtime::block_on;
use crate::stream::{Batch, Books, ChangeKind, Delta, Rules, closing, merge};
use crate::timestamp::Timestamp;
use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime};
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

/// How many progress rows are kept.
const PROGRESS: i64 = 10_000;

/// A batch of so many records is not too large, whatever the server takes for it.
const SMALL: u64 = 500;

const ONE_BY_ONE: &str = "SELECT pg_advisory_xact_lock(hashtextextended('idle ' || $1, 0))";

const HISTORY: &str = "SELECT EXISTS (SELECT FROM history_toots h
    WHERE NOT EXISTS (SELECT FROM filtered_toots f WHERE f.toot_id = h.toot_id))";

/// Where the time of a batch went, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Phases {
    /// Looking up and writing toots.
    pub rows: f64,
    /// Windows and averages.
    pub aggregates: f64,
    /// COMMIT.
    pub commit: f64,
    /// The whole transaction, retries included.
    pub total: f64,
}

/// A batch that is in the tables.
#[derive(Clone, Debug)]
pub(crate) struct Committed {
    pub batch_id: i64,
    pub books: Books,
    pub phases: Phases,
    pub retries: u32,
}

/// How a commit ended without an error.
pub(crate) enum Outcome {
    Committed(Committed),
    /// The ledger is behind what this worker read: read again from there.
    Rewind,
    /// The server does not manage so many rows before its limit ends the statement: read again, fewer at a time.
    TooLarge,
    /// Another worker took a partition over; what this one read is worth nothing. The error says so.
    Fenced(Error),
}

/// What stops an attempt.
enum Trouble {
    /// A statement or the connection failed; whether the batch was applied is asked afterwards.
    Sql(&'static str, tokio_postgres::Error),
    /// The ledger was not as this worker left it.
    Lost,
    /// A toot taken for new is stored already.
    Known,
    /// A test struck.
    Struck,
    /// A test cut the connection.
    Cut,
}

/// The writing end of the pipeline: one connection, one owner.
pub(crate) struct Sink {
    config: Config,
    owner: String,
    topic: String,
    source: String,
    /// No change, of the windows that the tables have.
    nothing: Delta,
    lateness: Duration,
    /// Of the topic of toots, whoever reads them.
    partitions: usize,
    /// The partitions that the ledger holds for idle.
    idle: BTreeSet<i32>,
    client: Client,
    statements: Statements,
    epochs: Epochs,
    batch_id: i64,
    /// When the batch before began to be written.
    last_began: Option<Instant>,
    /// True while batches hold toots that are stored already: look first, instead of failing on their keys.
    cautious: bool,
    /// True when `history_toots` holds toots that `filtered_toots` does not. None is added while we run: partie4
    /// copies, and a delete takes a toot out of both.
    history: bool,
    hook: Option<Hook>,
    control: Control,
}

impl Sink {
    /// Connects; who asks `control` to end is heard while the server is away.
    pub fn open(config: &Config, rules: &Rules, owner: &str, hook: Option<Hook>, control: Control) -> Result<Self> {
        let (client, batch_id, history) = block_on(async {
            let client = connect::connect(config.database_url()?, None).await?;
            let last: i64 = client
                .query_one("SELECT coalesce(max(batch_id), -1) FROM progress WHERE name = $1", &[&PIPELINE])
                .await
                .map_err(|e| statement_failed("read the table progress (partie2 makes it)", &e))?
                .get(0);
            let history = client
                .query_one(HISTORY, &[])
                .await
                .map_err(|e| statement_failed("compare history_toots with filtered_toots (partie2 makes them)", &e))?
                .get(0);
            Ok::<_, Error>((client, last + 1, history))
        })?;
        Ok(Self {
            config: config.clone(),
            owner: owner.to_owned(),
            topic: rules.topic.clone(),
            source: rules.source.clone(),
            nothing: Delta::new(rules.width, rules.kinds.clone()),
            lateness: rules.lateness,
            partitions: 0,
            idle: BTreeSet::new(),
            client,
            statements: Statements::default(),
            epochs: Epochs::new(),
            batch_id,
            last_began: None,
            cautious: false,
            history,
            hook,
            control,
        })
    }

    /// Becomes the owner of these partitions, while they are `still` to be taken; the topic of toots has so many in all.
    /// Gives the rules of the tables too.
    pub fn take_over(
        &mut self,
        wanted: &[(String, i32, i64)],
        partitions: usize,
        still: impl Fn() -> bool,
    ) -> Result<Option<(Vec<Position>, Rules)>> {
        self.partitions = partitions;
        let taken = ledger::take_over(&mut self.client, &self.config, &self.owner, wanted, still);
        let Some((positions, rules)) = block_on(taken)? else {
            return Ok(None);
        };
        let rules = Rules { source: self.source.clone(), ..rules };
        self.nothing = Delta::new(rules.width, rules.kinds.clone());
        self.lateness = rules.lateness;
        self.epochs = positions.iter().map(|p| ((p.topic.clone(), p.part), p.epoch)).collect();
        self.idle = positions.iter().filter(|p| p.idle && p.topic == self.topic).map(|p| p.part).collect();
        Ok(Some((positions, rules)))
    }

    /// The number of the next batch.
    pub fn next_batch(&self) -> i64 {
        self.batch_id
    }

    /// Writes the batch, once and for all, whatever happens on the way; `reading` is how many seconds it took to fill.
    ///
    /// # Errors
    ///
    /// Fails if another worker took a partition over, or if the server refuses the rows or stays away.
    pub fn commit(&mut self, batch: &Batch, reading: f64) -> Result<Outcome> {
        let began = Instant::now();
        let since = self.last_began.replace(began).map(|last| (began - last).as_secs_f64());
        let mut applied = None;
        let mut patience = Patience::new(self.config.away, self.control.clone());
        let mut retries = 0;
        loop {
            let trouble = block_on(self.attempt(batch, Pace { began, reading, since, retries }, &mut applied)).err();
            let error = match trouble {
                None => return Ok(self.done(batch, applied, retries)),
                Some(Trouble::Struck) => return Err(Error::cannot("go on", "a test stopped the run here")),
                Some(Trouble::Cut) => Error::cannot("go on", "a test cut the connection").transient(),
                Some(Trouble::Lost) => Error::cannot("move the ledger", "its row has changed").transient(),
                Some(Trouble::Known) => {
                    Error::cannot("store the batch", "another worker stored one of its toots meanwhile").transient()
                }
                Some(Trouble::Sql(action, e)) => {
                    // The limit of the server once more: it is too slow for so many rows.
                    if retries > 0 && e.code() == Some(&SqlState::QUERY_CANCELED) && batch.books.read > SMALL {
                        return Ok(Outcome::TooLarge);
                    }
                    statement_failed(action, &e)
                }
            };
            patience.after(error)?;
            retries += 1;
            loop {
                match block_on(self.look_again(batch)) {
                    Ok(Truth::Applied) => return Ok(self.done(batch, applied, retries)),
                    Ok(Truth::Behind) => return Ok(Outcome::Rewind),
                    Ok(Truth::Fenced { part, epoch }) => return Ok(Outcome::Fenced(self.fenced(part, epoch))),
                    Ok(Truth::NotApplied) => break,
                    Err(e) => patience.after(e)?,
                }
            }
        }
    }

    fn fenced(&self, part: i32, epoch: i64) -> Error {
        Error::cannot(
            format!("go on with {} partition {part}", self.topic),
            format!("another worker owns it now (epoch {epoch})"),
        )
        .next("this worker stops; the other one goes on")
        .refused()
    }

    fn done(&mut self, batch: &Batch, applied: Option<(Books, Phases)>, retries: u32) -> Outcome {
        self.idle.clone_from(&batch.idle);
        let (books, phases) = applied.unwrap_or_default();
        let batch_id = self.batch_id;
        self.batch_id += 1;
        Outcome::Committed(Committed { batch_id, books, phases, retries })
    }

    /// A fresh connection, and the ledger's word on the batch.
    async fn look_again(&mut self, batch: &Batch) -> Result<Truth> {
        self.reconnect().await?;
        ledger::resolve(&mut self.client, &self.epochs, &batch.spans).await
    }

    async fn reconnect(&mut self) -> Result<()> {
        self.client = connect::connect(self.config.database_url()?, None).await?;
        self.statements = Statements::default();
        Ok(())
    }

    async fn attempt(
        &mut self,
        batch: &Batch,
        pace: Pace,
        applied: &mut Option<(Books, Phases)>,
    ) -> std::result::Result<(), Trouble> {
        let mut phases = Phases::default();
        let hook = &self.hook;
        strike(hook, Step::Read)?;
        let tx = self.client.transaction().await.map_err(sql("begin a batch"))?;
        let mut run = Run { tx: &tx, statements: &mut self.statements };
        let change = Advance { spans: &batch.spans, topic: &self.topic, idle: &batch.idle, told: &self.idle };
        if !ledger::advance(&mut run, &self.epochs, &change).await.map_err(sql("move the ledger"))? {
            return Err(Trouble::Lost);
        }
        strike(hook, Step::Moved)?;
        let clock = Instant::now();
        run.tx.batch_execute("SAVEPOINT toots").await.map_err(sql("set a savepoint"))?;
        let mut stored = store(&mut run, batch, &mut self.cautious, self.history).await;
        if matches!(stored, Err(Trouble::Known)) && !self.cautious {
            run.tx.batch_execute("ROLLBACK TO SAVEPOINT toots").await.map_err(sql("go back to the savepoint"))?;
            self.cautious = true;
            stored = store(&mut run, batch, &mut self.cautious, self.history).await;
        }
        let (mut books, delta) = stored?;
        phases.rows = clock.elapsed().as_secs_f64();
        strike(hook, Step::Stored)?;
        let clock = Instant::now();
        let marks = ledger::marks(&mut run, &self.topic, self.partitions).await.map_err(sql("read the watermarks"))?;
        let closing = closing(&watermarks(&marks, self.lateness));
        aggregates::windows(&mut run, &delta, closing).await.map_err(sql("write and close windows"))?;
        aggregates::averages(&mut run, &delta).await.map_err(sql("write averages"))?;
        phases.aggregates = clock.elapsed().as_secs_f64();
        strike(hook, Step::Aggregated)?;
        books.dropped_tags += delta.dropped_tags;
        rows::set_aside(&mut run, batch, &self.owner).await.map_err(sql("write dead letters and gaps"))?;
        if books.read > books.dead {
            rows::remember_source(&mut run, &self.source).await.map_err(sql("note the source"))?;
        }
        let clock = Instant::now();
        windows::merge(&mut run, &delta, closing).await.map_err(sql("write and close toot_windows"))?;
        phases.aggregates += clock.elapsed().as_secs_f64();
        let told =
            Progress { batch, books: &books, owner: &self.owner, batch_id: self.batch_id, pace, phases, closing };
        told.write(&mut run).await.map_err(sql("write the progress"))?;
        strike(hook, Step::Written)?;
        // From here on the batch may be applied even if an error says otherwise.
        *applied = Some((books, phases));
        let clock = Instant::now();
        tx.commit().await.map_err(sql("commit a batch"))?;
        phases.commit = clock.elapsed().as_secs_f64();
        phases.total = pace.began.elapsed().as_secs_f64();
        *applied = Some((books, phases));
        strike(hook, Step::Committed)
    }

    /// Notes that nothing comes any more in the partitions of this worker; where that is so of all, marks every open
    /// window as closed, and gives their number.
    ///
    /// # Errors
    ///
    /// Fails if the server refuses or stays away.
    pub fn close_idle(&mut self) -> Result<u64> {
        let mut patience = Patience::new(self.config.away, self.control.clone());
        loop {
            match self.try_close_idle() {
                Err(e) => patience.after(e)?,
                closed => return closed,
            }
            while let Err(e) = block_on(self.reconnect()) {
                patience.after(e)?;
            }
        }
    }

    fn try_close_idle(&mut self) -> Result<u64> {
        block_on(async {
            let failed = |e: tokio_postgres::Error| statement_failed("close the windows of an idle stream", &e);
            let tx = self.client.transaction().await.map_err(failed)?;
            let mut run = Run { tx: &tx, statements: &mut self.statements };
            // One worker after the other: two that fall idle together would each see the other at work.
            run.execute(ONE_BY_ONE, &[&self.topic]).await.map_err(failed)?;
            for ((topic, part), epoch) in &self.epochs {
                if !ledger::holds(&mut run, topic, *part, *epoch).await.map_err(failed)? {
                    return Ok(0);
                }
            }
            let ours = self.epochs.keys().filter(|(topic, _)| *topic == self.topic);
            let idle = ours.map(|(_, part)| *part).collect();
            let change = Advance { spans: &[], topic: &self.topic, idle: &idle, told: &self.idle };
            if !ledger::advance(&mut run, &self.epochs, &change).await.map_err(failed)? {
                return Ok(0);
            }
            let marks = ledger::marks(&mut run, &self.topic, self.partitions).await.map_err(failed)?;
            let all_idle = marks.iter().all(|(_, idle)| *idle);
            let closing = closing(&watermarks(&marks, self.lateness));
            aggregates::windows(&mut run, &self.nothing, closing).await.map_err(failed)?;
            let closed = if all_idle { aggregates::close_idle(&mut run).await.map_err(failed)? } else { 0 };
            windows::merge(&mut run, &self.nothing, closing).await.map_err(failed)?;
            if all_idle && !self.nothing.kinds().is_empty() {
                windows::close_idle(&mut run).await.map_err(failed)?;
            }
            tx.commit().await.map_err(failed)?;
            self.idle = idle;
            Ok(closed)
        })
    }
}

/// Watermarks from greatest event times.
fn watermarks(latest: &[(Option<Timestamp>, bool)], lateness: Duration) -> Vec<(Option<Timestamp>, bool)> {
    latest.iter().map(|(at, idle)| (at.map(|at| at.minus(lateness)), *idle)).collect()
}

fn sql(action: &'static str) -> impl Fn(tokio_postgres::Error) -> Trouble {
    move |e| Trouble::Sql(action, e)
}

fn strike(hook: &Option<Hook>, step: Step) -> std::result::Result<(), Trouble> {
    match hook.as_ref().map_or(Fault::None, |hook| hook(step)) {
        Fault::None => Ok(()),
        Fault::Crash => Err(Trouble::Struck),
        Fault::Cut => Err(Trouble::Cut),
    }
}

/// Writes the toots of the batch; gives the books and what windows and averages change by.
async fn store(
    run: &mut Run<'_>,
    batch: &Batch,
    cautious: &mut bool,
    history: bool,
) -> std::result::Result<(Books, Delta), Trouble> {
    let failed = sql("write the toots");
    let known = rows::known(run, batch, *cautious, history).await.map_err(&failed)?;
    *cautious = *cautious && !known.is_empty();
    let is_known = |index: &u32| known.contains(batch.id(*index));
    let (known, fresh): (Vec<u32>, Vec<u32>) = batch.plain.iter().partition(|index| is_known(index));
    let mut special = [&batch.special[..], &known[..]].concat();
    special.sort_unstable();
    let fates = rows::fates(run, batch, &special).await.map_err(&failed)?;
    let written = merge(batch, &special, &fates);
    rows::take_out(run, &written).await.map_err(&failed)?;
    let unique = |e: tokio_postgres::Error| {
        if e.code() == Some(&SqlState::UNIQUE_VIOLATION) { Trouble::Known } else { Trouble::Sql("write the toots", e) }
    };
    rows::put(run, batch, fresh.iter().chain(&written.put)).await.map_err(unique)?;
    rows::list(run, batch, &fresh, &written).await.map_err(&failed)?;
    let mut books = batch.books;
    books += written.books;
    let mut delta = written.delta;
    delta.merge(&batch.delta);
    for index in &known {
        if let ChangeKind::Put { toot, late, .. } = batch.changes[*index as usize].kind {
            delta.undo(batch.toots.get(toot).counted(late.is_some()));
        }
    }
    for index in &fresh {
        match batch.changes[*index as usize].kind {
            ChangeKind::Put { late: Some(_), .. } => books.late += 1,
            _ => books.on_time += 1,
        }
    }
    Ok((books, delta))
}

/// The times of a batch that the progress tells.
#[derive(Clone, Copy)]
struct Pace {
    /// When its writing began.
    began: Instant,
    /// Seconds it took to fill.
    reading: f64,
    /// Seconds between the batch before and this one; none for the first.
    since: Option<f64>,
    /// How often it was tried before.
    retries: u32,
}

/// The row of a batch in `progress`, with the names of Spark's StreamingQueryProgress.
struct Progress<'a> {
    batch: &'a Batch,
    books: &'a Books,
    owner: &'a str,
    batch_id: i64,
    pace: Pace,
    phases: Phases,
    closing: Option<Timestamp>,
}

impl Progress<'_> {
    async fn write(&self, run: &mut Run<'_>) -> std::result::Result<(), tokio_postgres::Error> {
        let elapsed = self.pace.began.elapsed().as_secs_f64();
        let rate = |seconds: f64| self.books.read as f64 / seconds.max(1e-6);
        let millis = |seconds: f64| (seconds * 1000.0).round() as i64;
        let sources: Vec<_> = self
            .batch
            .spans
            .iter()
            .map(|s| {
                serde_json::json!({"description": s.topic, "partition": s.part, "startOffset": s.from,
                    "endOffset": s.to, "latestOffset": s.latest, "numInputRows": s.to - s.from})
            })
            .collect();
        let lag = self.batch.spans.iter().map(|s| (s.latest - s.to).unsigned_abs()).sum();
        let counts = [("lag", lag), ("retries", u64::from(self.pace.retries))];
        let observed: serde_json::Map<String, serde_json::Value> =
            self.books.named().into_iter().chain(counts).map(|(name, n)| (name.to_owned(), n.into())).collect();
        let durations = serde_json::json!({"getBatch": millis(self.pace.reading), "addBatch": millis(self.phases.rows),
            "aggregates": millis(self.phases.aggregates), "triggerExecution": millis(elapsed)});
        run.execute(
            "INSERT INTO progress (name, run_id, batch_id, timestamp, num_input_rows, input_rows_per_second,
                processed_rows_per_second, batch_duration_ms, duration_ms, watermark, sources, observed_metrics)
             VALUES ($1, $2, $3, clock_timestamp(), $4, $5, $6, $7, $8::text::jsonb, $9, $10::text::jsonb,
                $11::text::jsonb)",
            &[
                &PIPELINE,
                &self.owner,
                &self.batch_id,
                &(self.books.read as i64),
                &self.pace.since.map(rate),
                &rate(elapsed),
                &millis(elapsed),
                &durations.to_string(),
                &self.closing.map(SystemTime::from),
                &serde_json::Value::from(sources).to_string(),
                &serde_json::Value::from(observed).to_string(),
            ],
        )
        .await?;
        if self.batch_id % 100 == 0 {
            let oldest = self.batch_id - PROGRESS;
            run.execute("DELETE FROM progress WHERE name = $1 AND batch_id < $2", &[&PIPELINE, &oldest]).await?;
        }
        Ok(())
    }
}
