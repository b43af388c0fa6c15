//! A small HTTP client on a bare socket, so that every byte can be looked at.

use serde_json::Value;
use spar::local::{LocalServer, LocalSettings, start};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// No test waits longer for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// An answer, its body taken out of its chunks.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.body))
    }
}

/// A server with small slices and its folder.
pub fn server(statuses: u32) -> (LocalServer, tempfile::TempDir) {
    beating(statuses, Duration::from_secs(15))
}

/// The same with other heartbeats.
pub fn beating(statuses: u32, heartbeat: Duration) -> (LocalServer, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let settings = LocalSettings { statuses, heartbeat, ..LocalSettings::new(folder.path()) };
    (start(&settings).unwrap(), folder)
}

/// Sends one request on a connection of its own.
pub fn send(base: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut socket = connect(base);
    write!(socket, "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n").unwrap();
    for (name, value) in headers {
        write!(socket, "{name}: {value}\r\n").unwrap();
    }
    write!(socket, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut bytes = Vec::new();
    socket.read_to_end(&mut bytes).unwrap();
    parse(&bytes)
}

pub fn get(base: &str, path: &str) -> Answer {
    send(base, "GET", path, &[], "")
}

pub fn get_as(base: &str, token: &str, path: &str) -> Answer {
    send(base, "GET", path, &[("Authorization", &format!("Bearer {token}"))], "")
}

pub fn post(base: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    send(base, "POST", path, &[("Content-Type", "application/x-www-form-urlencoded")], &body)
}

pub fn connect(base: &str) -> TcpStream {
    let socket = TcpStream::connect(base.strip_prefix("http://").unwrap()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an answer has a head") + 4;
    let (status, headers) = head(std::str::from_utf8(&bytes[..end]).unwrap());
    let body = match headers.get("transfer-encoding") {
        Some(_) => chunks(&bytes[end..]).0.concat(),
        None => bytes[end..].to_vec(),
    };
    Answer { status, headers, body: String::from_utf8(body).unwrap() }
}

fn head(text: &str) -> (u16, HashMap<String, String>) {
    let mut lines = text.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let pairs = lines.filter_map(|line| line.split_once(": "));
    (status, pairs.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect())
}

/// Takes whole chunks off; says how many bytes they were and whether the last one was the end.
pub fn chunks(bytes: &[u8]) -> (Vec<Vec<u8>>, usize, bool) {
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(line) = bytes[at..].windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&bytes[at..at + line]).unwrap(), 16).unwrap();
        let (start, end) = (at + line + 2, at + line + 2 + size);
        if bytes.len() < end + 2 {
            break;
        }
        assert_eq!(&bytes[end..end + 2], b"\r\n");
        at = end + 2;
        if size == 0 {
            return (found, at, true);
        }
        found.push(bytes[start..end].to_vec());
    }
    (found, at, false)
}

/// An open stream, read chunk by chunk.
pub struct Stream {
    socket: TcpStream,
    pub status: u16,
    pub headers: HashMap<String, String>,
    buffer: Vec<u8>,
    name: Option<String>,
    pub ended: bool,
}

impl Stream {
    pub fn open(base: &str, path: &str, token: &str) -> Self {
        let mut socket = connect(base);
        write!(socket, "GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n\r\n").unwrap();
        let (mut buffer, mut some) = (Vec::new(), [0; 65_536]);
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            let count = socket.read(&mut some).unwrap();
            assert!(count > 0, "the connection ended within the head");
            buffer.extend_from_slice(&some[..count]);
        };
        let (status, headers) = head(std::str::from_utf8(&buffer[..end]).unwrap());
        buffer.drain(..end);
        Self { socket, status, headers, buffer, name: None, ended: false }
    }

    /// The chunks that come next: at least one, unless the stream ends.
    pub fn next_chunks(&mut self) -> Vec<Vec<u8>> {
        let mut some = [0; 65_536];
        loop {
            let (found, used, ended) = chunks(&self.buffer);
            self.buffer.drain(..used);
            self.ended |= ended;
            if !found.is_empty() || self.ended {
                return found;
            }
            let count = self.socket.read(&mut some).expect("a stream says something within a minute");
            if count == 0 {
                self.ended = true;
            }
            self.buffer.extend_from_slice(&some[..count]);
        }
    }

    /// The events, name and data: `count` of them, and those that came in one piece with the last; fewer at the end.
    pub fn events(&mut self, count: usize) -> Vec<(String, String)> {
        let mut events = Vec::new();
        while events.len() < count && !self.ended {
            for chunk in self.next_chunks() {
                let text = String::from_utf8(chunk).unwrap();
                if let Some(event) = text.strip_prefix("event: ") {
                    self.name = Some(event.trim_end().to_owned());
                } else if let Some(data) = text.strip_prefix("data: ") {
                    events.push((self.name.take().expect("a name comes first"), data.trim_end().to_owned()));
                }
            }
        }
        events
    }
}

/// A token of the visitor, by the whole way: application, consent, exchange.
pub fn token(base: &str) -> String {
    let app = super::oauth::register(base);
    super::oauth::exchange(base, &app, &super::oauth::consent(base, &app)).json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Asks until the answer is there.
pub fn poll<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < until, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until the slice `number` is over, and says how it stands.
pub fn over(control: &str, number: u64) -> Value {
    poll("the end of the slice", || {
        let standing = get(control, "/control/slice").json();
        (standing["slice"] == number && standing["state"] == "over").then_some(standing)
    })
}
