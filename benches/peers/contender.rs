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
    pythons: 10..=99,
};

const SPARK: Peer = Peer {
    name: "spark",
    package: "pyspark",
    requirements: include_str!("requirements/spark.txt"),
    jars: true,
    pythons: 10..=99,
};

const PATHWAY: Peer = Peer {
    name: "pathway",
    package: "pathway",
    requirements: include_str!("requirements/pathway.txt"),
    jars: false,
    pythons: 11..=99,
};

const BYTEWAX: Peer = Peer {
    name: "bytewax",
    package: "bytewax",
    requirements: include_str!("requirements/bytewax.txt"),
    jars: false,
    pythons: 11..=12,
};

const QUIX: Peer = Peer {
    name: "quix",
    package: "quixstreams",
    requirements: include_str!("requirements/quix.txt"),
    jars: false,
    pythons: 11..=99,
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
    Contender {
        name: "spark",
        title: "PySpark, four queries",
        program: Program::Python { file: "spark_queries.py", peer: SPARK, settings: &[] },
        rate: 15_000.0,
        overhead: 20.0,
        note: "`local[2]`, the original's four queries at once, `AvailableNow` with one batch each, written by `foreachBatch` over \
               JDBC: its best case, since with more batches the averages are rewritten at each. Windows in mode `complete`: in \
               mode `append` the last ones are never written.",
    },
    Contender {
        name: "spark-batch",
        title: "PySpark, one query",
        program: Program::Python { file: "spark_batch.py", peer: SPARK, settings: &[] },
        rate: 20_000.0,
        overhead: 20.0,
        note: "`local[2]`, one `foreachBatch` that keeps the parsed batch and writes all four tables through staging tables and \
               upserts; `AvailableNow` with one batch. No transaction spans the tables; a repeated batch counts twice.",
    },
    Contender {
        name: "pathway",
        title: "Pathway",
        program: Program::Python { file: "pathway_snapshot.py", peer: PATHWAY, settings: &[("PATHWAY_THREADS", "2")] },
        rate: 30_000.0,
        overhead: 10.0,
        note: "Two threads, its own Kafka reader (static) and PostgreSQL sink (snapshot), auto-commit on, no persistence.",
    },
    Contender {
        name: "bytewax",
        title: "Bytewax",
        program: Program::Python { file: "bytewax_flow.py", peer: BYTEWAX, settings: &[] },
        rate: 23_000.0,
        overhead: 3.0,
        note: "One process, its Kafka source, sinks of ours (it has none for PostgreSQL). It waits a day for late toots: with the \
               contract's hour it drops them once one partition is read an hour ahead of the other. No recovery store.",
    },
    Contender {
        name: "quix",
        title: "Quix Streams",
        program: Program::Python { file: "quix_frames.py", peer: QUIX, settings: &[] },
        rate: 5_800.0,
        overhead: 30.0,
        note: "One process, its PostgreSQL sink with upserts, three repartition topics, a grace of two days. The broker keeps \
               everything: with a retention in time its repartitioned old events vanish.",
    },
];
