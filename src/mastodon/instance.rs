//! What an instance tells about itself: where it streams, which feeds it opens, under which terms. `[pure]`

use serde_json::Value;
use url::Url;

/// Who may read a feed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// Anyone.
    Public,
    /// Who has an account.
    Authenticated,
    /// Nobody: the stream opens, and stays silent.
    Disabled,
    /// The server does not say; before Mastodon 4.5 none did.
    #[default]
    Unknown,
}

/// A kind of feed, for the instance's own toots and for those of others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Feeds {
    /// The instance's own.
    pub local: Access,
    /// Those of others.
    pub remote: Access,
}

impl Feeds {
    fn read(at: Option<&Value>) -> Self {
        let side = |name: &str| match at.and_then(|v| v.get(name)).and_then(Value::as_str) {
            Some("public") => Access::Public,
            Some("authenticated") => Access::Authenticated,
            Some("disabled") => Access::Disabled,
            _ => Access::Unknown,
        };
        Self { local: side("local"), remote: side("remote") }
    }

    /// True when neither side ever sends a toot.
    pub fn closed(self) -> bool {
        self.local == Access::Disabled && self.remote == Access::Disabled
    }
}

/// What an instance tells about itself; whatever it leaves out is unknown.
#[derive(Clone, Debug, Default)]
pub struct Instance {
    /// Its name.
    pub title: String,
    /// The version of its software.
    pub version: String,
    /// The HTTP address it streams from.
    pub streaming: Option<Url>,
    /// Its terms of service.
    pub terms: Option<String>,
    /// Who may read the public streams.
    pub live: Feeds,
    /// Who may read the streams of one hashtag.
    pub hashtag: Feeds,
}

impl Instance {
    /// Reads the answer of `/api/v2/instance`, or of the older `/api/v1/instance`.
    pub fn read(answer: &Value) -> Self {
        let text = |path: &str| answer.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let access = answer.pointer("/configuration/timelines_access");
        let streaming = text("/configuration/urls/streaming").or_else(|| text("/urls/streaming_api"));
        Self {
            title: text("/title").unwrap_or_default(),
            version: text("/version").unwrap_or_default(),
            streaming: streaming.as_deref().and_then(streaming_address),
            terms: text("/configuration/urls/terms_of_service"),
            live: Feeds::read(access.and_then(|a| a.get("live_feeds"))),
            hashtag: Feeds::read(access.and_then(|a| a.get("hashtag_feeds"))),
        }
    }
}

/// The HTTP address behind a streaming address: `wss://` is `https://`, `ws://` is `http://`.
pub fn streaming_address(text: &str) -> Option<Url> {
    let text = text.trim().trim_end_matches('/');
    let http = match text.split_once("://")? {
        ("wss" | "https", rest) => format!("https://{rest}"),
        ("ws" | "http", rest) => format!("http://{rest}"),
        _ => return None,
    };
    http.parse().ok().filter(Url::has_host)
}
