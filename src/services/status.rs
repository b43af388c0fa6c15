//! What runs, where, and what to do next.

use super::guard;
use super::lock::Lock;
use super::process::{Identity, Plan};
use super::site::{ALL, LEASE, PROCESS};
use crate::config::{Config, Endpoints};
use crate::display::Table;
use crate::error::{Error, Result};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// How deep and how much of a data folder is measured.
const MOST_FILES: usize = 100_000;

/// The embedded services: service, address, state, pid, size of the data in MB and the next step.
///
/// # Errors
///
/// Fails if the table cannot be built.
pub fn status(config: &Config) -> Result<Table> {
    let state = config.source_state();
    // Whoever stops them holds the lease alone; whoever starts them tells the addresses last.
    let (up, next) = if Lock::is_held_alone(&state.join(LEASE)) {
        ("stopping", "wait for its end; `./spar services up` starts it again")
    } else if !Endpoints::file(&config.state, &config.source).exists() {
        ("starting", "wait until it answers")
    } else if guard::is_pinned(&state) {
        ("running", "`./spar services down` stops it")
    } else {
        ("running", "it stops with the command that uses it")
    };
    let (mut services, mut addresses, mut states) = (Vec::new(), Vec::new(), Vec::new());
    let (mut pids, mut sizes, mut steps) = (Vec::new(), Vec::new(), Vec::new());
    for service in ALL {
        let folder = service.folder(&state);
        let running = Identity::read(&folder.join(PROCESS)).filter(Identity::is_alive);
        let port = Plan::read(&folder).and_then(|plan| plan.ports.first().copied());
        services.push(service.name());
        let (address, word, step) = match (service.is_embedded(config), &running) {
            (false, None) => (None, "not embedded", "see `./spar check`"),
            (_, Some(_)) => (port.map(|port| format!("127.0.0.1:{port}")), up, next),
            (true, None) => (None, "stopped", "`./spar services up` starts it"),
        };
        addresses.push(address);
        states.push(word);
        steps.push(step);
        pids.push(running.map(|process| process.pid));
        sizes.push(megabytes(&folder));
    }
    polars::df!(
        "service" => services,
        "address" => addresses,
        "state" => states,
        "pid" => pids,
        "data (MB)" => sizes,
        "next step" => steps,
    )
    .map(Table::new)
    .map_err(|e| Error::cannot("tabulate the services", e))
}

/// What a folder takes on the disk; files with holes count what they fill, links in it nothing.
pub(super) fn megabytes(folder: &Path) -> f64 {
    let mut blocks = 0u64;
    let mut left = MOST_FILES;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(about) = entry.metadata() else { continue };
            left = left.saturating_sub(1);
            if left == 0 {
                break;
            }
            blocks += about.blocks();
            if about.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    (blocks as f64 * 512.0 / 1e5).round() / 10.0
}
