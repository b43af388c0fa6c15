//! A topic and a database of one's own, and what the tests of partie2 ask of them.

use crate::messages::Draft;
use crate::support::{FreshDatabase, eventually, fresh_database, fresh_topic, query};
use spar::config::Secret;
use spar::job::Control;
use spar::kafka::{Loader, Raw};
use spar::pipeline::StreamReport;
use spar::stream::WindowKinds;
use spar::{Config, Pipeline, Result, Store, Timestamp, Until};
use std::time::Duration;

pub struct Desk {
    pub config: Config,
    _database: Option<FreshDatabase>,
    pub loader: Loader,
}

/// The tables that partie2 writes, with the contract's columns and the late counts: what "identical" means.
const IDENTICAL: [&str; 5] = [
    "SELECT row_to_json(t)::text FROM (SELECT toot_id, timestamp, text, user_id, language, hashtags, reblogs_count,
        favourites_count, replies_count FROM filtered_toots ORDER BY toot_id) t",
    "SELECT row_to_json(t)::text FROM (SELECT window_start, window_end, total_toots, late_n
        FROM toots_time_window_aggregates ORDER BY 1, 2) t",
    "SELECT row_to_json(t)::text FROM (SELECT user_id, average_length FROM user_avg_length ORDER BY 1) t",
    "SELECT row_to_json(t)::text FROM (SELECT hashtag, average_length FROM hashtag_avg_length ORDER BY 1) t",
    "SELECT row_to_json(t)::text FROM (SELECT kind, key, window_start, window_end, total_toots, late_n, average_length
        FROM toot_windows ORDER BY 1, 3, 2) t",
];

impl Desk {
    pub fn new() -> Self {
        Self::with_partitions(1)
    }

    pub fn with_partitions(partitions: i32) -> Self {
        let database = fresh_database();
        let desk = Self::with_topic(database.clone(), partitions);
        Self { _database: Some(database), ..desk }
    }

    /// With windows of other kinds.
    pub fn with_windows(kinds: &str, partitions: i32) -> Self {
        let desk = Self::with_partitions(partitions);
        desk.change_windows(kinds);
        desk
    }

    /// What partie2's set-up does after `SPAR_WINDOWS` was changed; the settings of this desk stay without it.
    pub fn change_windows(&self, kinds: &str) {
        Store::create(&Config { windows: Some(kinds.parse().unwrap()), ..self.config.clone() }).unwrap();
    }

    /// On servers of the test's own, with a topic of its own.
    pub fn with_topic(mut config: Config, partitions: i32) -> Self {
        config.topic = format!("{}_stream", fresh_topic("toots"));
        let desk = Self::on(config);
        desk.loader.create_topic(&desk.config.topic, partitions).unwrap();
        // A busy broker tells of a new topic a moment later.
        eventually("the topic is known", Duration::from_secs(60), || {
            spar::kafka::topic_info(&desk.config).is_ok_and(|info| info.partitions.len() == partitions as usize)
        });
        desk
    }

    /// On servers of the test's own; the database of `config` is made, its topic is another's.
    pub fn on(config: Config) -> Self {
        Store::create(&config).unwrap();
        let loader = Self::loader(&config);
        Self { config, _database: None, loader }
    }

    pub fn loader(config: &Config) -> Loader {
        Loader::connect(config).unwrap()
    }

    /// Sends messages keyed by their id, and waits until Kafka has them.
    pub fn send(&self, drafts: &[Draft]) {
        for draft in drafts {
            self.send_raw(&self.config.topic, Some(&draft.id()), Some(&draft.json()));
        }
        self.flush();
    }

    pub fn send_raw(&self, topic: &str, key: Option<&str>, value: Option<&[u8]>) {
        self.loader.put(topic, Raw { key, value, ..Raw::default() }).unwrap();
    }

    pub fn flush(&self) {
        self.loader.flush().unwrap();
    }

    pub fn pipeline(&self) -> Pipeline {
        Pipeline::quiet(&self.config).unwrap()
    }

    /// Reads everything there is.
    pub fn run(&self) -> StreamReport {
        let report = self.try_run().unwrap();
        assert!(report.books.balance(), "the books do not balance: {:?}", report.books);
        report
    }

    pub fn try_run(&self) -> Result<StreamReport> {
        self.pipeline().run_with(&Control::quiet(), Until::CaughtUp)
    }

    pub fn query(&self, statement: &str) -> Vec<String> {
        query(self.config.database_url().unwrap(), statement)
    }

    pub fn count(&self, table: &str) -> i64 {
        self.query(&format!("SELECT count(*) FROM {table}"))[0].parse().unwrap()
    }

    /// The number of records that the topic holds.
    pub fn total(&self) -> u64 {
        spar::kafka::topic_info(&self.config).unwrap().records() as u64
    }

    pub fn tables(&self) -> Vec<Vec<String>> {
        Self::tables_of(self.config.database_url().unwrap())
    }

    pub fn tables_of(url: &Secret) -> Vec<Vec<String>> {
        IDENTICAL.iter().map(|statement| query(url, statement)).collect()
    }

    /// See [`consistent`].
    pub fn assert_consistent(&self) {
        consistent(self.config.database_url().unwrap());
    }
}

/// Windows and averages are what SQL computes from the stored toots, and the late counts what the list says.
pub fn consistent(url: &Secret) {
    let wrong = query(url,
            "WITH toots AS (SELECT a.*, l.toot_id IS NOT NULL AS late FROM all_toots a LEFT JOIN late_toots l USING (toot_id)),
             w AS (SELECT date_trunc('hour', timestamp) AS s, count(*) AS n, count(*) FILTER (WHERE late) AS late
                   FROM toots GROUP BY 1),
             u AS (SELECT user_id AS k, avg(char_length(text)) AS a FROM toots WHERE user_id IS NOT NULL GROUP BY 1),
             h AS (SELECT k, avg(char_length(text)) AS a FROM (SELECT DISTINCT toot_id, text, lower(tag) AS k
                   FROM toots, string_to_table(hashtags, ',') AS tag WHERE char_length(tag) BETWEEN 1 AND 255) d GROUP BY 1)
             SELECT 'window ' || coalesce(w.s, t.window_start) FROM w FULL JOIN toots_time_window_aggregates t
                 ON w.s = t.window_start AND t.window_end = w.s + interval '1 hour'
                 WHERE w.n IS DISTINCT FROM t.total_toots OR w.late IS DISTINCT FROM t.late_n
             UNION ALL SELECT 'user ' || coalesce(u.k, t.user_id) FROM u FULL JOIN user_avg_length t ON u.k = t.user_id
                 WHERE abs(u.a - t.average_length) > 1e-9 OR u.a IS NULL OR t.average_length IS NULL
             UNION ALL SELECT 'tag ' || coalesce(h.k, t.hashtag) FROM h FULL JOIN hashtag_avg_length t ON h.k = t.hashtag
                 WHERE abs(h.a - t.average_length) > 1e-9 OR h.a IS NULL OR t.average_length IS NULL
             UNION ALL SELECT 'length ' || toot_id FROM toots WHERE text_length <> char_length(text)
             UNION ALL SELECT 'both ' || toot_id FROM filtered_toots JOIN tombstones USING (toot_id)
             UNION ALL SELECT 'both ' || toot_id FROM filtered_toots JOIN quarantine USING (toot_id)",
        );
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!(wrong_windows(url), Vec::<String>::new());
}

/// Windows of other kinds that are not what SQL counts from the stored toots.
fn wrong_windows(url: &Secret) -> Vec<String> {
    let kept = query(url, "SELECT value FROM about WHERE key = 'windows'").pop().unwrap_or_default();
    let mut kinds = "SELECT '' AS kind, interval '1 s' AS width, interval '1 s' AS slide, 'nothing' AS by".to_owned();
    for kind in kept.parse::<WindowKinds>().unwrap().iter() {
        let width = kind.end(Timestamp::from_micros(0)).as_micros() / 1_000_000;
        let slide = width / kind.overlap();
        kinds += &format!(" UNION ALL SELECT '{kind}', interval '{width} s', interval '{slide} s', '{:?}'", kind.by());
    }
    query(
        url,
        &format!(
            "WITH kinds AS ({kinds}),
             toots AS (SELECT a.*, l.toot_id IS NOT NULL AS late FROM all_toots a LEFT JOIN late_toots l USING (toot_id)),
             keyed AS (SELECT 'All' AS by, '' AS key, toot_id, timestamp, late, text FROM toots
                 UNION ALL SELECT 'Language', language, toot_id, timestamp, late, text FROM toots WHERE language IS NOT NULL
                 UNION SELECT 'Hashtag', lower(tag), toot_id, timestamp, late, text
                     FROM toots, string_to_table(hashtags, ',') AS tag WHERE char_length(tag) BETWEEN 1 AND 255),
             w AS (SELECT kind, start, start + width AS stop, key, count(*) AS n, count(*) FILTER (WHERE late) AS late,
                     avg(char_length(text)) AS length
                 FROM keyed JOIN kinds USING (by), generate_series(date_bin(slide, timestamp, 'epoch') - width + slide,
                     date_bin(slide, timestamp, 'epoch'), slide) AS start
                 GROUP BY 1, 2, 3, 4)
             SELECT concat_ws(' ', coalesce(w.kind, t.kind), coalesce(w.key, t.key), coalesce(start, window_start))
             FROM w FULL JOIN toot_windows t
                 ON w.kind = t.kind AND w.key = t.key AND start = window_start AND stop = window_end
             WHERE n IS DISTINCT FROM total_toots OR late IS DISTINCT FROM late_n
                 OR abs(length - average_length) > 1e-9 OR length IS NULL OR average_length IS NULL"
        ),
    )
}
