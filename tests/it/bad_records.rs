//! Records that a topic of toots may hold whoever wrote them: what each is, and what must become of it.

use crate::messages::{Draft, gone, message};
use serde_json::Value;
use spar::Timestamp;

/// What must become of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Due {
    /// A dead letter with this reason, under this toot's id where it can be told.
    Dead(&'static str, Option<String>),
    /// A row of `filtered_toots` with this id and cleaned text.
    Stored(String, String),
    /// Quarantine.
    Quarantined(String),
    /// Counted and left.
    OtherLanguage,
    /// Counted and left.
    NullContent,
    /// Counted and left.
    Unknown,
}

/// One record, and what is due.
#[derive(Clone, Debug)]
pub struct Case {
    pub kind: &'static str,
    pub key: Option<String>,
    pub value: Option<Vec<u8>>,
    pub headers: bool,
    /// The event time that moves the watermark, if one does.
    pub at: Option<Timestamp>,
    pub due: Due,
}

pub const HOUR: &str = "2024-10-10T11:17:26Z";

fn case(kind: &'static str, key: Option<&str>, value: Option<Vec<u8>>, at: Option<&str>, due: Due) -> Case {
    let at = at.map(|text| text.parse().expect("a test's time"));
    Case { kind, key: key.map(Into::into), value, headers: false, at, due }
}

/// `draft` with the value of `key` written as `json`, which need not be JSON.
fn literal(draft: Draft, key: &str, json: &str) -> Vec<u8> {
    let text = String::from_utf8(draft.set(key, "@@").json()).expect("JSON is UTF-8");
    text.replace("\"@@\"", json).into_bytes()
}

/// A list of cases under construction, all their ids ending alike.
struct Cases {
    n: usize,
    all: Vec<Case>,
}

impl Cases {
    fn id(&self) -> String {
        format!("{}x{}", self.all.len(), self.n)
    }

    /// Bytes that are no message: the key alone says whose letter it is.
    fn unread(&mut self, kind: &'static str, value: &[u8], reason: &'static str) {
        let id = self.id();
        self.all.push(case(kind, Some(&id), Some(value.into()), None, Due::Dead(reason, Some(id.clone()))));
    }

    /// A message one of whose values is wrong.
    fn wrong(&mut self, kind: &'static str, key: &str, json: &str, reason: &'static str) {
        let id = self.id();
        let value = literal(message(&id), key, json);
        self.all.push(case(kind, Some(&id), Some(value), None, Due::Dead(reason, Some(id.clone()))));
    }

    /// A message without a usable id, and without a key.
    fn nameless(&mut self, kind: &'static str, json: &str, reason: &'static str) {
        let value = literal(message("?"), "id", json);
        self.all.push(case(kind, None, Some(value), None, Due::Dead(reason, None)));
    }

    /// A message that is strange and right.
    fn strange(&mut self, kind: &'static str, text: &str, change: impl FnOnce(Draft) -> Vec<u8>) {
        let id = self.id();
        let value = change(message(&id));
        self.all.push(case(kind, Some(&id), Some(value), Some(HOUR), Due::Stored(id.clone(), text.into())));
    }

    /// The same at another time, written as `time`.
    fn dated(&mut self, kind: &'static str, time: &str, at: &str) {
        let id = self.id();
        let value = message(&id).at(time).json();
        self.all.push(case(kind, Some(&id), Some(value), Some(at), Due::Stored(id.clone(), "hello world".into())));
    }

    /// The same with an id of its own form, written as `json`.
    fn named(&mut self, kind: &'static str, id: String, json: &str) {
        let value = literal(message("?"), "id", json);
        self.all.push(case(kind, Some("another key"), Some(value), Some(HOUR), Due::Stored(id, "hello world".into())));
    }

    /// A message that is read and left.
    fn left(&mut self, kind: &'static str, at: Option<&str>, due: Due, change: impl FnOnce(Draft) -> Vec<u8>) {
        let id = self.id();
        let value = change(message(&id));
        self.all.push(case(kind, Some(&id), Some(value), at, due));
    }
}

/// One record of every kind; the ids differ with `n`, and the large ones come with the first only.
pub fn every_kind(n: usize) -> Vec<Case> {
    let mut cases = Cases { n, all: Vec::new() };
    unreadable(&mut cases);
    wrong_types(&mut cases);
    wrong_ids(&mut cases);
    wrong_dates(&mut cases);
    strange_and_right(&mut cases);
    read_and_left(&mut cases);
    if n == 0 {
        large(&mut cases);
    }
    cases.all
}

fn unreadable(c: &mut Cases) {
    c.all.push(case("no value, no key", None, None, None, Due::Dead("null_value", None)));
    let id = c.id();
    c.all.push(case("no value", Some(&id), None, None, Due::Dead("null_value", Some(id.clone()))));
    let good = message("1").json();
    let half = &good[..good.len() / 2];
    for (kind, value) in [
        ("empty", &b""[..]),
        ("blanks", b" \r\n\t "),
        ("a word", b"hello"),
        ("null", b"null"),
        ("a number", b"42"),
        ("a text", b"\"{}\""),
        ("an array", b"[{\"id\": \"1\"}]"),
        ("half an object", half),
        ("a comma too many", b"{\"id\": \"1\",}"),
        ("two objects", b"{\"id\": \"1\"}{\"id\": \"2\"}"),
        ("more behind the object", b"{\"id\": \"1\"} x"),
        ("Python's quotes", b"{'id': '1'}"),
        ("a comment", b"{/* */\"id\": \"1\"}"),
        ("a byte order mark", b"\xef\xbb\xbf{\"id\": \"1\"}"),
        ("NULs", b"\0\0\0\0"),
        ("UTF-16 without a mark", b"{\0\"\0i\0d\0\"\0"),
        ("HTML", b"<html><body>502 Bad Gateway</body></html>"),
        ("an open string", b"{\"id\": \"1"),
        ("a line break in a string", b"{\"id\": \"1\", \"content\": \"a\nb\"}"),
    ] {
        c.unread(kind, value, "not_json");
    }
    for (kind, value) in [
        ("UTF-16", &b"\xff\xfe{\0\"\0"[..]),
        ("Latin-1", b"{\"id\": \"1\", \"content\": \"caf\xe9\"}"),
        ("gzip", b"\x1f\x8b\x08\0\0\0\0\0"),
        ("a picture", b"\x89PNG\r\n\x1a\n"),
        ("an overlong form", b"{\"id\": \"\xc0\x80\"}"),
        ("a surrogate in UTF-8", b"{\"id\": \"\xed\xa0\x80\"}"),
        ("half a character", b"{\"id\": \"\xf0\x9f\x98"),
        ("beyond Unicode", b"{\"id\": \"\xf4\x90\x80\x80\"}"),
    ] {
        c.unread(kind, value, "not_utf8");
    }
}

fn wrong_types(c: &mut Cases) {
    let deep = "[".repeat(5_000) + &"]".repeat(5_000);
    for (kind, key, json) in [
        ("content a number", "content", "5"),
        ("content true", "content", "true"),
        ("content an array", "content", "[\"a\"]"),
        ("content an object", "content", "{\"a\": \"b\"}"),
        ("content deep", "content", &deep),
        ("username a number", "username", "5"),
        ("language a number", "language", "5"),
        ("event a number", "event", "1"),
        ("source a list", "source", "[\"local\"]"),
        ("created_at a number", "created_at", "1728559046"),
        ("edited_at true", "edited_at", "true"),
        ("tags a text", "tags", "\"AI\""),
        ("tags an object", "tags", "{\"name\": \"AI\"}"),
        ("tags objects", "tags", "[{\"name\": \"AI\"}]"),
        ("tags numbers", "tags", "[1, 2]"),
        ("tags in tags", "tags", "[[\"AI\"]]"),
        ("tags deep", "tags", &deep),
        ("a count a text", "reblogs_count", "\"5\""),
        ("a count true", "favourites_count", "true"),
        ("a count an object", "replies_count", "{}"),
        ("a count NaN", "reblogs_count", "NaN"),
        ("a count without end", "reblogs_count", "1e999"),
        ("a lone high surrogate", "content", "\"\\ud83d\""),
        ("a lone low surrogate", "username", "\"\\ude00\""),
        ("surrogates turned around", "tags", "[\"\\ude00\\ud83d\"]"),
        ("half an escape", "content", "\"\\u12\""),
        ("an unknown escape", "content", "\"\\x41\""),
        ("user_id a fraction", "user_id", "1.5"),
        ("user_id an object", "user_id", "{\"id\": 1}"),
        ("content twice", "content", "\"a\", \"content\": \"b\""),
    ] {
        // A value that is JSON is told from one that is not: only then the id is known from the message itself.
        c.wrong(kind, key, json, "not_json");
    }
    for (kind, key, json) in [
        ("NUL in content", "content", "\"a\\u0000b\""),
        ("NUL in a tag", "tags", "[\"AI\", \"\\u0000\"]"),
        ("NUL in username", "username", "\"\\u0000\""),
        ("NUL in user_id", "user_id", "\"1\\u0000\""),
        ("NUL in language", "language", "\"e\\u0000n\""),
    ] {
        c.wrong(kind, key, json, "null_byte");
    }
    for (kind, json) in [
        ("another source", "\"elsewhere.example\""),
        ("an empty source", "\"\""),
        ("NUL in source", "\"local\\u0000\""),
    ] {
        c.wrong(kind, "source", json, "other_source");
    }
}

fn wrong_ids(c: &mut Cases) {
    for (kind, json) in [
        ("id null", "null"),
        ("id empty", "\"\""),
        ("id a fraction", "1.0"),
        ("id with an exponent", "1.1e17"),
        ("id with a negative exponent", "5E-1"),
        ("id true", "true"),
        ("id an object", "{\"$oid\": \"1\"}"),
        ("id an array", "[1]"),
        ("id deep", &("[".repeat(5_000) + &"]".repeat(5_000))),
        ("id a lone surrogate", "\"\\ud800\""),
    ] {
        c.nameless(kind, json, "no_id");
    }
    c.nameless("id twice", "\"1\", \"id\": \"2\"", "not_json");
    c.nameless("id with leading zeros", "007", "not_json");
    let without = br#"{"ID": "1", "Id": "2", "created_at": "2024-10-10T11:17:26Z", "content": "x"}"#;
    c.all.push(case("id under another key", None, Some(without.to_vec()), None, Due::Dead("no_id", None)));
    let start = |id: &str| Some(id.chars().take(255).collect::<String>());
    let long = "é".repeat(300);
    let value = message(&long).json();
    c.all.push(case("id of 300 characters", None, Some(value), None, Due::Dead("id_too_long", start(&long))));
    let digits = "9".repeat(256);
    let value = literal(message("?"), "id", &digits);
    c.all.push(case("id of 256 digits", None, Some(value), None, Due::Dead("id_too_long", start(&digits))));
    let value = gone(&digits, "delete").json();
    c.all.push(case("a delete of 256 digits", None, Some(value), None, Due::Dead("id_too_long", start(&digits))));
    c.wrong("user_id of 256 characters", "user_id", &format!("{:?}", "u".repeat(256)), "id_too_long");
    let id = c.id();
    let value = literal(message("?"), "id", &format!("\"{id}\\u0000\""));
    c.all.push(case("NUL in id", None, Some(value), None, Due::Dead("null_byte", Some(id))));
}

fn wrong_dates(c: &mut Cases) {
    for (kind, json) in [
        ("a date in words", "\"yesterday\""),
        ("an empty date", "\"\""),
        ("30 February", "\"2024-02-30T00:00:00Z\""),
        ("29 February of a common year", "\"2023-02-29T00:00:00Z\""),
        ("month 13", "\"2024-13-01T00:00:00Z\""),
        ("hour 24", "\"2024-10-10T24:00:00Z\""),
        ("second 61", "\"2024-10-10T11:17:61Z\""),
        ("no zone", "\"2024-10-10T11:17:26\""),
        ("a date alone", "\"2024-10-10\""),
        ("ten decimals", "\"2024-10-10T11:17:26.1234567891Z\""),
        ("seconds since 1970", "\"1728559046\""),
        ("the year 0", "\"0000-01-01T00:00:00Z\""),
        ("before the year 1", "\"-000044-03-15T12:00:00Z\""),
        ("the year 10000", "\"10000-01-01T00:00:00Z\""),
        ("the year 300000", "\"+300000-01-01T00:00:00Z\""),
        ("a form of HTTP", "\"Thu, 10 Oct 2024 11:17:26 GMT\""),
        ("NUL in the date", "\"2024-10-10T11:17:26Z\\u0000\""),
        ("a date before its script", "\"2024-10-10T11:17:26Z<script>\""),
    ] {
        c.wrong(kind, "created_at", json, "bad_date");
    }
    c.wrong("a null date", "created_at", "null", "no_date");
    c.wrong("a bad edit date", "edited_at", "\"soon\"", "bad_date");
}

fn strange_and_right(c: &mut Cases) {
    let n = c.n;
    c.named("id a number beyond 2^53", format!("9007199254{n:06}93"), &format!("9007199254{n:06}93"));
    let digits = format!("{}{n:06}", "7".repeat(24));
    c.named("id of thirty digits", digits.clone(), &digits);
    c.named("id below zero", format!("-{}", n + 1), &format!("-{}", n + 1));
    let long = format!("{n:04}{}", "日".repeat(251));
    c.named("id of 255 characters", long.clone(), &format!("{long:?}"));
    c.named("id with a space", format!(" {n} 1"), &format!("\" {n} 1\""));
    let sql = format!("{n}'); DROP TABLE filtered_toots; --");
    c.named("id with SQL", sql.clone(), &format!("\"{sql}\""));
    c.strange("an unknown field, deep", "hello world", |m| {
        literal(m, "poll", &("[".repeat(10_000) + &"]".repeat(10_000)))
    });
    c.strange("an unknown field, twice", "hello world", |m| literal(m, "x", "1, \"x\": \"\\u0000\""));
    c.strange("blanks around", "hello world", |m| [b" \n\t", &m.json()[..], b"\r\n"].concat());
    c.strange("written with escapes", "aéb", |m| literal(m, "content", "\"\\u0041\\u00e9\\ud83d\\ude00\\u0062\""));
    c.strange("no text", "", |m| m.text("").json());
    c.strange("only a link", "", |m| m.text("https://example.org/x").json());
    c.strange("markup in the text", "imgsrcxonerroralert1", |m| m.text("<img/src=x/onerror=alert(1)>").json());
    c.strange("marks of the kernel", "evcxr_begin_content text html", |m| {
        m.text("EVCXR_BEGIN_CONTENT text html").json()
    });
    c.strange("directions turned around", "abc", |m| m.text("\u{202e}abc\u{202c}\u{2066}").json());
    c.strange("U+FFFF", "ab", |m| m.text("a\u{ffff}\u{fdd0}b").json());
    c.strange("nobody's", "hello world", |m| literal(m.set("user_id", Value::Null), "username", "null"));
    c.strange("an empty author", "hello world", |m| m.user("").json());
    c.strange("an author of 255 characters", "hello world", |m| m.user(&"é".repeat(255)).json());
    c.strange("an author written as a number", "hello world", |m| literal(m, "user_id", "109999999999999999"));
    c.strange("no tags", "hello world", |m| literal(m, "tags", "null"));
    c.strange("tags null, empty and twice", "hello world", |m| {
        literal(m, "tags", "[null, \"\", \"ai\", \"AI\", \"Ai\"]")
    });
    c.strange("a tag with commas", "hello world", |m| m.tags(&["a,b", ",", "c"]).json());
    c.strange("a tag of 255 characters", "hello world", |m| m.tags(&[&"é".repeat(255)]).json());
    c.strange("a tag of 256 characters", "hello world", |m| m.tags(&[&"t".repeat(256), "ai"]).json());
    c.strange("huge counts", "hello world", |m| literal(m, "reblogs_count", "99999999999999999999999999"));
    c.strange("a count below zero", "hello world", |m| literal(m, "replies_count", "-99999999999"));
    c.strange("a count with a fraction", "hello world", |m| literal(m, "favourites_count", "1.9e2"));
    c.strange("null counts", "hello world", |m| literal(m, "favourites_count", "null"));
    c.strange("a language in capitals", "hello world", |m| m.set("language", "EN").json());
    c.strange("a long language tag", "hello world", |m| m.set("language", format!("en-{}", "x".repeat(300))).json());
    c.strange("no source", "hello world", |m| literal(m, "source", "null"));
    c.strange("edited at no time", "hello world", |m| m.event("status.update").json());
    c.dated("a leap second", "2024-10-10T11:17:60Z", "2024-10-10T11:17:59Z");
    c.dated("nine decimals", "2024-10-10T11:17:26.999999999Z", "2024-10-10T11:17:26.999999Z");
    c.dated("another zone", "2024-10-10T23:47:26.5+12:30", "2024-10-10T11:17:26.5Z");
    c.dated("small letters", "2024-10-10t11:17:26z", HOUR);
    c.dated("a space for the T", "2024-10-10 11:17:26+00:00", HOUR);
    c.dated("1970", "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z");
    c.dated("before 1970", "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z");
    c.dated("the year 1", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z");
    let id = c.id();
    let mut one = case("headers", None, Some(message(&id).json()), Some(HOUR), Due::Stored(id, "hello world".into()));
    one.headers = true;
    c.all.push(one);
}

fn read_and_left(c: &mut Cases) {
    for (kind, json) in [
        ("another language", "\"fr\""),
        ("no language", "null"),
        ("an empty language", "\"\""),
        ("a language of 300 characters", &format!("{:?}", "e".repeat(300))),
        ("a language that begins alike", "\"eng\""),
        ("a language of signs", "\"🇬🇧\""),
    ] {
        c.left(kind, Some(HOUR), Due::OtherLanguage, |m| literal(m, "language", json));
    }
    c.left("no content", Some(HOUR), Due::NullContent, |m| literal(m, "content", "null"));
    for (kind, event) in [
        ("an unknown event", "poll"),
        ("an event in capitals", "UPDATE"),
        ("an empty event", ""),
        ("an event of an attacker", "update'; --"),
    ] {
        c.left(kind, None, Due::Unknown, |m| m.event(event).json());
    }
    for (kind, time) in [
        ("the year 9999", "9999-12-31T23:59:59Z"),
        ("the next century", "2150-01-01T00:00:00Z"),
        ("the end of the calendar", "9999-12-30T22:00:00.999999999Z"),
    ] {
        let due = Due::Quarantined(c.id());
        c.left(kind, None, due, |m| m.at(time).json());
    }
    let due = Due::Quarantined(c.id());
    let soon = Timestamp::now().plus(std::time::Duration::from_secs(3600)).to_string();
    c.left("an hour from now", None, due, |m| m.at(&soon).json());
}

fn large(c: &mut Cases) {
    c.strange("900 kB of text", "word ".repeat(180_000).trim_end(), |m| m.text(&"word ".repeat(180_000)).json());
    let tags: Vec<String> = (0..10_000).map(|n| format!("tag{n}")).collect();
    c.strange("10,000 tags", "hello world", |m| m.set("tags", tags).json());
    let id = c.id();
    let whole = spar::stream::MAX_VALUE;
    let room = whole - message(&id).text("").json().len();
    c.strange("as long as can be", &"w".repeat(room), |m| m.text(&"w".repeat(room)).json());
    for (kind, more) in [("a byte too long", 1), ("twenty times too long", 19 << 20)] {
        let id = c.id();
        let room = whole + more - message(&id).text("").json().len();
        let value = message(&id).text(&"w".repeat(room)).json();
        c.unread(kind, &value, "too_long");
    }
}

/// Several records about one toot: whatever their order, the toot ends with this text or not at all.
pub struct Story {
    pub kind: &'static str,
    pub id: String,
    pub records: Vec<Draft>,
    pub ends: Option<&'static str>,
}

/// One story of every kind.
pub fn every_story(n: usize) -> Vec<Story> {
    let time = |hour: usize, second: usize| format!("2024-10-10T{hour:02}:00:{second:02}Z");
    let mut stories = Vec::new();
    let mut tell = |kind: &'static str, ends, records: &dyn Fn(&str) -> Vec<Draft>| {
        let id = format!("{}{n:05}", 900 + stories.len());
        stories.push(Story { kind, records: records(&id), id, ends });
    };
    let edit = |id: &str, hour: usize, text: &str| message(id).text(text).edited(&time(hour, 0));
    let retract = |id: &str, hour: usize| gone(id, "retract").set("edited_at", time(hour, 0));
    tell("the same three times", Some("hello world"), &|id| vec![message(id), message(id), message(id)]);
    tell("once as a text and once as a number", Some("hello world"), &|id| {
        vec![message(id), message(id).set("id", id.parse::<u64>().unwrap()), message(id)]
    });
    tell("edited at once", Some("second"), &|id| vec![message(id), edit(id, 12, "second")]);
    tell("edited out of order", Some("third"), &|id| {
        vec![edit(id, 13, "third"), message(id), edit(id, 12, "second"), edit(id, 13, "third")]
    });
    tell("deleted first", None, &|id| vec![gone(id, "delete"), message(id), edit(id, 12, "second")]);
    tell("deleted twice", None, &|id| vec![gone(id, "delete"), message(id), gone(id, "delete")]);
    tell("deleted and unreadable", None, &|id| vec![gone(id, "delete"), message(id).set("content", 5), message(id)]);
    tell("taken back and renewed", Some("third"), &|id| {
        vec![message(id), retract(id, 12), edit(id, 13, "third"), edit(id, 12, "second")]
    });
    tell("taken back for good", None, &|id| {
        vec![edit(id, 12, "second"), retract(id, 13), message(id), retract(id, 12)]
    });
    tell("taken back and deleted", None, &|id| vec![retract(id, 13), gone(id, "delete"), edit(id, 14, "fourth")]);
    tell("edited into another language", None, &|id| {
        vec![message(id), edit(id, 13, "troisième").set("language", "fr"), edit(id, 12, "second")]
    });
    tell("edited into the language", Some("third"), &|id| {
        vec![edit(id, 12, "deuxième").set("language", "fr"), edit(id, 13, "third")]
    });
    if n.is_multiple_of(6) {
        tell("edited sixty times", Some("the last"), &|id| {
            let storm = (0..59).map(|s| message(id).text(&"x".repeat(s % 7)).edited(&time(12, s)));
            storm.chain([message(id).text("the last").edited(&time(12, 59))]).collect()
        });
    }
    stories
}
