//! Databases that a measurement makes for itself.

use spar::Config;
use spar::config::Secret;

/// The same settings, with another database on the same server.
pub fn with_database(config: &Config, name: &str) -> Config {
    let mut url = url::Url::parse(config.database_url().expect("a database").expose()).expect("a URL");
    url.set_path(name);
    Config { database_url: Some(Secret::new(url)), ..config.clone() }
}
