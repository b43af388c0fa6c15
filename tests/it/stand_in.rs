//! A server of a few lines that answers HTTP as a test says, byte by byte: for faults that a good server never shows.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What was asked.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: String,
}

impl Request {
    /// The value of a form field, decoded.
    pub fn form(&self, key: &str) -> Option<String> {
        url::form_urlencoded::parse(self.body.as_bytes()).find(|(k, _)| k == key).map(|(_, v)| v.into_owned())
    }
}

/// What is written, in order; the connection closes after the last.
#[derive(Clone, Debug)]
pub enum Step {
    /// Bytes as they are.
    Bytes(Vec<u8>),
    /// Silence until the test ends or the client goes.
    Stall,
    /// Bytes one by one, with a pause after each.
    Dribble(Vec<u8>, Duration),
    /// Silence until the flag is set.
    Hold(Arc<AtomicBool>),
    /// Counts that everything before was written.
    Count(Arc<AtomicUsize>),
    /// The end, as after a crash: what is on the way is lost.
    Reset,
}

type Answer = dyn Fn(&Request) -> Vec<Step> + Send + Sync;

/// The server; it ends when it is dropped.
pub struct StandIn {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StandIn {
    pub fn start(answer: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, over) = (Arc::<Mutex<Vec<Request>>>::default(), Arc::new(AtomicBool::new(false)));
        let (seen, ended) = (requests.clone(), over.clone());
        let answer: Arc<Answer> = Arc::new(answer);
        let thread = std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let (seen, ended, answer) = (seen.clone(), ended.clone(), answer.clone());
                std::thread::spawn(move || serve(connection, &seen, &ended, &*answer));
            }
        });
        Self { url: format!("http://{address}"), requests, over, thread: Some(thread) }
    }

    /// What was asked for on paths that begin with `path`.
    pub fn asked(&self, path: &str) -> Vec<Request> {
        self.requests.lock().unwrap().iter().filter(|r| r.path.starts_with(path)).cloned().collect()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Closes a connection by RST.
pub fn reset(connection: TcpStream) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let _inside = runtime.enter();
    let _ = connection.set_nonblocking(true);
    if let Ok(connection) = tokio::net::TcpStream::from_std(connection) {
        let _ = connection.set_zero_linger();
    }
}

fn serve(mut connection: TcpStream, seen: &Mutex<Vec<Request>>, over: &AtomicBool, answer: &Answer) {
    let Some(request) = read(&connection) else { return };
    seen.lock().unwrap().push(request.clone());
    for step in answer(&request) {
        match step {
            Step::Bytes(bytes) => {
                if connection.write_all(&bytes).and_then(|()| connection.flush()).is_err() {
                    return;
                }
            }
            Step::Dribble(bytes, pause) => {
                connection.set_nodelay(true).unwrap();
                for byte in bytes {
                    if connection.write_all(&[byte]).is_err() {
                        return;
                    }
                    std::thread::sleep(pause);
                }
            }
            Step::Stall => wait(&mut connection, || over.load(Ordering::SeqCst)),
            Step::Hold(flag) => wait(&mut connection, || over.load(Ordering::SeqCst) || flag.load(Ordering::SeqCst)),
            Step::Count(counter) => drop(counter.fetch_add(1, Ordering::SeqCst)),
            Step::Reset => return reset(connection),
        }
    }
}

/// Until it is so, or the client has gone.
fn wait(connection: &mut TcpStream, is_so: impl Fn() -> bool) {
    connection.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    while !is_so() && !matches!(connection.read(&mut [0; 64]), Ok(0)) {}
}

fn read(connection: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body: String::from_utf8(body).ok()? })
}

/// A whole answer.
pub fn reply(status: u16, kind: &str, body: &str) -> Vec<Step> {
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
    vec![Step::Bytes(format!("{head}Connection: close\r\n\r\n{body}").into_bytes())]
}

/// A whole answer with headers of its own.
pub fn reply_with(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<Step> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n");
    vec![Step::Bytes((head + body).into_bytes())]
}

/// A JSON answer.
pub fn json(status: u16, body: serde_json::Value) -> Vec<Step> {
    reply(status, "application/json", &body.to_string())
}

/// The head of a stream whose chunks follow.
pub fn stream_head() -> Step {
    Step::Bytes(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec())
}

/// One chunk of a stream.
pub fn chunk(text: &str) -> Step {
    Step::Bytes(format!("{:x}\r\n{text}\r\n", text.len()).into_bytes())
}

/// The last chunk: the clean end of a stream.
pub fn last_chunk() -> Step {
    Step::Bytes(b"0\r\n\r\n".to_vec())
}

/// What a healthy instance answers, but for its stream and OAuth.
pub fn healthy(request: &Request) -> Option<Vec<Step>> {
    match request.path.as_str() {
        "/api/v2/instance" => Some(json(200, serde_json::json!({"title": "Stand-in", "version": "4.6.5"}))),
        "/api/v1/streaming" => Some(json(404, serde_json::json!({"error": "Not Found"}))),
        "/api/v1/streaming/health" => Some(reply(200, "text/plain", "OK")),
        "/api/v1/accounts/verify_credentials" => Some(json(200, serde_json::json!({"id": "1", "acct": "reader"}))),
        _ => None,
    }
}
