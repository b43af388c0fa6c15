//! One server of a test's own, which it may stop and kill.
#![allow(dead_code, reason = "each test uses its part")]

use crate::place::{Place, at, end};
use crate::signals::Signal;
use crate::support::{command, config, query, unique};
use spar::Config;
use spar::config::Embedded;
use spar::services::Services;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One server of a test's own, which it may kill; the other one is that of all tests.
pub struct Server {
    // Let go before the place goes.
    services: Mutex<Vec<Services>>,
    place: Place,
    embedded: Embedded,
    note: &'static str,
}

impl Server {
    pub fn kafka() -> Self {
        Self::new("kafka", Embedded { kafka: true, ..Embedded::default() }, "kafka/process.json")
    }

    pub fn postgres() -> Self {
        Self::new("postgres", Embedded { postgres: true, ..Embedded::default() }, "postgres/process.json")
    }

    fn new(prefix: &str, embedded: Embedded, note: &'static str) -> Self {
        let server = Self { services: Mutex::default(), place: Place::new(prefix, embedded.kafka), embedded, note };
        server.start();
        server
    }

    /// Starts it again, with its data and on its port, and waits until it answers.
    pub fn start(&self) {
        let settings = Config { embedded: self.embedded, ..self.place.config() };
        let started = Services::start(&settings, command(), &mut |_| ()).unwrap();
        self.services.lock().unwrap_or_else(PoisonError::into_inner).push(started);
    }

    /// SIGKILL.
    pub fn kill(&self) {
        self.end(Signal::KILL);
    }

    /// Any signal that ends it; waits until it has ended.
    pub fn end(&self, signal: Signal) {
        end(self.place.pid(self.note).unwrap(), signal);
    }

    /// Settings that name it and the other server of all tests, with a state folder of their own.
    pub fn config(&self) -> Config {
        let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        let (own, mut settings) = (services[0].config(), config());
        settings.state = own.state.clone();
        if self.embedded.kafka {
            settings.kafka = own.kafka.clone();
        } else {
            settings.database_url = own.database_url.clone();
        }
        settings.away = Duration::from_secs(60);
        settings
    }

    /// The same with a new, empty database on this PostgreSQL.
    pub fn database(&self) -> Config {
        let (mut settings, name) = (self.config(), unique("test"));
        query(&at(&settings, "postgres"), &format!("CREATE DATABASE {name}"));
        settings.database_url = Some(at(&settings, &name));
        settings
    }

    /// The URL of its superuser.
    pub fn superuser(&self) -> spar::config::Secret {
        let file = self.place.state().join("postgres/postgres.password");
        let password = std::fs::read_to_string(file).unwrap();
        let mut url = url::Url::parse(at(&self.config(), "postgres").expose()).unwrap();
        url.set_username("postgres").unwrap();
        url.set_password(Some(password.trim())).unwrap();
        spar::config::Secret::new(url)
    }
}
