//! One stream, followed for ever: opened, read, lost, opened again, until the server says no for good.

use super::backoff::{Backoff, random};
use super::event::{Gap, Incoming, Origin};
use super::feed::Feed;
use super::http::{Answer, asked, body, chain, coding, place, refused, safe_for_token, unreachable};
use super::sse::{Frame, Parser};
use super::stream::{Listening, Together};
use crate::error::{Error, Result};
use crate::timestamp::Timestamp;
use reqwest::Response;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep, timeout};

/// After so long without a break the next one is the first again.
const HEALTHY: Duration = Duration::from_secs(60);

/// Why a connection ended.
enum End {
    /// Trying again may help; `least` is the wait the server asks for.
    Broken { cause: String, least: Duration },
    /// The stream is not here; the instance may say where it is now.
    Elsewhere(Error),
    /// It cannot help.
    Refused(Error),
    /// Nobody reads any more.
    Unread,
}

fn broken(cause: impl Into<String>) -> End {
    End::Broken { cause: cause.into(), least: Duration::ZERO }
}

/// One attempt.
struct Attempt {
    /// The last moment that something was heard.
    heard: Timestamp,
    /// When the stream opened, and when its last byte came.
    open: Option<(Instant, Instant)>,
    end: End,
}

/// Follows `feed` and hands on what it gives, until a refusal or until nobody reads.
pub(super) async fn follow(
    mut listening: Listening,
    feed: Feed,
    together: Arc<Together>,
    items: Sender<Result<Incoming>>,
) {
    let patience = listening.patience;
    let mut backoff = Backoff::new(patience);
    let mut silent: Option<(Timestamp, String)> = None;
    // Where it streams was asked for since the stream was open last: once is enough.
    let mut asked = false;
    loop {
        let attempt = attempt(&listening, &feed, &together, &items, &mut silent, &mut backoff).await;
        asked &= attempt.open.is_none();
        let (cause, least) = match attempt.end {
            End::Unread => return,
            End::Broken { cause, least } => (cause, least),
            End::Refused(error) => return refuse(&items, error).await,
            End::Elsewhere(error) if asked => return refuse(&items, error).await,
            End::Elsewhere(error) => match elsewhere(&mut listening, error).await {
                Err(error) => return refuse(&items, error).await,
                Ok(cause) => {
                    asked = true;
                    (cause, Duration::ZERO)
                }
            },
        };
        let cause = feed.tag().map_or_else(|| cause.clone(), |tag| format!("{tag}: {cause}"));
        silent.get_or_insert_with(|| (attempt.heard, cause.clone()));
        if attempt.open.is_some_and(|(opened, last)| last.duration_since(opened) >= HEALTHY) {
            backoff.reset();
        }
        // Those who were all asked to wait until one moment must not all come back at it.
        let wait = backoff.next(random()).max(least + patience.first_wait.mul_f64(random()));
        let lost = Incoming::Lost { cause, attempt: backoff.failures(), wait, others: together.open() };
        if items.send(Ok(lost)).await.is_err() {
            return;
        }
        sleep(wait).await;
        together.turn(patience.first_wait).await;
    }
}

async fn refuse(items: &Sender<Result<Incoming>>, error: Error) {
    // The reader may have gone; then nobody wants the refusal either.
    let _ = items.send(Err(error)).await;
}

async fn attempt(
    listening: &Listening,
    feed: &Feed,
    together: &Together,
    items: &Sender<Result<Incoming>>,
    silent: &mut Option<(Timestamp, String)>,
    backoff: &mut Backoff,
) -> Attempt {
    let begun = Timestamp::now();
    let response = match open(listening, feed).await {
        Ok(response) => response,
        Err(end) => return Attempt { heard: begun, open: None, end },
    };
    let opened = Instant::now();
    let gap = silent.take().map(|(from, reason)| {
        // The clock may have been set back meanwhile.
        let gap = Gap::new(&listening.source, from, Timestamp::now().max(from), reason);
        Incoming::Gap(match feed.tag() {
            None => gap,
            Some(tag) => Gap { id: format!("{}-{tag}", gap.id), ..gap },
        })
    });
    let mut attempt = Attempt { heard: Timestamp::now(), open: Some((opened, opened)), end: End::Unread };
    for item in gap.into_iter().chain([Incoming::Opened]) {
        if items.send(Ok(item)).await.is_err() {
            return attempt;
        }
    }
    together.opened();
    attempt.end = read(response, listening, together, items, backoff, &mut attempt.heard, &mut attempt.open).await;
    together.closed();
    attempt
}

/// Asks the instance where it streams now.
async fn elsewhere(listening: &mut Listening, refused: Error) -> Result<String, Error> {
    match super::discover(&listening.client, &listening.base).await {
        Ok((_, streaming)) if streaming == listening.streaming => Err(refused),
        Ok((_, streaming)) => {
            safe_for_token(&listening.config, &streaming)?;
            let cause = format!("the stream moved to {}", place(&streaming));
            listening.streaming = streaming;
            Ok(cause)
        }
        Err(e) if e.is_transient() => Ok(e.to_string()),
        Err(_) => Err(refused),
    }
}

async fn open(listening: &Listening, feed: &Feed) -> Result<Response, End> {
    let Listening { client, token, patience, .. } = listening;
    let action = format!("open {} of {}", feed.name(), place(&listening.streaming));
    let request =
        client.get(feed.url(&listening.streaming)).bearer_auth(token.expose()).header(ACCEPT, "text/event-stream");
    let response = match timeout(patience.silence, request.send()).await {
        Err(_) => return Err(broken("no answer in time")),
        Ok(Err(e)) => {
            let error = unreachable(&action, &e);
            return Err(if error.is_refused() { End::Refused(error) } else { broken(chain(&e)) });
        }
        Ok(Ok(response)) => response,
    };
    let status = response.status().as_u16();
    if status == 200 {
        let kind = response.headers().get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("none");
        let why = match coding(&response) {
            Some(coding) => format!("it answered in the coding {coding:?}, which was not asked for"),
            None if kind.starts_with("text/event-stream") => return Ok(response),
            None => format!("it answered with content of type {kind:?}"),
        };
        let error = Error::cannot(action, why).next("check MASTODON_URL: this may be no Mastodon server");
        return Err(End::Refused(error.refused()));
    }
    let location = response.headers().get("location").and_then(|l| l.to_str().ok()).map(str::to_owned);
    let wait = asked(&response);
    let text = timeout(patience.silence, body(response)).await.unwrap_or(Ok(String::new())).unwrap_or_default();
    let error = refused(&action, &Answer { status, body: text, location, wait });
    Err(match status {
        429 => End::Broken { cause: "the server asks to wait (429)".into(), least: wait.unwrap_or(patience.busy) },
        408 | 500..=599 => {
            End::Broken { cause: format!("the server answered {status}"), least: wait.unwrap_or_default() }
        }
        300..=399 | 404 => End::Elsewhere(error.refused()),
        _ => End::Refused(error.refused()),
    })
}

async fn read(
    mut response: Response,
    listening: &Listening,
    together: &Together,
    items: &Sender<Result<Incoming>>,
    backoff: &mut Backoff,
    heard: &mut Timestamp,
    open: &mut Option<(Instant, Instant)>,
) -> End {
    let silence = listening.patience.silence;
    let mut parser = Parser::default();
    let mut frames = Vec::new();
    loop {
        let chunk = match timeout(silence, response.chunk()).await {
            Err(_) => return broken(format!("no byte for {:.0} s", silence.as_secs_f64())),
            Ok(Err(e)) => return broken(chain(&e)),
            Ok(Ok(None)) if parser.is_unfinished() => return broken("the server closed the stream inside an event"),
            Ok(Ok(None)) => return broken("the server closed the stream"),
            Ok(Ok(Some(chunk))) => chunk,
        };
        *heard = Timestamp::now();
        if let Some((_, last)) = open {
            *last = Instant::now();
        }
        parser.feed(&chunk, |frame| frames.push(frame));
        for frame in frames.drain(..) {
            let item = match frame {
                Frame::Event { name, data } => {
                    backoff.reset();
                    if !together.is_new(&name, &data) {
                        continue;
                    }
                    Incoming::Event { origin: Origin::Stream, name, data }
                }
                Frame::Unreadable { body, cause } => Incoming::Unreadable { body, cause: cause.to_owned() },
            };
            if items.send(Ok(item)).await.is_err() {
                return End::Unread;
            }
        }
    }
}
