//! The Kafka message: the contract's 16 fields in order, then what else is useful. `[pure]`

use super::status::Status;
use crate::display::Table;
use crate::error::{Error, Result};
use crate::timestamp::Timestamp;
use polars::prelude::df;
use serde::Serialize;

/// What happened to the toot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Change {
    /// It is new.
    #[serde(rename = "update")]
    New,
    /// It was edited.
    #[serde(rename = "status.update")]
    Edit,
    /// It was deleted: nothing may bring it back.
    #[serde(rename = "delete")]
    Delete,
    /// It was edited and no longer matches, or its author no longer consents.
    #[serde(rename = "retract")]
    Retract,
}

/// One message; every key is always written, an unknown value is null.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Message {
    /// The toot's id, also the record's key.
    pub id: String,
    /// When it was written, UTC, as `2024-10-10T11:17:26+00:00`.
    pub created_at: Option<String>,
    /// Its text without HTML.
    pub content: Option<String>,
    /// Its author's id.
    pub user_id: Option<String>,
    /// The author's name without a domain.
    pub username: Option<String>,
    /// The author's name, with its domain when that is another one.
    pub acct: Option<String>,
    /// The author's name as it is shown.
    pub display_name: Option<String>,
    /// Its visibility.
    pub visibility: Option<String>,
    /// Boosts when it was read.
    pub reblogs_count: Option<i64>,
    /// Favourites when it was read.
    pub favourites_count: Option<i64>,
    /// Its tags without `#`, as they were written.
    pub tags: Option<Vec<String>>,
    /// Its language code.
    pub language: Option<String>,
    /// Replies when it was read.
    pub replies_count: Option<i64>,
    /// The author's followers.
    pub followers_count: Option<i64>,
    /// How many the author follows.
    pub following_count: Option<i64>,
    /// The author's statuses.
    pub statuses_count: Option<i64>,
    /// What happened.
    pub event: Change,
    /// When it was last edited, in the form of `created_at`; null if never.
    pub edited_at: Option<String>,
    /// Where it comes from: `local`, or the instance's host.
    pub source: String,
    /// Its HTML.
    pub content_html: Option<String>,
    /// Its page.
    pub url: Option<String>,
    /// Its content warning.
    pub spoiler_text: Option<String>,
    /// True when its author marked it.
    pub sensitive: Option<bool>,
    /// The status it answers.
    pub in_reply_to_id: Option<String>,
    /// True when an automated account wrote it.
    pub bot: Option<bool>,
}

impl Message {
    /// The message of a toot that is kept, new or edited.
    ///
    /// # Errors
    ///
    /// Fails if one of its two times cannot be read.
    pub fn kept(status: Status, text: String, tags: Vec<String>, change: Change, source: &str) -> Result<Self> {
        let account = status.account;
        Ok(Self {
            id: status.id,
            created_at: time(status.created_at)?,
            content: status.content.is_some().then_some(text),
            user_id: Some(account.id),
            username: account.username,
            acct: account.acct,
            display_name: account.display_name,
            visibility: status.visibility,
            reblogs_count: status.reblogs_count,
            favourites_count: status.favourites_count,
            tags: Some(tags),
            language: status.language,
            replies_count: status.replies_count,
            followers_count: account.followers_count,
            following_count: account.following_count,
            statuses_count: account.statuses_count,
            event: change,
            edited_at: time(status.edited_at)?,
            source: source.to_owned(),
            content_html: status.content,
            url: status.url,
            spoiler_text: status.spoiler_text,
            sensitive: status.sensitive,
            in_reply_to_id: status.in_reply_to_id,
            bot: account.bot,
        })
    }

    /// The message of a deleted toot: its id and nothing else about it.
    pub fn deleted(id: &str, source: &str) -> Self {
        Self::gone(id, Change::Delete, None, source)
    }

    /// The message of an edited toot that is no longer kept: its id and the edit's time.
    ///
    /// # Errors
    ///
    /// Fails if the time cannot be read.
    pub fn retracted(id: &str, edited_at: Option<String>, source: &str) -> Result<Self> {
        Ok(Self::gone(id, Change::Retract, time(edited_at)?, source))
    }

    fn gone(id: &str, event: Change, edited_at: Option<String>, source: &str) -> Self {
        Self {
            id: id.to_owned(),
            created_at: None,
            content: None,
            user_id: None,
            username: None,
            acct: None,
            display_name: None,
            visibility: None,
            reblogs_count: None,
            favourites_count: None,
            tags: None,
            language: None,
            replies_count: None,
            followers_count: None,
            following_count: None,
            statuses_count: None,
            event,
            edited_at,
            source: source.to_owned(),
            content_html: None,
            url: None,
            spoiler_text: None,
            sensitive: None,
            in_reply_to_id: None,
            bot: None,
        }
    }

    /// The message as it travels: one JSON object, UTF-8, characters outside ASCII as they are.
    ///
    /// # Errors
    ///
    /// Never for a message made here; the JSON writer's own failure is passed on.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|e| Error::cannot("write a message as JSON", e))
    }

    /// The fields and their values, in order, to look at.
    ///
    /// # Errors
    ///
    /// Fails as [`Message::to_json`] does.
    pub fn table(&self) -> Result<Table> {
        let json = String::from_utf8(self.to_json()?).map_err(|e| Error::cannot("read a message", e))?;
        let (names, values) = fields(&json)?;
        let numbers: Vec<u32> = (1u32..).take(names.len()).collect();
        let rows = names.len();
        df!("n" => numbers, "champ" => names, "valeur" => values)
            .map(|frame| Table::new(frame).showing(rows))
            .map_err(|e| Error::cannot("show a message", e))
    }
}

/// Names and JSON values of an object, in the order they are written.
fn fields(json: &str) -> Result<(Vec<String>, Vec<String>)> {
    use serde::de::{Deserializer as _, MapAccess, Visitor};
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = (Vec<String>, Vec<String>);
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = Self::Value::default();
            while let Some((name, value)) = map.next_entry::<String, &serde_json::value::RawValue>()? {
                all.0.push(name);
                all.1.push(value.get().to_owned());
            }
            Ok(all)
        }
    }
    serde_json::Deserializer::from_str(json).deserialize_map(Fields).map_err(|e| Error::cannot("show a message", e))
}

fn time(text: Option<String>) -> Result<Option<String>> {
    text.map(|text| text.parse::<Timestamp>().map(Timestamp::to_offset_form)).transpose()
}
