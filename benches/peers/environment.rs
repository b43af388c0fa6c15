//! What the peers need: a Python environment each, and Spark's jars, below the tools folder.

use sha2::{Digest, Sha256};
use spar::Config;
use std::fs::{self, File};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The packages of a peer.
pub struct Peer {
    pub name: &'static str,
    /// The package that gives the version told.
    pub package: &'static str,
    pub requirements: &'static str,
    /// Spark's connector to Kafka and the driver of PostgreSQL.
    pub jars: bool,
    /// The Pythons, 3.x, that all of its packages are there for.
    pub pythons: RangeInclusive<u32>,
}

const JARS: &str = include_str!("requirements/spark-jars.txt");
const ENDPOINT: &str = "org.apache.spark:spark-sql-kafka-0-10_2.13:4.2.0+org.postgresql:postgresql:42.7.14";
const FETCH: &str = "import sys, jgo; jgo.build(sys.argv[1], cache_dir=sys.argv[2])";

/// Where everything of this bench lies.
pub fn folder(config: &Config) -> PathBuf {
    config.tools.join("peers")
}

impl Peer {
    /// Its name and version.
    pub fn version(&self) -> String {
        let line = self.requirements.lines().find(|line| line.starts_with(&format!("{}==", self.package)));
        line.unwrap_or(self.package).replace("==", " ")
    }

    /// Makes the environment unless it is there; gives its Python.
    pub fn prepare(&self, config: &Config) -> Result<PathBuf, String> {
        let root = folder(config);
        let venv = root.join(self.name);
        let program = venv.join("bin/python");
        let (stamp, log) = (venv.join("done.txt"), root.join(format!("logs/{}-setup.log", self.name)));
        fs::create_dir_all(root.join("logs")).map_err(|e| format!("write {}: {e}", root.display()))?;
        if !fs::read_to_string(&stamp).is_ok_and(|done| done == self.requirements) || version(&program).is_none() {
            let python = self.python()?;
            println!("  {}: fetching its packages …", self.name);
            run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&venv), &log)?;
            let list = root.join(format!("{}.txt", self.name));
            fs::write(&list, self.requirements).map_err(|e| e.to_string())?;
            let mut pip = Command::new(&program);
            run(
                pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r"]).arg(&list),
                &log,
            )?;
            fs::write(&stamp, self.requirements).map_err(|e| e.to_string())?;
        }
        if self.jars {
            let java = spar::services::java::find(config).map_err(|e| e.to_string())?;
            whole(&java)?;
            jars(config, &java, &log)?;
        }
        Ok(program)
    }

    /// `SPAR_PEERS_PYTHON`, else the first of PATH that will do.
    fn python(&self) -> Result<String, String> {
        let named = ["SPAR_PEERS_PYTHON", "SPAR_PYTHON"].into_iter().filter_map(|key| std::env::var(key).ok());
        let on_path = ["python3", "python3.13", "python3.12", "python3.11", "python3.10"].map(str::to_owned);
        let fits = |python: &String| version(Path::new(python)).is_some_and(|v| self.pythons.contains(&v));
        named.chain(on_path).find(fits).ok_or_else(|| {
            let newest = if *self.pythons.end() == 99 { "newer".into() } else { format!("3.{}", self.pythons.end()) };
            format!("it wants Python 3.{} or {newest}: set SPAR_PEERS_PYTHON to one", self.pythons.start())
        })
    }
}

/// The y of a Python 3.y that runs.
fn version(python: &Path) -> Option<u32> {
    let print = "import sys; print(sys.version_info[1] if sys.version_info[0] == 3 else 0)";
    let out = Command::new(python).args(["-c", print]).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(out.stdout).ok()?.trim().parse().ok()
}

/// Spark's further jars, joined by commas as it wants them.
pub fn jar_list(config: &Config) -> String {
    let folder = folder(config).join("spark-jars");
    let paths: Vec<_> = listed().map(|(_, name)| folder.join(name).display().to_string()).collect();
    paths.join(",")
}

fn listed() -> impl Iterator<Item = (&'static str, &'static str)> {
    JARS.lines().filter_map(|line| line.split_once("  "))
}

/// Spark starts its Java with a module that a trimmed one, as in the wheel that runs Kafka, has not got.
fn whole(java: &Path) -> Result<(), String> {
    const MODULE: &str = "jdk.incubator.vector";
    let out = Command::new(java).arg("--list-modules").output().map_err(|e| format!("{}: {e}", java.display()))?;
    if String::from_utf8_lossy(&out.stdout).contains(MODULE) {
        return Ok(());
    }
    let way = "install a whole one (Debian: openjdk-17-jre-headless), or set JAVA_HOME to it";
    Err(format!("Spark wants a Java with the module {MODULE}, which {} lacks: {way}", java.display()))
}

fn jars(config: &Config, java: &Path, log: &Path) -> Result<(), String> {
    let place = folder(config).join("spark-jars");
    if listed().all(|(sum, name)| checked(&place.join(name), sum).is_ok()) {
        return Ok(());
    }
    println!("  spark: fetching its jars …");
    let cache = folder(config).join("jgo");
    let mut fetch = Command::new(spar::setup::Tools::of(config).python);
    fetch.args(["-c", FETCH, ENDPOINT]).arg(&cache).env("M2_REPO", cache.join("m2")).env("XDG_CACHE_HOME", &cache);
    if let Some(home) = java.parent().and_then(Path::parent).filter(|home| home.is_absolute()) {
        fetch.env("JAVA_HOME", home);
    }
    run(&mut fetch, log)?;
    fs::create_dir_all(&place).map_err(|e| e.to_string())?;
    let mut found = Vec::new();
    files(&cache.join("envs"), &mut found);
    for (sum, name) in listed() {
        let jar = found.iter().find(|path| path.ends_with(name)).ok_or(format!("{name} was not fetched"))?;
        fs::copy(jar, place.join(name)).map_err(|e| format!("copy {name}: {e}"))?;
        checked(&place.join(name), sum)?;
    }
    let _ = fs::remove_dir_all(&cache);
    Ok(())
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path() {
            path if path.is_dir() => files(&path, found),
            path => found.push(path),
        }
    }
}

fn checked(jar: &Path, sum: &str) -> Result<(), String> {
    let bytes = fs::read(jar).map_err(|e| format!("read {}: {e}", jar.display()))?;
    let found: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if found == sum { Ok(()) } else { Err(format!("{} has sha256 {found}, not {sum}", jar.display())) }
}

/// Runs a command to its end; what it says goes to the log, and the last of it into the reason of a failure.
fn run(command: &mut Command, log: &Path) -> Result<(), String> {
    let file = File::options().create(true).append(true).open(log).map_err(|e| format!("{}: {e}", log.display()))?;
    let other = file.try_clone().map_err(|e| e.to_string())?;
    let status = command.stdin(Stdio::null()).stdout(file).stderr(other).status().map_err(|e| e.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("{status}: {}", last_lines(log, 3))) }
}

/// The last lines that say something, on one line.
pub fn last_lines(log: &Path, lines: usize) -> String {
    let text = String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned();
    let all: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    all[all.len().saturating_sub(lines)..].join(" · ")
}
