//! One round trip to a server, and the role that the embedded one starts with.

use super::connect::{connect, database_name, statement_failed};
use crate::config::Secret;
use crate::error::{Error, Result};

/// The server's version, as it tells it to one who may connect.
pub(crate) async fn version(url: &Secret, database: Option<&str>) -> Result<String> {
    let client = connect(url, database).await?;
    let row = client
        .query_one("SELECT current_setting('server_version')", &[])
        .await
        .map_err(|e| statement_failed("ask PostgreSQL for its version", &e))?;
    Ok(row.get(0))
}

/// What a server has for one who may connect.
pub(crate) struct Found {
    /// The server's version.
    pub(crate) version: String,
    /// False when it has no such database yet.
    pub(crate) database: bool,
}

/// Looks for the server and the database that the URL names; one that is missing must be one that the role may create.
pub(crate) async fn look(url: &Secret) -> Result<Found> {
    match version(url, None).await {
        Ok(version) => Ok(Found { version, database: true }),
        // The only invalid answer of a server is a database that it does not have; `postgres` is always there.
        Err(absent) if absent.is_invalid() => {
            let client = connect(url, Some("postgres")).await.map_err(|e| if e.is_invalid() { absent } else { e })?;
            let row = client
                .query_one(
                    "SELECT current_setting('server_version'), rolcreatedb OR rolsuper FROM pg_roles \
                     WHERE rolname = current_user",
                    &[],
                )
                .await
                .map_err(|e| statement_failed("ask PostgreSQL for the rights of the role", &e))?;
            if row.get(1) {
                return Ok(Found { version: row.get(0), database: false });
            }
            let name = database_name(url)?;
            Err(Error::cannot(format!("use the database {name}"), "it does not exist, and the role may not create it")
                .next("give the role CREATEDB, or create the database by hand")
                .refused())
        }
        Err(e) => Err(e),
    }
}

/// Creates the role, or gives it this password: it may log in and create databases, no more.
///
/// `password` is of our own making, hexadecimal digits only: a statement of this kind takes no parameters.
pub(crate) async fn ensure_role(owner: &Secret, role: &str, password: &Secret) -> Result<()> {
    let client = connect(owner, None).await?;
    let action = format!("create the role {role}");
    let exists = client
        .query_opt("SELECT 1 FROM pg_roles WHERE rolname = $1", &[&role])
        .await
        .map_err(|e| statement_failed(&action, &e))?
        .is_some();
    let verb = if exists { "ALTER" } else { "CREATE" };
    let statement = format!(
        "{verb} ROLE \"{role}\" WITH LOGIN CREATEDB NOSUPERUSER NOCREATEROLE NOREPLICATION PASSWORD '{}'",
        password.expose()
    );
    client.batch_execute(&statement).await.map_err(|e| statement_failed(&action, &e))
}
