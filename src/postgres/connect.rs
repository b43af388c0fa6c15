//! One way to open a connection: TLS where the URL demands it, UTC always, and a message a person can act on.

use crate::config::Secret;
use crate::error::{Error, Result};
use crate::runtime::runtime;
use rustls_platform_verifier::BuilderVerifierExt;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{Client, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Connects; `database` replaces the one that the URL names.
pub(crate) async fn connect(url: &Secret, database: Option<&str>) -> Result<Client> {
    let mut settings = parse(url)?;
    if let Some(database) = database {
        settings.dbname(database);
    }
    match dial(&settings).await? {
        Ok(client) => Ok(client),
        Err(e) => Err(failed(&place(&settings), &e)),
    }
}

/// Connects, or gives nothing when the server has no such database.
pub(crate) async fn connect_if_there(url: &Secret) -> Result<Option<Client>> {
    let settings = parse(url)?;
    match dial(&settings).await? {
        Ok(client) => Ok(Some(client)),
        Err(e) if e.code() == Some(&SqlState::INVALID_CATALOG_NAME) => Ok(None),
        Err(e) => Err(failed(&place(&settings), &e)),
    }
}

/// The outer error is ours (TLS), the inner one the server's.
async fn dial(settings: &tokio_postgres::Config) -> Result<std::result::Result<Client, tokio_postgres::Error>> {
    if settings.get_ssl_mode() == SslMode::Disable {
        return Ok(settled(settings.connect(NoTls).await).await);
    }
    Ok(settled(settings.connect(tls()?).await).await)
}

/// Drives a new connection on the runtime and sets what every session wants.
async fn settled<S, T>(
    dialled: std::result::Result<(Client, Connection<S, T>), tokio_postgres::Error>,
) -> std::result::Result<Client, tokio_postgres::Error>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) = dialled?;
    runtime().spawn(connection);
    client
        .batch_execute(
            "SET TIME ZONE 'UTC'; SET idle_in_transaction_session_timeout = '30s'; \
             SET lock_timeout = '10s'; SET statement_timeout = '60s'; SET client_min_messages = warning",
        )
        .await?;
    Ok(client)
}

/// The name of the database that the URL names.
pub(crate) fn database_name(url: &Secret) -> Result<String> {
    parse(url)?.get_dbname().map(str::to_owned).ok_or_else(|| {
        Error::cannot("use DATABASE_URL", "it names no database").next("end it with /mastodon_data").invalid()
    })
}

/// `host:port` of the server that the URL names.
pub(crate) fn address(url: &Secret) -> Result<String> {
    let settings = parse(url)?;
    Ok(host_and_port(&settings))
}

fn parse(url: &Secret) -> Result<tokio_postgres::Config> {
    // The client knows `require`, and rustls always verifies: the stricter words mean the same here.
    let text =
        url.expose().replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require");
    let mut settings: tokio_postgres::Config = text.parse().map_err(|_| {
        // The client's own message may repeat a part of the URL, and so the password.
        Error::cannot("use DATABASE_URL", "it is not a PostgreSQL URL")
            .next("write it as postgres://user:password@host:5432/mastodon_data, special characters percent-encoded")
            .invalid()
    })?;
    settings
        .application_name("spar")
        .connect_timeout(Duration::from_secs(10))
        .keepalives_idle(Duration::from_secs(30))
        .tcp_user_timeout(Duration::from_secs(60));
    Ok(settings)
}

/// Who is asked, without the password.
fn place(settings: &tokio_postgres::Config) -> String {
    format!(
        "PostgreSQL at {} (database {}, role {})",
        host_and_port(settings),
        settings.get_dbname().unwrap_or("?"),
        settings.get_user().unwrap_or("?")
    )
}

fn host_and_port(settings: &tokio_postgres::Config) -> String {
    let host = match settings.get_hosts().first() {
        Some(Host::Tcp(name)) => name.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "?".into(),
    };
    let port = settings.get_ports().first().copied().unwrap_or(5432);
    format!("{host}:{port}")
}

fn tls() -> Result<MakeRustlsConnect> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|b| b.with_platform_verifier())
        .map_err(|e| Error::cannot("prepare TLS for PostgreSQL", e))?
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn failed(place: &str, e: &tokio_postgres::Error) -> Error {
    let action = format!("connect to {place}");
    match e.as_db_error() {
        Some(db) => {
            let code = db.code().code();
            let error = answered(&action, db);
            match code {
                "28P01" | "28000" => error.next("check user and password in DATABASE_URL").refused(),
                "3D000" => error.next("run partie2: it creates the database").invalid(),
                "57P03" | "53300" => error.next("wait a moment and try again").transient(),
                _ => error,
            }
        }
        None => {
            let mut cause = e.to_string();
            let mut source = std::error::Error::source(e);
            while let Some(inner) = source {
                cause = format!("{cause}: {inner}");
                source = inner.source();
            }
            Error::cannot(action, cause).next("start it with `./spar services up`, or correct DATABASE_URL").transient()
        }
    }
}

/// The server's own words, and the way out of its one trouble that is not ours.
fn answered(action: &str, db: &DbError) -> Error {
    let error = Error::cannot(action, format!("{} ({})", db.message(), db.code().code()));
    match db.code() {
        &SqlState::DISK_FULL => error.next("make room on the disk of the database server, then do the same again"),
        _ => error,
    }
}

/// A failed statement: what was tried, and the server's own words.
pub(crate) fn statement_failed(action: &str, e: &tokio_postgres::Error) -> Error {
    match e.as_db_error() {
        Some(db) => {
            let code = db.code().code();
            let error = answered(action, db);
            // Serialisation failures, deadlocks, locks, time limits, resources, shutdowns: the same statement may
            // succeed later.
            if matches!(code, "40001" | "40P01" | "55P03" | "57014" | "25P03")
                || code.starts_with("53")
                || code.starts_with("57P")
                || code.starts_with("08")
            {
                error.transient()
            } else {
                error
            }
        }
        None => Error::cannot(action, e).next("check that PostgreSQL runs with `./spar services status`").transient(),
    }
}
