//! The run on one screen: Kafka → stream → PostgreSQL, each batch one transaction.

mod feed;
mod lag;
mod report;
mod sample;
mod status;
mod steps;
mod terminal;
mod worker;

pub use report::StreamReport;
pub use sample::Sample;
pub use status::StreamStatus;
pub use terminal::worker;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::job::{Control, Job, Until};
use crate::postgres::{Hook, Outcome, Sink};
use crate::stream::{Batch, Rules, WindowKinds};
use feed::{Fed, Feed, Line, ROWS, Survey};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::Duration;

/// How often a run may begin again because the server lost what it had confirmed, or was too slow for a batch.
const REWINDS: u32 = 3;
/// A transaction that takes so many seconds is long.
const LONG: f64 = 10.0;
/// The least that a batch may be bounded to, in records.
const FEWEST: u64 = 250;

/// partie2's engine: reads the topic once and writes the four tables, exactly once.
///
/// It holds no state of its own: positions, watermarks and sums are in the database. Each run takes the partitions
/// over; an older run that is still alive is refused at its next batch.
#[derive(Clone)]
pub struct Pipeline {
    config: Config,
    rules: Rules,
    hook: Option<Hook>,
    accept_gap: bool,
}

impl Pipeline {
    /// Goes on where retention removed records before they were read, instead of refusing: the stretch is recorded in
    /// the table `gaps`, with reason `retention`, and the run goes on at the first record that is left.
    pub fn accept_gap(&mut self, accept: bool) {
        self.accept_gap = accept;
    }

    /// The kinds of windows that the settings name, where the tables have others: the tables' ones are kept.
    fn left_aside(&self) -> Option<&WindowKinds> {
        self.config.windows.as_ref().filter(|windows| **windows != self.rules.kinds)
    }

    /// Makes `hook` be called between any two steps of a batch, for tests of what a crash leaves behind.
    pub fn on_step(&mut self, hook: Hook) {
        self.hook = Some(hook);
    }

    /// Reads and writes until `until`, printing the first batch's lines.
    ///
    /// # Errors
    ///
    /// Fails if a service is away, a write is refused, or another worker takes over. What is committed stays, the
    /// position never passes it.
    pub fn run(&mut self, until: Until) -> Result<StreamReport> {
        self.run_with(&Control::printing(), until)
    }

    /// Starts the same run in the background, until it is stopped. A second start in this process gives the same job;
    /// one in another process takes the topic over, and the first is told so.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread; failures of the run are told by the job.
    pub fn start(&self) -> Result<Job> {
        let mut pipeline = self.clone();
        let Config { kafka, topic, .. } = &self.config;
        // Never shown: the address holds a password.
        let place = format!("{} {topic} {}", kafka.as_deref().unwrap_or(""), self.config.database_url()?.expose());
        Job::start_or_attach("partie2", place, || {
            Ok(move |control: &Control| pipeline.run_with(control, Until::Stopped).map(|report| report.summary()))
        })
    }

    /// The same as [`Pipeline::run`], told when to stop and where to print.
    ///
    /// # Errors
    ///
    /// Fails as [`Pipeline::run`] does.
    pub fn run_with(&mut self, control: &Control, until: Until) -> Result<StreamReport> {
        let mut report = StreamReport::new();
        for _ in 0..=REWINDS {
            match self.round(until, control, |_, _| true, &mut report, &mut Unwatched)? {
                End::Done => {
                    report.end(control);
                    return Ok(report);
                }
                End::Rewind => {}
                End::Fenced(e) => return Err(e),
            }
        }
        Err(Error::cannot(
            "go on with the stream",
            format!("the server lost committed batches or was too slow for one {REWINDS} times"),
        )
        .next("check PostgreSQL's log and its disk"))
    }

    /// Takes the partitions that are `mine` over and works until `until`, or until the ledger tells otherwise.
    fn round(
        &self,
        until: Until,
        control: &Control,
        mine: impl Fn(&str, i32) -> bool,
        report: &mut StreamReport,
        watch: &mut dyn Watch,
    ) -> Result<End> {
        let owner = format!("spar-{}-{:08x}", std::process::id(), rand::random::<u32>());
        let mut survey = Survey::new(&self.config)?;
        survey.keep(mine);
        let mut sink = Sink::open(&self.config, &self.rules, &owner, self.hook.clone(), control.whole())?;
        let still = || !control.stopping();
        let Some((positions, rules)) = sink.take_over(&survey.wanted(), survey.partitions, still)? else {
            return Ok(End::Done);
        };
        let feed = survey.begin(rules, &positions, &self.config, self.accept_gap)?;
        pump(feed, &mut sink, until, control, report, watch)
    }
}

/// Hears how the work goes, beside the report.
pub trait Watch {
    /// Another batch is in the tables.
    fn batch(&mut self, report: &StreamReport);
    /// These topics and partitions are this worker's now.
    fn shared(&mut self, partitions: &BTreeSet<(String, i32)>);
    /// A service is away; the work goes on after `pause`.
    fn away(&mut self, error: &Error, pause: Duration);
}

/// Nobody listens.
struct Unwatched;

impl Watch for Unwatched {
    fn batch(&mut self, _: &StreamReport) {}
    fn shared(&mut self, _: &BTreeSet<(String, i32)>) {}
    fn away(&mut self, _: &Error, _: Duration) {}
}

/// How a round ended without an error.
enum End {
    /// As it was asked to.
    Done,
    /// The ledger is behind: read again from there.
    Rewind,
    /// Another worker took a partition over.
    Fenced(Error),
}

/// Runs both ends until the reading one is done.
fn pump(
    feed: Feed,
    sink: &mut Sink,
    until: Until,
    control: &Control,
    report: &mut StreamReport,
    watch: &mut dyn Watch,
) -> Result<End> {
    let line = Line { most: AtomicU64::new(report.most), ..Line::default() };
    // One batch waits while the database commits the one before.
    let (send, receive) = sync_channel(1);
    thread::scope(|scope| {
        let reading = thread::Builder::new()
            .name("spar-feed".into())
            .spawn_scoped(scope, || feed.run(until, control, &line, send))
            .map_err(|e| Error::cannot("start the reading thread", e))?;
        let mut end = Ok(End::Done);
        for fed in receive {
            end = match fed {
                Fed::Batch(batch, seconds) => {
                    line.waiting.fetch_sub(1, Ordering::AcqRel);
                    let end = write(&batch, seconds, sink, control, report);
                    line.most.store(report.most, Ordering::Relaxed);
                    if matches!(end, Ok(End::Done)) {
                        watch.batch(report);
                    }
                    end
                }
                Fed::Idle => sink.close_idle().map(|closed| {
                    report.closed(closed);
                    End::Done
                }),
                Fed::Failed(e) => Err(e),
            };
            if !matches!(end, Ok(End::Done)) {
                break;
            }
        }
        line.over.store(true, Ordering::Relaxed);
        match reading.join() {
            Ok(()) => end,
            Err(_) => Err(Error::cannot("read the stream", "the reading thread panicked")),
        }
    })
}

fn write(batch: &Batch, seconds: f64, sink: &mut Sink, control: &Control, report: &mut StreamReport) -> Result<End> {
    report.announce(sink.next_batch(), control);
    Ok(match sink.commit(batch, seconds)? {
        Outcome::Committed(committed) => {
            report.most = adapted(report.most, batch.books.read, committed.phases.total);
            report.add(&committed, batch, seconds, control);
            End::Done
        }
        Outcome::Rewind => End::Rewind,
        Outcome::TooLarge => {
            report.most = fewer(batch.books.read / 4);
            End::Rewind
        }
        Outcome::Fenced(e) => End::Fenced(e),
    })
}

/// How many records a batch may have after one of `read` records took so many seconds: no more than a server writes in
/// [`LONG`], which ends a statement after a minute; twice as many again once it is fast.
fn adapted(most: u64, read: u64, seconds: f64) -> u64 {
    if seconds > LONG {
        fewer((read as f64 * LONG / seconds) as u64).min(most)
    } else if seconds < LONG / 4.0 && read >= most {
        (most * 2).min(ROWS)
    } else {
        most
    }
}

fn fewer(records: u64) -> u64 {
    records.max(FEWEST)
}
