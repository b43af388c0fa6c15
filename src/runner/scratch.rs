//! Where kernels put their builds: hundreds of megabytes that a killed kernel leaves behind, and the kernel itself.

use crate::config::Config;
use crate::error::{Error, Result};
use crate::services::{Lock, end_process};
use std::fs::File;
use std::io::ErrorKind::NotFound;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long another may take to remove what it swept: gigabytes on a slow disk.
const SWEEPING: Duration = Duration::from_secs(120);

/// A folder for the temporary files of one run's kernels; dropping it removes it, also what killed runs left.
pub struct Scratch {
    folder: PathBuf,
    settings: Vec<(String, String)>,
    _held: File,
}

impl Scratch {
    /// Makes the folder below the state of `config`, and sweeps those whose owner is gone.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be made.
    pub fn new(config: &Config) -> Result<Self> {
        let all = place(config);
        let folder = all.join(std::process::id().to_string());
        let cannot = |e: std::io::Error| {
            Error::cannot(format!("prepare {}", folder.display()), e)
                .next("set SPAR_STATE to a folder that you may write to")
        };
        std::fs::create_dir_all(&all).map_err(cannot)?;
        // One at a time: a folder that is there and not yet held looks like one whose owner is gone.
        let _alone = Lock::exclusive(&all.join("sweep.lock"), SWEEPING, || ())?;
        sweep(&all);
        std::fs::create_dir_all(&folder).map_err(cannot)?;
        let held = File::create(folder.join("owner.lock")).map_err(cannot)?;
        held.try_lock().map_err(|e| cannot(e.into()))?;
        let text = |path: &Path| path.display().to_string();
        let settings = vec![
            ("TMPDIR".into(), text(&folder)),
            ("SPAR_HOME".into(), text(&config.home)),
            ("SPAR_STATE".into(), text(&config.state)),
            ("SPAR_TOOLS".into(), text(&config.tools)),
        ];
        Ok(Self { folder, settings, _held: held })
    }

    /// The environment that makes kernels use the folder and find the same state as this program.
    pub fn environment(&self) -> Vec<(String, String)> {
        self.settings.clone()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove(&self.folder);
    }
}

/// Below the state, or where the project is compiled: evcxr takes the path of what it built for one word.
fn place(config: &Config) -> PathBuf {
    let state = config.source_state();
    if !state.to_string_lossy().contains(char::is_whitespace) {
        return state.join("kernels");
    }
    crate::config::target().unwrap_or_else(std::env::temp_dir).join("spar-kernels")
}

/// Removes the folders that nobody holds.
fn sweep(all: &Path) {
    let entries = std::fs::read_dir(all).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    for folder in entries.filter(|path| path.is_dir()) {
        match File::open(folder.join("owner.lock")) {
            // Held until it is gone, so that nobody takes it for their own meanwhile.
            Ok(lock) if lock.try_lock().is_ok() => remove(&folder),
            // Somebody was killed while removing it.
            Err(e) if e.kind() == NotFound => remove(&folder),
            _ => {}
        }
    }
}

/// Ends the kernels that still work in a folder whose owner is gone or leaves, then removes it.
fn remove(folder: &Path) {
    // A Jupyter that was killed has stopped none of its kernels.
    for pid in kernels(folder) {
        end_process(pid);
    }
    // What cannot be removed now is swept by a later run.
    let _ = std::fs::remove_dir_all(folder);
}

/// The kernels that were told to put their temporary files into `folder`: nobody else ever gets its name.
fn kernels(folder: &Path) -> Vec<i32> {
    let told = [b"TMPDIR=", folder.as_os_str().as_bytes()].concat();
    let is_kernel = |pid: &i32| {
        let about = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let program = about("cmdline").split(|byte| *byte == 0).next().unwrap_or_default().to_vec();
        program.ends_with(b"/evcxr_jupyter") && about("environ").split(|byte| *byte == 0).any(|word| word == told)
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_kernel).collect()
}
