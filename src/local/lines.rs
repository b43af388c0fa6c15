//! The open streams: what each wants to hear, and the short queue that leads to its socket.

use super::generator::{Made, Written};
use super::ledger::SliceLedger;
use super::tagname::normalised;
use super::wire::{Owed, Receipt, Wire};
use axum::body::Bytes;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// Events between the player and a socket. Beyond them the slice waits, as the socket does.
const QUEUE: usize = 64;
/// A listener whose socket takes nothing for so long is cut off; it must not hold the timeline for ever.
const STALL: Duration = Duration::from_secs(120);

/// What a stream carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    /// Everything public.
    Public,
    /// What authors of this server write.
    Local,
    /// What authors of other servers write.
    Remote,
    /// One tag, under the name that it is filed under; `local_only`: of this server's authors.
    Hashtag { tag: String, local_only: bool },
    /// A stream that stays silent here: personal ones.
    Silent,
}

/// One event, ready to be written, with what decides who hears it.
pub(super) struct Happening {
    pub event: &'static str,
    pub data: Bytes,
    /// Facets of the status, or of what was deleted; none for an id that nobody ever saw.
    facets: Option<Facets>,
}

struct Facets {
    tags: Vec<String>,
    local: bool,
    media: bool,
}

impl From<Written> for Happening {
    fn from(written: Written) -> Self {
        match written {
            Written::Delete(id, last) => {
                Self { event: "delete", data: data_line(&id.to_string()), facets: last.as_deref().map(Facets::of) }
            }
            Written::Status(event, made) => {
                Self { event, data: data_line(&made.json(true)), facets: Some(Facets::of(&made)) }
            }
        }
    }
}

impl Facets {
    fn of(made: &Made) -> Self {
        Self { tags: made.tags().map(normalised).collect(), local: made.is_local(), media: made.has_media() }
    }
}

fn data_line(payload: &str) -> Bytes {
    Bytes::from(["data: ", payload, "\n\n"].concat())
}

/// An event on its way to one stream.
pub(super) struct Frame {
    pub happening: Arc<Happening>,
    pub receipt: Receipt,
}

/// One open stream.
pub(super) struct Line {
    pub channel: Channel,
    pub only_media: bool,
    pub token: String,
    queue: mpsc::Sender<Frame>,
    owed: Arc<Owed>,
    wire: Arc<Wire>,
}

impl Line {
    fn wants(&self, happening: &Happening) -> bool {
        let Some(facets) = &happening.facets else {
            return matches!(self.channel, Channel::Public | Channel::Local | Channel::Remote);
        };
        let side = match &self.channel {
            Channel::Public => true,
            Channel::Local => facets.local,
            Channel::Remote => !facets.local,
            Channel::Hashtag { tag, local_only } => facets.tags.contains(tag) && (facets.local || !local_only),
            Channel::Silent => false,
        };
        side && (facets.media || !self.only_media)
    }
}

/// All open streams.
#[derive(Default)]
pub(super) struct Lines {
    open: Mutex<Arc<Vec<Arc<Line>>>>,
    changed: Arc<Notify>,
}

impl Lines {
    fn change(&self, change: impl FnOnce(&mut Vec<Arc<Line>>)) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = open.to_vec();
        change(&mut lines);
        *open = Arc::new(lines);
        self.changed.notify_waiters();
    }

    fn snapshot(&self) -> Arc<Vec<Arc<Line>>> {
        Arc::clone(&self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens a stream; its events come out of the receiver until the stream is ended.
    pub fn open(
        &self,
        channel: Channel,
        only_media: bool,
        token: String,
        wire: Arc<Wire>,
    ) -> (Arc<Line>, mpsc::Receiver<Frame>) {
        let (queue, frames) = mpsc::channel(QUEUE);
        let owed = Owed::new(Arc::clone(&self.changed));
        let line = Arc::new(Line { channel, only_media, token, queue, owed, wire });
        self.change(|lines| lines.push(Arc::clone(&line)));
        (line, frames)
    }

    /// Forgets a stream; it ends cleanly once its queue is written.
    pub fn close(&self, line: &Arc<Line>) {
        self.change(|lines| lines.retain(|open| !Arc::ptr_eq(open, line)));
    }

    /// Ends the streams of a token.
    pub fn revoke(&self, token: &str) {
        self.change(|lines| lines.retain(|open| open.token != token));
    }

    /// Ends all streams.
    pub fn close_all(&self) {
        self.change(Vec::clear);
    }

    /// How many streams would hear something of the timeline.
    pub fn listeners(&self) -> usize {
        self.snapshot().iter().filter(|line| line.channel != Channel::Silent).count()
    }

    /// Hands an event to every stream that wants it, as fast as the slowest of them takes it.
    pub async fn tell(&self, happening: &Arc<Happening>, ledger: &Arc<SliceLedger>, step: u32) {
        for line in self.snapshot().iter().filter(|line| line.wants(happening)) {
            let receipt = Receipt::new(Arc::clone(ledger), step, Arc::clone(&line.owed));
            let frame = Frame { happening: Arc::clone(happening), receipt };
            let frame = match line.queue.try_send(frame) {
                Ok(()) => continue,
                Err(mpsc::error::TrySendError::Full(frame)) => frame,
                Err(mpsc::error::TrySendError::Closed(_)) => {
                    self.close(line);
                    continue;
                }
            };
            match tokio::time::timeout(STALL, line.queue.send(frame)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => self.close(line),
                Err(_) => {
                    line.wire.cut();
                    self.close(line);
                }
            }
        }
    }

    /// Waits until every event handed over is on a socket or lost with its stream.
    pub async fn drained(&self) {
        let drained = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if self.snapshot().iter().all(|line| line.owed.count() == 0) {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(STALL, drained).await.is_err() {
            for line in self.snapshot().iter().filter(|line| line.owed.count() > 0) {
                line.wire.cut();
                self.close(line);
            }
        }
    }
}
