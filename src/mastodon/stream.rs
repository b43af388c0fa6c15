//! Streams as one blocking iterator; each reconnects by itself.

use super::backoff::Patience;
use super::event::Incoming;
use super::feed::Feed;
use super::follow::follow;
use super::repeats::Repeats;
use crate::config::{Config, Secret};
use crate::error::Result;
use crate::runtime::{block_on, runtime};
use reqwest::Client;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};
use url::Url;

/// Events that wait for the reader; beyond, the sockets are read no further.
const QUEUE: usize = 256;

/// Where to listen, and with what.
#[derive(Clone)]
pub(super) struct Listening {
    /// Which machines are ours.
    pub config: Config,
    pub client: Client,
    /// The instance, which tells where it streams.
    pub base: Url,
    pub streaming: Url,
    pub token: Secret,
    pub source: String,
    pub patience: Patience,
}

/// What the streams of one iterator share.
pub(super) struct Together {
    /// None for a single stream, which repeats nothing.
    repeats: Option<Mutex<Repeats>>,
    /// How many are open.
    open: AtomicUsize,
    /// The earliest moment of the next attempt.
    next: tokio::sync::Mutex<Instant>,
}

impl Together {
    fn of(streams: usize) -> Self {
        let repeats = (streams > 1).then(Mutex::default);
        Self { repeats, open: AtomicUsize::new(0), next: tokio::sync::Mutex::new(Instant::now()) }
    }

    /// True unless another stream has given this event.
    pub fn is_new(&self, name: &str, data: &str) -> bool {
        self.repeats.as_ref().is_none_or(|r| r.lock().unwrap_or_else(PoisonError::into_inner).is_new(name, data))
    }

    pub fn opened(&self) {
        self.open.fetch_add(1, Ordering::AcqRel);
    }

    pub fn closed(&self) {
        self.open.fetch_sub(1, Ordering::AcqRel);
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Waits for its turn: however many streams broke, the server sees no two attempts within `apart`.
    pub async fn turn(&self, apart: Duration) {
        let mut next = self.next.lock().await;
        sleep_until(*next).await;
        *next = Instant::now() + apart;
    }
}

/// What the streams give, without end: only a definitive refusal, given as an error, ends a stream for good.
///
/// Dropping it closes the connections.
pub struct Stream {
    items: Receiver<Result<Incoming>>,
    readers: Vec<JoinHandle<()>>,
    tick: Duration,
}

impl Stream {
    /// Follows each feed; what they give comes in one queue.
    pub(super) fn open(listening: &Listening, feeds: &[Feed]) -> Self {
        let (sender, items) = channel(QUEUE);
        let together = Arc::new(Together::of(feeds.len()));
        let reader = |feed: &Feed| {
            runtime().spawn(follow(listening.clone(), feed.clone(), Arc::clone(&together), sender.clone()))
        };
        Self { items, readers: feeds.iter().map(reader).collect(), tick: listening.patience.tick }
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
