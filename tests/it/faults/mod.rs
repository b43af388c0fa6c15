//! A service that goes away, or is not what it should be: what a person reads, and what the tables hold afterwards.

mod addresses;
mod clock;
mod front;
mod full_queue;
mod kafka_dies;
mod kept;
mod partie1;
mod postgres_dies;
mod process_dies;
mod tls;
mod upgrade;

pub use crate::server::Server;

use crate::support::eventually;
use std::time::Duration;

/// Waits for what takes seconds on a busy machine.
pub fn soon(what: &str, is_so: impl FnMut() -> bool) {
    eventually(what, Duration::from_secs(60), is_so);
}
