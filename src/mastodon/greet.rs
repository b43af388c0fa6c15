//! One round trip to an instance: is it healthy, and does it know the token?

use super::http::{client, is_ours, safe_for_token};
use super::{base, discover, health, verify};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::runtime::block_on;

/// What an instance answers before anything is asked of it.
pub(crate) struct Greeting {
    /// The version of its software.
    pub(crate) version: String,
    /// What it says about the access token.
    pub(crate) token: TokenState,
    /// True when its public stream is closed.
    pub(crate) is_silent: bool,
}

/// What an instance says about the access token.
pub(crate) enum TokenState {
    /// There is none to ask about.
    Absent,
    /// It belongs to this account.
    Of(String),
    /// The instance does not know it any more.
    Unknown,
    /// It cannot be used for streams.
    Unusable(Error),
}

/// Asks the instance about itself, its streaming server for its health, and about the token if there is one.
pub(crate) fn greet(config: &Config) -> Result<Greeting> {
    let base = base(config)?;
    let client = client(&base, is_ours(config, &base))?;
    block_on(async {
        let (instance, streaming) = discover(&client, &base).await?;
        health(&client, &streaming).await?;
        let token = match &config.access_token {
            None => TokenState::Absent,
            Some(token) => match safe_for_token(config, &base) {
                Err(e) => TokenState::Unusable(e),
                Ok(()) => match verify(&client, &base, token).await {
                    Ok(Some(account)) => TokenState::Of(account),
                    Ok(None) => TokenState::Unknown,
                    Err(e) if e.is_refused() => TokenState::Unusable(e),
                    Err(e) => return Err(e),
                },
            },
        };
        Ok(Greeting { version: instance.version, token, is_silent: instance.live.closed() })
    })
}
