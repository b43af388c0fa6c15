//! JupyterLab: it ends with `spar lab` however that ends, shares with runs, and takes another port where its own is
//! taken.

use super::ground::{Ground, LIMIT, Started, fails_with, told, words_only};
use crate::local::client::{get, send};
use crate::signals::Signal;
use crate::support::eventually;
use std::net::{TcpListener, TcpStream};

const TOKEN: &str = "known-to-this-test";

/// An open JupyterLab and its address.
struct Lab {
    started: Started,
    base: String,
}

impl Lab {
    fn open(ground: &Ground, port: u16) -> Self {
        let port = format!("--ServerApp.port={port}");
        let token = format!("--IdentityProvider.token={TOKEN}");
        // The client of these tests calls every server `test`.
        let host = "--ServerApp.allow_remote_access=True";
        let started = ground.start(&["lab", "--", "--ServerApp.open_browser=False", host, &port, &token]);
        let mut base = None;
        eventually("JupyterLab tells its address", LIMIT, || {
            base = address(&started.said());
            base.is_some()
        });
        let lab = Self { started, base: base.unwrap() };
        // It tells the address a moment before it listens.
        eventually("JupyterLab listens", LIMIT, || TcpStream::connect(&lab.base["http://".len()..]).is_ok());
        assert!(lab.answers(), "{}", lab.started.said());
        lab
    }

    fn answers(&self) -> bool {
        get(&self.base, "/api").status == 200
    }

    /// Starts a Rust kernel, as opening a notebook does.
    fn start_kernel(&self, ground: &Ground) {
        let headers = [("Authorization", format!("token {TOKEN}")), ("Content-Type", "application/json".into())];
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = send(&self.base, "POST", "/api/kernels", &headers, r#"{"name":"rust"}"#);
        assert_eq!(answer.status, 201, "{}", answer.body);
        eventually("the kernel runs", LIMIT, || kernels(ground) > 0);
    }
}

fn address(said: &str) -> Option<String> {
    let (_, after) = said.split_once("http://127.0.0.1:")?;
    let (port, _) = after.split_once('/')?;
    Some(format!("http://127.0.0.1:{}", port.parse::<u16>().ok()?))
}

fn kernels(ground: &Ground) -> usize {
    ground.processes().iter().filter(|process| process.contains("evcxr_jupyter")).count()
}

fn a_free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_killed_lab_takes_jupyterlab_its_kernels_and_the_services_along() {
    let ground = Ground::new();
    let lab = Lab::open(&ground, a_free_port());
    lab.start_kernel(&ground);
    lab.started.kill();
    ground.wait_until_nobody_is_left();
}

#[test]
fn a_killed_jupyterlab_leaves_no_kernel_behind() {
    let ground = Ground::new();
    let mut lab = Lab::open(&ground, a_free_port());
    lab.start_kernel(&ground);
    let jupyter = ground.processes().into_iter().find(|process| process.contains("-m jupyterlab")).unwrap();
    crate::place::kill(jupyter.split(':').next().unwrap().parse().unwrap());
    assert_ne!(lab.started.wait(), Some(0), "a lab that was killed is no success");
    ground.wait_until_nobody_is_left();
}

#[test]
fn a_run_beside_an_open_lab_shares_its_services_which_stay_until_the_lab_gets_its_interrupt() {
    let ground = Ground::new();
    let mut lab = Lab::open(&ground, a_free_port());

    let (said, code) = told(&ground.spar(&["run", "--from", &words_only(&ground), "words"]));
    assert_eq!(code, Some(0), "{said}");
    let (said, code) = told(&ground.spar(&["services", "down"]));
    assert!(code == Some(0) && said.contains("another command still uses the services"), "{said}");
    fails_with(&ground.spar(&["services", "reset", "--yes"]), &["another command still uses the services", "lab"]);
    assert!(lab.answers() && ground.state("endpoints.json").exists(), "the lab works on");

    // Sent to `spar` alone, as a supervisor does; in a terminal Ctrl-C reaches JupyterLab by itself.
    lab.started.signal(Signal::INT);
    lab.started.wait();
    ground.wait_until_nobody_is_left();
}

#[test]
fn a_lab_whose_port_is_taken_says_so_and_takes_another() {
    let ground = Ground::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut lab = Lab::open(&ground, port);
    assert!(!lab.base.ends_with(&format!(":{port}")), "{}", lab.base);
    let said = lab.started.said();
    assert!(said.contains(&format!("port {port} is already in use")), "{said}");
    lab.started.signal(Signal::TERM);
    lab.started.wait();
    ground.wait_until_nobody_is_left();
}

/// A terminal around a command: presses Ctrl-C when JupyterLab is up, and again once it has asked.
const TERMINAL: &str = r#"
import os, pty, select, sys, time

child, terminal = pty.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen, deadline = b"", time.monotonic() + 100


def read_until(words):
    global seen
    while words not in seen:
        if time.monotonic() > deadline:
            sys.exit("not seen: %r in %s" % (words, seen.decode(errors="replace")))
        if select.select([terminal], [], [], 0.1)[0]:
            seen += os.read(terminal, 65536)


read_until(b"http://127.0.0.1:")
os.write(terminal, b"\x03")
read_until(b"(y/[n])")
time.sleep(1)
assert os.waitpid(child, os.WNOHANG) == (0, 0), "one Ctrl-C ended it"
os.write(terminal, b"\x03")
while True:
    try:
        if not os.read(terminal, 65536):
            break
    except OSError:  # nobody has the terminal open any more
        break
os.waitpid(child, 0)
print("asked, then ended")
"#;

#[test]
fn in_a_terminal_the_first_control_c_asks_and_the_second_ends_the_lab() {
    let ground = Ground::new();
    let python = super::tools::real().join("venv/bin/python");
    let mut terminal = std::process::Command::new(python);
    ground.settle(&mut terminal);
    terminal.args(["-c", TERMINAL]).arg(crate::support::command());
    terminal.args(["lab", "--", "--ServerApp.open_browser=False", &format!("--ServerApp.port={}", a_free_port())]);
    let (said, code) = told(&terminal.output().unwrap());
    assert!(code == Some(0) && said.contains("asked, then ended"), "{said}");
    ground.wait_until_nobody_is_left();
}
