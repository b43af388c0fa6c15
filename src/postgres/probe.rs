//! One round trip to a server, and the role that the embedded one starts with.

use super::connect::{connect, statement_failed};
use crate::config::Secret;
use crate::error::Result;

/// The server's version, as it tells it to one who may connect.
pub(crate) async fn version(url: &Secret, database: Option<&str>) -> Result<String> {
    let client = connect(url, database).await?;
    let row = client
        .query_one("SELECT current_setting('server_version')", &[])
        .await
        .map_err(|e| statement_failed("ask PostgreSQL for its version", &e))?;
    Ok(row.get(0))
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
