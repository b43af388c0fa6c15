//! PostgreSQL: the only place that names its client.

pub(crate) mod connect;
pub mod scoring;

use crate::config::Config;
use crate::error::Result;
use crate::runtime::block_on;
use tokio_postgres::Client;

/// A connection to the project's database.
pub struct Store {
    pub(crate) client: Client,
    pub(crate) config: Config,
}

impl Store {
    /// Connects to the database of `config`.
    ///
    /// # Errors
    ///
    /// Fails if the server is away, refuses the role, or has no such database.
    pub fn connect(config: &Config) -> Result<Self> {
        let client = block_on(connect::connect(config.database_url()?, None))?;
        Ok(Self { client, config: config.clone() })
    }
}
