//! The bytes of a stream, chunk by chunk: `:)`, then each event as two chunks, and a heartbeat every fifteen seconds.

use super::lines::{Frame, Line, Lines};
use super::wire::Wire;
use axum::body::Bytes;
use futures_util::Stream;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior};

enum Phase {
    /// Nothing was written yet.
    Opening,
    /// `:)` was handed over; the head of the answer must leave first, so that bytes can be counted.
    Opened,
    /// Between two events.
    Between,
    /// The first chunk of an event was handed over; the second must follow.
    Within(Frame),
}

/// The body of a streaming answer.
pub(super) struct Feed {
    phase: Phase,
    wire: Arc<Wire>,
    heartbeat: Interval,
    frames: mpsc::Receiver<Frame>,
    _leave: Leave,
}

/// Takes the stream off the list when its client goes. It must not keep the line itself alive: a stream ends when
/// its line is dropped.
struct Leave {
    lines: Arc<Lines>,
    line: std::sync::Weak<Line>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        if let Some(line) = self.line.upgrade() {
            self.lines.close(&line);
        }
    }
}

impl Feed {
    pub fn new(
        lines: Arc<Lines>,
        line: &Arc<Line>,
        frames: mpsc::Receiver<Frame>,
        wire: Arc<Wire>,
        every: Duration,
    ) -> Self {
        let mut heartbeat = tokio::time::interval_at(Instant::now() + every, every);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let leave = Leave { lines, line: Arc::downgrade(line) };
        Self { phase: Phase::Opening, wire, heartbeat, frames, _leave: leave }
    }
}

impl Stream for Feed {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            match std::mem::replace(&mut this.phase, Phase::Between) {
                Phase::Opening => {
                    this.wire.open();
                    this.phase = Phase::Opened;
                    return Poll::Ready(Some(Ok(Bytes::from_static(b":)\n"))));
                }
                Phase::Opened => {
                    if this.wire.poll_opened(cx).is_pending() {
                        this.phase = Phase::Opened;
                        return Poll::Pending;
                    }
                }
                Phase::Between => {
                    if this.heartbeat.poll_tick(cx).is_ready() {
                        let beat = Bytes::from_static(b":thump\n\n");
                        this.wire.hand(beat.len(), None);
                        return Poll::Ready(Some(Ok(beat)));
                    }
                    let Some(frame) = ready!(this.frames.poll_recv(cx)) else { return Poll::Ready(None) };
                    let name = Bytes::from(format!("event: {}\n", frame.happening.event));
                    this.wire.hand(name.len(), None);
                    this.phase = Phase::Within(frame);
                    return Poll::Ready(Some(Ok(name)));
                }
                Phase::Within(frame) => {
                    let data = frame.happening.data.clone();
                    this.wire.hand(data.len(), Some(frame.receipt));
                    return Poll::Ready(Some(Ok(data)));
                }
            }
        }
    }
}
