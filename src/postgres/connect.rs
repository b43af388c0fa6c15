//! One way to open a connection: bounded, TLS where the URL demands it, UTC always, and a message a person can act on.

use super::address::{ACCEPT, Address};
use super::tls;
use crate::config::Secret;
use crate::error::{Error, Result};
use crate::runtime::runtime;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Connection, NoTls, SimpleQueryMessage};

/// How long a server may take from the first byte to a session that is ready.
const ANSWER: Duration = ACCEPT.saturating_add(Duration::from_secs(5));
/// What helps against a full disk, which is told at any statement.
const ROOM: &str = "make room on the disk of the database server, then do the same again";
/// The oldest server that will do, as `server_version_num` counts.
const OLDEST: u32 = 150_000;

/// Connects; `database` replaces the one that the URL names.
pub(crate) async fn connect(url: &Secret, database: Option<&str>) -> Result<Client> {
    let mut address = Address::parse(url)?;
    if let Some(database) = database {
        address.settings.dbname(database);
    }
    dial(&address).await.map_err(|refusal| refusal.told(&address))
}

/// Connects, or gives nothing when the server has no such database.
pub(crate) async fn connect_if_there(url: &Secret) -> Result<Option<Client>> {
    let address = Address::parse(url)?;
    match dial(&address).await {
        Ok(client) => Ok(Some(client)),
        Err(Refusal::Theirs(e)) if e.code() == Some(&SqlState::INVALID_CATALOG_NAME) => Ok(None),
        Err(refusal) => Err(refusal.told(&address)),
    }
}

/// Why there is no connection.
enum Refusal {
    Ours(Error),
    Theirs(tokio_postgres::Error),
    Silent,
    TooOld(String),
}

impl From<tokio_postgres::Error> for Refusal {
    fn from(e: tokio_postgres::Error) -> Self {
        Self::Theirs(e)
    }
}

async fn dial(address: &Address) -> std::result::Result<Client, Refusal> {
    let settings = &address.settings;
    let dialling = async {
        let connector = match settings.get_ssl_mode() {
            SslMode::Disable => None,
            // A machine without any certificates still reaches a server that speaks no TLS.
            SslMode::Prefer => tls::connector(address.roots.as_deref()).ok(),
            _ => Some(tls::connector(address.roots.as_deref()).map_err(Refusal::Ours)?),
        };
        match connector {
            Some(connector) => settled(settings.connect(connector).await?).await,
            None => settled(settings.connect(NoTls).await?).await,
        }
    };
    // The client's own limit ends with the TCP connection: a server that hangs accepts and says nothing.
    timeout(ANSWER, dialling).await.unwrap_or(Err(Refusal::Silent))
}

/// Drives a new connection on the runtime and sets what every session wants.
async fn settled<S, T>(dialled: (Client, Connection<S, T>)) -> std::result::Result<Client, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) = dialled;
    runtime().spawn(connection);
    let answers = client
        .simple_query(
            "SET TIME ZONE 'UTC'; SET idle_in_transaction_session_timeout = '30s'; \
             SET lock_timeout = '10s'; SET statement_timeout = '60s'; SET client_min_messages = warning; \
             SELECT current_setting('server_version_num'), current_setting('server_version')",
        )
        .await?;
    let version = answers.iter().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) => Some((row.get(0)?.parse::<u32>().ok()?, row.get(1)?.to_owned())),
        _ => None,
    });
    match version {
        Some((number, name)) if number < OLDEST => Err(Refusal::TooOld(name)),
        _ => Ok(client),
    }
}

/// The name of the database that the URL names.
pub(crate) fn database_name(url: &Secret) -> Result<String> {
    Ok(Address::parse(url)?.settings.get_dbname().unwrap_or_default().to_owned())
}

/// `host:port` of the server that the URL names.
pub(crate) fn address(url: &Secret) -> Result<String> {
    Ok(Address::parse(url)?.host_and_port())
}

impl Refusal {
    fn told(self, address: &Address) -> Error {
        let action = format!("connect to {}", address.place());
        let start = "start it (the embedded one: `./spar services up`), or correct DATABASE_URL";
        match self {
            Self::Ours(e) => e,
            Self::Silent => {
                Error::cannot(action, format!("it does not answer as PostgreSQL does in {} s", ANSWER.as_secs()))
                    .next("check that DATABASE_URL names a PostgreSQL server, and that it does not hang")
                    .transient()
            }
            Self::TooOld(version) => {
                Error::cannot(action, format!("its version is {version}")).next("use PostgreSQL 15 or newer").refused()
            }
            Self::Theirs(e) => match e.as_db_error() {
                Some(db) => refused(action, db.code().code(), db.message()),
                None => {
                    let cause = chain(&e);
                    match tls::way_out(&cause) {
                        Some(way) => Error::cannot(action, cause).next(way).refused(),
                        None => Error::cannot(action, cause).next(start).transient(),
                    }
                }
            },
        }
    }
}

/// The server's own refusal of a session.
fn refused(action: String, code: &str, message: &str) -> Error {
    let error = Error::cannot(action, format!("{message} ({code})"));
    match code {
        "28000" if message.contains("no encryption") => {
            error.next("add ?sslmode=require to DATABASE_URL: the server wants TLS").refused()
        }
        "28000" if message.contains("pg_hba.conf") => {
            error.next("let the server's pg_hba.conf admit this role from here").refused()
        }
        "28P01" | "28000" => error.next("check user and password in DATABASE_URL").refused(),
        "42501" => error.next("grant the role CONNECT on the database").refused(),
        "3D000" => error.next("run partie2: it creates the database").invalid(),
        "53100" => error.next(ROOM).transient(),
        _ if code.starts_with("57P") || code.starts_with("53") => error.next("wait a moment and try again").transient(),
        _ => error.next("read the server's log"),
    }
}

/// An error and its causes.
fn chain(e: &tokio_postgres::Error) -> String {
    let mut cause = e.to_string();
    let mut source = std::error::Error::source(e);
    while let Some(inner) = source {
        cause = format!("{cause}: {inner}");
        source = inner.source();
    }
    cause
}

/// A failed statement: what was tried, and the server's own words.
pub(crate) fn statement_failed(action: &str, e: &tokio_postgres::Error) -> Error {
    match e.as_db_error() {
        Some(db) => {
            let code = db.code().code();
            let error = Error::cannot(action, format!("{} ({code})", db.message()));
            // Serialisation failures, deadlocks, locks, time limits, resources, shutdowns: the same statement may
            // succeed later.
            if matches!(code, "40001" | "40P01" | "55P03" | "57014" | "25P03")
                || code.starts_with("53")
                || code.starts_with("57P")
                || code.starts_with("08")
            {
                error.next(if code == "53100" { ROOM } else { "run the cell again" }).transient()
            } else if code == "42501" {
                error.next("let the role own the database, or grant it what is missing")
            } else {
                error
            }
        }
        None => Error::cannot(action, chain(e))
            .next("start PostgreSQL (the embedded one: `./spar services up`), then run the cell again")
            .transient(),
    }
}
