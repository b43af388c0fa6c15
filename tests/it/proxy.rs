//! A TCP proxy of a few lines between a client and a server: the streams that go through it can be sliced, slowed, cut,
//! reset or silenced.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::time::timeout;

/// What happens to a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Every byte comes alone.
    Slices,
    /// Everything comes late.
    Delay(Duration),
    /// It ends cleanly after so many bytes.
    Cut(usize),
    /// It is reset after so many bytes.
    Reset(usize),
    /// Nothing comes after so many bytes, and nobody says so.
    HalfOpen(usize),
}

/// The proxy; it ends when it is dropped.
pub struct Proxy {
    pub url: String,
    lost: Arc<Mutex<Vec<u8>>>,
    runtime: Option<Runtime>,
}

/// What the connections share.
struct Shared {
    target: SocketAddr,
    /// For the streams to come.
    faults: Mutex<Vec<Fault>>,
    lost: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    /// The n-th stream through it meets the n-th fault, all later ones none.
    pub fn start(target: &str, faults: &[Fault]) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let lost = Arc::<Mutex<Vec<u8>>>::default();
        let faults = Mutex::new(faults.iter().rev().copied().collect());
        let target = target.trim_start_matches("http://").parse().unwrap();
        let shared = Arc::new(Shared { target, faults, lost: lost.clone() });
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, shared.clone()));
            }
        });
        Self { url, lost, runtime: Some(runtime) }
    }

    /// What servers sent and clients never got, with the beginnings of events that were cut.
    pub fn lost(&self) -> String {
        String::from_utf8_lossy(&self.lost.lock().unwrap()).into_owned()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

async fn carry(client: TcpStream, shared: Arc<Shared>) {
    let Ok(server) = TcpStream::connect(shared.target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let mut fault = Fault::None;
    // Bytes of the stream so far, and those of them that the client got.
    let (mut stream, mut given) = (Vec::new(), 0);
    let (mut up, mut down) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    loop {
        tokio::select! {
            read = from_client.read(&mut up) => match read {
                Ok(count) if count > 0 => {
                    if up[..count].starts_with(b"GET /api/v1/streaming/public ") {
                        fault = shared.faults.lock().unwrap().pop().unwrap_or(Fault::None);
                        (stream, given) = (Vec::new(), 0);
                    }
                    if to_server.write_all(&up[..count]).await.is_err() {
                        break;
                    }
                }
                _ => break,
            },
            read = from_server.read(&mut down) => {
                let Ok(count @ 1..) = read else { break };
                let bytes = &down[..count];
                let room = match fault {
                    Fault::Cut(at) | Fault::Reset(at) | Fault::HalfOpen(at) => at.saturating_sub(stream.len()).min(count),
                    _ => count,
                };
                stream.extend_from_slice(bytes);
                if let Fault::Delay(by) = fault {
                    tokio::time::sleep(by).await;
                }
                let written = match fault {
                    Fault::Slices => {
                        let mut written = Ok(());
                        for byte in bytes {
                            written = written.and(to_client.write_all(&[*byte]).await);
                        }
                        written
                    }
                    _ => to_client.write_all(&bytes[..room]).await,
                };
                if written.is_err() {
                    break;
                }
                given += room;
                if room < count && matches!(fault, Fault::Cut(_) | Fault::Reset(_)) {
                    break;
                }
            }
        }
    }
    if let (Fault::Reset(_), Ok(client)) = (fault, from_client.reunite(to_client)) {
        let _ = client.set_zero_linger();
    }
    // What the server has written by now it counts as sent.
    let _ = to_server.shutdown().await;
    while let Ok(Ok(count @ 1..)) = timeout(Duration::from_secs(5), from_server.read(&mut down)).await {
        stream.extend_from_slice(&down[..count]);
    }
    // An event of which only the beginning was given is lost too. After a reset, nobody knows what the client got.
    let known = if matches!(fault, Fault::Reset(_)) { 0 } else { given };
    let whole = stream[..known].windows(2).rposition(|two| two == b"\n\n").unwrap_or(0);
    shared.lost.lock().unwrap().extend_from_slice(&stream[whole..]);
}
