//! Whose toots are left out: what is not public, and authors who ask for it. `[pure]`

use super::html::html_to_text;
use super::keywords::{fold, tags_in};
use super::status::Status;

/// Why a toot is left out although it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Its visibility is not `public`.
    NotPublic,
    /// It is the boost of another toot.
    Boost,
    /// Its author is suspended.
    Suspended,
    /// Its author asked search engines to stay away.
    NoIndex,
    /// Its author's biography says `#nobot` or `#noindex`.
    Marked,
}

/// The reason to leave the status out, if there is one.
pub fn refusal(status: &Status) -> Option<Refusal> {
    let account = &status.account;
    if status.visibility.as_deref() != Some("public") {
        Some(Refusal::NotPublic)
    } else if status.reblog.is_some() {
        Some(Refusal::Boost)
    } else if account.suspended == Some(true) {
        Some(Refusal::Suspended)
    } else if account.noindex == Some(true) {
        Some(Refusal::NoIndex)
    } else if account.note.as_deref().is_some_and(marked)
        || account.fields.iter().flatten().flat_map(|f| [&f.name, &f.value]).flatten().any(|html| marked(html))
    {
        Some(Refusal::Marked)
    } else {
        None
    }
}

/// True when the text of `html` holds one of the marks as a whole tag, in any case.
fn marked(html: &str) -> bool {
    html.contains(['#', '＃', '&'])
        && tags_in(&html_to_text(html)).into_iter().any(|tag| matches!(fold(tag).as_str(), "nobot" | "noindex"))
}
