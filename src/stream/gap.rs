//! A message about a stretch of the public stream that was missed. `[pure]`

use super::record::date;
use crate::timestamp::Timestamp;
use serde::Deserialize;

/// A gap as partie1 told it; what it did not say is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gap {
    /// Its id: the record's key.
    pub id: String,
    /// `local` or the instance's host.
    pub source: Option<String>,
    /// The newest toot known before it.
    pub from_id: Option<String>,
    /// The first toot after it.
    pub to_id: Option<String>,
    /// The last moment that was heard.
    pub from_time: Option<Timestamp>,
    /// The first moment that was heard again.
    pub to_time: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// True once its toots were fetched.
    pub filled: bool,
    /// The message itself.
    pub detail: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Wire {
    id: Option<String>,
    source: Option<String>,
    from_id: Option<String>,
    to_id: Option<String>,
    from: Option<String>,
    to: Option<String>,
    reason: Option<String>,
    filled: bool,
}

impl Gap {
    /// Reads a record of the topic of gaps; none when it has neither key nor id to file it under.
    pub fn read(key: Option<&[u8]>, value: Option<&[u8]>) -> Option<Self> {
        let clean = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', "");
        let detail = value.map(clean).unwrap_or_default();
        let wire: Wire = serde_json::from_str(&detail).unwrap_or_default();
        let id = key.map(clean).or(wire.id).filter(|id| !id.is_empty())?;
        let text = |text: Option<String>| text.map(|text| text.replace('\0', ""));
        let time = |text: Option<String>| text.and_then(|text| date(&text));
        Some(Self {
            id: id.chars().take(255).collect(),
            source: text(wire.source),
            from_id: text(wire.from_id),
            to_id: text(wire.to_id),
            from_time: time(wire.from),
            to_time: time(wire.to),
            reason: text(wire.reason),
            filled: wire.filled,
            detail: detail.chars().take(4096).collect(),
        })
    }
}
