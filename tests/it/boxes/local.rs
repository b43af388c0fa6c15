//! The local Mastodon as compose starts it: a process of its own that clients on another machine reach.
//!
//! The tests' other machine is 0.0.0.0: no loopback address by name, yet it never leaves this machine.

use super::{Running, free_ports, health_check, interpolated, services, strings};
use crate::support::{command, config_in, eventually};
use spar::mastodon::oauth::{App, access_token_with, register_app};
use spar::mastodon::{Incoming, LocalControl, consent};
use spar::{Config, Mastodon};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// The service, on ports of the test's own and under a name that this machine knows.
pub struct Local {
    _process: Running,
    /// Its addresses: API and control.
    pub ports: [u16; 2],
}

impl Local {
    /// Starts it on what it keeps in `folder`.
    pub fn start(folder: &Path) -> Self {
        let ports: [u16; 2] = free_ports();
        let words = strings(&services()["mastodon"]["command"]);
        assert_eq!(words[..2], ["./spar", "mastodon"]);
        let mut server = Command::new(command());
        server.arg("mastodon");
        for word in &words[2..] {
            let word = interpolated(word, &[("SPAR_LOCAL_STATUSES", "300")]);
            server.arg(match word.split_once('=').unwrap() {
                ("--folder", _) => format!("--folder={}", folder.display()),
                ("--port", _) => format!("--port={}", ports[0]),
                ("--control-port", _) => format!("--control-port={}", ports[1]),
                ("--base", _) => format!("--base={}", address(ports[0])),
                _ => word,
            });
        }
        let process = Running(server.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let local = Self { _process: process, ports };
        eventually("the container's check is content", LIMIT, || local.is_healthy());
        local
    }

    fn is_healthy(&self) -> bool {
        health_check(&services()["mastodon"], (3000, self.ports[0])).status().unwrap().success()
    }

    /// The settings that name it, as compose gives them to Jupyter.
    pub fn settings(&self) -> [(&'static str, String); 3] {
        [
            ("SPAR_LOCAL_URL", address(self.ports[0])),
            ("SPAR_LOCAL_CONTROL", address(self.ports[1])),
            ("SPAR_LOCAL_PAGES", format!("http://localhost:{}", self.ports[0])),
        ]
    }

    fn config(&self, state: &Path) -> Config {
        let settings = self.settings();
        let settings: Vec<_> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        config_in(state, &settings)
    }
}

/// This machine, under an address that is not loopback's.
fn address(port: u16) -> String {
    format!("http://0.0.0.0:{port}")
}

#[test]
fn a_client_gets_its_token_and_the_stream_from_the_other_container() {
    let folder = tempfile::tempdir().unwrap();
    let server = Local::start(&folder.path().join("server"));
    let config = server.config(&folder.path().join("client"));
    assert!(config.is_local() && !config.embedded.mastodon);
    let app = register_app(&config, &App::named("5SPARK")).unwrap();
    let token = access_token_with(&config, &app, |asked| {
        // What a person opens in a browser of the host.
        let pages = config.local_pages.as_deref().unwrap();
        assert!(asked.starts_with(&format!("{pages}/oauth/authorize?")), "{asked}");
        consent(&config, asked).unwrap()
    });
    assert!(token.unwrap().is_given());

    let config = server.config(&folder.path().join("client"));
    let mastodon = Mastodon::connect(&config).unwrap();
    let control = LocalControl::new(config.mastodon_control.as_deref().unwrap()).unwrap();
    let mut events = 0;
    for item in mastodon.stream().unwrap() {
        if let Incoming::Event { .. } = item.unwrap() {
            events += 1;
        }
        let slice = control.slice().unwrap();
        if slice.is_over() && events >= slice.sent {
            break;
        }
    }
    assert!(events >= 300, "{events}");
    let shown = spar::preflight::check(&config).unwrap().to_string();
    assert!(shown.contains("compte visitor"), "{shown}");
}

#[test]
fn no_token_goes_to_another_machine_in_the_clear_unless_it_is_the_local_mastodons() {
    let folder = tempfile::tempdir().unwrap();
    let (somewhere, ours) = ("http://203.0.113.7:3000", "http://mastodon:3000");
    let settings = [("MASTODON_URL", somewhere), ("MASTODON_ACCESS_TOKEN", "invented"), ("SPAR_LOCAL_URL", somewhere)];
    let refused = Mastodon::connect(&config_in(folder.path(), &settings)).err().unwrap();
    assert!(refused.to_string().contains("plain http would show it to the network"), "{refused}");

    // A token of one's own does not go to the local one, and a consent page elsewhere is not answered.
    let config = config_in(folder.path(), &[("MASTODON_ACCESS_TOKEN", "invented"), ("SPAR_LOCAL_URL", ours)]);
    assert!(config.access_token.is_none());
    let refused = consent(&config, "http://203.0.113.7:3000/oauth/authorize?client_id=x").unwrap_err();
    assert!(refused.to_string().contains("another machine"), "{refused}");
}

#[test]
fn an_address_of_the_local_mastodon_that_is_none_is_told_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    for key in ["SPAR_LOCAL_URL", "SPAR_LOCAL_CONTROL", "SPAR_LOCAL_PAGES"] {
        let wrong = Config::from_settings(folder.path(), |asked| (asked == key).then(|| "mastodon:3000".into()));
        let told = wrong.unwrap_err();
        assert!(told.is_invalid() && told.to_string().contains(key), "{told}");
    }
}
