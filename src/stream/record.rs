//! One message of the topic, read without copying what need not be copied. `[pure]`

use crate::timestamp::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// The longest id, in characters: the width of its column.
pub const MAX_ID: usize = 255;
/// The longest value that is read, in bytes; the broker's own default limit is about the same.
pub const MAX_VALUE: usize = 1_048_576;

/// What happened to a toot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// It was published.
    Update,
    /// It was edited.
    StatusUpdate,
    /// It was deleted, for good.
    Delete,
    /// It is no longer for us, until a newer version is.
    Retract,
    /// Something this version does not know.
    Unknown,
}

/// A message that can be read.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// The toot's id, never empty.
    pub id: Cow<'a, str>,
    /// What happened.
    pub event: Event,
    /// Event time; absent only in deletes, retracts and unknown events.
    pub created_at: Option<Timestamp>,
    /// The version: absent is oldest.
    pub edited_at: Option<Timestamp>,
    /// Readable text.
    pub content: Option<Cow<'a, str>>,
    /// The author's id.
    pub user_id: Option<Cow<'a, str>>,
    /// The author's name.
    pub username: Option<Cow<'a, str>>,
    /// Language tag as Mastodon gave it.
    pub language: Option<Cow<'a, str>>,
    /// Tags without `#`.
    pub tags: Vec<Cow<'a, str>>,
    /// Boosts, favourites and replies.
    pub counts: [Option<i32>; 3],
    /// `local` or the instance's host; absent in messages of the original.
    pub source: Option<Cow<'a, str>>,
}

/// Why a record is a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The record has no value.
    NullValue,
    /// The value is longer than [`MAX_VALUE`].
    TooLong,
    /// The value is not UTF-8.
    NotUtf8,
    /// The value is not a JSON object of the contract's form.
    NotJson,
    /// The id is absent, null or empty.
    NoId,
    /// An id is longer than [`MAX_ID`].
    IdTooLong,
    /// The date is absent or null.
    NoDate,
    /// The date does not exist.
    BadDate,
    /// A text holds U+0000, which PostgreSQL refuses.
    NullByte,
    /// The toot comes from another source than the database's.
    OtherSource,
}

impl Reason {
    /// The word that `dead_letter.reason` holds.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NullValue => "null_value",
            Self::TooLong => "too_long",
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::NoId => "no_id",
            Self::IdTooLong => "id_too_long",
            Self::NoDate => "no_date",
            Self::BadDate => "bad_date",
            Self::NullByte => "null_byte",
            Self::OtherSource => "other_source",
        }
    }
}

/// A record that cannot be used: why, and whose it is as far as that can be told. It never holds the toot's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// The kind of trouble.
    pub reason: Reason,
    /// The trouble in words.
    pub error: String,
    /// The toot's id, when it could be read.
    pub id: Option<String>,
}

impl Dead {
    /// A dead letter without a known id.
    pub fn new(reason: Reason, error: impl Into<String>) -> Self {
        Self { reason, error: error.into(), id: None }
    }

    fn of(id: &str, reason: Reason, error: impl Into<String>) -> Self {
        Self { reason, error: error.into(), id: Some(id.chars().filter(|c| *c != '\0').take(MAX_ID).collect()) }
    }
}

/// Reads the value of a record.
///
/// # Errors
///
/// Fails with the reason that makes it a dead letter.
pub fn parse(value: &[u8]) -> Result<Message<'_>, Dead> {
    if value.len() > MAX_VALUE {
        return Err(Dead::new(Reason::TooLong, format!("{} bytes, more than {MAX_VALUE}", value.len())));
    }
    let text = std::str::from_utf8(value)
        .map_err(|e| Dead::new(Reason::NotUtf8, format!("invalid UTF-8 after byte {}", e.valid_up_to())))?;
    if !text.trim_ascii_start().starts_with('{') {
        return Err(Dead::new(Reason::NotJson, "not a JSON object"));
    }
    let wire: Wire<'_> = serde_json::from_str(text).map_err(|e| {
        // serde's own words may quote the toot; only where a key stands twice they begin with no more than its name.
        let what = match e.classify() {
            serde_json::error::Category::Data if e.to_string().starts_with("duplicate field `") => "a key stands twice",
            serde_json::error::Category::Data => "a field has another type than the contract's",
            _ => "not valid JSON",
        };
        Dead::new(Reason::NotJson, format!("{what}, at line {} column {}", e.line(), e.column()))
    })?;
    wire.check()
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    created_at: Option<Text<'a>>,
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
    #[serde(borrow, default)]
    user_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    username: Option<Text<'a>>,
    #[serde(default)]
    reblogs_count: Count,
    #[serde(default)]
    favourites_count: Count,
    #[serde(borrow, default)]
    tags: Option<Vec<Option<Text<'a>>>>,
    #[serde(borrow, default)]
    language: Option<Text<'a>>,
    #[serde(default)]
    replies_count: Count,
    #[serde(borrow, default)]
    event: Option<Text<'a>>,
    #[serde(borrow, default)]
    edited_at: Option<Text<'a>>,
    #[serde(borrow, default)]
    source: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Wire<'a> {
    fn check(self) -> Result<Message<'a>, Dead> {
        let id = match id_text(self.id).map_err(|why| Dead::new(Reason::NoId, format!("id: {why}")))? {
            Some(id) if !id.is_empty() => id,
            _ => return Err(Dead::new(Reason::NoId, "the id is absent, null or empty")),
        };
        let dead = |reason, why: &str| Err(Dead::of(&id, reason, why));
        let too_long = |text: &str| text.len() > MAX_ID && text.chars().count() > MAX_ID;
        if too_long(&id) {
            return dead(Reason::IdTooLong, "the id is longer than 255 characters");
        }
        let event = match self.event.as_ref().map(|e| &*e.0) {
            None | Some("update") => Event::Update,
            Some("status.update") => Event::StatusUpdate,
            Some("delete") => Event::Delete,
            Some("retract") => Event::Retract,
            Some(_) => Event::Unknown,
        };
        let date = |field: &Option<Text<'_>>| field.as_ref().map(|text| date(&text.0));
        let dateless = matches!(event, Event::Delete | Event::Retract | Event::Unknown);
        let created_at = match date(&self.created_at) {
            Some(Some(at)) => Some(at),
            Some(None) if dateless => None,
            Some(None) => return dead(Reason::BadDate, "created_at is not a date of RFC 3339"),
            None if dateless => None,
            None => return dead(Reason::NoDate, "created_at is absent or null"),
        };
        let edited_at = match date(&self.edited_at) {
            Some(None) => return dead(Reason::BadDate, "edited_at is not a date of RFC 3339"),
            Some(at) => at,
            None => None,
        };
        let user_id = match id_text(self.user_id) {
            Ok(user) => user.filter(|user| !user.is_empty()),
            Err(why) => return dead(Reason::NotJson, &format!("user_id: {why}")),
        };
        if user_id.as_deref().is_some_and(too_long) {
            return dead(Reason::IdTooLong, "user_id is longer than 255 characters");
        }
        let content = self.content.map(|text| text.0);
        let username = self.username.map(|text| text.0);
        let language = self.language.map(|text| text.0);
        let tags: Vec<_> =
            self.tags.unwrap_or_default().into_iter().flatten().map(|t| t.0).filter(|t| !t.is_empty()).collect();
        // U+0000 can only come from an escape, and a text with escapes is not borrowed.
        let null = |text: &Cow<'_, str>| matches!(text, Cow::Owned(text) if text.contains('\0'));
        let texts = [&content, &username, &language, &user_id];
        if null(&id) || texts.iter().any(|t| t.as_ref().is_some_and(null)) || tags.iter().any(null) {
            return dead(Reason::NullByte, "a text holds U+0000");
        }
        Ok(Message {
            event,
            created_at,
            edited_at,
            content,
            user_id,
            username,
            language,
            tags,
            counts: [self.reblogs_count.0, self.favourites_count.0, self.replies_count.0],
            source: self.source.map(|text| text.0),
            id,
        })
    }
}

/// The year 1: PostgreSQL and every calendar library go back as far.
const FIRST: Timestamp = Timestamp::from_micros(-62_135_596_800_000_000);

/// A date that PostgreSQL can hold.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    text.parse().ok().filter(|at| *at >= FIRST)
}

/// The text of an id written as a JSON string or as a JSON integer of any size; never by way of a float.
fn id_text(raw: Option<&RawValue>) -> Result<Option<Cow<'_, str>>, &'static str> {
    let Some(raw) = raw.map(RawValue::get) else {
        return Ok(None);
    };
    match raw.as_bytes() {
        b"null" => Ok(None),
        [b'"', inner @ .., b'"'] if !inner.contains(&b'\\') => Ok(Some(Cow::Borrowed(&raw[1..raw.len() - 1]))),
        [b'"', ..] => serde_json::from_str(raw).map(|text: String| Some(Cow::Owned(text))).map_err(|_| "bad escape"),
        digits if digits.iter().all(u8::is_ascii_digit) => Ok(Some(Cow::Borrowed(raw))),
        [b'-', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => Ok(Some(Cow::Borrowed(raw))),
        _ => Err("neither a string nor an integer"),
    }
}

/// A count: null is unknown, anything outside 32 bits is clamped.
#[derive(Clone, Copy, Default)]
struct Count(Option<i32>);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Clamp;
        impl Visitor<'_> for Clamp {
            type Value = Count;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a count or null")
            }
            fn visit_u64<E>(self, n: u64) -> Result<Count, E> {
                Ok(Count(Some(i32::try_from(n).unwrap_or(i32::MAX))))
            }
            fn visit_i64<E>(self, n: i64) -> Result<Count, E> {
                Ok(Count(Some(n.clamp(i32::MIN.into(), i32::MAX.into()) as i32)))
            }
            fn visit_f64<E>(self, n: f64) -> Result<Count, E> {
                // The cast saturates.
                Ok(Count(Some(n as i32)))
            }
            fn visit_unit<E>(self) -> Result<Count, E> {
                Ok(Count(None))
            }
        }
        deserializer.deserialize_any(Clamp)
    }
}
