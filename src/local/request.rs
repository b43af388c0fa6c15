//! What a request says: its parameters, from the address or the body, and who sends it.

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use serde_json::Value;

/// Parameters by name; a name may come several times.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Those of the address.
    pub fn query(query: Option<&str>) -> Self {
        Self(pairs(query.unwrap_or_default().as_bytes()))
    }

    /// Those of a body, a form or JSON.
    pub fn body(headers: &HeaderMap, body: &Bytes) -> Self {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/json") {
            return Self(pairs(body));
        }
        let mut found = Vec::new();
        if let Ok(Value::Object(fields)) = serde_json::from_slice(body) {
            for (name, value) in fields {
                let values = match value {
                    Value::Array(values) => values,
                    value => vec![value],
                };
                found.extend(values.into_iter().filter_map(|value| Some((name.clone(), text(value)?))));
            }
        }
        Self(found)
    }

    /// Those of both, the body's first.
    pub fn of(query: Option<&str>, headers: &HeaderMap, body: &Bytes) -> Self {
        let mut all = Self::body(headers, body);
        all.0.extend(Self::query(query).0);
        all
    }

    /// The first value of a name; an empty one counts as absent.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Every value of a name, written `name` or `name[]`.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let listed = move |n: &str| n.strip_suffix("[]").unwrap_or(n) == name;
        self.0.iter().filter(move |(n, v)| listed(n) && !v.is_empty()).map(|(_, value)| value.as_str())
    }

    /// A yes or no, as Mastodon reads it: anything but a few spellings of no is yes.
    pub fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|v| !matches!(v, "0" | "f" | "F" | "false" | "FALSE" | "off" | "OFF"))
    }
}

fn pairs(text: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text).into_owned().collect()
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Null | Value::Object(_) | Value::Array(_) => None,
        value => Some(value.to_string()),
    }
}

/// The bearer token, from the header or, as upstream still allows, from the address.
pub(super) fn bearer(headers: &HeaderMap, params: &Params) -> Option<String> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer ").or(value.strip_prefix("bearer ")));
    token
        .map(|token| token.trim().to_owned())
        .filter(|t| !t.is_empty())
        .or(params.get("access_token").map(str::to_owned))
}
