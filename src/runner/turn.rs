//! One run at a time: two would take the stream from each other and write the same pages.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::services::is_taken;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::Path;

/// The right to run notebooks on a state and into a folder of results; let go when dropped, or when its holder ends.
#[derive(Debug)]
pub struct Turn {
    _tables: Option<File>,
    _out: File,
}

impl Turn {
    /// Takes the turn. `with_tables` says that the notebooks work on the services of `config`, so that two runs into
    /// different folders meet there too.
    ///
    /// # Errors
    ///
    /// Fails at once if another run has it, and names that one; also if `out` cannot be written.
    pub fn take(config: &Config, out: &Path, with_tables: bool) -> Result<Self> {
        let tables = with_tables.then(|| tables(&config.source_state())).transpose()?;
        Ok(Self { _tables: tables, _out: results(out)? })
    }
}

fn tables(state: &Path) -> Result<File> {
    crate::services::create_private(state)?;
    let file = state.join("run.lock");
    let mut lock = File::options().read(true).write(true).create(true).truncate(false).open(&file).map_err(|e| {
        Error::cannot(format!("write {}", file.display()), e).next("set SPAR_STATE to a folder that you may write to")
    })?;
    if !is_taken(lock.try_lock(), &file, "set SPAR_STATE to a folder on a local disk")? {
        let mut by = String::new();
        // A holder that has not written its number yet is named without it.
        let _ = lock.read_to_string(&mut by);
        let by = if by.is_empty() { by } else { format!(" (pid {by})") };
        return Err(busy(
            state,
            &format!("another `spar run`{by} works there"),
            "wait until it ends, or end it with Ctrl-C",
        ));
    }
    // Only for that message: a full disk is told by whoever needs the space.
    let _ = lock.set_len(0).and_then(|()| write!(lock, "{}", std::process::id()));
    Ok(lock)
}

fn results(out: &Path) -> Result<File> {
    let cannot = |e: std::io::Error| {
        let next = match e.kind() {
            std::io::ErrorKind::StorageFull => "free some space, or choose another folder with --out",
            _ => "choose another folder with --out",
        };
        Error::cannot(format!("write into {}", out.display()), e).next(next)
    };
    fs::create_dir_all(out).map_err(cannot)?;
    // Told now, and not after minutes of work.
    let trial = out.join(format!(".trial-{}", std::process::id()));
    let written = fs::write(&trial, "spar");
    let _ = fs::remove_file(&trial);
    written.map_err(cannot)?;
    let lock = File::open(out).map_err(cannot)?;
    if !is_taken(lock.try_lock(), out, "choose a folder on a local disk with --out")? {
        return Err(busy(
            out,
            "another `spar run` writes there",
            "wait until it ends, or choose another folder with --out",
        ));
    }
    Ok(lock)
}

fn busy(place: &Path, why: &str, next: &str) -> Error {
    Error::cannot(format!("run notebooks in {}", place.display()), why).next(next).transient()
}
