//! JupyterLab as a person uses it, in a real browser: `./spar test --browser`. Takes about four minutes on 2 cores.

#[path = "it/signals.rs"]
mod signals;
#[path = "it/support.rs"]
mod support;

use spar::setup::Tools;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use support::{command, config_in, home};

/// Names under which machines know the browser.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
/// Known to this test only.
const TOKEN: &str = "invented-for-the-browser-test";

/// `spar` on a state of the test's own; everything that it starts ends with it.
struct Place(tempfile::TempDir);

impl Place {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(command());
        command.args(arguments).env("SPAR_HOME", home()).env("SPAR_STATE", self.0.path().join("state"));
        command.env("SPAR_OUT", self.0.path().join("out"));
        for key in ["MASTODON_URL", "MASTODON_ACCESS_TOKEN", "KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL", "KAFKA_TOPIC"] {
            // Empty is absent, and wins over the `.env` of the person who runs the tests.
            command.env(key, "");
        }
        command
    }

    /// Copies of the notebooks, for a person's changes to be saved in.
    fn notebooks(&self) {
        let folder = self.0.path().join("notebooks");
        fs::create_dir(&folder).unwrap();
        let kernel = serde_json::to_string(home().join("kernel").to_str().unwrap()).unwrap();
        for file in fs::read_dir(home().join("notebooks")).unwrap().map(|entry| entry.unwrap().path()) {
            let text = fs::read_to_string(&file).unwrap();
            let text = text.replace(r#"\"../kernel\""#, &kernel.replace('"', r#"\""#));
            fs::write(folder.join(file.file_name().unwrap()), text).unwrap();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = self.command(&["services", "down"]).output();
    }
}

struct Lab(Child);

impl Drop for Lab {
    fn drop(&mut self) {
        signals::send(self.0.id() as i32, signals::Signal::TERM);
        let _ = self.0.wait();
    }
}

/// The machine's Chromium.
fn browser() -> PathBuf {
    let named = std::env::var_os("SPAR_BROWSER").map(PathBuf::from);
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = || std::env::split_paths(&paths).flat_map(|p| BROWSERS.map(|name| p.join(name))).find(|p| p.is_file());
    named.or_else(found).expect("no Chromium on PATH: sudo apt install chromium, or SPAR_BROWSER=/path/of/chromium")
}

/// Where pictures of what was seen go.
fn pictures() -> PathBuf {
    let folder = home().join("out/browser");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Opens JupyterLab on the copies; gives its address.
fn open(place: &Place) -> (Lab, String) {
    let root = format!("--ServerApp.root_dir={}", place.0.path().display());
    let token = format!("--IdentityProvider.token={TOKEN}");
    let lab = place.command(&["lab", "--", "--ServerApp.open_browser=False", "--ServerApp.port=0", &root, &token]);
    let mut lab = Lab({ lab }.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(lab.0.stderr.take().unwrap()).lines().map_while(Result::ok);
    let address = lines.by_ref().find_map(|line| {
        let (_, after) = line.split_once("http://127.0.0.1:")?;
        let port: u16 = after.split('/').next()?.parse().ok()?;
        Some(format!("http://127.0.0.1:{port}"))
    });
    // What else it says must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    (lab, address.expect("JupyterLab tells its address"))
}

#[test]
fn a_person_runs_notebooks_and_single_cells_in_jupyterlab() {
    let browser = browser();
    let place = Place(tempfile::tempdir().unwrap());
    place.notebooks();
    let first = place.command(&["run", "partie1"]).output().unwrap();
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let (_lab, address) = open(&place);
    let tools = Tools::of(&config_in(Path::new("unused"), &[]));
    let mut person = Command::new(&tools.browser);
    person
        .arg(home().join("tests/browser/lab.py"))
        .args([&address, TOKEN])
        .arg(place.0.path().join("notebooks"))
        .arg(browser)
        .arg(pictures());
    assert!(person.status().unwrap().success(), "what went wrong is above; pictures are in out/browser/");
}
