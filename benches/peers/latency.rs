//! From a message to its visible row, at a rate that everyone keeps up with.

use super::bench::Bench;
use super::contender::{ALL, Contender, Program};
use super::messages::Messages;
use super::process::{Running, bound};
use spar::kafka::{Loader, Raw};
use spar::{Error, Store};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Toots per second.
pub const RATE: usize = 500;
pub const LENGTH: Duration = Duration::from_secs(60);
/// The beginning, which is left out.
const WARM: Duration = Duration::from_secs(5);
/// How long a contender may take to write its first row.
const START: Duration = Duration::from_secs(180);
/// How long the last rows are waited for.
const REST: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(2);
/// Room for the toots that are sent, one a second, until the contender writes.
const FIRST: usize = START.as_secs() as usize + 1;
const ALL_SENT: usize = FIRST + RATE * LENGTH.as_secs() as usize;

/// Who is measured: the others are not made for it, or say that they commit every few seconds.
pub fn contenders() -> impl Iterator<Item = &'static Contender> {
    ALL.iter().filter(|c| ["ours", "plain", "spark-batch"].contains(&c.name))
}

/// How long one of them takes, about.
pub const MINUTES: f64 = 1.5;

/// When each toot was sent, in microseconds since the beginning.
struct Sent {
    began: Instant,
    at: Vec<AtomicU64>,
    n: AtomicU64,
    /// A row was seen: now at the full rate.
    go: AtomicBool,
    /// Nobody looks any more.
    over: AtomicBool,
}

impl Sent {
    fn now(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }
}

/// The times of the toots that were seen, and how many should have been.
pub fn measure(bench: &Bench<'_>, contender: &Contender) -> Result<(Vec<u64>, usize), String> {
    let told = |e: Error| e.to_string();
    let loader = Loader::connect(&bench.config).map_err(told)?;
    loader.create_topic(&bench.config.topic, super::PARTITIONS).map_err(told)?;
    let log = bench.root.join(format!("logs/{}-latency.log", contender.name));
    let mut command = match &contender.program {
        Program::Python { .. } => {
            bench.create_tables().map_err(told)?;
            let mut command = bench.python(contender, &log);
            command.env("PEER_LIVE", "1");
            command
        }
        _ => {
            Store::create(&bench.config).map_err(told)?;
            let mut command = bound(Path::new(env!("CARGO_BIN_EXE_spar")), &log);
            bench.with_settings(command.arg("worker"));
            command
        }
    };
    command.stdout(Stdio::null());
    let mut running = Running::start(std::slice::from_mut(&mut command))?;
    let sent = Sent {
        began: Instant::now(),
        at: (0..ALL_SENT).map(|_| AtomicU64::new(0)).collect(),
        n: AtomicU64::new(0),
        go: AtomicBool::new(false),
        over: AtomicBool::new(false),
    };
    let store = Store::connect(&bench.config).map_err(told)?;
    let times = std::thread::scope(|scope| {
        let sending = scope.spawn(|| send(&loader, &bench.config.topic, &sent));
        let times = watch(&store, &sent, &mut running);
        sent.over.store(true, Ordering::Relaxed);
        let first = sending.join().map_err(|_| "the sending thread panicked".to_owned())?.map_err(told)?;
        let times = times?;
        let counted = first..sent.n.load(Ordering::Relaxed) as usize;
        Ok((times[counted.clone()].iter().copied().filter(|time| *time > 0).collect(), counted.len()))
    });
    drop((running, store));
    Store::drop_database(&bench.config).map_err(told)?;
    loader.delete_topic(&bench.config.topic).map_err(told)?;
    times
}

/// One toot a second until a row is seen, then so many a second; gives the number of the first that counts.
fn send(loader: &Loader, topic: &str, sent: &Sent) -> spar::Result<usize> {
    let mut messages = Messages::new();
    let mut put = |n: usize| -> spar::Result<()> {
        let id = loop {
            let (id, english) = messages.next(n, ALL_SENT);
            if english {
                break id;
            }
        };
        sent.at[n].store(sent.now(), Ordering::Relaxed);
        loader.put(topic, Raw { key: Some(&id), value: Some(messages.text.as_bytes()), ..Raw::default() })?;
        sent.n.store(n as u64 + 1, Ordering::Release);
        Ok(())
    };
    let mut n = 0;
    let over = || sent.over.load(Ordering::Relaxed);
    while !sent.go.load(Ordering::Relaxed) && !over() && n < FIRST {
        put(n)?;
        n += 1;
        std::thread::sleep(Duration::from_secs(1));
    }
    let (began, start) = (Instant::now(), n);
    let mut first = n;
    while began.elapsed() < LENGTH && !over() && n < ALL_SENT {
        let due = began + Duration::from_secs(1) / RATE as u32 * (n - start) as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if began.elapsed() < WARM {
            first = n + 1;
        }
        put(n)?;
        n += 1;
    }
    loader.flush()?;
    Ok(first)
}

/// The number of the message with this id.
fn number(id: &str) -> Option<usize> {
    let from = Messages::id(0).parse::<usize>().ok()?;
    Some((id.parse::<usize>().ok()? - from) / 1_000)
}

/// Looks for rows until all are seen: the time of each in microseconds, 0 for those that did not come.
fn watch(store: &Store, sent: &Sent, running: &mut Running) -> Result<Vec<u64>, String> {
    let mut times = vec![0; ALL_SENT];
    // All before this one are there.
    let mut low = 0;
    let mut begun: Option<Instant> = None;
    let mut looked = Instant::now();
    loop {
        let after = if low == 0 { String::new() } else { Messages::id(low - 1) };
        let rows = store.query("SELECT toot_id FROM filtered_toots WHERE toot_id > $1", &[&after]);
        let rows = rows.map_err(|e| e.to_string())?;
        let now = sent.now();
        let ids = rows.frame().column("toot_id").and_then(|column| column.str()).map_err(|e| e.to_string())?;
        for n in ids.iter().flatten().filter_map(number).filter(|n| *n < ALL_SENT) {
            if times[n] == 0 {
                times[n] = (now - sent.at[n].load(Ordering::Relaxed)).max(1);
            }
        }
        while low < ALL_SENT && times[low] > 0 {
            low += 1;
        }
        if low > 0 && begun.is_none() {
            begun = Some(Instant::now());
            sent.go.store(true, Ordering::Relaxed);
        }
        if looked.elapsed() > Duration::from_secs(1) {
            running.look()?;
            looked = Instant::now();
        }
        match begun {
            None if sent.began.elapsed() > START => return Err(format!("no row within {} s", START.as_secs())),
            Some(begun) if begun.elapsed() > LENGTH + Duration::from_secs(3) => {
                let all = sent.n.load(Ordering::Acquire) as usize;
                if low >= all || begun.elapsed() > LENGTH + REST {
                    return Ok(times);
                }
            }
            _ => {}
        }
        std::thread::sleep(POLL);
    }
}
