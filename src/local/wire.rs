//! The socket under a stream: it counts what was really written, so that "sent" means written whole, and it can be
//! cut. The bytes themselves come from elsewhere ([`super::feed`]); faults will be switched in here.

use super::ledger::SliceLedger;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// The promise to write an event to a stream: kept when its last byte is on the socket, or dropped with the stream.
pub(super) struct Receipt {
    ledger: Arc<SliceLedger>,
    step: u32,
    owed: Arc<Owed>,
}

/// How many events are on their way to a stream.
#[derive(Default)]
pub(super) struct Owed {
    count: AtomicU32,
    changed: Arc<Notify>,
}

impl Owed {
    /// Counts for one stream and tells `changed`.
    pub fn new(changed: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self { count: AtomicU32::new(0), changed })
    }

    /// How many events are on their way.
    pub fn count(&self) -> u32 {
        self.count.load(Ordering::Acquire)
    }
}

impl Receipt {
    pub fn new(ledger: Arc<SliceLedger>, step: u32, owed: Arc<Owed>) -> Self {
        owed.count.fetch_add(1, Ordering::AcqRel);
        Self { ledger, step, owed }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        self.owed.count.fetch_sub(1, Ordering::AcqRel);
        self.owed.changed.notify_waiters();
    }
}

/// What is known of one connection.
#[derive(Default)]
pub(super) struct Wire {
    state: Mutex<Count>,
}

#[derive(Default)]
struct Count {
    /// Bytes written to the socket.
    written: u64,
    /// Where the bytes handed over so far will end; unknown until the head of the answer is written.
    handed: Option<u64>,
    opening: bool,
    receipts: VecDeque<(u64, Receipt)>,
    cut: bool,
    waiting: Option<Waker>,
}

impl Wire {
    fn count(&self) -> MutexGuard<'_, Count> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first chunk of a stream is being handed over; nothing may follow until [`Wire::poll_opened`].
    pub fn open(&self) {
        let count = &mut *self.count();
        count.handed = None;
        count.opening = true;
        count.receipts.clear();
    }

    /// Ready once head and first chunk are on the socket.
    pub fn poll_opened(&self, cx: &Context<'_>) -> Poll<()> {
        let count = &mut *self.count();
        if count.handed.is_some() {
            return Poll::Ready(());
        }
        count.waiting = Some(cx.waker().clone());
        Poll::Pending
    }

    /// A chunk of `length` bytes is handed over; its receipt is kept when its last byte is written.
    pub fn hand(&self, length: usize, receipt: Option<Receipt>) {
        let digits = (usize::BITS - length.leading_zeros()).div_ceil(4).max(1);
        let count = &mut *self.count();
        if let Some(handed) = &mut count.handed {
            // Chunked encoding: the length in hexadecimal, two line ends.
            *handed += u64::from(digits) + 4 + length as u64;
            let end = *handed;
            count.receipts.extend(receipt.map(|receipt| (end, receipt)));
        }
    }

    /// Ends the connection at once, in the middle of whatever is being written.
    pub fn cut(&self) {
        let count = &mut *self.count();
        count.cut = true;
        if let Some(waker) = count.waiting.take() {
            waker.wake();
        }
    }

    fn wrote(&self, bytes: usize) {
        let count = &mut *self.count();
        count.written += bytes as u64;
        while count.receipts.front().is_some_and(|(end, _)| *end <= count.written) {
            if let Some((_, receipt)) = count.receipts.pop_front() {
                receipt.ledger.mark_sent(receipt.step);
            }
        }
    }

    fn flushed(&self) {
        let count = &mut *self.count();
        if count.opening {
            // Everything handed over so far, the head and the first chunk, has left the buffers.
            count.opening = false;
            count.handed = Some(count.written);
            if let Some(waker) = count.waiting.take() {
                waker.wake();
            }
        }
    }

    fn is_cut(&self, cx: &Context<'_>) -> bool {
        let count = &mut *self.count();
        if !count.cut && !count.opening {
            count.waiting = Some(cx.waker().clone());
        }
        count.cut
    }
}

/// A socket that reports to its [`Wire`].
pub(super) struct WireStream {
    socket: TcpStream,
    wire: Arc<Wire>,
}

impl AsyncRead for WireStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for WireStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.wire.is_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let written = std::task::ready!(Pin::new(&mut this.socket).poll_write_vectored(cx, slices));
        if let Ok(bytes) = &written {
            this.wire.wrote(*bytes);
        }
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        std::task::ready!(Pin::new(&mut this.socket).poll_flush(cx))?;
        this.wire.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

/// Accepts connections whose writing is counted.
pub(super) struct WireListener(pub TcpListener);

impl Listener for WireListener {
    type Io = WireStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let (socket, from) = Listener::accept(&mut self.0).await;
        // Events are small and wanted at once.
        let _ = socket.set_nodelay(true);
        (WireStream { socket, wire: Arc::default() }, from)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.0.local_addr()
    }
}

/// The connection that a request came by.
#[derive(Clone)]
pub(super) struct Connection {
    pub wire: Arc<Wire>,
    pub from: SocketAddr,
}

impl Connected<IncomingStream<'_, WireListener>> for Connection {
    fn connect_info(stream: IncomingStream<'_, WireListener>) -> Self {
        Self { wire: Arc::clone(&stream.io().wire), from: *stream.remote_addr() }
    }
}
