//! What a setting may be: the `.env` file, and lists whose items must make sense.

use crate::error::{Error, Result};
use crate::stream::WindowKinds;
use std::collections::BTreeMap;
use std::path::Path;

/// How the names of settings begin.
pub(crate) const OURS: [&str; 5] = ["SPAR_", "KAFKA_", "MASTODON_", "DATABASE_", "JAVA_"];

/// The settings of a `.env` file; none when there is no such file.
pub(crate) fn written(file: &Path) -> Result<BTreeMap<String, String>> {
    // The parser's own words repeat the whole line, and a line may hold a secret.
    let cannot = |why: String, step: &str| {
        Error::cannot(format!("read {}", file.display()), why).next(step.to_owned()).invalid()
    };
    let bytes = match std::fs::read(file) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(e) => return Err(cannot(e.to_string(), "make it a text file that you may read, or remove it")),
    };
    let text = match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => text,
        _ => return Err(cannot("it is no text in UTF-8".into(), "save it as UTF-8")),
    };
    let mut settings = BTreeMap::new();
    for pair in dotenvy::from_read_iter(text.trim_start_matches('\u{feff}').as_bytes()) {
        let (key, value) = pair.map_err(|_| {
            let why = format!("what comes after its first {} settings is no KEY=value", settings.len());
            cannot(why, "write one KEY=value per line, a value with a space, # or $ in single quotes")
        })?;
        settings.insert(key, value);
    }
    Ok(settings)
}

/// The items of a list, each of which `wrong` says why it cannot be used, if so.
pub(crate) fn checked(
    get: &impl Fn(&str) -> Option<String>,
    key: &str,
    wrong: fn(&str) -> Option<&'static str>,
) -> Result<Vec<String>> {
    let text = get(key).unwrap_or_default();
    let items: Vec<String> = text.split(',').map(|i| i.trim().to_owned()).filter(|i| !i.is_empty()).collect();
    for item in &items {
        if let Some(why) = wrong(item) {
            return Err(Error::cannot(format!("use {key}"), format!("{item:?} {why}"))
                .next("change it in the environment or in .env")
                .invalid());
        }
    }
    Ok(items)
}

/// Kinds of windows, when the setting is there.
pub(crate) fn windows(get: &impl Fn(&str) -> Option<String>, key: &str) -> Result<Option<WindowKinds>> {
    let wrong =
        |why| Error::cannot(format!("use {key}"), why).next("change it in the environment or in .env").invalid();
    get(key).map(|text| text.parse().map_err(|why: String| wrong(why))).transpose()
}

/// A code that no toot bears would keep every toot out, without a word.
pub(crate) fn language(code: &str) -> Option<&'static str> {
    let right = matches!(code.len(), 2 | 3) && code.bytes().all(|b| b.is_ascii_alphabetic());
    (!right).then_some("is no primary language code, as `en` or `fr`, separated by commas")
}

/// A tag that nobody can write has a stream that stays silent.
pub(crate) fn hashtag(tag: &str) -> Option<&'static str> {
    keyword(&format!("#{}", tag.trim_start_matches('#')))
}

/// A keyword that no text can hold would never match, without a word.
pub(crate) fn keyword(keyword: &str) -> Option<&'static str> {
    let tag = keyword.strip_prefix('#');
    match tag {
        _ if !keyword.contains(char::is_alphanumeric) => Some("holds no letter and no digit"),
        Some(tag) if tag.contains(|c: char| c.is_whitespace() || (c.is_ascii_punctuation() && c != '_')) => {
            Some("is no hashtag: one has neither spaces nor signs")
        }
        _ => None,
    }
}
