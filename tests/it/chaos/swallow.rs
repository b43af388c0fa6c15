//! A proxy before PostgreSQL that can pass a COMMIT on and swallow the answer.

use spar::Config;
use spar::config::Secret;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

pub struct Swallow {
    pub url: Secret,
    shared: Arc<Shared>,
    runtime: Option<Runtime>,
}

struct Shared {
    target: SocketAddr,
    armed: AtomicBool,
    swallowed: AtomicU32,
}

impl Swallow {
    /// Before the server of `config`.
    pub fn before(config: &Config) -> Self {
        let mut url = url::Url::parse(config.database_url().unwrap().expose()).unwrap();
        let target = url.socket_addrs(|| Some(5432)).unwrap()[0];
        let shared = Arc::new(Shared { target, armed: AtomicBool::default(), swallowed: AtomicU32::default() });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let here = listener.local_addr().unwrap();
        url.set_host(Some("127.0.0.1")).unwrap();
        url.set_port(Some(here.port())).unwrap();
        let all = shared.clone();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, all.clone()));
            }
        });
        Self { url: Secret::new(url), shared, runtime: Some(runtime) }
    }

    /// Swallows the answer to the next COMMIT.
    pub fn arm(&self) {
        self.shared.armed.store(true, SeqCst);
    }

    /// Answers swallowed so far.
    pub fn swallowed(&self) -> u32 {
        self.shared.swallowed.load(SeqCst)
    }
}

impl Drop for Swallow {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    let Ok(mut server) = TcpStream::connect(shared.target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut up) => {
                let Ok(count @ 1..) = read else { return };
                let commit = up[..count].windows(7).any(|word| word == b"COMMIT\0");
                if server.write_all(&up[..count]).await.is_err() {
                    return;
                }
                if commit && shared.armed.swap(false, SeqCst) {
                    // The server has committed once it answers.
                    let _ = server.read(&mut down).await;
                    shared.swallowed.fetch_add(1, SeqCst);
                    return;
                }
            }
            read = server.read(&mut down) => {
                let Ok(count @ 1..) = read else { return };
                if client.write_all(&down[..count]).await.is_err() {
                    return;
                }
            }
        }
    }
}
