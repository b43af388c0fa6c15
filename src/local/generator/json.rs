//! The fields of a status, in the order in which Mastodon writes them. `[pure]`

use serde::Serialize;

#[derive(Serialize)]
pub(super) struct Status {
    pub id: String,
    pub created_at: String,
    pub in_reply_to_id: Option<String>,
    pub in_reply_to_account_id: Option<String>,
    pub sensitive: bool,
    pub spoiler_text: String,
    pub visibility: &'static str,
    pub language: Option<&'static str>,
    pub uri: String,
    pub url: Option<String>,
    pub replies_count: u32,
    pub reblogs_count: u32,
    pub favourites_count: u32,
    pub quotes_count: u32,
    pub edited_at: Option<String>,
    pub content: String,
    pub reblog: Option<()>,
    pub quote: Option<Quote>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<Option<Application>>,
    pub account: Account,
    pub media_attachments: Vec<Attachment>,
    pub mentions: Vec<Mention>,
    pub tags: Vec<Tag>,
    pub emojis: Vec<Emoji>,
    pub tagged_collections: [(); 0],
    pub quote_approval: QuoteApproval,
    pub card: Option<Card>,
    pub poll: Option<Poll>,
}

#[derive(Serialize)]
pub(super) struct Application {
    pub name: &'static str,
    pub website: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct Quote {
    pub state: &'static str,
    pub quoted_status: Option<()>,
}

#[derive(Serialize)]
pub(super) struct QuoteApproval {
    pub automatic: [&'static str; 1],
    pub manual: [&'static str; 0],
    pub current_user: &'static str,
}

#[derive(Serialize)]
pub(super) struct Account {
    pub id: String,
    pub username: String,
    pub acct: String,
    pub display_name: String,
    pub locked: bool,
    pub bot: bool,
    pub discoverable: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indexable: Option<bool>,
    pub group: bool,
    pub created_at: String,
    pub note: String,
    pub url: String,
    pub uri: String,
    pub avatar: String,
    pub avatar_static: String,
    pub header: String,
    pub header_static: String,
    pub followers_count: u32,
    pub following_count: u32,
    pub statuses_count: u32,
    pub last_status_at: String,
    pub hide_collections: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noindex: Option<bool>,
    pub emojis: Vec<Emoji>,
    pub fields: Vec<Field>,
}

#[derive(Serialize)]
pub(super) struct Field {
    pub name: &'static str,
    pub value: String,
    pub verified_at: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Attachment {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub url: Option<String>,
    pub preview_url: Option<String>,
    pub remote_url: Option<String>,
    pub preview_remote_url: Option<String>,
    pub text_url: Option<String>,
    pub meta: Option<Meta>,
    pub description: Option<String>,
    pub blurhash: Option<&'static str>,
}

#[derive(Serialize)]
pub(super) struct Meta {
    pub original: Size,
}

#[derive(Serialize)]
pub(super) struct Size {
    pub width: u32,
    pub height: u32,
}

#[derive(Serialize)]
pub(super) struct Mention {
    pub id: String,
    pub username: String,
    pub url: String,
    pub acct: String,
}

#[derive(Serialize)]
pub(super) struct Tag {
    pub name: String,
    pub url: String,
}

#[derive(Serialize)]
pub(super) struct Emoji {
    pub shortcode: &'static str,
    pub url: String,
    pub static_url: String,
    pub visible_in_picker: bool,
}

#[derive(Serialize)]
pub(super) struct Poll {
    pub id: String,
    pub expires_at: Option<String>,
    pub expired: bool,
    pub multiple: bool,
    pub votes_count: u32,
    pub voters_count: Option<u32>,
    pub options: [Choice; 2],
    pub emojis: [(); 0],
}

#[derive(Serialize)]
pub(super) struct Choice {
    pub title: &'static str,
    pub votes_count: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct Card {
    pub url: String,
    pub title: &'static str,
    pub description: &'static str,
    pub language: Option<&'static str>,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub author_name: &'static str,
    pub author_url: &'static str,
    pub provider_name: &'static str,
    pub provider_url: &'static str,
    pub html: &'static str,
    pub width: u32,
    pub height: u32,
    pub image: Option<&'static str>,
    pub image_description: &'static str,
    pub embed_url: &'static str,
    pub blurhash: Option<&'static str>,
    pub published_at: Option<&'static str>,
    pub authors: [(); 0],
}

/// One line of JSON; a stream adds the field `filtered`.
pub(super) fn write(status: &Status, streamed: bool) -> String {
    // Only strings, numbers and lists are inside, which always can be written.
    let mut json = serde_json::to_string(status).unwrap_or_default();
    if streamed && json.pop().is_some() {
        json.push_str(",\"filtered\":[]}");
    }
    json
}
