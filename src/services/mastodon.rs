//! The local Mastodon: this very command, as a process of its own.

use super::process::Plan;
use super::site::{Service, Site};
use crate::error::{Error, Result};
use crate::local::LocalSettings;
use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

/// The longest answer to the health question that is read.
const ANSWER: u64 = 4096;

/// The command line of the local server.
pub(crate) fn plan(site: Site<'_>, ports: Vec<u16>) -> Result<Plan> {
    let config = site.config;
    let folder = Service::Mastodon.folder(&config.source_state());
    let speed = config.local_speed.map_or_else(|| "max".to_owned(), |speed| speed.to_string());
    let mut args: Vec<OsString> = vec!["mastodon".into(), "--folder".into(), folder.join("data").into()];
    for (option, value) in [
        ("--port", ports[0].to_string()),
        ("--control-port", ports[1].to_string()),
        ("--ready", "ready".to_owned()),
        ("--seed", config.local_seed.to_string()),
        ("--speed", speed),
        ("--statuses", config.local_statuses.to_string()),
    ] {
        args.extend([option.into(), value.into()]);
    }
    let program =
        std::path::absolute(site.command).map_err(|e| Error::cannot(format!("find {}", site.command.display()), e))?;
    Ok(Plan { program, args, ports })
}

/// What the hidden command `spar mastodon` is started with.
#[derive(Clone, Debug, clap::Args)]
pub struct MastodonArguments {
    /// Where position, apps and tokens are kept
    #[arg(long)]
    pub folder: PathBuf,
    /// The address to listen on
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST.into())]
    pub listen: IpAddr,
    /// The port of the API; 0 takes a free one
    #[arg(long)]
    pub port: u16,
    /// The port that tells how far the timeline is; 0 takes a free one
    #[arg(long)]
    pub control_port: u16,
    /// The base URL that clients know it by [default: loopback and the port]
    #[arg(long, value_parser = base_url)]
    pub base: Option<String>,
    /// A file that is written once the server listens
    #[arg(long)]
    pub ready: Option<PathBuf>,
    /// The seed of the timeline
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Event seconds per second, or `max`
    #[arg(long, default_value = "max")]
    pub speed: String,
    /// Statuses in a slice
    #[arg(long, default_value_t = 20_000)]
    pub statuses: u32,
}

impl MastodonArguments {
    /// The settings they mean.
    ///
    /// # Errors
    ///
    /// Fails if the speed is neither `max` nor a number above zero.
    pub fn settings(&self) -> Result<LocalSettings> {
        let speed = match self.speed.as_str() {
            "max" => None,
            text => Some(text.parse().ok().filter(|s: &f64| *s > 0.0).ok_or_else(|| {
                Error::cannot(format!("use --speed {text}"), "`max` or a number above zero is wanted").invalid()
            })?),
        };
        Ok(LocalSettings {
            listen: self.listen,
            port: self.port,
            control_port: self.control_port,
            base: self.base.clone(),
            seed: self.seed,
            speed,
            statuses: self.statuses,
            ready: self.ready.clone(),
            ..LocalSettings::new(&self.folder)
        })
    }
}

/// A base URL of plain or secure HTTP, without a slash at its end: paths are appended to it.
fn base_url(text: &str) -> std::result::Result<String, String> {
    let url = url::Url::parse(text).map_err(|e| e.to_string())?;
    if !matches!(url.scheme(), "http" | "https") || url.path() != "/" || url.query().is_some() {
        return Err("an address like http://mastodon:3000 is wanted".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Asks for its health.
pub(crate) fn ask(ports: &[u16]) -> Result<()> {
    let place = format!("the local Mastodon at {}", base(ports[0]));
    let answer = get(ports[0], "/api/v1/streaming/health")
        .map_err(|e| Error::cannot(format!("reach {place}"), e).transient())?;
    // The body comes in one chunk: its length, its text, and the end.
    let is_ok = answer.split_once("\r\n\r\n").is_some_and(|(_, body)| body.lines().any(|line| line == "OK"));
    if answer.starts_with("HTTP/1.1 200") && is_ok {
        return Ok(());
    }
    let first = answer.lines().next().unwrap_or("nothing");
    Err(Error::cannot(format!("use {place}"), format!("it answered {first}")))
}

/// A base URL on this machine.
pub(crate) fn base(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// A plain GET over a connection of its own: all that a health check needs.
fn get(port: u16, path: &str) -> std::io::Result<String> {
    let limit = Duration::from_secs(5);
    let mut connection = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), limit)?;
    connection.set_read_timeout(Some(limit))?;
    connection.set_write_timeout(Some(limit))?;
    write!(connection, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    connection.take(ANSWER).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
