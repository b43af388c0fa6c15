//! One HTTP client per instance: bounded answers, and a token that never leaves its host.

use super::backoff::random;
use super::limit::asked_wait;
use crate::config::Config;
use crate::display::neutralise;
use crate::error::{Error, Result};
use crate::timestamp::Timestamp;
use reqwest::header::{ACCEPT_ENCODING, CONTENT_ENCODING, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response};
use std::net::IpAddr;
use std::sync::Once;
use std::time::Duration;
use url::{Host, Url};

/// How the project names itself.
const USER_AGENT: &str = concat!("spar/", env!("CARGO_PKG_VERSION"), " (course notebooks on public toots)");
/// What to do where an answer is none of Mastodon's.
pub(super) const NO_MASTODON: &str = "check MASTODON_URL: this may be no Mastodon server";
/// The longest answer that is read, in bytes.
const LONGEST: usize = 32 << 20;
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
/// About how long a server that stumbles is left alone.
const STUMBLES: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(900)];

/// An answer that was read whole.
pub(super) struct Answer {
    pub status: u16,
    pub body: String,
    /// The `Location` of a redirect.
    pub location: Option<String>,
    /// How long the server asks to wait.
    pub wait: Option<Duration>,
}

impl Answer {
    /// The body's first 200 characters on one line, for a message.
    pub fn excerpt(&self) -> String {
        neutralise(&self.body).chars().take(200).collect()
    }

    /// Reads the body as JSON.
    pub fn json<T: serde::de::DeserializeOwned>(&self, what: &str) -> Result<T> {
        serde_json::from_str(&self.body).map_err(|e| {
            Error::cannot(
                format!("understand {what}"),
                format!("no JSON of the expected form at column {}", e.column()),
            )
            .next(NO_MASTODON)
        })
    }
}

/// An address that a token may be sent to.
///
/// # Errors
///
/// Fails for plain HTTP to another machine, unless the settings say that a local Mastodon of our own runs there.
pub(super) fn safe_for_token(config: &Config, url: &Url) -> Result<()> {
    if url.scheme() == "https" || is_ours(config, url) {
        return Ok(());
    }
    Err(Error::cannot(format!("send the access token to {}", place(url)), "plain http would show it to the network")
        .next("use an https address in MASTODON_URL")
        .invalid())
}

/// True on this machine, and for the local Mastodon that `SPAR_LOCAL_URL` names: same scheme, host and port.
pub(super) fn is_ours(config: &Config, url: &Url) -> bool {
    let named = config.local_url.as_deref().and_then(|ours| Url::parse(ours).ok());
    is_loopback(url) || named.is_some_and(|named| named.origin() == url.origin())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::V4(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::V6(ip).is_loopback(),
        None => false,
    }
}

/// Host and port, for messages.
pub(super) fn place(url: &Url) -> String {
    let host = url.host_str().unwrap_or("?");
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A client for `base`, which is `ours` or someone else's. It follows redirects inside the same origin only, so the
/// token stays with its host.
pub(super) fn client(base: &Url, ours: bool) -> Result<Client> {
    static PROVIDER: Once = Once::new();
    // Another part of the process may have chosen a provider first; that one does as well.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let same_origin = Policy::custom(|attempt| {
        let first = attempt.previous().first().map(Url::origin);
        if attempt.previous().len() <= 5 && first == Some(attempt.url().origin()) {
            attempt.follow()
        } else {
            attempt.stop()
        }
    });
    let mut builder = Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT)
        .redirect(same_origin)
        .referer(false)
        .default_headers([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))].into_iter().collect());
    if ours && base.scheme() == "http" {
        // No proxy stands between a machine and itself, nor between containers, and no certificate store is needed.
        builder = builder.no_proxy().tls_certs_only([]);
    }
    builder.build().map_err(|e| Error::cannot(format!("prepare the HTTP client for {}", place(base)), chain(&e)))
}

/// Sends a request and reads its answer, whatever its status.
pub(super) async fn answer(request: RequestBuilder, action: &str) -> Result<Answer> {
    once(request, action).await.map_err(|failed| failed.error)
}

/// The same for a request that changes nothing: a server that stumbles is asked three times. One that is not there, or
/// takes its whole time, is not.
pub(super) async fn patient(request: RequestBuilder, action: &str) -> Result<Answer> {
    for wait in STUMBLES {
        let Some(again) = request.try_clone() else { break };
        match once(again, action).await {
            Ok(Answer { status: 500 | 502..=504, .. }) => {}
            Ok(answer) => return Ok(answer),
            Err(Failed { stumbled: true, .. }) => {}
            Err(Failed { error, .. }) => return Err(error),
        }
        tokio::time::sleep(wait.mul_f64(0.5 + random())).await;
    }
    answer(request, action).await
}

/// A request without an answer.
struct Failed {
    error: Error,
    /// The server took the request and broke off.
    stumbled: bool,
}

async fn once(request: RequestBuilder, action: &str) -> Result<Answer, Failed> {
    let failed = |e: reqwest::Error| {
        let error = unreachable(action, &e);
        Failed { stumbled: error.is_transient() && !e.is_connect() && !e.is_timeout(), error }
    };
    let response = request.timeout(ANSWER).send().await.map_err(failed)?;
    let status = response.status().as_u16();
    if let Some(coding) = coding(&response) {
        let why = format!("it answered in the coding {coding:?}, which was not asked for");
        return Err(Failed { error: Error::cannot(action, why).next(NO_MASTODON), stumbled: false });
    }
    let location = response.headers().get("location").and_then(|l| l.to_str().ok()).map(str::to_owned);
    let wait = asked(&response);
    let body = body(response).await.map_err(failed)?;
    Ok(Answer { status, body, location, wait })
}

/// How long an answer asks to wait.
pub(super) fn asked(response: &Response) -> Option<Duration> {
    let header = |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok());
    // Every answer tells when the window ends; only who has used it up must wait for that.
    let reset = (response.status().as_u16() == 429).then(|| header("x-ratelimit-reset")).flatten();
    asked_wait(reset, header("retry-after"), header("date"), Timestamp::now())
}

/// The coding of an answer that is not plain: none is asked for, so none can be read.
pub(super) fn coding(response: &Response) -> Option<String> {
    let coding = response.headers().get(CONTENT_ENCODING)?.to_str().unwrap_or("?");
    (!coding.eq_ignore_ascii_case("identity")).then(|| coding.to_owned())
}

/// The body, cut to [`LONGEST`] bytes.
pub(super) async fn body(mut response: Response) -> Result<String, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = LONGEST - bytes.len();
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if bytes.len() == LONGEST {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A request without an answer: final when the certificate is wrong, else it may work later.
pub(super) fn unreachable(action: &str, error: &reqwest::Error) -> Error {
    if bad_certificate(error) {
        return Error::cannot(action, chain(error))
            .next("check the address and this machine's clock and certificate store")
            .refused();
    }
    let next = match error.url() {
        Some(url) if url.scheme() == "https" => "check MASTODON_URL and the network",
        _ => "check MASTODON_URL (in containers SPAR_LOCAL_URL) and the network, or run `./spar services up`",
    };
    Error::cannot(action, chain(error)).next(next).transient()
}

fn bad_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    // An error of IO hides what it wraps from its sources, and may wrap another of its kind.
    let io = error.downcast_ref::<std::io::Error>();
    match error.downcast_ref::<rustls::Error>() {
        Some(tls) => matches!(tls, rustls::Error::InvalidCertificate(_)),
        None => match io.and_then(std::io::Error::get_ref) {
            Some(inner) => bad_certificate(inner),
            None => error.source().is_some_and(bad_certificate),
        },
    }
}

/// The error and its causes, without the address: it stands in the message already.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut causes = Vec::new();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        causes.push(inner.to_string());
        source = inner.source();
    }
    match causes.pop() {
        Some(root) => root,
        None if error.is_timeout() => "no answer in time".to_owned(),
        None if error.is_decode() || error.is_body() => "the answer broke off".to_owned(),
        None => "the request failed".to_owned(),
    }
}

/// What an answer that is not the expected one means.
pub(super) fn refused(action: &str, answer: &Answer) -> Error {
    let error = Error::cannot(action, format!("the server answered {} {}", answer.status, answer.excerpt()));
    match answer.status {
        401 => error
            .next("get a new token with notebooks/jeton_access.ipynb, or set MASTODON_ACCESS_TOKEN in .env")
            .refused(),
        403 => error.next("ask for the scopes `read:statuses profile`, with a confirmed account").refused(),
        404 | 410 => error.next(NO_MASTODON),
        429 => {
            let wait =
                answer.wait.map_or_else(|| "a few minutes".to_owned(), |wait| format!("{} s", wait.as_secs() + 1));
            error.next(format!("wait {wait} and try again")).transient()
        }
        500..=599 => error.next("try again in a moment").transient(),
        300..=399 => error
            .next(format!(
                "set MASTODON_URL to the address it moved to ({})",
                answer.location.as_deref().unwrap_or("?")
            ))
            .invalid(),
        _ => error.next("check MASTODON_URL and what the server says"),
    }
}
