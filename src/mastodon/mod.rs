//! Mastodon: the only place that names the HTTP client.

mod backoff;
mod consent;
mod control;
mod event;
mod feed;
mod follow;
mod greet;
mod http;
mod instance;
mod limit;
pub mod oauth;
mod repeats;
mod rest;
pub mod sse;
mod stream;

pub use backoff::{Backoff, Patience};
pub use consent::consent;
pub use control::{LocalControl, Slice};
pub use event::{Gap, Incoming, Origin};
pub use instance::{Access, Feeds, Instance, streaming_address};
pub use limit::asked_wait;
pub use repeats::Repeats;
pub use rest::PAGE;
use stream::Listening;
pub use stream::Stream;

pub(crate) use greet::{TokenState, greet};

use crate::config::{Config, Secret};
use crate::display::{Report, neutralise};
use crate::error::{Error, Result};
use crate::runtime::block_on;
use feed::{Feed, feeds};
use http::{NO_MASTODON, client, is_ours, patient, place, refused, safe_for_token};
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use std::fmt;
use std::sync::Arc;
use url::Url;

/// An instance that was checked: it is healthy, it knows the token, and its public stream carries toots.
#[derive(Clone)]
pub struct Mastodon(Arc<Inner>);

struct Inner {
    listening: Listening,
    account: String,
    instance: Instance,
    /// The streams to follow.
    feeds: Vec<Feed>,
}

impl Mastodon {
    /// Finds the streaming host, checks that it is healthy, that the token lives and which feeds are open.
    ///
    /// # Errors
    ///
    /// Fails if the instance is away, refuses the token, or has closed its streams.
    pub fn connect(config: &Config) -> Result<Self> {
        Self::connect_with(config, Patience::default())
    }

    /// The same with other time limits for its streams.
    ///
    /// # Errors
    ///
    /// Fails as [`Mastodon::connect`] does.
    pub fn connect_with(config: &Config, patience: Patience) -> Result<Self> {
        let base = base(config)?;
        let token = config.access_token()?.clone();
        safe_for_token(config, &base)?;
        let client = client(&base, is_ours(config, &base))?;
        let (instance, streaming) = block_on(discover(&client, &base))?;
        safe_for_token(config, &streaming)?;
        block_on(health(&client, &streaming))?;
        let account = block_on(verify(&client, &base, &token))?.ok_or_else(|| unknown_token(&base))?;
        let feeds = feeds(&instance, &place(&base), &config.hashtags)?;
        let source = config.source.clone();
        let config = config.clone();
        let listening = Listening { config, client, base, streaming, token, source, patience };
        Ok(Self(Arc::new(Inner { listening, account, instance, feeds })))
    }

    /// Opens the public stream, or those of the hashtags that are followed instead; from here on their toots are heard.
    ///
    /// # Errors
    ///
    /// Never once connected; the failures of a stream are items of it.
    pub fn stream(&self) -> Result<Stream> {
        Ok(Stream::open(&self.0.listening, &self.0.feeds))
    }

    /// What the instance tells about itself.
    pub fn instance(&self) -> &Instance {
        &self.0.instance
    }

    /// Where its toots come from: `local`, or the instance's host.
    pub fn source(&self) -> &str {
        &self.0.listening.source
    }

    /// Its host and port.
    pub fn host(&self) -> String {
        place(&self.0.listening.base)
    }

    /// The instance in a few lines.
    pub fn report(&self) -> Report {
        let Inner { listening, account, instance, feeds } = &*self.0;
        let side = |access| match access {
            Access::Disabled => "fermé",
            Access::Unknown => "inconnu",
            Access::Public | Access::Authenticated => "ouvert",
        };
        let mut lines = vec![
            format!("Connecté à {} (Mastodon {})", self.host(), neutralise(&instance.version)),
            format!("flux : {}, compte : {}", place(&listening.streaming), neutralise(account)),
            format!("flux public local {}, distant {}", side(instance.live.local), side(instance.live.remote)),
        ];
        let tags: Vec<String> = feeds.iter().filter_map(Feed::tag).map(|tag| neutralise(&tag)).collect();
        if !tags.is_empty() {
            lines.push(format!("à la place, les toots qui portent l'un de ces hashtags : {}", tags.join(", ")));
        }
        if let Some(terms) = &instance.terms {
            lines.push(format!("conditions d'utilisation : {}", neutralise(terms)));
        }
        if listening.source == "local" {
            lines.push("Serveur local : les toots sont générés, personne ne les a écrits.".to_owned());
        }
        Report::new(lines.join("\n"))
    }

    /// Shows the instance in a notebook.
    pub fn evcxr_display(&self) {
        self.report().evcxr_display();
    }

    fn get(&self, path: &str) -> RequestBuilder {
        let Listening { client, base, token, .. } = &self.0.listening;
        let mut url = base.clone();
        url.set_path(path);
        client.get(url).bearer_auth(token.expose())
    }
}

impl fmt::Display for Mastodon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report().fmt(f)
    }
}

/// The instance at `base` does not know the token.
fn unknown_token(base: &Url) -> Error {
    Error::cannot(format!("use {}", place(base)), "it does not know the access token, or no longer")
        .next("get a new one with notebooks/jeton_access.ipynb, or set MASTODON_ACCESS_TOKEN in .env")
        .refused()
}

/// The instance's base address.
fn base(config: &Config) -> Result<Url> {
    let text = config.mastodon_url()?;
    text.parse().map_err(|e| Error::cannot(format!("use MASTODON_URL={text}"), e).invalid())
}

fn join(base: &Url, path: &str) -> Result<Url> {
    base.join(path).map_err(|e| Error::cannot(format!("use the address {base}"), e).invalid())
}

/// What the instance tells, and the host of its streams.
async fn discover(client: &Client, base: &Url) -> Result<(Instance, Url)> {
    let action = format!("ask {} about itself", place(base));
    let mut instance = Instance::default();
    for path in ["/api/v2/instance", "/api/v1/instance"] {
        let answer = patient(client.get(join(base, path)?), &action).await?;
        match answer.status {
            200 => {
                instance = Instance::read(&answer.json::<Value>("the instance's description")?);
                break;
            }
            404 => {}
            _ => return Err(refused(&action, &answer)),
        }
    }
    if let Some(streaming) = instance.streaming.clone() {
        return Ok((instance, streaming));
    }
    let answer = patient(client.get(join(base, "/api/v1/streaming")?), &action).await?;
    let moved = answer.location.as_deref().and_then(streaming_address).and_then(|url| join(&url, "/").ok());
    Ok((instance, moved.unwrap_or_else(|| base.clone())))
}

async fn health(client: &Client, streaming: &Url) -> Result<()> {
    let action = format!("reach the streaming server {}", place(streaming));
    let answer = patient(client.get(join(streaming, "/api/v1/streaming/health")?), &action).await?;
    match (answer.status, answer.body.trim()) {
        (200, "OK") => Ok(()),
        (200, _) => Err(Error::cannot(action, "its health check does not answer OK").next(NO_MASTODON)),
        _ => Err(refused(&action, &answer)),
    }
}

/// The account behind `token`, or nothing when the instance does not know the token.
async fn verify(client: &Client, base: &Url, token: &Secret) -> Result<Option<String>> {
    let action = format!("check the access token at {}", place(base));
    let url = join(base, "/api/v1/accounts/verify_credentials")?;
    let answer = patient(client.get(url).bearer_auth(token.expose()), &action).await?;
    match answer.status {
        200 => {
            let account: Value = answer.json("the token's account")?;
            Ok(Some(account.get("acct").and_then(Value::as_str).unwrap_or("?").to_owned()))
        }
        401 => Ok(None),
        422 => Err(Error::cannot(action, "it belongs to an application, not to a person; streams need a person's")
            .next("get one with notebooks/jeton_access.ipynb")
            .refused()),
        _ => Err(refused(&action, &answer)),
    }
}
