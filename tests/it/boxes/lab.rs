//! Jupyter's container: the image's command, with its token, and the notebooks that answer the other container's page.

use super::dockerfile::instructions;
use super::local::Local;
use super::{Running, environment, free_ports, health_check, services};
use crate::support::{command, config, eventually, home};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// The command with the environment that compose gives it, but for the addresses that `here` has instead.
fn as_in_compose(here: &[(&str, String)]) -> Command {
    let given = [("JUPYTER_TOKEN", "invented-token"), ("SPAR_PASSWORD", "invented")];
    let mut command = Command::new(command());
    command.envs(environment(&services()["jupyter"], &given)).env("SPAR_HOME", home());
    command.envs(here.iter().map(|(key, value)| (*key, value.as_str())));
    command
}

/// The status of an answer, nothing when none comes.
fn status(port: u16, path: &str, token: Option<&str>) -> Option<u16> {
    answer(port, path, token, 64)?.split(' ').nth(1)?.parse().ok()
}

/// The first bytes of an answer, with its head.
fn answer(port: u16, path: &str, token: Option<&str>, most: u64) -> Option<String> {
    let mut socket = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let limit = Some(Duration::from_secs(10));
    socket.set_read_timeout(limit).and_then(|()| socket.set_write_timeout(limit)).unwrap();
    let token = token.map(|t| format!("Authorization: token {t}\r\n")).unwrap_or_default();
    write!(socket, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{token}Connection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    socket.take(most).read_to_string(&mut answer).ok()?;
    Some(answer)
}

#[test]
fn the_images_command_opens_jupyter_for_who_has_the_token() {
    let [port, nobody] = free_ports();
    let state = tempfile::tempdir().unwrap();
    let words = instructions().into_iter().find_map(|l| Some(l.strip_prefix("CMD ")?.to_owned())).unwrap();
    let words: Vec<String> = serde_json::from_str(&words).unwrap();
    let here =
        [("SPAR_STATE", state.path().display().to_string()), ("SPAR_LOCAL_URL", format!("http://127.0.0.1:{nobody}"))];
    let mut lab = as_in_compose(&here);
    // Here on loopback; the container listens everywhere, and compose publishes it on loopback.
    lab.args(words[1..].iter().map(|word| word.replace("0.0.0.0", "127.0.0.1")));
    lab.args([format!("--ServerApp.port={port}"), "--ServerApp.port_retries=0".into()]);
    let _lab = Running(lab.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let check = || health_check(&services()["jupyter"], (8888, port)).status().unwrap().success();
    eventually("the container's check is content", LIMIT, check);
    assert_eq!(status(port, "/api/contents", None), Some(403));
    assert_eq!(status(port, "/api/contents", Some("another")), Some(403));
    assert_eq!(status(port, "/api/contents", Some("invented-token")), Some(200));
    assert!(!state.path().join("local/endpoints.json").exists(), "nothing is embedded");
    let given = |path: &str| answer(port, path, Some("invented-token"), 1 << 20).unwrap();
    assert!(given("/lab").contains("custom/custom.css"), "the page asks for our style");
    let style = given("/custom/custom.css");
    assert!(style.contains("[data-jp-theme-light=\"false\"] { color-scheme: dark; }"), "{style}");
    let settings = given("/lab/api/settings/@jupyterlab/apputils-extension:notification");
    assert!(settings.contains("\"fetchNews\""), "{settings}");
    let default = settings.split("\"fetchNews\"").find_map(|rest| rest.split("\"default\": \"").nth(1));
    assert!(default.is_some_and(|d| d.starts_with("false")), "no news are fetched: {settings}");
}

#[test]
fn the_first_notebooks_get_their_token_from_the_other_container() {
    let folder = tempfile::tempdir().unwrap();
    let server = Local::start(&folder.path().join("server"));
    let running = config();
    let mut here = vec![
        ("SPAR_STATE", folder.path().join("state").display().to_string()),
        ("KAFKA_BOOTSTRAP_SERVERS", running.kafka().unwrap().to_owned()),
        ("DATABASE_URL", running.database_url().unwrap().expose().to_owned()),
    ];
    here.extend(server.settings());
    let mut run = as_in_compose(&here);
    let out = folder.path().join("out");
    let output = run.args(["run", "--out"]).arg(&out).args(["create_app", "jeton_access"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let page = std::fs::read_to_string(out.join("jeton_access.ipynb")).unwrap();
    assert!(page.contains("Jeton d'accès:"), "a person's code was asked for and given");
    assert!(page.contains(&format!("http://localhost:{}/oauth/authorize?", server.ports[0])), "as a browser opens it");
}
