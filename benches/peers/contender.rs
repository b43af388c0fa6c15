//! Who is compared.

use super::environment::Peer;

/// One way to do the work.
pub struct Contender {
    /// Its name on the command line.
    pub name: &'static str,
    /// What the tables call it.
    pub title: &'static str,
    pub program: Program,
    /// Toots per second on two cores, as first measured: it only tells the time of a run in advance.
    pub rate: f64,
    /// Seconds that it takes to start and to end.
    pub overhead: f64,
    /// How it is set up, and what was left out.
    pub note: &'static str,
}

pub enum Program {
    /// The engine in a process of its own, until the topic's end.
    Ours,
    /// So many processes of `spar worker`.
    Workers(usize),
    /// A program of this folder.
    Python { file: &'static str, peer: Peer, settings: &'static [(&'static str, &'static str)] },
}

const PLAIN: Peer = Peer {
    name: "plain",
    package: "confluent-kafka",
    requirements: include_str!("requirements/plain.txt"),
    jars: false,
    newest: None,
};

/// All of them, in the order of the table.
pub const ALL: &[Contender] = &[
    Contender {
        name: "ours",
        title: "spar, one worker",
        program: Program::Ours,
        rate: 200_000.0,
        overhead: 1.0,
        note: "All that it always does is on: offsets, rows and sums in one transaction, fenced; late and future-dated \
               toots told apart; edits, deletes and duplicates honoured; dead letters; progress. Its rows have four more columns.",
    },
    Contender {
        name: "ours2",
        title: "spar, two workers",
        program: Program::Workers(2),
        rate: 200_000.0,
        overhead: 3.0,
        note: "Two processes in one consumer group. Timed from their start, so start-up and sharing out are part of it.",
    },
    Contender {
        name: "plain",
        title: "plain loop: confluent-kafka + psycopg",
        program: Program::Python { file: "plain.py", peer: PLAIN, settings: &[] },
        rate: 40_000.0,
        overhead: 2.0,
        note: "20,000 messages a batch, binary COPY and upserts in one transaction; offsets apart, in Kafka. Left out: late \
               and future-dated toots, edits, deletes, duplicates, unreadable messages (one of them stops it).",
    },
];

/// The contenders of these names, or all.
pub fn chosen(names: &[String]) -> Vec<&'static Contender> {
    ALL.iter().filter(|c| names.is_empty() || names.iter().any(|name| name == c.name)).collect()
}
