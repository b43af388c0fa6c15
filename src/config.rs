//! Every setting, read once. Nothing else in the crate reads the environment.

use crate::error::{Error, Result};
use crate::settings::{OURS, checked, hashtag, keyword, language, windows, written};
use crate::stream::WindowKinds;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// A value that never shows: `Debug` and `Display` print `***`.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Keeps `value` out of sight.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one call that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Where the embedded services listen; they write it, [`Config`] reads it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Endpoints {
    /// Kafka, `host:port`.
    pub kafka: Option<String>,
    /// PostgreSQL, a URL with the notebooks' role, its password and the database.
    pub database_url: Option<Secret>,
    /// The local Mastodon's base URL.
    pub mastodon: Option<String>,
    /// The local Mastodon's control address, a base URL.
    pub mastodon_control: Option<String>,
}

impl Endpoints {
    /// The file that holds the endpoints of one source below `state`.
    pub fn file(state: &Path, source: &str) -> PathBuf {
        state.join(source).join("endpoints.json")
    }

    /// Reads the file; a missing one means that nothing runs.
    ///
    /// # Errors
    ///
    /// Fails if the file exists and cannot be read or understood.
    pub fn read(file: &Path) -> Result<Self> {
        match std::fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                Error::cannot(format!("understand {}", file.display()), e)
                    .next("stop the services with `./spar services down`, remove the file and start them again")
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(Error::cannot(format!("read {}", file.display()), e)),
        }
    }

    /// Writes the file, readable by its owner only, whole or not at all.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        write_private(file, &serde_json::to_vec_pretty(self).map_err(|e| Error::cannot("write endpoints", e))?)
    }
}

/// Which services are the embedded ones: those that the environment names no address for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Embedded {
    /// `KAFKA_BOOTSTRAP_SERVERS` is not set.
    pub kafka: bool,
    /// `DATABASE_URL` is not set.
    pub postgres: bool,
    /// Neither `MASTODON_URL` nor `SPAR_LOCAL_URL` is set.
    pub mastodon: bool,
}

/// The settings that tables are made with: whatever writes them must go by the same.
pub(crate) const MADE_WITH: [&str; 3] = ["SPAR_LANGUAGES", "SPAR_WINDOW_SECONDS", "SPAR_LATENESS_SECONDS"];

/// The settings of a run: from the environment, else `.env`, else the embedded services, else a default.
#[derive(Clone, Debug)]
pub struct Config {
    /// The project's folder, the one that holds `notebooks/`.
    pub home: PathBuf,
    /// What the embedded services keep, the credentials too (`SPAR_STATE`, default `.spar/state`).
    pub state: PathBuf,
    /// What the set-up installs (`SPAR_TOOLS`, default `.spar/tools`).
    pub tools: PathBuf,
    /// Where results go (`SPAR_OUT`, default `out`).
    pub out: PathBuf,
    /// `local` for generated toots, else the instance's host.
    pub source: String,
    /// The instance (`MASTODON_URL`), else the local one (`SPAR_LOCAL_URL`, or the embedded one when it runs).
    pub mastodon_url: Option<String>,
    /// The local Mastodon's control address (`SPAR_LOCAL_CONTROL`, or the embedded one's), when it is used.
    pub mastodon_control: Option<String>,
    /// `SPAR_LOCAL_URL`: a local Mastodon that runs elsewhere on a network of one's own, as between containers. Plain
    /// HTTP may carry its tokens, which open nothing but generated toots; no other token is ever sent there.
    pub local_url: Option<String>,
    /// `SPAR_LOCAL_PAGES`: where a person's browser reaches that one, when it is under another address.
    pub local_pages: Option<String>,
    /// `MASTODON_ACCESS_TOKEN`, else the one that `jeton_access` saved for this instance.
    pub access_token: Option<Secret>,
    /// `KAFKA_BOOTSTRAP_SERVERS`, else the embedded broker.
    pub kafka: Option<String>,
    /// `DATABASE_URL`, else the embedded server.
    pub database_url: Option<Secret>,
    /// The services that have no address of the user's own.
    pub embedded: Embedded,
    /// `KAFKA_TOPIC`, default `mastodon_stream`.
    pub topic: String,
    /// `KAFKA_PARTITIONS`, default 1.
    pub partitions: i32,
    /// `KAFKA_REPLICATION`, default 1.
    pub replication: i32,
    /// `SPAR_KAFKA_BYTES`: what the embedded broker keeps of each partition, in bytes, default 2 GiB.
    pub kafka_bytes: u64,
    /// `JAVA_HOME`: the Java that runs the embedded broker, else the one on PATH, else the project's own.
    pub java_home: Option<PathBuf>,
    /// `SPAR_KEYWORDS`: keywords beside the 36 of the project, separated by commas.
    pub extra_keywords: Vec<String>,
    /// `SPAR_LANGUAGES`: primary language codes to keep, separated by commas, default `en`.
    pub languages: Vec<String>,
    /// `SPAR_WINDOW_SECONDS`: width of a window, default 3600.
    pub window: Duration,
    /// `SPAR_LATENESS_SECONDS`: how far the watermark lags behind the greatest event time, default 3600.
    pub lateness: Duration,
    /// `SPAR_WINDOWS`: other kinds of windows, `none` for none; not set, those that the tables have.
    pub windows: Option<WindowKinds>,
    /// Of the settings that tables are made with, those that were given; the others follow the tables.
    pub given: BTreeSet<&'static str>,
    /// `SPAR_IDLE_SECONDS`: a stream without a record for so long is idle and closes its windows, default 60.
    pub idle: Duration,
    /// `SPAR_HASHTAGS`: follow the streams of these hashtags instead of the public one, separated by commas.
    pub hashtags: Vec<String>,
    /// `SPAR_QUIET_SECONDS`: an open stream without a toot for so long is told as silent, default 600.
    pub quiet: Duration,
    /// `SPAR_SESSION_SECONDS`: a worker that is silent for so long loses its partitions, 6 to 1800, default 45.
    pub session: Duration,
    /// `SPAR_LISTEN_SECONDS`: how long the bounded step of partie1 listens to a real instance, default 120.
    pub listen: Duration,
    /// `SPAR_AWAY_SECONDS`: how long a step waits for a Kafka or PostgreSQL that went away meanwhile, default 60.
    pub away: Duration,
    /// `SPAR_ACTIVE_OVER`: active users have more toots than this, default 2.
    pub active_over: u32,
    /// `SPAR_HEATMAP_OVER`: the heat map shows users with more toots than this, default 5.
    pub heatmap_over: u32,
    /// `SPAR_TRAINING_FILE`: labelled tweets, default `data/tweets_dataset.csv` when it is there.
    pub training_file: Option<PathBuf>,
    /// `SPAR_SEED`: for sampling and splitting, default 42.
    pub seed: u64,
    /// `SPAR_LOCAL_SEED`: the local Mastodon's timeline, default 42.
    pub local_seed: u64,
    /// `SPAR_LOCAL_SPEED`: event seconds per second of the local Mastodon; `max` (default) sends as fast as the socket takes.
    pub local_speed: Option<f64>,
    /// `SPAR_LOCAL_STATUSES`: statuses in a slice of the local timeline, default 20000.
    pub local_statuses: u32,
}

impl Config {
    /// Reads the environment and, below it, the `.env` file of the project.
    ///
    /// # Errors
    ///
    /// Fails if a setting has a value that cannot be understood, and names it.
    pub fn from_env() -> Result<Self> {
        let home = home()?;
        let mut settings = written(&home.join(".env"))?;
        for (key, value) in std::env::vars_os() {
            match (key.into_string(), value.into_string()) {
                (Ok(key), Ok(value)) => drop(settings.insert(key, value)),
                (Ok(key), Err(_)) if OURS.iter().any(|start| key.starts_with(start)) => {
                    return Err(Error::cannot(format!("use {key}"), "its value is not UTF-8")
                        .next("set it again in a terminal that uses UTF-8")
                        .invalid());
                }
                _ => {}
            }
        }
        // Every notebook begins here; the prepared kernel says so.
        if std::env::var_os("SPAR_KERNEL").is_some() {
            crate::display::short_panics();
        }
        Self::from_settings(&home, |key| settings.get(key).cloned())
    }

    /// The same from any source of settings: `get` answers for a key. An empty value counts as absent.
    ///
    /// # Errors
    ///
    /// Fails if a setting has a value that cannot be understood, and names it.
    pub fn from_settings(home: &Path, get: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let get = |key: &str| get(key).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
        let path = |key: &str| get(key).map(|p| home.join(p));
        let state = path("SPAR_STATE").unwrap_or_else(|| home.join(".spar/state"));
        let address = |key: &str| get(key).map(|u| u.trim_end_matches('/').to_owned());
        let mastodon_url = address("MASTODON_URL");
        let source = match &mastodon_url {
            None => "local".to_owned(),
            Some(url) => source_of("MASTODON_URL", url)?,
        };
        let ours = |key: &str| match address(key).filter(|_| mastodon_url.is_none()) {
            Some(url) => source_of(key, &url).map(|_| Some(url)),
            None => Ok(None),
        };
        let (local_url, local_control) = (ours("SPAR_LOCAL_URL")?, ours("SPAR_LOCAL_CONTROL")?);
        let local_pages = ours("SPAR_LOCAL_PAGES")?;
        let running = Endpoints::read(&Endpoints::file(&state, &source))?;
        // A token of the user's own is no business of a server that is spoken to in the clear.
        let access_token = match get("MASTODON_ACCESS_TOKEN").filter(|_| local_url.is_none()) {
            Some(token) => Some(Secret::new(token)),
            None => Credentials::read(&Credentials::file(&state, &source))?.access_token,
        };
        let embedded = Embedded {
            kafka: get("KAFKA_BOOTSTRAP_SERVERS").is_none(),
            postgres: get("DATABASE_URL").is_none(),
            mastodon: mastodon_url.is_none() && local_url.is_none(),
        };
        let running = if local_url.is_some() {
            Endpoints { mastodon: local_url.clone(), mastodon_control: local_control, ..running }
        } else {
            running
        };
        Ok(Self {
            home: home.to_owned(),
            out: path("SPAR_OUT").unwrap_or_else(|| home.join("out")),
            tools: path("SPAR_TOOLS").unwrap_or_else(|| home.join(".spar/tools")),
            mastodon_url: mastodon_url.or(running.mastodon),
            mastodon_control: running.mastodon_control.filter(|_| embedded.mastodon || local_url.is_some()),
            local_pages: local_pages.filter(|_| local_url.is_some()),
            local_url,
            access_token,
            kafka: get("KAFKA_BOOTSTRAP_SERVERS").or(running.kafka),
            database_url: get("DATABASE_URL").map(Secret::new).or(running.database_url),
            embedded,
            topic: get("KAFKA_TOPIC").unwrap_or_else(|| "mastodon_stream".into()),
            partitions: number(&get, "KAFKA_PARTITIONS", 1, 1, 1024)?,
            replication: number(&get, "KAFKA_REPLICATION", 1, 1, 16)?,
            kafka_bytes: number(&get, "SPAR_KAFKA_BYTES", 2 << 30, 1 << 20, 1 << 50)?,
            java_home: path("JAVA_HOME"),
            extra_keywords: checked(&get, "SPAR_KEYWORDS", keyword)?,
            languages: match checked(&get, "SPAR_LANGUAGES", language)? {
                empty if empty.is_empty() => vec!["en".into()],
                some => some.iter().map(|l| l.to_lowercase()).collect(),
            },
            window: seconds(&get, "SPAR_WINDOW_SECONDS", 3600, 86_400 * 7)?,
            lateness: seconds(&get, "SPAR_LATENESS_SECONDS", 3600, 86_400 * 7)?,
            windows: windows(&get, "SPAR_WINDOWS")?,
            given: MADE_WITH.into_iter().filter(|key| get(key).is_some()).collect(),
            idle: seconds(&get, "SPAR_IDLE_SECONDS", 60, 86_400)?,
            hashtags: checked(&get, "SPAR_HASHTAGS", hashtag)?,
            quiet: seconds(&get, "SPAR_QUIET_SECONDS", 600, 86_400)?,
            session: Duration::from_secs(number(&get, "SPAR_SESSION_SECONDS", 45, 6, 1800)?),
            listen: seconds(&get, "SPAR_LISTEN_SECONDS", 120, 86_400)?,
            away: seconds(&get, "SPAR_AWAY_SECONDS", 60, 86_400)?,
            active_over: number(&get, "SPAR_ACTIVE_OVER", 2, 0, u32::MAX)?,
            heatmap_over: number(&get, "SPAR_HEATMAP_OVER", 5, 0, u32::MAX)?,
            training_file: path("SPAR_TRAINING_FILE"),
            seed: number(&get, "SPAR_SEED", 42, 0, u64::MAX)?,
            local_seed: number(&get, "SPAR_LOCAL_SEED", 42, 0, u64::MAX)?,
            local_speed: match get("SPAR_LOCAL_SPEED").as_deref() {
                None | Some("max") => None,
                Some(_) => Some(number(&get, "SPAR_LOCAL_SPEED", 1.0, 0.001, 1e9)?),
            },
            local_statuses: number(&get, "SPAR_LOCAL_STATUSES", 20_000, 1, 10_000_000)?,
            source,
            state,
        })
    }

    /// What the embedded services of this source keep.
    pub fn source_state(&self) -> PathBuf {
        self.state.join(&self.source)
    }

    /// True when the toots are generated by the local Mastodon.
    pub fn is_local(&self) -> bool {
        self.source == "local"
    }

    /// Kafka's address.
    ///
    /// # Errors
    ///
    /// Fails if none is set and the embedded broker does not run.
    pub fn kafka(&self) -> Result<&str> {
        self.kafka.as_deref().ok_or_else(|| absent("Kafka", "KAFKA_BOOTSTRAP_SERVERS"))
    }

    /// The database's URL.
    ///
    /// # Errors
    ///
    /// Fails if none is set and the embedded server does not run.
    pub fn database_url(&self) -> Result<&Secret> {
        self.database_url.as_ref().ok_or_else(|| absent("PostgreSQL", "DATABASE_URL"))
    }

    /// The instance's base URL.
    ///
    /// # Errors
    ///
    /// Fails if none is set and the local Mastodon does not run.
    pub fn mastodon_url(&self) -> Result<&str> {
        self.mastodon_url.as_deref().ok_or_else(|| absent("Mastodon", "MASTODON_URL"))
    }

    /// The access token.
    ///
    /// # Errors
    ///
    /// Fails if there is none for this instance.
    pub fn access_token(&self) -> Result<&Secret> {
        self.access_token.as_ref().ok_or_else(|| {
            Error::cannot(format!("use {}", self.source), "there is no access token for it")
                .next("run the notebooks create_app and jeton_access, or set MASTODON_ACCESS_TOKEN in .env")
                .refused()
        })
    }
}

/// What `create_app` and `jeton_access` keep for one instance, in a file only its owner can read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Credentials {
    /// The application's id.
    pub client_id: Option<Secret>,
    /// The application's secret.
    pub client_secret: Option<Secret>,
    /// The redirect address it was registered with.
    pub redirect_uri: Option<String>,
    /// The scopes it was registered with.
    pub scopes: Option<String>,
    /// The user's token.
    pub access_token: Option<Secret>,
}

impl Credentials {
    /// The file of one instance: another instance never overwrites it.
    pub fn file(state: &Path, source: &str) -> PathBuf {
        state.join(source).join("credentials.json")
    }

    /// Reads the file; a missing one is empty.
    ///
    /// # Errors
    ///
    /// Fails if the file exists and cannot be read or understood.
    pub fn read(file: &Path) -> Result<Self> {
        match std::fs::read(file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                Error::cannot(format!("understand {}", file.display()), format!("line {}", e.line()))
                    .next("remove it, then run create_app and jeton_access again")
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(e) => Err(Error::cannot(format!("read {}", file.display()), e)),
        }
    }

    /// Writes the file, readable by its owner only, whole or not at all.
    ///
    /// # Errors
    ///
    /// Fails if the folder cannot be written.
    pub fn write(&self, file: &Path) -> Result<()> {
        write_private(file, &serde_json::to_vec_pretty(self).map_err(|e| Error::cannot("write credentials", e))?)
    }
}

/// Writes `bytes` to a file of mode 0600 beside `file`, then renames it: readers see the old or the new, never half.
pub(crate) fn write_private(file: &Path, bytes: &[u8]) -> Result<()> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let cannot = |e: std::io::Error| Error::cannot(format!("write {}", file.display()), e);
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder).map_err(cannot)?;
    }
    let fresh = file.with_extension(format!("new-{}", std::process::id()));
    let mut out =
        std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh).map_err(cannot)?;
    let written = out.write_all(bytes).and_then(|()| out.sync_all()).and_then(|()| std::fs::rename(&fresh, file));
    written.map_err(|e| {
        // On a full disk every try would leave a piece.
        let _ = std::fs::remove_file(&fresh);
        cannot(e)
    })
}

/// The Python that makes the project's environment: `SPAR_PYTHON`, else `python3`.
pub(crate) fn python() -> OsString {
    std::env::var_os("SPAR_PYTHON").filter(|p| !p.is_empty()).unwrap_or_else(|| "python3".into())
}

/// Where the project is compiled, when the launcher says it: `CARGO_TARGET_DIR`.
pub(crate) fn target() -> Option<PathBuf> {
    std::env::var_os("CARGO_TARGET_DIR").filter(|t| !t.is_empty()).map(PathBuf::from)
}

/// The search path with `folder` in front.
pub(crate) fn path_with(folder: &Path) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path))).unwrap_or(path)
}

/// This very program, which the services are launched with.
///
/// # Errors
///
/// Fails if the system does not tell.
pub fn command() -> Result<PathBuf> {
    std::env::current_exe().map_err(|e| Error::cannot("find the running program", e))
}

/// The project's folder: `SPAR_HOME`, else the nearest folder upwards that holds `notebooks/` and `Cargo.toml`.
fn home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("SPAR_HOME").filter(|h| !h.is_empty()) {
        return Ok(PathBuf::from(home));
    }
    let here = std::env::current_dir().map_err(|e| Error::cannot("find the current folder", e))?;
    here.ancestors()
        .find(|folder| folder.join("notebooks").is_dir() && folder.join("Cargo.toml").is_file())
        .map(Path::to_owned)
        .ok_or_else(|| {
            Error::cannot(
                format!("find the project above {}", here.display()),
                "no folder with notebooks/ and Cargo.toml",
            )
            .next("start from the project's folder, or set SPAR_HOME to it")
            .invalid()
        })
}

/// The host (and port, when it is not the usual one) of an instance: the name its data are kept under.
fn source_of(key: &str, url: &str) -> Result<String> {
    let bad =
        |why: String| Error::cannot(format!("use {key}"), why).next("write it as https://mastodon.example").invalid();
    let parsed = url::Url::parse(url).map_err(|e| bad(e.to_string()))?;
    let host = parsed.host_str().ok_or_else(|| bad("it names no host".into()))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(bad(format!("its scheme is {:?}", parsed.scheme())));
    }
    Ok(match parsed.port() {
        Some(port) => format!("{host}_{port}"),
        None => host.to_owned(),
    })
}

fn absent(what: &str, key: &str) -> Error {
    Error::cannot(format!("reach {what}"), format!("{key} is not set and the embedded services do not run"))
        .next("start them with `./spar services up`")
        .transient()
}

fn number<T>(get: &impl Fn(&str) -> Option<String>, key: &str, default: T, low: T, high: T) -> Result<T>
where
    T: FromStr + PartialOrd + fmt::Display,
{
    let Some(text) = get(key) else {
        return Ok(default);
    };
    match text.parse::<T>() {
        Ok(n) if n >= low && n <= high => Ok(n),
        _ => Err(Error::cannot(format!("use {key}={text}"), format!("a number from {low} to {high} is wanted"))
            .next("change it in the environment or in .env")
            .invalid()),
    }
}

fn seconds(get: &impl Fn(&str) -> Option<String>, key: &str, default: u64, high: u64) -> Result<Duration> {
    Ok(Duration::from_secs(number(get, key, default, 1, high)?))
}
