//! Bad data through a real topic and a real database: every record is accounted for, no good toot is lost or doubled,
//! and what was set aside says why.

use crate::bad_records::{Case, Due, HOUR, Story, every_kind, every_story};
use crate::desk::{Desk, consistent};
use crate::messages::{message, record, rules};
use crate::support::{FreshDatabase, fresh_database, query};
use proptest::prelude::*;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use spar::job::Control;
use spar::kafka::Raw;
use spar::stream::{Books, Record, Stream, merge};
use spar::{Charts, Config, History, Pipeline, Question, Scope, Store, Timestamp, Until};
use std::collections::{BTreeMap, BTreeSet};

const SEED: u64 = 20_241_010;

/// One record of the mixture.
struct Sent {
    case: Case,
    /// The story that it belongs to.
    story: Option<usize>,
}

/// Good toots, bad records of every kind and stories of every kind, shuffled.
struct Mixture {
    sent: Vec<Sent>,
    stories: Vec<Story>,
    kinds: BTreeSet<&'static str>,
}

fn mixture(good: usize, of_each_kind: usize) -> Mixture {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut sent = Vec::new();
    for n in 0..good {
        let at = format!("2024-10-10T{:02}:{:02}:{:02}Z", rng.random_range(8..14), n % 60, n % 59);
        let id = format!("g{n}");
        let draft = message(&id).at(&at).user(&format!("u{}", n % 37)).text(&format!("toot number {n}"));
        let due = Due::Stored(id.clone(), format!("toot number {n}"));
        let at = Some(at.parse().unwrap());
        let case = Case { kind: "good", key: Some(id), value: Some(draft.json()), headers: false, at, due };
        sent.push(Sent { case, story: None });
    }
    for case in (0..of_each_kind).flat_map(every_kind) {
        sent.push(Sent { case, story: None });
    }
    let stories: Vec<Story> = (0..of_each_kind).flat_map(every_story).collect();
    for (at, story) in stories.iter().enumerate() {
        for draft in &story.records {
            let case = Case {
                kind: story.kind,
                key: Some(story.id.clone()),
                value: Some(draft.json()),
                headers: false,
                at: (!draft.is_gone() && !draft.is_unreadable()).then(|| HOUR.parse().unwrap()),
                due: Due::Stored(story.id.clone(), String::new()),
            };
            sent.push(Sent { case, story: Some(at) });
        }
    }
    sent.shuffle(&mut rng);
    let kinds = sent.iter().map(|s| s.case.kind).collect();
    Mixture { sent, stories, kinds }
}

/// What the tables must hold, by the labels of the records alone.
#[derive(Default)]
struct Expected {
    texts: BTreeMap<String, String>,
    quarantined: BTreeSet<String>,
    late: BTreeSet<String>,
    /// Offset, reason, toot.
    dead: Vec<String>,
    other_language: u64,
    null_content: u64,
    unknown: u64,
}

fn expected(mixture: &Mixture) -> Expected {
    let mut all = Expected::default();
    let mut latest: Option<Timestamp> = None;
    const HOUR: i64 = 3_600_000_000;
    for (offset, sent) in mixture.sent.iter().enumerate() {
        let late = match (sent.case.at, latest) {
            (Some(at), Some(latest)) => at.as_micros().div_euclid(HOUR) * HOUR + HOUR <= latest.as_micros() - HOUR,
            _ => false,
        };
        latest = latest.max(sent.case.at);
        if sent.story.is_some() {
            continue;
        }
        match &sent.case.due {
            Due::Stored(id, text) => {
                assert!(all.texts.insert(id.clone(), text.clone()).is_none(), "two good toots share the id {id}");
                if late {
                    all.late.insert(id.clone());
                }
            }
            Due::Quarantined(id) => drop(all.quarantined.insert(id.clone())),
            Due::Dead(reason, id) => {
                all.dead.push(format!("{offset} {reason} {}", id.as_deref().unwrap_or("-")));
            }
            Due::OtherLanguage => all.other_language += 1,
            Due::NullContent => all.null_content += 1,
            Due::Unknown => all.unknown += 1,
        }
    }
    for story in &mixture.stories {
        if let Some(text) = story.ends {
            all.texts.insert(story.id.clone(), text.to_owned());
        }
    }
    all
}

fn send(desk: &Desk, sent: &[Sent]) {
    for Sent { case, .. } in sent {
        let headers: &[(&str, &[u8])] = if case.headers { &[("h", b"\xff\0"), ("h", b""), ("é", b"x")] } else { &[] };
        let raw = Raw { key: case.key.as_deref(), value: case.value.as_deref(), headers, ..Raw::default() };
        desk.loader.put(&desk.config.topic, raw).unwrap();
    }
    desk.flush();
}

/// Reads the whole topic of `desk` into a database of its own, at most `most` records a batch.
fn read_by(desk: &Desk, most: u64) -> (Books, FreshDatabase) {
    let database = fresh_database();
    let mut config = database.clone();
    config.topic.clone_from(&desk.config.topic);
    Store::create(&config).unwrap();
    let mut books = Books::default();
    loop {
        let mut pipeline = Pipeline::quiet(&config).unwrap();
        let until = if most == u64::MAX { Until::CaughtUp } else { Until::Toots(most) };
        let control = Control::quiet();
        // At the end of the topic a bounded run waits for more; the count of offsets says when to stop.
        let report = pipeline.run_with(&control, until).unwrap();
        assert!(report.books.balance(), "the books do not balance: {:?}", report.books);
        books += report.books;
        let left = desk.total() - books.read;
        if left < most {
            if left > 0 {
                let last = Pipeline::quiet(&config).unwrap().run_with(&Control::quiet(), Until::CaughtUp).unwrap();
                assert!(last.books.balance(), "the books do not balance: {:?}", last.books);
                books += last.books;
            }
            return (books, database);
        }
    }
}

#[test]
fn a_mixture_of_every_kind_of_bad_record_loses_and_doubles_no_good_toot_in_any_batch_size() {
    let mixture = mixture(1_000, 12);
    let expected = expected(&mixture);
    let bad = mixture.sent.iter().filter(|s| s.case.kind != "good").count();
    assert!(bad >= 2_000 && mixture.kinds.len() > 60, "{bad} records of {} kinds", mixture.kinds.len());
    let desk = Desk::new();
    send(&desk, &mixture.sent);
    let story_dead = mixture.stories.iter().flat_map(|s| &s.records).filter(|d| d.is_unreadable()).count();

    let mut tables: Option<Vec<Vec<String>>> = None;
    let mut totals: Option<Books> = None;
    let sizes = [u64::MAX, 997, 311];
    for most in sizes {
        let (mut books, database) = read_by(&desk, most);
        let url = database.database_url().unwrap();
        let rows = |sql: &str| query(url, sql);
        // Which of two versions in one batch had long tags nobody knows afterwards.
        books.dropped_tags = 0;
        assert_eq!(books.read, mixture.sent.len() as u64);
        assert_eq!(*totals.get_or_insert(books), books, "batches of {most}");
        assert_eq!(books.dead, (expected.dead.len() + story_dead) as u64);
        assert_eq!(books.quarantined, expected.quarantined.len() as u64);
        assert_eq!((books.null_content, books.unknown_event), (expected.null_content, expected.unknown));

        let stored: BTreeMap<String, String> = rows("SELECT json_build_array(toot_id, text)::text FROM all_toots")
            .iter()
            .map(|row| serde_json::from_str::<(String, String)>(row).unwrap())
            .collect();
        let lost: Vec<&String> = expected.texts.keys().filter(|id| !stored.contains_key(*id)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        assert_eq!(stored, expected.texts);
        let doubled = rows("SELECT toot_id FROM all_toots GROUP BY 1 HAVING count(*) > 1");
        assert!(doubled.is_empty(), "doubled: {doubled:?}");

        let dead = rows(
            "SELECT concat_ws(' ', \"offset\", reason, coalesce(toot_id, '-')) FROM dead_letter ORDER BY \"offset\"",
        );
        assert_eq!(dead, expected.dead);
        let mute = rows("SELECT reason FROM dead_letter WHERE char_length(error) < 10 OR size IS NULL");
        assert!(mute.is_empty(), "letters without a cause: {mute:?}");
        let set = |rows: Vec<String>| rows.into_iter().collect::<BTreeSet<String>>();
        assert_eq!(set(rows("SELECT toot_id FROM quarantine")), expected.quarantined);
        let alone = "SELECT toot_id FROM late_toots WHERE toot_id !~ '^9[0-9]{2}[0-9]{5}$'";
        assert_eq!(set(rows(alone)), expected.late);
        consistent(url);
        if Some(&most) == sizes.last() {
            later_parts_agree(&database);
        }
        let now = Desk::tables_of(url);
        assert_eq!(*tables.get_or_insert_with(|| now.clone()), now, "batches of {most}");
    }
    println!(
        "{bad} bad records of {} kinds among {} good toots, in {} batch sizes: {} dead letters, {} quarantined, {} late, \
         lost 0, doubled 0",
        mixture.kinds.len() - 1,
        mixture.sent.len() - bad,
        sizes.len(),
        expected.dead.len(),
        expected.quarantined.len(),
        expected.late.len()
    );
}

/// partie3 and partie5 on what came of the mixture: years from 1 to 9999, tags of any length, authors without a name.
fn later_parts_agree(config: &Config) {
    let charts = Charts::load(config).unwrap();
    let agreement = charts.agreement().unwrap();
    assert!(agreement.frame().column("agree").unwrap().bool().unwrap().all(), "{agreement}");
    charts.draw_sentiments(&charts.sentiments().unwrap()).unwrap();
    charts.draw_frequency(&charts.toots_per_day().unwrap()).unwrap();
    charts.draw_hashtags(&charts.hashtags().unwrap()).unwrap();
    charts.draw_users(&charts.users().unwrap()).unwrap();
    charts.finish().unwrap();
    let history = History::load(config).unwrap();
    for question in [
        Question::Toots(Scope::All),
        Question::DatesAndTags(Scope::All),
        Question::ActiveUsers(2),
        Question::HashtagsPerDay(Scope::All),
        Question::HashtagsPerHour(Scope::All),
        Question::TopHashtag(Scope::ActiveOver(2)),
        Question::TootsPerDay,
        Question::AverageLength,
        Question::AverageLengthPerUser,
        Question::AverageLengthPerDay,
    ] {
        assert!(history.ask(question).unwrap().height() > 0, "{question:?}");
    }
}

/// Words that an unlucky writer, or an unkind one, may put anywhere into a message.
const WORDS: [&str; 24] = [
    "null",
    "true",
    "-1",
    "1e400",
    "\\u0000",
    "\\ud800",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\\",
    "0",
    "\u{feff}",
    "\n",
    "9999-12-31T23:59:59Z",
    "delete",
    "retract",
    "status.update",
    "\"id\": 7,",
    "\u{0}",
    "-",
];

fn mutated(rng: &mut ChaCha8Rng, mut bytes: Vec<u8>) -> Vec<u8> {
    for _ in 0..rng.random_range(1..4) {
        let at = rng.random_range(0..=bytes.len());
        let end = (at + rng.random_range(0..12)).min(bytes.len());
        match rng.random_range(0..5) {
            0 => drop(bytes.drain(at..end)),
            1 => bytes.truncate(at),
            2 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            3 => {
                let part = bytes[at..end].to_vec();
                bytes.splice(at..at, part);
            }
            _ => {
                let word = WORDS.choose(rng).expect("there are words").bytes();
                bytes.splice(at..end, word);
            }
        }
    }
    bytes
}

#[test]
fn messages_damaged_at_random_stop_nothing_and_are_all_accounted_for() {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let desk = Desk::new();
    let (damaged, good) = (3_000, 300);
    for n in 0..damaged + good {
        let id = format!("{}{n}", if n % 11 == 10 { "g" } else { "" });
        let draft = message(&id).user(&format!("u{}", n % 7)).tags(&["AI"]);
        let draft = if n % 3 == 0 { draft.edited("2024-10-10T12:00:00Z") } else { draft };
        let value = if n % 11 == 10 { draft.json() } else { mutated(&mut rng, draft.json()) };
        desk.send_raw(&desk.config.topic, Some(&id), Some(&value));
    }
    desk.flush();
    let books = desk.run().books;
    assert_eq!(books.read, damaged + good);
    assert_eq!(desk.query("SELECT count(*) FROM filtered_toots WHERE toot_id LIKE 'g%'"), [good.to_string()]);
    assert_eq!(desk.count("dead_letter"), books.dead as i64);
    let toots = desk.query("SELECT count(*)::text FROM all_toots");
    assert_eq!(desk.query("SELECT sum(total_toots)::text FROM toots_time_window_aggregates"), toots);
    let with_author = desk.query("SELECT count(user_id)::text FROM all_toots");
    assert_eq!(desk.query("SELECT sum(toots)::text FROM user_avg_length"), with_author);
    assert!(books.dead > 1_000 && books.on_time + books.late > good + 300, "{books:?}");
    println!("{damaged} damaged messages among {good} good ones: {} dead letters, lost 0, doubled 0", books.dead);
}

#[test]
fn the_broker_refuses_what_is_larger_than_its_limit_and_takes_all_below() {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    // Letters that no compression makes fewer.
    let mut noise = |n: usize| -> String { (0..n).map(|_| rng.random_range(b'a'..=b'z') as char).collect() };
    let desk = Desk::new();
    let (fits, too_large) = (message("1").text(&noise(700_000)), message("2").text(&noise(3_000_000)));
    desk.send(&[fits, message("3")]);
    desk.send_raw(&desk.config.topic, Some("2"), Some(&too_large.json()));
    let refusal = desk.loader.flush().unwrap_err().to_string();
    assert!(refusal.contains("too large") || refusal.contains("TooLarge"), "{refusal}");
    desk.send(&[message("4")]);
    assert_eq!(desk.run().books.on_time, 3);
    assert_eq!(
        desk.query("SELECT toot_id || ' ' || text_length FROM filtered_toots ORDER BY 1"),
        ["1 700000", "3 11", "4 11"]
    );
}

#[test]
fn hostile_messages_about_gaps_stop_nothing() {
    let desk = Desk::new();
    let topic = spar::kafka::gaps_topic(&desk.config.topic);
    desk.loader.create_topic(&topic, 1).unwrap();
    let long = "g".repeat(5_000);
    let values: [(Option<&str>, Option<&[u8]>); 9] = [
        (None, None),
        (Some(&long), Some(b"{}")),
        (Some("nul\0key"), Some(b"{\"reason\": \"a\\u0000b\", \"source\": \"\\u0000\"}")),
        (Some("not json"), Some(b"\xff\xfe{{{")),
        (Some("no value"), None),
        (None, Some(b"{\"id\": \"by id\", \"from\": \"9999-12-31T23:59:59Z\", \"to\": \"soon\"}")),
        (Some("types"), Some(b"{\"from\": 5, \"filled\": \"yes\"}")),
        (Some("markup"), Some(b"{\"reason\": \"<script>alert(1)</script>\"}")),
        (Some(""), Some(b"{\"from_id\": null}")),
    ];
    for (key, value) in values {
        desk.send_raw(&topic, key, value);
    }
    desk.flush();
    desk.send(&[message("1")]);
    let books = desk.run().books;
    assert_eq!((books.on_time, books.gaps), (1, 7));
    assert_eq!(
        desk.query("SELECT left(gap_id, 20) FROM gaps ORDER BY 1"),
        ["by id", &long[..20], "markup", "no value", "not json", "nulkey", "types"]
    );
}

#[test]
fn a_key_that_is_no_text_or_names_another_toot_changes_nothing() {
    let desk = Desk::new();
    for key in [None, Some(""), Some("2"), Some("\0"), Some(&*"k".repeat(100_000))] {
        desk.send_raw(&desk.config.topic, key, Some(&message("1").json()));
        desk.send_raw(&desk.config.topic, key, Some(b"{"));
    }
    desk.flush();
    let books = desk.run().books;
    assert_eq!((books.on_time, books.duplicates, books.dead), (1, 4, 5));
    let ids = desk.query("SELECT coalesce(toot_id, '-') FROM dead_letter ORDER BY \"offset\"");
    assert_eq!(ids, ["-", "-", "2", "-", "-"]);
    // A second run begins at the last key.
    assert_eq!(desk.run().books.read, 0);
}

/// A record's key and value.
type Pair = (Option<Vec<u8>>, Option<Vec<u8>>);

/// What a stream makes of these records when the tables are empty.
fn books_of(values: &[Pair]) -> Books {
    let mut stream = Stream::new(rules(), []);
    for (offset, (key, value)) in values.iter().enumerate() {
        let place = record(offset as i64, b"").place;
        stream.step(&Record { place, key: key.as_deref(), value: value.as_deref() });
    }
    let batch = stream.finish(Vec::new());
    let nothing = BTreeMap::new();
    let written = merge(&batch, &batch.special, &nothing);
    let mut books = batch.books;
    books += written.books;
    books.on_time += batch.plain.len() as u64;
    for letter in &batch.dead {
        assert!(!letter.dead.error.contains('\0') && letter.dead.error.len() < 1_000, "{:?}", letter.dead);
        assert!(letter.dead.id.as_ref().is_none_or(|id| !id.contains('\0') && id.chars().count() <= 255));
    }
    books
}

/// Objects whose keys are the contract's, whatever their values.
fn objects() -> impl Strategy<Value = Vec<u8>> {
    let key = prop::sample::select(vec![
        "id",
        "created_at",
        "content",
        "user_id",
        "username",
        "reblogs_count",
        "tags",
        "language",
        "event",
        "edited_at",
        "source",
        "other",
    ]);
    let value = prop_oneof![
        prop::sample::select(vec![
            "null",
            "true",
            "1",
            "-7",
            "1.5",
            "1e99",
            "\"\"",
            "\"en\"",
            "\"local\"",
            "\"1\"",
            "\"delete\"",
            "\"retract\"",
            "\"2024-10-10T11:17:26Z\"",
            "\"9999-12-31T23:59:59Z\"",
            "\"\\u0000\"",
            "\"\\ud800\"",
            "[]",
            "[\"AI\"]",
            "[[]]",
            "{}",
            "{\"a\": [null]}",
        ])
        .prop_map(str::to_owned),
        ".{0,12}".prop_map(|text| serde_json::to_string(&text).expect("a text is JSON")),
    ];
    let base = r#""id": "1", "created_at": "2024-10-10T11:17:26Z", "content": "x", "language": "en""#;
    (any::<bool>(), prop::collection::vec((key, value), 0..8)).prop_map(move |(whole, pairs)| {
        let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        let known = whole.then(|| base.to_owned());
        format!("{{{}}}", known.into_iter().chain(pairs).collect::<Vec<_>>().join(", ")).into_bytes()
    })
}

proptest! {
    #[test]
    fn any_bytes_as_records_are_counted_once_each(
        values in prop::collection::vec(
            (
                prop::option::of(prop::collection::vec(any::<u8>(), 0..9)),
                prop::option::of(prop_oneof![prop::collection::vec(any::<u8>(), 0..200), objects(), objects()]),
            ),
            0..30,
        )
    ) {
        let books = books_of(&values);
        prop_assert_eq!(books.read, values.len() as u64);
        prop_assert!(books.balance(), "{:?}", books);
    }
}
