//! The control address of the local Mastodon: is its slice of the timeline over?

use super::http::{answer, client, place, refused};
use crate::error::{Error, Result};
use crate::runtime::block_on;
use reqwest::Client;
use serde::Deserialize;
use url::Url;

/// Asks the local Mastodon about its own state.
#[derive(Clone)]
pub struct LocalControl {
    client: Client,
    base: Url,
}

/// Where the local timeline stands.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Slice {
    /// The number of the slice.
    pub slice: u64,
    /// `idle`, `running` or `over`.
    pub state: String,
    /// Events written whole to an open stream.
    pub sent: u64,
    /// Events of the whole slice.
    pub total: u64,
    /// True when the timeline has reached the present: no slice follows this one.
    #[serde(default)]
    pub exhausted: bool,
}

impl Slice {
    /// True while it plays.
    pub fn is_running(&self) -> bool {
        self.state == "running"
    }

    /// True once it was played.
    pub fn is_over(&self) -> bool {
        self.state == "over"
    }
}

impl LocalControl {
    /// For a control address.
    ///
    /// # Errors
    ///
    /// Fails if the address is none.
    pub fn new(address: &str) -> Result<Self> {
        let base: Url =
            address.parse().map_err(|e| Error::cannot(format!("use the address {address}"), e).invalid())?;
        Ok(Self { client: client(&base, true)?, base })
    }

    /// Where the timeline stands.
    ///
    /// # Errors
    ///
    /// Fails if the local Mastodon does not answer.
    pub fn slice(&self) -> Result<Slice> {
        self.ask("/control/slice")?.json("the local Mastodon's slice")
    }

    /// What must be found in `filtered_toots`, as the generator knows it, in JSON.
    ///
    /// # Errors
    ///
    /// Fails if the local Mastodon does not answer.
    pub fn expected(&self) -> Result<String> {
        Ok(self.ask("/control/expected")?.body)
    }

    fn ask(&self, path: &str) -> Result<super::http::Answer> {
        let action = format!("ask the local Mastodon at {}", place(&self.base));
        let url = self.base.join(path).map_err(|e| Error::cannot(&*action, e))?;
        let answer = block_on(answer(self.client.get(url), &action))?;
        match answer.status {
            200 => Ok(answer),
            _ => Err(refused(&action, &answer)),
        }
    }
}
