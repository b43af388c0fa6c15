//! Locks between processes: the kernel lets go of them however a process ends.

use crate::error::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a held lock is tried again.
const PAUSE: Duration = Duration::from_millis(50);

/// A lock on a file, let go when dropped.
#[derive(Debug)]
pub(crate) struct Lock(File);

impl Lock {
    /// A lock that many may hold at once; `waiting` is called once if it has to wait.
    pub(crate) fn shared(file: &Path, limit: Duration, waiting: impl FnOnce()) -> Result<Self> {
        Self::within(file, limit, waiting, File::try_lock_shared)
    }

    /// A lock that one holds alone; `waiting` is called once if it has to wait.
    pub(crate) fn exclusive(file: &Path, limit: Duration, waiting: impl FnOnce()) -> Result<Self> {
        Self::within(file, limit, waiting, File::try_lock)
    }

    /// The exclusive lock, if nobody holds any lock on the file now.
    pub(crate) fn try_exclusive(file: &Path) -> Result<Option<Self>> {
        attempt(file, open(file)?, File::try_lock)
    }

    /// True while another process holds the lock alone; the file is not touched.
    pub(crate) fn is_held_alone(file: &Path) -> bool {
        File::open(file).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    fn within(
        file: &Path,
        limit: Duration,
        waiting: impl FnOnce(),
        lock: fn(&File) -> Result<(), TryLockError>,
    ) -> Result<Self> {
        let deadline = Instant::now() + limit;
        let mut waiting = Some(waiting);
        loop {
            if let Some(held) = attempt(file, open(file)?, lock)? {
                return Ok(held);
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            if Instant::now() > deadline {
                return Err(Error::cannot(
                    format!("lock {}", file.display()),
                    format!("another process held it for {} s", limit.as_secs()),
                )
                .next("wait for the other `spar` command to end, then try again")
                .transient());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The open file; a process that inherits it holds the lock too.
    pub(crate) fn file(&self) -> &File {
        &self.0
    }
}

fn open(file: &Path) -> Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .map_err(|e| Error::cannot(format!("open the lock {}", file.display()), e))
}

fn attempt(path: &Path, file: File, lock: fn(&File) -> Result<(), TryLockError>) -> Result<Option<Lock>> {
    let taken = is_taken(lock(&file), path, "set SPAR_STATE to a folder on a local disk")?;
    Ok(taken.then_some(Lock(file)))
}

/// True if a try took the lock of `path`, false while somebody else holds it.
///
/// # Errors
///
/// Fails if the file system gives no locks: nobody holds it then, and waiting would not help. `next` says where to go.
pub(crate) fn is_taken(tried: Result<(), TryLockError>, path: &Path, next: &str) -> Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(e)) => {
            let cause = format!("its file system gives no locks ({e})");
            Err(Error::cannot(format!("lock {}", path.display()), cause).next(next))
        }
    }
}
