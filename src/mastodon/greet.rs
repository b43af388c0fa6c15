//! One round trip to an instance: is it healthy, does it know the token, and which of its streams carry toots?

use super::feed::{Feed, feeds};
use super::http::{client, is_ours, place, safe_for_token};
use super::{base, discover, health, unknown_token, verify};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::runtime::block_on;

/// What an instance answers before anything is asked of it.
pub(crate) struct Greeting {
    /// The version of its software.
    pub(crate) version: String,
    /// What it says about the access token.
    pub(crate) token: TokenState,
    /// True when hashtags are followed instead of the public stream.
    pub(crate) by_hashtag: bool,
}

/// What an instance says about the access token.
pub(crate) enum TokenState {
    /// There is none to ask about.
    Absent,
    /// It belongs to this account.
    Of(String),
    /// The instance does not know it, or no longer.
    Unknown(Error),
    /// It cannot be used for streams.
    Unusable(Error),
}

/// Asks the instance about itself, its streaming server for its health, and about the token if there is one.
///
/// # Errors
///
/// Fails as [`super::Mastodon::connect`] does, but for what the token says.
pub(crate) fn greet(config: &Config) -> Result<Greeting> {
    let base = base(config)?;
    if config.access_token.is_some() {
        safe_for_token(config, &base)?;
    }
    let client = client(&base, is_ours(config, &base))?;
    block_on(async {
        let (instance, streaming) = discover(&client, &base).await?;
        if config.access_token.is_some() {
            safe_for_token(config, &streaming)?;
        }
        health(&client, &streaming).await?;
        let followed = feeds(&instance, &place(&base), &config.hashtags)?;
        let token = match &config.access_token {
            None => TokenState::Absent,
            Some(token) => match verify(&client, &base, token).await {
                Ok(Some(account)) => TokenState::Of(account),
                Ok(None) => TokenState::Unknown(unknown_token(&base)),
                Err(e) if e.is_refused() => TokenState::Unusable(e),
                Err(e) => return Err(e),
            },
        };
        let by_hashtag = followed.iter().any(|feed| matches!(feed, Feed::Hashtag(_)));
        Ok(Greeting { version: instance.version, token, by_hashtag })
    })
}
