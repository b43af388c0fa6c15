//! Where the services of one source live, and what each needs to be brought up.

use super::process::{Identity, PAUSE, Plan, tail};
use super::{kafka, mastodon, ports, postgres};
use crate::config::Config;
use crate::error::{Error, Result};
use rustix::process::Signal;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The lock whose holders need the services.
pub(crate) const LEASE: &str = "lease.lock";
/// The lock of the one who starts or stops them.
pub(crate) const STARTING: &str = "starting.lock";
/// The note about the guard's process.
pub(crate) const GUARD: &str = "guard.json";
/// The note about a service's process, in its folder.
pub(crate) const PROCESS: &str = "process.json";
/// What a service was last started with, in its folder.
pub(crate) const PLAN: &str = "plan.json";
/// Its presence keeps the services up without a holder; it names the machine's boot it was written in.
pub(crate) const PINNED: &str = "pinned.json";

/// An embedded service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// The broker.
    Kafka,
    /// The database server.
    Postgres,
    /// The local Mastodon.
    Mastodon,
}

/// All of them, in the order they are shown.
pub(crate) const ALL: [Service; 3] = [Service::Mastodon, Service::Kafka, Service::Postgres];

/// One source's services: the settings, and the command that launches them.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) config: &'a Config,
    pub(crate) command: &'a Path,
}

impl Service {
    /// The name a person knows it by.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kafka => "Kafka",
            Self::Postgres => "PostgreSQL",
            Self::Mastodon => "Mastodon",
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Kafka => "kafka",
            Self::Postgres => "postgres",
            Self::Mastodon => "mastodon",
        }
    }

    /// Its folder below the state of its source.
    pub(crate) fn folder(self, state: &Path) -> PathBuf {
        state.join(self.file_name())
    }

    /// Its log.
    pub(crate) fn log(self, state: &Path) -> PathBuf {
        state.join("logs").join(format!("{}.log", self.file_name()))
    }

    /// True when `config` leaves it to us.
    pub(crate) fn is_embedded(self, config: &Config) -> bool {
        match self {
            Self::Kafka => config.embedded.kafka,
            Self::Postgres => config.embedded.postgres,
            Self::Mastodon => config.embedded.mastodon,
        }
    }

    /// How long it may take to answer.
    fn limit(self) -> Duration {
        Duration::from_secs(match self {
            Self::Kafka | Self::Postgres => 60,
            Self::Mastodon => 30,
        })
    }

    /// The signals that stop it, from the gentlest on; SIGINT is PostgreSQL's fast shutdown, SIGQUIT its immediate one.
    pub(crate) fn stop_steps(self) -> Vec<(Signal, Duration)> {
        let steps: &[(Signal, u64)] = match self {
            Self::Kafka => &[(Signal::TERM, 20), (Signal::KILL, 5)],
            Self::Postgres => &[(Signal::INT, 20), (Signal::QUIT, 5), (Signal::KILL, 5)],
            Self::Mastodon => &[(Signal::TERM, 5), (Signal::KILL, 5)],
        };
        steps.iter().map(|(signal, seconds)| (*signal, Duration::from_secs(*seconds))).collect()
    }

    fn port_count(self) -> usize {
        match self {
            Self::Kafka | Self::Mastodon => 2,
            Self::Postgres => 1,
        }
    }

    fn plan(self, site: Site<'_>, ports: Vec<u16>) -> Result<Plan> {
        match self {
            Self::Kafka => kafka::plan(site, ports),
            Self::Postgres => postgres::plan(site, ports),
            Self::Mastodon => mastodon::plan(site, ports),
        }
    }

    /// One real round trip.
    fn ask(self, site: Site<'_>, ports: &[u16]) -> Result<()> {
        match self {
            Self::Kafka => kafka::ask(site, ports),
            Self::Postgres => postgres::ask(site, ports),
            Self::Mastodon => mastodon::ask(ports),
        }
    }

    /// Brings it up, or takes over the one that runs; gives its ports back when it answers.
    pub(crate) fn bring_up(self, site: Site<'_>, say: &(dyn Fn(String) + Sync)) -> Result<Vec<u16>> {
        let state = site.config.source_state();
        let (folder, log) = (self.folder(&state), self.log(&state));
        fs::create_dir_all(&folder).map_err(|e| Error::cannot(format!("create {}", folder.display()), e))?;
        let mut kept = Plan::read(&folder).unwrap_or_default().ports;
        if let Some(running) = Identity::read(&folder.join(PROCESS)).filter(Identity::is_alive) {
            match self.wait(site, &running, &kept) {
                Ok(()) => return Ok(kept),
                Err(_) => {
                    say(format!("{} does not answer: starting it again", self.name()));
                    running.stop(&self.stop_steps());
                }
            }
        }
        for attempt in 1.. {
            kept = ports::choose(&kept, self.port_count())?;
            say(format!("starting {}", self.name()));
            let started = self.plan(site, kept.clone())?.start(site.command, &folder, &log)?;
            let failure = match self.wait(site, &started, &kept) {
                Ok(()) => {
                    say(format!("{} answers on port {}", self.name(), kept[0]));
                    return Ok(kept);
                }
                Err(e) => e,
            };
            started.stop(&self.stop_steps());
            // Someone took the port between our look and the service's own: that is worth another try.
            if ports::all_free(&kept) || attempt == 3 {
                let place = format!("start {} on port {}", self.name(), kept[0]);
                return Err(
                    Error::cannot(place, format!("{failure}; {}", tail(&log))).next(format!("read {}", log.display()))
                );
            }
        }
        unreachable!("the loop returns at its third attempt")
    }

    /// Waits until it answers, ends or takes too long.
    fn wait(self, site: Site<'_>, process: &Identity, ports: &[u16]) -> Result<()> {
        let deadline = Instant::now() + self.limit();
        let mut answer = "its port is closed".to_owned();
        while process.is_alive() {
            if Instant::now() > deadline {
                return Err(Error::cannot(
                    format!("reach {}", self.name()),
                    format!("no answer in {} s ({answer})", self.limit().as_secs()),
                )
                .transient());
            }
            if is_open(ports) {
                match self.ask(site, ports) {
                    Ok(()) if process.is_alive() => return Ok(()),
                    Ok(()) => {}
                    Err(e) => answer = e.to_string(),
                }
            }
            std::thread::sleep(PAUSE);
        }
        Err(Error::cannot(format!("reach {}", self.name()), format!("its process ended ({answer})")))
    }
}

fn is_open(ports: &[u16]) -> bool {
    ports.first().is_some_and(|port| {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
    })
}
