//! A local Mastodon: the API that the pipeline uses, on loopback or between containers, with generated accounts and toots.
//!
//! * [`generator`]: the timeline, drawn from a seed, each status with the label of what should become of it;
//! * [`oracle`]: what a right pipeline has in its tables after what was sent;
//! * `player`, `lines`, `feed`, `wire`: the timeline on its way to the open streams, and what was really sent;
//! * `past`, `timelines`: the same timeline over REST;
//! * `accounts`, `oauth`, `consent`: applications and tokens;
//! * `control`: the address for tests and for the bounded step of partie1.
//!
//! # The consent page
//!
//! `GET /oauth/authorize` answers a page with one form; submitting its hidden fields by `POST /oauth/authorize` is
//! the visitor's yes. With the redirect address `urn:ietf:wg:oauth:2.0:oob` the page that follows shows the code as
//! `<code class="oauth-code">…</code>`.
//!
//! # Where it differs from Mastodon
//!
//! * The visitor is always signed in, and anyone who reaches the address may press the button.
//! * Some statuses on the public stream are not public, so that the client's own check has work.
//! * A slice waits for its listeners' sockets (two minutes at most for one that takes nothing); Mastodon buffers.
//! * Registering applications has no limit of its own.
//! * Only this server's own spelling of header names (lower case) and its `Date` differ on the wire.

mod accounts;
mod consent;
mod control;
mod feed;
pub mod generator;
mod instance;
mod ledger;
mod limits;
mod lines;
mod log;
mod oauth;
pub mod oracle;
mod past;
mod player;
mod request;
mod respond;
mod server;
mod streaming;
mod tagname;
mod timelines;
mod wire;

pub use server::{LocalServer, serve, start};

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

/// How a local Mastodon runs.
#[derive(Clone, Debug)]
pub struct LocalSettings {
    /// Where position, applications and tokens are kept.
    pub folder: PathBuf,
    /// The address that it listens on: loopback, or that of a container on a network of its own.
    pub listen: IpAddr,
    /// Port of the public API; 0 takes a free one.
    pub port: u16,
    /// Port of the control address; 0 takes a free one.
    pub control_port: u16,
    /// The base URL that clients know it by, when that is not this machine's loopback.
    pub base: Option<String>,
    /// What the timeline is drawn from.
    pub seed: u64,
    /// Event seconds per second; none sends as fast as the listener's socket takes.
    pub speed: Option<f64>,
    /// Statuses in a slice of a week.
    pub statuses: u32,
    /// A file that gets `{"url", "control", "pid"}` once the server answers.
    pub ready: Option<PathBuf>,
    /// Time between two heartbeats of a stream.
    pub heartbeat: Duration,
}

impl LocalSettings {
    /// The defaults: free ports on loopback, seed 42, no limit of speed, 20,000 statuses a week, a heartbeat every 15 seconds.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            listen: Ipv4Addr::LOCALHOST.into(),
            port: 0,
            control_port: 0,
            base: None,
            seed: 42,
            speed: None,
            statuses: 20_000,
            ready: None,
            heartbeat: Duration::from_secs(15),
        }
    }
}
