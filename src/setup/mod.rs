//! The set-up: what the notebooks need beside the compiled crate, fetched and built once into one folder.
//!
//! Each step leaves a stamp that names what it installed. A step whose stamp still fits is done; an interrupted one
//! starts again where its tools can resume.

mod bound;
pub(crate) mod evcxr;
mod extras;
pub(crate) mod kafka;
mod kernel;
mod packages;
pub(crate) mod page;
mod python;
mod reason;
mod step;
mod training;

use crate::config::Config;
use crate::error::{Error, Result};
pub use bound::become_bound;
pub(crate) use bound::{binding, bound};
pub use kernel::Kernel;
use std::fs::File;
use std::path::{Path, PathBuf};
use step::Step;

/// What the set-up put in place, and how to use it.
#[derive(Clone, Debug)]
pub struct Tools {
    /// The Python of the project's own environment.
    pub python: PathBuf,
    /// The kernel's program.
    pub evcxr: PathBuf,
    /// The folder of Kafka's jars.
    pub kafka: PathBuf,
    /// The Python of the clients that only the tests use.
    pub clients: PathBuf,
    /// The folder of the programs that check files for the tests.
    pub checkers: PathBuf,
    /// The Python that drives a browser, for its test.
    pub browser: PathBuf,
}

impl Tools {
    /// Where the set-up puts things below `config.tools`, whether or not they are there yet.
    pub fn of(config: &Config) -> Self {
        Self {
            python: python::program(&config.tools),
            evcxr: evcxr::program(&config.tools),
            kafka: kafka::folder(&config.tools),
            clients: extras::CLIENTS.python(&config.tools),
            checkers: extras::CHECKERS.programs(&config.tools),
            browser: extras::BROWSER.python(&config.tools),
        }
    }
}

/// Does what is left to do, in order, and says what and how long it usually takes.
///
/// Seconds when nothing is left; about seven minutes on 2 cores the first time, five of them for the kernel.
///
/// # Errors
///
/// Fails when a step fails: no network, no space, a package that does not build. The message names the step and its log.
pub fn ensure(config: &Config) -> Result<Tools> {
    install(config, &[])
}

/// The same and, beside it, the clients that the tests set on our servers and the checkers of files.
///
/// # Errors
///
/// Fails as [`ensure`] does.
pub fn ensure_for_tests(config: &Config) -> Result<Tools> {
    install(config, &[&extras::CLIENTS, &extras::CHECKERS])
}

/// The same and, beside it, what drives a browser; the browser itself is the machine's.
///
/// # Errors
///
/// Fails as [`ensure`] does.
pub fn ensure_for_browser(config: &Config) -> Result<Tools> {
    install(config, &[&extras::BROWSER])
}

fn install(config: &Config, more: &[&dyn Step]) -> Result<Tools> {
    let tools = &config.tools;
    let steps: [&dyn Step; 5] = [
        &python::Environment { with_java: crate::services::java::machine(config).is_none() },
        &evcxr::Evcxr,
        &packages::Packages { config },
        &kafka::Jars { config },
        &training::DefaultSet,
    ];
    let left = || steps.iter().chain(more).copied().filter(|step| !step::is_done(*step, tools)).collect::<Vec<_>>();
    // Nothing is written when nothing is left, so finished tools may be another user's.
    if left().is_empty() {
        return Ok(Tools::of(config));
    }
    std::fs::create_dir_all(tools).map_err(|e| step::unwritable(tools, &e))?;
    let lock = lock(tools)?;
    let left = left();
    for (at, step) in left.iter().enumerate() {
        step::run(*step, tools, at + 1, left.len(), &lock)?;
    }
    Ok(Tools::of(config))
}

/// One set-up at a time in a folder; a second one waits for the first.
fn lock(tools: &Path) -> Result<File> {
    let file = tools.join("setup.lock");
    let cannot = |e: std::io::Error| {
        Error::cannot(format!("lock {}", file.display()), e).next("set SPAR_TOOLS to a folder that you may write to")
    };
    let lock = File::options().read(true).write(true).create(true).truncate(false).open(&file).map_err(cannot)?;
    if !crate::services::is_taken(lock.try_lock(), &file, "set SPAR_TOOLS to a folder on a local disk")? {
        eprintln!("Another set-up works in {}; waiting for it.", tools.display());
        lock.lock().map_err(cannot)?;
    }
    Ok(lock)
}
