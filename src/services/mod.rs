//! The embedded services: real Kafka, real PostgreSQL and the local Mastodon, each a process of its own on loopback.
//!
//! Whoever needs them holds a *lease*, a shared lock that the kernel lets go of however the holder ends. A *guard*,
//! a small process in a session of its own, stops them once nobody holds one. What is started here is known by pid
//! and start; nothing else is ever stopped.

pub mod jars;
pub mod java;

mod guard;
mod kafka;
mod lock;
mod mastodon;
mod ports;
mod postgres;
mod privilege;
mod process;
mod reset;
mod site;
mod status;

pub use guard::guard;
pub use jars::verify_jars;
pub use java::wheel_java;
pub use mastodon::MastodonArguments;
pub(crate) use process::end as end_process;
pub use process::launch;
pub use reset::reset;
pub use status::status;

use crate::config::{Config, Endpoints};
use crate::display::Report;
use crate::error::{Error, Result};
pub(crate) use lock::{Lock, is_taken};
use process::{Identity, PAUSE};
use site::{ALL, LEASE, PINNED, STARTING, Service, Site};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a start or a stop of another command is waited for.
const OTHERS: Duration = Duration::from_secs(180);

/// A lease on the running services; dropping the last one stops them.
#[derive(Debug)]
pub struct Services {
    config: Config,
    _lease: Option<Lock>,
}

impl Services {
    /// Brings up the services that the environment names no address for, or joins those that run.
    ///
    /// `command` is the program `spar` itself, which the services and their guard are launched with; `say` gets the
    /// lines of progress.
    ///
    /// # Errors
    ///
    /// Fails if a service does not answer in time (Kafka and PostgreSQL 60 s, Mastodon 30 s), with the last lines of
    /// its log.
    pub fn start(config: &Config, command: &Path, say: &mut dyn FnMut(&str)) -> Result<Self> {
        let config = absolute(config)?;
        let wanted: Vec<Service> = ALL.into_iter().filter(|service| service.is_embedded(&config)).collect();
        if wanted.is_empty() {
            return Ok(Self { config, _lease: None });
        }
        let command =
            std::path::absolute(command).map_err(|e| Error::cannot(format!("find {}", command.display()), e))?;
        let state = config.source_state();
        create_private(&state)?;
        let lease = Lock::shared(&state.join(LEASE), OTHERS, || {
            say("waiting for the services of a command that ended to stop")
        })?;
        let starting = Lock::exclusive(&state.join(STARTING), OTHERS, || say("waiting for another command's start"))?;
        reset::sweep(&state);
        guard::ensure(&command, &state)?;
        let ports = bring_up(Site { config: &config, command: &command }, &wanted, say)?;
        let file = Endpoints::file(&config.state, &config.source);
        let mut endpoints = Endpoints::read(&file).unwrap_or_default();
        for (service, ports) in ports {
            match service {
                Service::Kafka => endpoints.kafka = Some(kafka::address(&ports)),
                Service::Postgres => endpoints.database_url = Some(postgres::database_url(&config, &ports)?),
                Service::Mastodon => {
                    endpoints.mastodon = Some(mastodon::base(ports[0]));
                    endpoints.mastodon_control = Some(mastodon::base(ports[1]));
                }
            }
        }
        endpoints.write(&file)?;
        drop(starting);
        Ok(Self { config: addressed(config, endpoints), _lease: Some(lease) })
    }

    /// The settings with the addresses of the running services.
    pub fn config(&self) -> &Config {
        &self.config
    }
}

/// Brings the services up and keeps them until [`down`].
///
/// # Errors
///
/// Fails as [`Services::start`] does.
pub fn up(config: &Config, command: &Path, say: &mut dyn FnMut(&str)) -> Result<()> {
    let services = Services::start(config, command, say)?;
    if services._lease.is_some() {
        Identity::current()?.write(&services.config.source_state().join(PINNED))?;
    }
    Ok(())
}

/// Ends what [`up`] asked for and stops the services, unless another command still uses them.
///
/// # Errors
///
/// Fails if another command starts or stops them for longer than three minutes.
pub fn down(config: &Config) -> Result<Report> {
    let config = absolute(config)?;
    let state = config.source_state();
    if !state.join(LEASE).exists() {
        return Ok(Report::new("no embedded service runs"));
    }
    let _starting = Lock::exclusive(&state.join(STARTING), OTHERS, || ())?;
    // Counted before: without the pin the guard may be quicker than we are.
    let running = guard::running(&state).len();
    let _ = fs::remove_file(state.join(PINNED));
    let Some(_alone) = alone(&config)? else {
        return Ok(Report::new("another command still uses the services; they stop when it ends"));
    };
    guard::stop_all(&state);
    Ok(Report::new(match running {
        0 => "no embedded service runs".to_owned(),
        n => format!(
            "{n} embedded service{} stopped; their data stay in {}",
            if n == 1 { "" } else { "s" },
            state.display()
        ),
    }))
}

/// The lease for oneself; `None` while another command holds it.
fn alone(config: &Config) -> Result<Option<Lock>> {
    let state = config.source_state();
    let file = Endpoints::file(&config.state, &config.source);
    let mut announced = Instant::now();
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(alone) = Lock::try_exclusive(&state.join(LEASE))? {
            return Ok(Some(alone));
        }
        // A guard that is about to stop them takes the addresses away first; another command leaves them.
        if !file.exists() {
            announced = Instant::now();
        }
        if announced.elapsed() > Duration::from_secs(1) {
            return Ok(None);
        }
        if Instant::now() > deadline {
            return Err(Error::cannot("stop the embedded services", "their guard took more than 60 s")
                .next(format!("read {}", state.join("logs/guard.log").display())));
        }
        std::thread::sleep(PAUSE);
    }
}

/// All at once: Kafka takes seconds, and the others are ready meanwhile.
fn bring_up(site: Site<'_>, wanted: &[Service], say: &mut dyn FnMut(&str)) -> Result<Vec<(Service, Vec<u16>)>> {
    std::thread::scope(|scope| {
        let (lines, told) = mpsc::channel::<String>();
        let starts: Vec<_> = wanted
            .iter()
            .map(|service| {
                let lines = lines.clone();
                scope.spawn(move || {
                    let tell = |line: String| {
                        let _ = lines.send(line);
                    };
                    service.bring_up(site, &tell).map(|ports| (*service, ports))
                })
            })
            .collect();
        drop(lines);
        told.iter().for_each(|line| say(&line));
        starts
            .into_iter()
            .map(|start| start.join().unwrap_or_else(|_| Err(Error::cannot("start a service", "its thread panicked"))))
            .collect()
    })
}

fn addressed(mut config: Config, endpoints: Endpoints) -> Config {
    if config.embedded.kafka {
        config.kafka = endpoints.kafka;
    }
    if config.embedded.postgres {
        config.database_url = endpoints.database_url;
    }
    if config.embedded.mastodon {
        config.mastodon_url = endpoints.mastodon;
        config.mastodon_control = endpoints.mastodon_control;
    }
    config
}

/// The services change their folder, so every path they get is a whole one.
fn absolute(config: &Config) -> Result<Config> {
    let whole =
        |path: &Path| std::path::absolute(path).map_err(|e| Error::cannot(format!("find {}", path.display()), e));
    let mut config = config.clone();
    config.state = whole(&config.state)?;
    config.tools = whole(&config.tools)?;
    config.java_home = config.java_home.as_deref().map(whole).transpose()?;
    Ok(config)
}

pub(crate) fn create_private(folder: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|e| {
        Error::cannot(format!("create {}", folder.display()), e)
            .next("set SPAR_STATE to a folder that you may write to")
    })
}

/// The folders of the project's Python packages.
fn packages(tools: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let versions = fs::read_dir(tools.join("venv/lib")).into_iter().flatten().flatten();
    versions.map(|version| version.path().join("site-packages"))
}

/// Random bytes from the system.
fn random(count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|e| Error::cannot("read /dev/urandom", e))?;
    Ok(bytes)
}
