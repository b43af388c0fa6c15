//! A status as Mastodon writes it, together with what a right pipeline makes of it. `[pure]`

use super::author::{self, Author};
use super::clock::{DAY, HOUR, MINUTE, iso};
use super::compose::{Composed, compose, same};
use super::draft::Person;
use super::json::{self, Account, Attachment, Card, Choice, Emoji, Mention, Poll, Status, Tag};
use super::random::{Purpose, chance, random};
use super::{Plan, Slice, Timing, Version};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// A status and its label.
pub struct Made {
    status: Status,
    /// What a right pipeline makes of it.
    pub label: Label,
}

/// What the pipeline should arrive at for one version of a status, known without reading it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    /// The status's id.
    pub toot_id: String,
    /// The time it claims.
    pub created_at: String,
    /// When this version was made; none for the first.
    pub edited_at: Option<String>,
    /// The clean text.
    pub text: String,
    /// The readable text; runs of white space may differ.
    pub content: String,
    /// The author's id.
    pub user_id: String,
    /// The author's name.
    pub username: String,
    /// The language it says it is in.
    pub language: Option<&'static str>,
    /// The tags of its message, joined with commas.
    pub hashtags: String,
    /// `positive`, `neutral` or `negative`, as it was meant.
    pub mood: &'static str,
    /// Whether it holds a keyword.
    #[serde(skip)]
    pub keyword: bool,
}

impl Made {
    /// The JSON of a stream (`streamed`: with the field that only streams have) or of a timeline.
    pub fn json(&self, streamed: bool) -> String {
        json::write(&self.status, streamed)
    }

    /// The names of its tags, as its array holds them.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        self.status.tags.iter().map(|tag| tag.name.as_str())
    }

    /// Whether its author is of the local server.
    pub fn is_local(&self) -> bool {
        !self.status.account.acct.contains('@')
    }

    /// Whether media are attached.
    pub fn has_media(&self) -> bool {
        !self.status.media_attachments.is_empty()
    }
}

/// Makes one version.
pub(super) fn make(slice: &Slice, plan: &Plan, version: Version, edited: Option<i64>) -> Made {
    let place = slice.place(plan.index);
    let author = Author::of(slice.seed, plan.author, version.withdrawn);
    let dress = &mut random(slice.seed, Purpose::Dress as u64, place);
    let reply = chance(dress, 0.07);
    let draw = &mut random(slice.seed, Purpose::Text as u64 + u64::from(version.number), place);
    let composed = compose(draw, slice.seed, &author, version, reply);
    let (id, host) = (plan.id.to_string(), author.host());
    let created_at = iso(plan.created);
    let label = Label {
        toot_id: id.clone(),
        created_at: created_at.clone(),
        edited_at: edited.map(iso),
        text: composed.draft.clean.clone(),
        content: composed.draft.readable.trim().to_owned(),
        user_id: author.id.clone(),
        username: author.username.clone(),
        language: version.language.code(),
        hashtags: message_tags(&composed).join(","),
        mood: composed.mood,
        keyword: composed.keyword,
    };
    let sensitive = chance(dress, 0.06);
    let old = plan.timing == Timing::Late;
    let count = |draw: &mut ChaCha8Rng| if old { draw.random_range(0..40) } else { u32::from(chance(draw, 0.02)) };
    let earlier = plan.created - dress.random_range(MINUTE..3 * HOUR);
    let status = Status {
        created_at,
        in_reply_to_id: reply.then(|| (((earlier as u64) << 16) | 0x1234).to_string()),
        in_reply_to_account_id: reply.then(|| author.id.clone()),
        sensitive,
        spoiler_text: if sensitive { "Sujet sensible & <long>".into() } else { String::new() },
        visibility: plan.visibility,
        language: version.language.code(),
        uri: format!("https://{host}/users/{}/statuses/{id}", author.username),
        url: (!chance(dress, 0.005)).then(|| format!("{}/{id}", author.url())),
        replies_count: count(dress),
        reblogs_count: count(dress),
        favourites_count: count(dress),
        quotes_count: 0,
        edited_at: edited.map(iso),
        content: composed.draft.content(),
        reblog: None,
        application: match author.domain {
            Some(_) => Some(None),
            None => chance(dress, 0.8).then_some(Some(json::Application { name: "Web", website: None })),
        },
        media_attachments: media(dress, &id),
        mentions: composed.draft.mentions.iter().map(mention).collect(),
        tags: composed.array.iter().map(|name| tag(host, name)).collect(),
        emojis: composed.draft.shortcodes.iter().map(|code| emoji(code)).collect(),
        tagged_collections: [],
        quote_approval: json::QuoteApproval { automatic: ["public"], manual: [], current_user: "automatic" },
        quote: chance(dress, 0.004).then_some(json::Quote { state: "deleted", quoted_status: None }),
        card: composed.draft.links.first().filter(|_| chance(dress, 0.7)).map(|url| card(url)),
        poll: chance(dress, 0.02).then(|| poll(dress, &id, plan.created)),
        account: account(&author, plan),
        id,
    };
    Made { status, label }
}

/// The array's tags first, then those of the text that it lacks; each once, whatever the case.
fn message_tags(composed: &Composed) -> Vec<&str> {
    let mut tags: Vec<&str> = Vec::new();
    for name in composed.array.iter().chain(composed.draft.tags.iter().map(|(name, _)| name)) {
        if !tags.iter().any(|known| same(known, name)) {
            tags.push(name);
        }
    }
    tags
}

fn account(author: &Author, plan: &Plan) -> Account {
    let (url, host) = (author.url(), author.host());
    let picture = format!("https://{host}/avatars/{}.png", author.username);
    let header = format!("https://{host}/headers/missing.png");
    Account {
        id: author.id.clone(),
        username: author.username.clone(),
        acct: author.acct(),
        display_name: author.display_name.clone(),
        locked: author.locked,
        bot: author.bot,
        discoverable: author.discoverable,
        indexable: author.indexable,
        group: false,
        created_at: author.created_at.clone(),
        note: author.note.clone(),
        uri: format!("https://{host}/users/{}", author.username),
        url,
        avatar: picture.clone(),
        avatar_static: picture,
        header: header.clone(),
        header_static: header,
        followers_count: author.followers,
        following_count: author.following,
        statuses_count: author.statuses,
        last_status_at: author::last_day(plan.arrival),
        hide_collections: Some(false),
        noindex: if author.noindex { Some(true) } else { author.domain.is_none().then_some(false) },
        emojis: author.shortcode.iter().map(|code| emoji(code)).collect(),
        fields: author
            .field
            .iter()
            .map(|(name, value)| json::Field { name, value: value.clone(), verified_at: None })
            .collect(),
    }
}

fn mention(person: &Person) -> Mention {
    Mention {
        id: person.id.clone(),
        username: person.username.clone(),
        url: person.url.clone(),
        acct: person.acct.clone(),
    }
}

fn tag(host: &str, name: &str) -> Tag {
    Tag { name: name.to_owned(), url: format!("https://{host}/tags/{}", name.to_lowercase()) }
}

fn emoji(code: &'static str) -> Emoji {
    let url = format!("https://{}/emoji/{code}.png", author::HOME);
    Emoji { shortcode: code, static_url: url.clone(), url, visible_in_picker: true }
}

fn media(draw: &mut ChaCha8Rng, id: &str) -> Vec<Attachment> {
    if !chance(draw, 0.14) {
        return Vec::new();
    }
    let kind = match draw.random_range(0..20) {
        0 => "video",
        1 => "gifv",
        2 => "audio",
        3 => "unknown",
        _ => "image",
    };
    let url = format!("https://files.example/media/{id}.bin");
    let described = chance(draw, 0.6);
    vec![Attachment {
        id: format!("{id}1"),
        kind,
        url: (!chance(draw, 0.03)).then(|| url.clone()),
        preview_url: (kind != "audio").then(|| url.clone()),
        remote_url: None,
        preview_remote_url: None,
        text_url: None,
        meta: (kind == "image").then_some(json::Meta { original: json::Size { width: 1200, height: 800 } }),
        description: described.then(|| "Une photo <sans titre>".to_owned()),
        blurhash: (kind == "image").then_some("UBL_:rOpGG-oBUNG,qRj2so|=eE1w^n4S5NH"),
    }]
}

fn poll(draw: &mut ChaCha8Rng, id: &str, created: i64) -> Poll {
    let hidden = chance(draw, 0.4);
    let votes: [u32; 2] = [draw.random_range(0..50), draw.random_range(0..50)];
    let option = |title: &'static str, votes: u32| Choice { title, votes_count: (!hidden).then_some(votes) };
    Poll {
        id: format!("{id}2"),
        expires_at: (!chance(draw, 0.1)).then(|| iso(created + DAY)),
        expired: false,
        multiple: chance(draw, 0.2),
        votes_count: votes[0] + votes[1],
        voters_count: (!hidden).then_some(votes[0] + votes[1]),
        options: [option("Oui & non", votes[0]), option("Peut-être", votes[1])],
        emojis: [],
    }
}

fn card(url: &str) -> Card {
    Card {
        url: url.to_owned(),
        title: "Un titre d'article",
        description: "",
        language: None,
        kind: "link",
        author_name: "",
        author_url: "",
        provider_name: "Exemple",
        provider_url: "",
        html: "",
        width: 0,
        height: 0,
        image: None,
        image_description: "",
        embed_url: "",
        blurhash: None,
        published_at: None,
        authors: [],
    }
}
