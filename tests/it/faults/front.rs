//! Servers of a few lines before or instead of the real ones: for what a good server on this machine never does.

use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, copy_bidirectional, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

/// What a client of PostgreSQL says first when it would like TLS.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// What a front does with a connection.
#[derive(Clone)]
pub enum Manner {
    /// Takes it and says nothing.
    Mute,
    /// Answers the first bytes with these, and closes.
    Says(&'static [u8]),
    /// Passes everything on, but for these words of the server, which become others of the same length.
    Rewrites(SocketAddr, Vec<(String, String)>),
    /// Speaks TLS, and passes on what is inside; without TLS it refuses as PostgreSQL does.
    Tls(SocketAddr, Arc<ServerConfig>),
}

/// A server on a port of its own; it ends when it is dropped.
pub struct Front {
    pub port: u16,
    _runtime: Runtime,
}

impl Front {
    pub fn start(manner: Manner) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let manner = manner.clone();
                tokio::spawn(async move {
                    // A client or a server that goes ends the connection, as it should.
                    let _ = serve(client, manner).await;
                });
            }
        });
        Self { port, _runtime: runtime }
    }
}

async fn serve(mut client: TcpStream, manner: Manner) -> std::io::Result<()> {
    match manner {
        Manner::Mute => {
            let mut bytes = [0; 1024];
            while client.read(&mut bytes).await? > 0 {}
        }
        Manner::Says(words) => {
            let mut bytes = [0; 1024];
            let _ = client.read(&mut bytes).await?;
            client.write_all(words).await?;
        }
        Manner::Rewrites(server, words) => {
            let server = TcpStream::connect(server).await?;
            let ((mut from_client, to_client), (from_server, mut to_server)) = (split(client), split(server));
            tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
            rewrite(from_server, to_client, &words).await?;
        }
        Manner::Tls(server, config) => {
            let mut first = [0; 8];
            client.read_exact(&mut first).await?;
            if first != SSL_REQUEST {
                return client.write_all(&no_encryption()).await;
            }
            client.write_all(b"S").await?;
            let mut client = TlsAcceptor::from(config).accept(client).await?;
            let mut server = TcpStream::connect(server).await?;
            copy_bidirectional(&mut client, &mut server).await?;
        }
    }
    Ok(())
}

/// Answers are small and come whole; one that was cut inside the bytes would fail the test, not pass it.
async fn rewrite(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    words: &[(String, String)],
) -> std::io::Result<()> {
    let mut bytes = vec![0; 256 * 1024];
    loop {
        let read = reader.read(&mut bytes).await?;
        if read == 0 {
            return writer.shutdown().await;
        }
        let piece = &mut bytes[..read];
        for (from, to) in words {
            for at in 0..read.saturating_sub(from.len() - 1) {
                if piece[at..].starts_with(from.as_bytes()) {
                    piece[at..at + from.len()].copy_from_slice(to.as_bytes());
                }
            }
        }
        writer.write_all(piece).await?;
    }
}

/// PostgreSQL's refusal of a connection whose line in pg_hba.conf begins with `hostssl`.
fn no_encryption() -> Vec<u8> {
    let mut fields = Vec::new();
    for (field, value) in [
        (b'S', "FATAL"),
        (b'V', "FATAL"),
        (b'C', "28000"),
        (b'M', "no pg_hba.conf entry for host \"127.0.0.1\", user \"spar\", database \"postgres\", no encryption"),
    ] {
        fields.push(field);
        fields.extend_from_slice(value.as_bytes());
        fields.push(0);
    }
    fields.push(0);
    let mut message = vec![b'E'];
    message.extend_from_slice(&(fields.len() as u32 + 4).to_be_bytes());
    message.extend(fields);
    message
}
