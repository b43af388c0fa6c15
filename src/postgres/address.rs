//! What `DATABASE_URL` says, in the client's terms; nothing of it is ever repeated in an error.

use crate::config::Secret;
use crate::error::{Error, Result};
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::config::Host;

/// How long a server may take to accept a connection.
pub(super) const ACCEPT: Duration = Duration::from_secs(10);

/// A server, a database and a role, and whose certificates are trusted.
pub(super) struct Address {
    pub settings: tokio_postgres::Config,
    /// `sslrootcert`: a file of certificates to trust instead of the system's.
    pub roots: Option<PathBuf>,
}

impl Address {
    pub fn parse(url: &Secret) -> Result<Self> {
        let wrong = |why: &str| {
            Error::cannot("use DATABASE_URL", why)
                .next(
                    "write it as postgres://user:password@host:5432/mastodon_data, special characters percent-encoded",
                )
                .invalid()
        };
        let (text, roots) = without_roots(url.expose());
        // The client's own message may repeat a part of the URL, and so the password.
        let mut settings: tokio_postgres::Config =
            text.parse().map_err(|_| wrong("it is not a PostgreSQL URL, or has a parameter that is not known here"))?;
        if settings.get_hosts().is_empty() {
            return Err(wrong("it names no host"));
        }
        if settings.get_dbname().is_none() {
            return Err(wrong("it names no database").next("end it with /mastodon_data"));
        }
        // What follows the first @ is taken for the host: a password that holds one would be shown.
        if settings.get_hosts().iter().any(|host| matches!(host, Host::Tcp(name) if name.contains('@'))) {
            return Err(wrong("its password holds an @").next("write the @ of the password as %40"));
        }
        settings
            .application_name("spar")
            .connect_timeout(ACCEPT)
            .keepalives_idle(Duration::from_secs(30))
            .tcp_user_timeout(Duration::from_secs(60));
        Ok(Self { settings, roots })
    }

    /// Who is asked, without the password.
    pub fn place(&self) -> String {
        format!(
            "PostgreSQL at {} (database {}, role {})",
            self.host_and_port(),
            self.settings.get_dbname().unwrap_or("?"),
            self.settings.get_user().unwrap_or("?")
        )
    }

    /// `host:port` of the first server.
    pub fn host_and_port(&self) -> String {
        let host = match self.settings.get_hosts().first() {
            Some(Host::Tcp(name)) => name.clone(),
            #[cfg(unix)]
            Some(Host::Unix(path)) => path.display().to_string(),
            None => "?".into(),
        };
        let port = self.settings.get_ports().first().copied().unwrap_or(5432);
        format!("{host}:{port}")
    }
}

/// The URL in words that the client knows, and libpq's `sslrootcert`, which it does not.
///
/// It knows `disable`, `prefer` and `require`; rustls always verifies, so the stricter words mean `require` here.
fn without_roots(url: &str) -> (String, Option<PathBuf>) {
    let verify = |text: &str| {
        text.replace("sslmode=verify-full", "sslmode=require").replace("sslmode=verify-ca", "sslmode=require")
    };
    // A question mark in the password comes before the @.
    let after = url.find('@').unwrap_or(0);
    let Some(at) = url[after..].find('?').map(|at| after + at) else {
        return (verify(url), None);
    };
    let (mut kept, mut roots) = (Vec::new(), None);
    for pair in url[at + 1..].split('&') {
        match pair.split_once('=') {
            Some(("sslrootcert", "system")) => {}
            Some(("sslrootcert", file)) => roots = Some(PathBuf::from(decoded(file))),
            Some(("sslmode", "allow")) => kept.push("sslmode=prefer".to_owned()),
            _ => kept.push(verify(pair)),
        }
    }
    let mark = if kept.is_empty() { "" } else { "?" };
    (format!("{}{mark}{}", &url[..at], kept.join("&")), roots)
}

/// Percent-decoded, as in any part of a URL: a plus stays one.
fn decoded(text: &str) -> String {
    let pair = format!("={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes()).map(|(_, value)| value.into_owned()).collect()
}
