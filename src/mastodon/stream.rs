//! The public stream as a blocking iterator that reconnects by itself.

use super::backoff::{Backoff, Patience, random};
use super::event::{Gap, Incoming, Origin};
use super::http::{Answer, body, chain, place, refused, unreachable};
use super::sse::{Frame, Parser};
use crate::config::Secret;
use crate::error::{Error, Result};
use crate::runtime::{block_on, runtime};
use crate::timestamp::Timestamp;
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{Client, Response};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use url::Url;

/// Events that wait for the reader; beyond, the socket is read no further.
const QUEUE: usize = 256;
/// After so long without a break the next one is the first again.
const HEALTHY: Duration = Duration::from_secs(60);
/// The least wait after 429.
const BUSY: Duration = Duration::from_secs(60);

/// Where to listen, and with what.
#[derive(Clone)]
pub(super) struct Line {
    pub client: Client,
    pub url: Url,
    pub token: Secret,
    pub source: String,
    pub patience: Patience,
}

/// What the stream gives, without end: only a definitive refusal, given as an error, ends a connection for good.
///
/// Dropping it closes the connection.
pub struct Stream {
    items: Receiver<Result<Incoming>>,
    readers: Vec<JoinHandle<()>>,
    tick: Duration,
}

impl Stream {
    /// Follows each line; what they give comes in one queue.
    pub(super) fn open(lines: Vec<Line>) -> Self {
        let (sender, items) = channel(QUEUE);
        let tick = lines.first().map_or_else(|| Patience::default().tick, |line| line.patience.tick);
        let readers = lines.into_iter().map(|line| runtime().spawn(follow(line, sender.clone()))).collect();
        Self { items, readers, tick }
    }
}

impl Iterator for Stream {
    type Item = Result<Incoming>;

    /// Waits for the next thing, at most one tick.
    fn next(&mut self) -> Option<Self::Item> {
        if let Ok(item) = self.items.try_recv() {
            return Some(item);
        }
        match block_on(async { timeout(self.tick, self.items.recv()).await }) {
            Ok(item) => item,
            Err(_) => Some(Ok(Incoming::Quiet)),
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        for reader in &self.readers {
            reader.abort();
        }
    }
}

/// Why a connection ended.
enum End {
    /// Trying again may help; `least` is the wait the server asks for.
    Broken { cause: String, least: Duration },
    /// It cannot help.
    Refused(Error),
    /// Nobody reads any more.
    Unread,
}

fn broken(cause: impl Into<String>) -> End {
    End::Broken { cause: cause.into(), least: Duration::ZERO }
}

async fn follow(line: Line, items: Sender<Result<Incoming>>) {
    let mut backoff = Backoff::new(line.patience);
    let mut silent_since: Option<(Timestamp, String)> = None;
    loop {
        let started = Instant::now();
        let mut heard = Timestamp::now();
        let end = match open(&line).await {
            Err(end) => end,
            Ok(response) => {
                let gap = silent_since
                    .take()
                    .map(|(from, reason)| Incoming::Gap(Gap::new(&line.source, from, Timestamp::now(), reason)));
                let mut end = None;
                for item in gap.into_iter().chain([Incoming::Opened]) {
                    if items.send(Ok(item)).await.is_err() {
                        end = Some(End::Unread);
                    }
                }
                match end {
                    Some(end) => end,
                    None => read(response, &line, &items, &mut backoff, &mut heard).await,
                }
            }
        };
        let (cause, least) = match end {
            End::Unread => return,
            End::Refused(error) => {
                // The reader may have gone; then nobody wants the refusal either.
                let _ = items.send(Err(error)).await;
                return;
            }
            End::Broken { cause, least } => (cause, least),
        };
        silent_since.get_or_insert_with(|| (heard, cause.clone()));
        if started.elapsed() >= HEALTHY {
            backoff.reset();
        }
        let wait = backoff.next(random()).max(least);
        if items.send(Ok(Incoming::Lost { cause, attempt: backoff.failures(), wait })).await.is_err() {
            return;
        }
        sleep(wait).await;
    }
}

async fn open(line: &Line) -> Result<Response, End> {
    let action = format!("open the public stream of {}", place(&line.url));
    let request =
        line.client.get(line.url.clone()).bearer_auth(line.token.expose()).header(ACCEPT, "text/event-stream");
    let response = match timeout(line.patience.silence, request.send()).await {
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
        if kind.starts_with("text/event-stream") {
            return Ok(response);
        }
        let error = Error::cannot(action, format!("it answered with content of type {kind:?}"))
            .next("check MASTODON_URL: this may be no Mastodon server");
        return Err(End::Refused(error.refused()));
    }
    let location = response.headers().get("location").and_then(|l| l.to_str().ok()).map(str::to_owned);
    let text = timeout(line.patience.silence, body(response)).await.unwrap_or(Ok(String::new())).unwrap_or_default();
    let error = refused(&action, &Answer { status, body: text, location });
    match status {
        429 => Err(End::Broken { cause: "the server asks to wait (429)".into(), least: BUSY }),
        408 | 500..=599 => Err(broken(format!("the server answered {status}"))),
        _ => Err(End::Refused(error.refused())),
    }
}

async fn read(
    mut response: Response,
    line: &Line,
    items: &Sender<Result<Incoming>>,
    backoff: &mut Backoff,
    heard: &mut Timestamp,
) -> End {
    let mut parser = Parser::default();
    let mut frames = Vec::new();
    loop {
        let chunk = match timeout(line.patience.silence, response.chunk()).await {
            Err(_) => return broken(format!("no byte for {:.0} s", line.patience.silence.as_secs_f64())),
            Ok(Err(e)) => return broken(chain(&e)),
            Ok(Ok(None)) if parser.is_unfinished() => return broken("the server closed the stream inside an event"),
            Ok(Ok(None)) => return broken("the server closed the stream"),
            Ok(Ok(Some(chunk))) => chunk,
        };
        *heard = Timestamp::now();
        parser.feed(&chunk, |frame| frames.push(frame));
        for frame in frames.drain(..) {
            let item = match frame {
                Frame::Event { name, data } => {
                    backoff.reset();
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
