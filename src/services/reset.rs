//! The way back to the beginning: what the embedded services keep is deleted, and nothing else.

use super::guard;
use super::lock::Lock;
use super::site::{LEASE, PINNED, STARTING, Service};
use super::status::megabytes;
use super::{OTHERS, absolute, alone};
use crate::config::{Config, Credentials};
use crate::display::Report;
use crate::error::{Error, Result};
use crate::kafka::undelivered;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the name of a folder begins with whose content is on its way out.
const LEAVING: &str = "deleted-";

/// In this order each step leaves a state that the next run gets right: tables are refilled from a topic that is
/// still there, while tables that know a topic that is gone would wait for it.
const ORDER: [Service; 3] = [Service::Postgres, Service::Kafka, Service::Mastodon];

/// One thing that goes.
struct Item {
    name: &'static str,
    path: PathBuf,
}

/// Deletes the data of the embedded services of `config`'s source, after `confirm` has been shown what that is and
/// said yes. Services that `services up` keeps are stopped.
///
/// # Errors
///
/// Fails if a command still uses the services, if the state lies behind a link, if `confirm` says no, or if something
/// cannot be deleted. Nothing is deleted then, but in the last case.
pub fn reset(config: &Config, confirm: &mut dyn FnMut(&str) -> bool) -> Result<Report> {
    let config = absolute(config)?;
    let state = config.source_state();
    let nothing =
        || Ok(Report::new(format!("nothing to delete: the embedded services keep nothing in {}", state.display())));
    if !state.join(LEASE).exists() {
        return nothing();
    }
    for folder in [&config.state, &state] {
        if folder.is_symlink() {
            return Err(refused(
                &config,
                format!("{} is a link, and nothing behind a link is deleted", folder.display()),
            )
            .next("set SPAR_STATE to the folder itself"));
        }
    }
    // Asked before the question, so that nobody answers in vain; held from here on only while something is done.
    drop(hold(&config)?);
    let items = items(&config, &state);
    if items.is_empty() {
        return nothing();
    }
    if !confirm(&question(&config, &items)) {
        return Err(refused(&config, "nobody typed yes, so everything is still there".into())
            .next("type yes when asked, or add --yes in a script"));
    }

    let _starting = Lock::exclusive(&state.join(STARTING), OTHERS, || ())?;
    let _alone = hold(&config)?;
    let _ = fs::remove_file(state.join(PINNED));
    guard::stop_all(&state);
    for service in ORDER {
        let folder = service.folder(&state);
        if folder.is_dir() && !folder.is_symlink() {
            // Whatever is left of the service holds this until it has ended.
            Lock::exclusive(&folder.join("running.lock"), Duration::from_secs(15), || ())?;
        }
    }
    let leaving = state.join(format!("{LEAVING}{}", std::process::id()));
    let cannot = |path: &Path, e: std::io::Error| {
        Error::cannot(format!("delete {}", path.display()), e).next("make it yours, then run the same command again")
    };
    fs::create_dir_all(&leaving).map_err(|e| cannot(&leaving, e))?;
    let mut freed = 0.0;
    for item in items {
        freed += size(&item.path);
        // A link goes, and what it points to stays. A folder goes as a whole, whatever happens to this program.
        let gone = if item.path.is_symlink() {
            fs::remove_file(&item.path)
        } else {
            fs::rename(&item.path, leaving.join(item.path.file_name().unwrap_or_default()))
        };
        gone.map_err(|e| cannot(&item.path, e))?;
    }
    fs::remove_dir_all(&leaving).map_err(|e| cannot(&leaving, e))?;
    Ok(Report::new(format!("{freed:.1} MB deleted; `./spar run` starts afresh")))
}

/// Removes what an interrupted [`reset`] left.
pub(super) fn sweep(state: &Path) {
    for entry in fs::read_dir(state).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(LEAVING) {
            // It only takes space.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn hold(config: &Config) -> Result<Lock> {
    alone(config)?.ok_or_else(|| {
        refused(config, "another command still uses the services".into())
            .next("end it first: `lab`, `run`, `test` or `services hold`")
            .transient()
    })
}

fn refused(config: &Config, why: String) -> Error {
    Error::cannot(format!("delete the services' data in {}", config.source_state().display()), why)
}

/// What is there to delete. A real instance's token is the person's own and stays; so do messages for a Kafka that is.
fn items(config: &Config, state: &Path) -> Vec<Item> {
    // First: where they outlive their topics, the next run sends them into fresh ones.
    let waiting = Item { name: "undelivered messages", path: undelivered(config) };
    let waiting = config.embedded.kafka.then_some(waiting);
    let services = ORDER.map(|service| Item { name: service.name(), path: service.folder(state) });
    let others = [
        Item { name: "their logs", path: state.join("logs") },
        Item { name: "application and token", path: Credentials::file(&config.state, &config.source) },
    ];
    let is_there = |item: &Item| item.path.symlink_metadata().is_ok();
    let is_ours = |item: &Item| config.is_local() || !item.path.ends_with("credentials.json");
    waiting.into_iter().chain(services).chain(others).filter(is_there).filter(is_ours).collect()
}

fn question(config: &Config, items: &[Item]) -> String {
    let mut text = format!("This deletes what the embedded services keep for {}:\n", config.source);
    for item in items {
        let note = if item.path.is_symlink() { " (a link; what it points to stays)" } else { "" };
        text += &format!("  {:22} {:>9.1} MB  {}{note}\n", item.name, size(&item.path), item.path.display());
    }
    let running = guard::running(&config.source_state()).len();
    if running > 0 {
        text += &format!("{running} of the services run and are stopped first.\n");
    }
    text + "All tables and messages in them are lost; notebooks, results, tools and the trained model stay."
}

fn size(path: &Path) -> f64 {
    match path.symlink_metadata() {
        Ok(about) if about.is_dir() => megabytes(path),
        Ok(about) => (about.len() as f64 / 1e5).round() / 10.0,
        Err(_) => 0.0,
    }
}
