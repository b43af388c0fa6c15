//! No network at set-up, or a bad one: each step says what it wanted, why it has not got it, and what to do.

use super::ground::{Ground, LIMIT, fails_with, told};
use super::tools::{STEPS, Tools};
use crate::namespaces::unshare;
use crate::support::{command, eventually};
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;

/// The set-up with these tools where nothing is reached: a machine without any network.
fn set_up_alone(tools: &Tools) -> Output {
    let mut setup = unshare(&["--user", "--map-root-user", "--net"]);
    setup.arg(command()).arg("setup");
    let ground = Ground::new();
    ground.settle(&mut setup);
    tools.without_network(&mut setup);
    setup.output().unwrap()
}

#[test]
fn each_step_of_the_set_up_names_what_it_could_not_fetch() {
    let wanted = [
        ("python", "fetch and install the Python packages (JupyterLab"),
        ("evcxr", "fetch and build evcxr_jupyter 0.22.0"),
        ("packages", "fetch the Rust packages of Cargo.lock"),
        ("kafka", "fetch the jars of Apache Kafka 4.4.0"),
        ("training", "fetch the default training set (vaderSentiment 3.3.2)"),
    ];
    assert_eq!(wanted.map(|(step, _)| step), STEPS.map(|(step, _)| step));
    for (step, what) in wanted {
        let tools = Tools::without(step);
        let output = set_up_alone(&tools);
        let log = tools.path().join(format!("logs/{step}.log")).display().to_string();
        fails_with(&output, &[what, "the network did not give it (", &log, "HTTPS_PROXY", "it goes on from here"]);
        assert!(!tools.stamp(step).exists(), "{step} is not done");
    }
    println!("{} steps without a network: each named what it wanted", wanted.len());
}

/// Damages tools.
type Break = fn(&Tools);

#[test]
fn what_is_broken_or_half_there_is_found_and_made_again() {
    let breaks: [(&str, Break); 5] = [
        ("python", |tools| fs::write(tools.path().join("venv/unfinished"), "").unwrap()),
        ("kafka", |tools| truncate(&tools.path().join("kafka-4.4.0/kafka-clients-4.4.0.jar"))),
        ("kafka", |tools| fs::remove_file(tools.path().join("kafka-4.4.0/slf4j-api-1.7.36.jar")).unwrap()),
        ("training", |tools| truncate(&tools.path().join("training/tweets_GroundTruth.txt"))),
        ("evcxr", |tools| fs::write(tools.stamp("evcxr"), "").unwrap()),
    ];
    for (step, breaks) in breaks {
        let tools = Tools::with_own_environment();
        breaks(&tools);
        let (said, code) = told(&set_up_alone(&tools));
        // Without a network it comes no further than to try that one step again.
        assert!(code == Some(1) && said.starts_with("[1/1]"), "{step}: {said}");
        assert!(tools.path().join(format!("logs/{step}.log")).exists(), "{step}: {said}");
        assert!(!tools.stamp(step).exists(), "{step} is not done");
    }
    println!("{} broken tools: each was found", breaks.len());
}

#[test]
fn an_environment_that_lacks_only_its_stamp_is_completed_without_a_network() {
    for stamp in ["", "another list"] {
        let tools = Tools::with_own_environment();
        let before = fs::read_to_string(tools.stamp("python")).unwrap();
        fs::remove_file(tools.stamp("python")).unwrap();
        fs::write(tools.stamp("python"), stamp).unwrap();
        let (said, code) = told(&set_up_alone(&tools));
        assert!(code == Some(0) && said.starts_with("[1/1] Python environment"), "{said}");
        assert_eq!(fs::read_to_string(tools.stamp("python")).unwrap(), before);
    }
}

/// A file of half its length in the place of the whole one.
fn truncate(file: &std::path::Path) {
    let bytes = fs::read(file).unwrap();
    // A new file: the old one may be shared with the real tools.
    fs::remove_file(file).unwrap();
    fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
}

/// The set-up with an index of the test's own, which answers each request by `answer` (the path → the body).
fn set_up_with_index(tools: &Tools, answer: impl Fn(&str, &mut TcpStream) + Send + 'static) -> Output {
    let index = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/simple", index.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut client in index.incoming().flatten() {
            let mut request = [0; 4096];
            let read = client.read(&mut request).unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..read]).into_owned();
            answer(text.split(' ').nth(1).unwrap_or_default(), &mut client);
        }
    });
    let ground = Ground::new();
    let mut setup = ground.command(&["setup"]);
    tools.without_network(&mut setup);
    for proxy in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        setup.env_remove(proxy);
    }
    setup.env("PIP_INDEX_URL", url).env("PIP_DEFAULT_TIMEOUT", "6").output().unwrap()
}

#[test]
fn a_download_of_another_content_is_refused_and_its_sha256_told() {
    let tools = Tools::without("training");
    fs::create_dir(tools.path().join("training")).unwrap();
    // What a killed download left must not be taken for the file.
    fs::write(tools.path().join("training/vaderSentiment-3.3.2.tar.gz"), "half").unwrap();
    let output = set_up_with_index(&tools, |path, client| {
        let body = if path.ends_with(".gz") {
            "not the archive that it says it is".to_owned()
        } else {
            "<a href=\"/files/vaderSentiment-3.3.2.tar.gz\">vaderSentiment-3.3.2.tar.gz</a>".to_owned()
        };
        let kind = if path.ends_with(".gz") { "application/gzip" } else { "text/html" };
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let _ = client.write_all(format!("{head}{body}").as_bytes());
    });
    fails_with(
        &output,
        &["vaderSentiment 3.3.2", "what came is not the file that this project knows", "do not use it"],
    );
    let (said, _) = told(&output);
    assert!(said.contains("5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"), "{said}");
    assert!(said.contains("Got"), "{said}");
    assert!(!tools.stamp("training").exists());
}

#[test]
fn a_long_step_without_a_terminal_says_now_and_then_that_it_goes_on() {
    let tools = Tools::without("training");
    let output = set_up_with_index(&tools, |_, client| {
        // It took the question and never answers; the client leaves first.
        let _ = client.read(&mut [0; 1]);
    });
    let (said, _) = told(&output);
    let signs = said.lines().filter(|line| line.trim_start().starts_with("5 s  ")).count();
    assert_eq!(signs, 1, "a sign of life after five seconds is wanted: {said}");
    fails_with(&output, &["the network did not give it (", "timed out"]);
}

#[test]
fn a_second_set_up_waits_for_the_first_and_says_so() {
    let tools = Tools::without("training");
    let lock = fs::File::create(tools.path().join("setup.lock")).unwrap();
    lock.lock().unwrap();
    let ground = Ground::new();
    let mut setup = ground.command(&["setup"]);
    tools.without_network(&mut setup);
    let words = ground.path("words");
    let mut setup = setup.stderr(fs::File::create(&words).unwrap()).spawn().unwrap();
    let said = || fs::read_to_string(&words).unwrap();
    eventually("it says that it waits", LIMIT, || said().contains("Another set-up works in"));
    assert!(!said().contains("[1/1]") && setup.try_wait().unwrap().is_none(), "{}", said());
    drop(lock);
    eventually("it goes on", LIMIT, || said().contains("[1/1]"));
    setup.wait().unwrap();
}
