//! Long work: bounded in a cell, or in the background as a [`Job`] that can be asked and stopped.

mod control;
mod status;

pub use control::Control;
pub use status::JobStatus;

use crate::display::Report;
use crate::error::{Error, Result};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Until when a bounded call works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until nothing is left to read: the end of every partition, or of the local Mastodon's slice.
    CaughtUp,
    /// Until so many toots were read.
    Toots(u64),
    /// Until so much time has passed.
    Elapsed(Duration),
    /// Until [`Job::stop`]; only for background jobs.
    Stopped,
}

/// How often a job that is waited for is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Named work on a thread of its own. It prints nothing; [`Job::status`] tells how it goes; dropping it stops it.
///
/// A job that was started where the same one already runs is another handle of that one: the work goes on until
/// somebody stops it, or the last handle is dropped. So a cell that starts a job may be run again.
pub struct Job {
    work: Arc<Work>,
    attached: bool,
}

/// The work behind the handles.
struct Work {
    name: String,
    /// What it works on, if a second start of the same is to find it.
    place: Option<String>,
    control: Control,
    started: Instant,
    failed: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<Result<Report>>>>,
}

/// Jobs that may be found again.
static RUNNING: Mutex<Vec<Weak<Work>>> = Mutex::new(Vec::new());

impl Job {
    /// Starts `work` in the background.
    ///
    /// # Errors
    ///
    /// Fails if the system gives no thread.
    pub fn start(name: &str, work: impl FnOnce(&Control) -> Result<Report> + Send + 'static) -> Result<Self> {
        Ok(Self { work: Arc::new(Work::start(name, None, work)?), attached: false })
    }

    /// The job of this name that works on `place` in this process, started with `work` if there is none.
    ///
    /// # Errors
    ///
    /// Fails as `work` fails to begin, or if the system gives no thread.
    pub fn start_or_attach<W>(name: &str, place: String, work: impl FnOnce() -> Result<W>) -> Result<Self>
    where
        W: FnOnce(&Control) -> Result<Report> + Send + 'static,
    {
        // Held until the new one is in the list: two starts at once give one job.
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|work| work.strong_count() > 0);
        let same = |work: &Arc<Work>| {
            work.name == name && work.place.as_ref() == Some(&place) && work.is_running() && !work.control.stopping()
        };
        if let Some(work) = running.iter().filter_map(Weak::upgrade).find(same) {
            return Ok(Self { work, attached: true });
        }
        let work = Arc::new(Work::start(name, Some(place), work()?)?);
        running.push(Arc::downgrade(&work));
        Ok(Self { work, attached: false })
    }

    /// True while the work goes on.
    pub fn is_running(&self) -> bool {
        self.work.is_running()
    }

    /// How the work goes: running or ended, since when, its latest lines and records.
    pub fn status(&self) -> JobStatus {
        let Work { name, control, started, failed, .. } = &*self.work;
        let seconds = started.elapsed().as_secs_f64();
        let again = if self.attached { " ; il était déjà en route" } else { "" };
        let mut line = if self.is_running() {
            format!("{name} : en cours depuis {seconds:.0} s{again}")
        } else if failed.load(Ordering::Acquire) {
            format!("{name} : terminé en erreur")
        } else {
            format!("{name} : terminé")
        };
        let told = control.state();
        if self.is_running() && !told.is_empty() {
            line.push_str(", ");
            line.push_str(&told);
        }
        JobStatus::new(line, control)
    }

    /// Waits for so many seconds, or until the work ends, and tells how it goes.
    pub fn wait_seconds(&self, seconds: u64) -> JobStatus {
        let deadline = Instant::now() + Duration::from_secs(seconds);
        while self.is_running() && Instant::now() < deadline {
            std::thread::sleep(LOOK);
        }
        self.status()
    }

    /// Asks the work to end, waits for it and gives its result. What it has read is written before it ends.
    ///
    /// # Errors
    ///
    /// Fails as the work itself failed.
    pub fn stop(&mut self) -> Result<Report> {
        self.work.control.stop();
        self.join()
    }

    /// Waits for the work to end by itself and gives its result.
    ///
    /// # Errors
    ///
    /// Fails as the work itself failed.
    pub fn join(&mut self) -> Result<Report> {
        let name = &self.work.name;
        // Another handle that joins too waits here.
        let mut thread = self.work.thread.lock().unwrap_or_else(PoisonError::into_inner);
        match thread.take() {
            None => Ok(Report::new(format!("{name} : déjà arrêté"))),
            Some(thread) => thread
                .join()
                .unwrap_or_else(|_| Err(Error::cannot(format!("finish the job {name}"), "its thread panicked"))),
        }
    }

    /// Shows [`Job::status`] in a notebook.
    pub fn evcxr_display(&self) {
        self.status().evcxr_display();
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.status().fmt(f)
    }
}

impl Work {
    fn start(
        name: &str,
        place: Option<String>,
        work: impl FnOnce(&Control) -> Result<Report> + Send + 'static,
    ) -> Result<Self> {
        let (control, failed) = (Control::quiet(), Arc::new(AtomicBool::new(true)));
        let (seen, ended) = (control.clone(), failed.clone());
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let end = work(&seen).inspect_err(|e| seen.say(e.to_string()));
                // Left true by a panic.
                ended.store(end.is_err(), Ordering::Release);
                end
            })
            .map_err(|e| Error::cannot(format!("start the job {name}"), e))?;
        let thread = Mutex::new(Some(thread));
        Ok(Self { name: name.to_owned(), place, control, started: Instant::now(), failed, thread })
    }

    fn is_running(&self) -> bool {
        // While another handle joins, the lock is taken: the work goes on.
        self.thread.try_lock().map_or(true, |thread| thread.as_ref().is_some_and(|t| !t.is_finished()))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.control.stop();
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // A panic inside the thread has already been told by the panic hook.
            let _ = thread.join();
        }
    }
}
