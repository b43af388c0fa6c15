//! PostgreSQL: the only place that names its client.

mod address;
mod aggregates;
pub(crate) mod agreement;
pub(crate) mod connect;
mod copy;
pub(crate) mod ledger;
pub(crate) mod probe;
pub(crate) mod read;
mod results;
mod retry;
mod rows;
mod run;
mod schema;
pub mod scoring;
mod scoring_sql;
mod sink;
pub(crate) mod snapshot;
mod step;
mod tls;
mod value;
mod windows;

pub use sink::Phases;
pub use step::{Fault, Hook, Step};

pub(crate) use retry::patiently;
pub(crate) use schema::{about, may_write};
pub(crate) use sink::{Committed, Outcome, Sink};

use crate::config::Config;
use crate::error::Result;
use crate::runtime::block_on;
use tokio_postgres::Client;

/// A connection to the project's database.
pub struct Store {
    pub(crate) client: Client,
}

impl Store {
    /// Connects to the database of `config`.
    ///
    /// # Errors
    ///
    /// Fails if the server is away, refuses the role, or has no such database.
    pub fn connect(config: &Config) -> Result<Self> {
        let client = block_on(connect::connect(config.database_url()?, None))?;
        Ok(Self { client })
    }
}
