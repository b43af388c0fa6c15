//! What is read of a Mastodon status: tolerant of missing, null and unknown fields. `[pure]`

use serde::de::{Deserializer, Error as _, IgnoredAny, Unexpected, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A status, as far as this project uses it; only the two ids must be there.
#[derive(Clone, Debug, Deserialize)]
pub struct Status {
    /// Its id on the instance, as text whatever its form was.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// When it was written, as its author's server claims.
    #[serde(default)]
    pub created_at: Option<String>,
    /// When it was last edited; null if never.
    #[serde(default)]
    pub edited_at: Option<String>,
    /// Its HTML.
    #[serde(default)]
    pub content: Option<String>,
    /// `public`, `unlisted`, `private` or `direct`.
    #[serde(default)]
    pub visibility: Option<String>,
    /// A language code, not always one of ISO 639.
    #[serde(default)]
    pub language: Option<String>,
    /// Its page.
    #[serde(default)]
    pub url: Option<String>,
    /// Its identity across instances.
    #[serde(default)]
    pub uri: Option<String>,
    /// The content warning, plain text.
    #[serde(default)]
    pub spoiler_text: Option<String>,
    /// True when its author marked it.
    #[serde(default)]
    pub sensitive: Option<bool>,
    /// The status it answers.
    #[serde(default, deserialize_with = "maybe_id")]
    pub in_reply_to_id: Option<String>,
    /// Boosts so far.
    #[serde(default)]
    pub reblogs_count: Option<i64>,
    /// Favourites so far.
    #[serde(default)]
    pub favourites_count: Option<i64>,
    /// Replies so far.
    #[serde(default)]
    pub replies_count: Option<i64>,
    /// Its tags.
    #[serde(default)]
    pub tags: Option<Vec<Tag>>,
    /// The status that this one boosts.
    #[serde(default)]
    pub reblog: Option<Boosted>,
    /// Its author.
    pub account: Account,
}

/// One entry of a status's `tags`.
#[derive(Clone, Debug, Deserialize)]
pub struct Tag {
    /// The tag without `#`.
    #[serde(default)]
    pub name: Option<String>,
}

/// A boosted status, of which nothing is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Boosted(IgnoredAny);

/// A status's author.
#[derive(Clone, Debug, Deserialize)]
pub struct Account {
    /// The author's id on the instance, as text whatever its form was.
    #[serde(deserialize_with = "id")]
    pub id: String,
    /// The name without its domain.
    #[serde(default)]
    pub username: Option<String>,
    /// The name, with its domain when that is another one.
    #[serde(default)]
    pub acct: Option<String>,
    /// The name shown.
    #[serde(default)]
    pub display_name: Option<String>,
    /// The biography, HTML.
    #[serde(default)]
    pub note: Option<String>,
    /// The table beside the biography.
    #[serde(default)]
    pub fields: Option<Vec<Field>>,
    /// True for automated accounts.
    #[serde(default)]
    pub bot: Option<bool>,
    /// True when the account is suspended.
    #[serde(default)]
    pub suspended: Option<bool>,
    /// True when its owner asked search engines to stay away.
    #[serde(default)]
    pub noindex: Option<bool>,
    /// True when its owner allows full-text search.
    #[serde(default)]
    pub indexable: Option<bool>,
    /// Accounts that follow it.
    #[serde(default)]
    pub followers_count: Option<i64>,
    /// Accounts that it follows.
    #[serde(default)]
    pub following_count: Option<i64>,
    /// Statuses it wrote.
    #[serde(default)]
    pub statuses_count: Option<i64>,
}

/// A row of the table beside a biography.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct Field {
    /// Its label.
    pub name: Option<String>,
    /// Its value, HTML.
    pub value: Option<String>,
}

impl Status {
    /// The names of its structured tags.
    pub fn tag_names(&self) -> Vec<String> {
        self.tags.iter().flatten().filter_map(|tag| tag.name.clone()).collect()
    }
}

/// An id given as a string or a whole number, as the same text.
fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Id;
    impl Visitor<'_> for Id {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an id: a string that is not empty, or a whole number")
        }
        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<String, E> {
            match text.trim() {
                "" => Err(E::invalid_value(Unexpected::Other("an empty string"), &self)),
                id => Ok(id.to_owned()),
            }
        }
        fn visit_u64<E>(self, number: u64) -> Result<String, E> {
            Ok(number.to_string())
        }
        fn visit_i64<E>(self, number: i64) -> Result<String, E> {
            Ok(number.to_string())
        }
        fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<String, E> {
            Err(E::invalid_type(Unexpected::Other("a number too large or with a fraction"), &self))
        }
    }
    deserializer.deserialize_any(Id)
}

fn maybe_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Form {
        Number(i64),
        Text(String),
        Nothing(()),
    }
    match Form::deserialize(deserializer).map_err(|_| D::Error::custom("in_reply_to_id is no id"))? {
        Form::Number(number) => Ok(Some(number.to_string())),
        Form::Text(text) => Ok(Some(text)),
        Form::Nothing(()) => Ok(None),
    }
}
