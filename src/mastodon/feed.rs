//! Which streams are followed: the public one, or those of some hashtags. `[pure]`

use super::instance::Instance;
use crate::error::{Error, Result};
use crate::toot::KEYWORDS;
use url::Url;

/// How many hashtags are followed where the public stream is closed: each is a connection of its own.
const TAGS: usize = 10;
/// How many may be asked for.
const MOST_TAGS: usize = 30;

/// One stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    /// Every public toot.
    Public,
    /// Those that carry a tag.
    Hashtag(String),
}

impl Feed {
    /// Where it is on a streaming host.
    pub fn url(&self, streaming: &Url) -> Url {
        let mut url = streaming.clone();
        url.set_query(None);
        match self {
            Self::Public => url.set_path("/api/v1/streaming/public"),
            Self::Hashtag(tag) => {
                url.set_path("/api/v1/streaming/hashtag");
                url.query_pairs_mut().append_pair("tag", tag);
            }
        }
        url
    }

    /// The tag with its `#`; nothing for the public stream.
    pub fn tag(&self) -> Option<String> {
        match self {
            Self::Public => None,
            Self::Hashtag(tag) => Some(format!("#{tag}")),
        }
    }

    /// Its name in messages.
    pub fn name(&self) -> String {
        match self {
            Self::Public => "the public stream".to_owned(),
            Self::Hashtag(tag) => format!("the stream of #{tag}"),
        }
    }
}

/// The streams to follow: those of `tags` if there are any, else the public one, else, where the instance at `place`
/// has closed it, those of the first tags among the keywords.
pub(super) fn feeds(instance: &Instance, place: &str, tags: &[String]) -> Result<Vec<Feed>> {
    let asked = !tags.is_empty();
    if !asked && !instance.live.closed() {
        return Ok(vec![Feed::Public]);
    }
    if instance.hashtag.closed() {
        let closed = if instance.live.closed() { "the public and the hashtag streams" } else { "the hashtag streams" };
        return Err(Error::cannot(
            format!("listen to {place}"),
            format!("its administrators disabled {closed} (configuration.timelines_access)"),
        )
        .next(if instance.live.closed() {
            "set MASTODON_URL to an instance whose live_feeds are open"
        } else {
            "leave SPAR_HASHTAGS out: the public stream is open"
        })
        .refused());
    }
    let mut wanted: Vec<&str> = Vec::new();
    for tag in tags.iter().map(|tag| tag.trim_start_matches('#')).filter(|tag| !tag.is_empty()) {
        if !wanted.iter().any(|known| known.to_lowercase() == tag.to_lowercase()) {
            wanted.push(tag);
        }
    }
    if wanted.len() > MOST_TAGS || (asked && wanted.is_empty()) {
        return Err(Error::cannot("use SPAR_HASHTAGS", format!("from 1 to {MOST_TAGS} tags are wanted"))
            .next("change it in the environment or in .env")
            .invalid());
    }
    if wanted.is_empty() {
        wanted = KEYWORDS.iter().filter_map(|keyword| keyword.strip_prefix('#')).take(TAGS).collect();
    }
    Ok(wanted.into_iter().map(|tag| Feed::Hashtag(tag.to_owned())).collect())
}
