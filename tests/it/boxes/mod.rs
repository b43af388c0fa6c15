//! The containers, as far as a machine without a container engine can show them: what `docker-compose.yml` and the
//! `Dockerfile` say, and their commands run as plain processes. No image is pulled and no container started here.

mod compose;
mod dockerfile;
mod kafka;
mod lab;
mod lint;
mod local;
mod postgres;
mod versions;

use crate::signals::{Signal, send};
use crate::support::{config_in, home};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command};

/// A file of the project.
pub fn text(path: &str) -> String {
    fs::read_to_string(home().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The Python of the project's tools.
pub fn python() -> Command {
    Command::new(config_in(Path::new("unused"), &[]).tools.join("venv/bin/python"))
}

/// A YAML file of the project, read by a parser that owes nothing to us.
pub fn yaml(path: &str) -> Value {
    let program = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1], encoding='utf-8')), sys.stdout)";
    let output = python().args(["-c", program]).arg(home().join(path)).output().unwrap();
    assert!(output.status.success(), "{path}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The services of the compose file by name.
pub fn services() -> BTreeMap<String, Value> {
    let file = yaml("docker-compose.yml");
    file["services"].as_object().unwrap().iter().map(|(name, about)| (name.clone(), about.clone())).collect()
}

/// The strings of a list.
pub fn strings(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// A service's environment with the variables put in: `given`, else their defaults.
pub fn environment(service: &Value, given: &[(&str, &str)]) -> BTreeMap<String, String> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let all = service["environment"].as_object().unwrap();
    all.iter().map(|(key, value)| (key.clone(), interpolated(&plain(value), given))).collect()
}

/// `text` with each `${NAME:-default}` and `${NAME:?why}` replaced, as compose does.
pub fn interpolated(text: &str, given: &[(&str, &str)]) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (variable, after) = after.split_once('}').unwrap();
        let (name, other) = variable.split_once(':').unwrap_or((variable, "?no default"));
        let value = given.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let value = value.or_else(|| other.strip_prefix('-').map(str::to_owned));
        done += before;
        done += &value.unwrap_or_else(|| panic!("{name} is wanted: {other}"));
        rest = after;
    }
    done + rest
}

/// Ports that are free now; whoever takes one in the meantime fails the test, which then says so. Drawn as the embedded
/// services draw theirs: from below the range that systems give to outgoing connections, any of which could take one.
pub fn free_ports<const N: usize>() -> [u16; N] {
    let draw = || 20_000 + (RandomState::new().hash_one(0) % 12_000) as u16;
    let held = std::array::from_fn::<_, N, _>(|_| {
        (0..200).find_map(|_| TcpListener::bind(("127.0.0.1", draw())).ok()).expect("one of 200 ports is free")
    });
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// A process of the test's own, asked to end when dropped, and ended.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        send(self.0.id() as i32, Signal::TERM);
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !matches!(self.0.try_wait(), Ok(Some(_))) {
            if std::time::Instant::now() > deadline {
                let _ = self.0.kill();
                let _ = self.0.wait();
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// The health check of a service of the project's own image, with another port, run as the container would.
pub fn health_check(service: &Value, port: (u16, u16)) -> Command {
    let words = strings(&service["healthcheck"]["test"]);
    assert_eq!(words[..2], ["CMD", ".spar/tools/venv/bin/python"], "the image has the project's environment");
    let mut check = python();
    let (inside, here) = (format!(":{}/", port.0), format!(":{}/", port.1));
    assert!(words.last().unwrap().contains(&inside), "the check asks port {}", port.0);
    check.args(words[2..].iter().map(|word| word.replace(&inside, &here))).current_dir(home());
    // A proxy that is not there: a check that asked it would fail.
    check.env("http_proxy", "http://127.0.0.1:9").stdout(std::process::Stdio::null());
    check.stderr(std::process::Stdio::null());
    check
}
