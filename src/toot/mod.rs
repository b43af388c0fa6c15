//! A toot: from a Mastodon status to the message that travels. `[pure]`

mod consent;
mod html;
mod keywords;
mod message;
mod status;

pub use consent::{Refusal, refusal};
pub use html::html_to_text;
pub use keywords::{KEYWORDS, Keywords, all_tags};
pub use message::{Change, Message};
pub use status::{Account, Field, Status, Tag};

/// What the listener decides about a status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It matches and may be kept: its readable text and its tags.
    Kept {
        /// The text without HTML.
        text: String,
        /// Its tags, once each.
        tags: Vec<String>,
    },
    /// No keyword is in it.
    NoKeyword,
    /// It matches but must be left out.
    Refused(Refusal),
}

/// Judges a status: HTML to text, keywords, then consent.
pub fn judge(status: &Status, keywords: &Keywords) -> Verdict {
    let text = html_to_text(status.content.as_deref().unwrap_or_default());
    let names = status.tag_names();
    if keywords.found(&text, &names).is_none() {
        return Verdict::NoKeyword;
    }
    match refusal(status) {
        Some(reason) => Verdict::Refused(reason),
        None => {
            let tags = all_tags(names, &text);
            Verdict::Kept { text, tags }
        }
    }
}
