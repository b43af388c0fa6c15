//! The accounts of the generated timeline: the same key gives the same account, whenever it is asked for. `[pure]`

use super::clock::{DAY, iso, iso_date};
use super::draft::{Dialect, Person, escape};
use super::plan::Language;
use super::random::{Purpose, chance, pick, random, zipf};
use super::words::{EMOJI, SHORTCODES};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The local server's own name.
pub(crate) const HOME: &str = "local.example";
/// Servers that posts come from; `.example` names belong to nobody.
const DOMAINS: [(&str, Dialect); 8] = [
    ("mastodon.example", Dialect::Mastodon),
    ("social.example", Dialect::Mastodon),
    ("masto.example", Dialect::Mastodon),
    ("toot.example", Dialect::Mastodon),
    ("fediverse.example", Dialect::Other),
    ("pleroma.example", Dialect::Other),
    ("friends.example", Dialect::Mastodon),
    ("bots.example", Dialect::Mastodon),
];

/// Accounts per language; keys beyond all of them belong to those who post once and withdraw their consent.
const PER_LANGUAGE: u64 = 1500;
const PASSING: u64 = 1_000_000;

const FIRST: [&str; 32] = [
    "quiet", "green", "tiny", "brave", "lunar", "rusty", "happy", "salty", "urban", "silver", "misty", "amber",
    "clever", "sunny", "frosty", "gentle", "lucky", "noisy", "velvet", "wild", "cosmic", "dusty", "early", "fuzzy",
    "golden", "honest", "icy", "jolly", "kind", "late", "mellow", "nimble",
];
const SECOND: [&str; 32] = [
    "otter", "maple", "harbor", "pixel", "teapot", "falcon", "comet", "willow", "badger", "lantern", "meadow", "robin",
    "anchor", "biscuit", "cactus", "dolphin", "ember", "fern", "guitar", "heron", "island", "juniper", "kettle",
    "lemon", "marble", "nomad", "orchid", "pepper", "quill", "river", "sparrow", "tulip",
];

/// Draws how prominent the author of a status is: 0 is the one who writes most.
pub(super) fn rank(draw: &mut ChaCha8Rng) -> u64 {
    zipf(draw, PER_LANGUAGE as usize, 0.9) as u64
}

/// True for the authors who often write about artificial intelligence: a third of each language.
pub(super) fn is_keen(rank: u64) -> bool {
    rank % 3 == 1
}

/// The author of one language at one rank.
pub(super) fn settled(language: Language, rank: u64) -> u64 {
    let block = Language::ALL.iter().position(|(l, _, _)| *l == language).unwrap_or(0) as u64;
    block * PER_LANGUAGE + rank
}

/// An author seen at one place of the timeline only.
pub(super) fn passing(place: u64) -> u64 {
    PASSING + ((place ^ (place >> 20)) & 0xf_ffff)
}

/// What an author says about others processing their posts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consent {
    Given,
    NobotInNote,
    NoindexInNote,
    NobotInField,
    NoindexSetting,
}

impl Consent {
    pub fn is_given(self) -> bool {
        self == Self::Given
    }
}

/// What the author with this key says.
pub(super) fn consent(key: u64) -> Consent {
    if key >= PASSING {
        return Consent::Given;
    }
    // The most prominent are left alone, so that the shares hold for every seed.
    match (key % PER_LANGUAGE).checked_sub(6).map_or(88, |n| n % 89) {
        4 => Consent::NobotInNote,
        27 => Consent::NoindexInNote,
        50 => Consent::NobotInField,
        73 => Consent::NoindexSetting,
        _ => Consent::Given,
    }
}

/// One account.
pub(super) struct Author {
    pub id: String,
    pub username: String,
    pub domain: Option<&'static str>,
    pub dialect: Dialect,
    pub display_name: String,
    pub note: String,
    pub field: Option<(&'static str, String)>,
    pub bot: bool,
    pub locked: bool,
    pub discoverable: Option<bool>,
    pub indexable: Option<bool>,
    pub noindex: bool,
    pub created_at: String,
    pub followers: u32,
    pub following: u32,
    pub statuses: u32,
    pub shortcode: Option<&'static str>,
}

impl Author {
    /// The account of a key; `withdrawn` when it has just asked in its note to be left alone.
    pub fn of(seed: u64, key: u64, withdrawn: bool) -> Self {
        let draw = &mut random(seed, Purpose::Author as u64, key);
        let (domain, dialect) = match draw.random_range(0..DOMAINS.len() + 5) {
            n if n < DOMAINS.len() => (Some(DOMAINS[n].0), DOMAINS[n].1),
            _ => (None, Dialect::Mastodon),
        };
        let (first, second) = (pick(draw, &FIRST), pick(draw, &SECOND));
        let username = format!("{first}_{second}{key}");
        let bot = domain == Some("bots.example") || chance(draw, 0.02);
        let shortcode = chance(draw, 0.08).then(|| pick(draw, &SHORTCODES));
        let display_name = match (draw.random_range(0..10), shortcode) {
            (_, Some(code)) => format!("{first} {second} :{code}:"),
            (0, _) => String::new(),
            (1, _) => format!("{} {}", titled(second), pick(draw, &EMOJI)),
            (2, _) => format!("<b>{first}</b> & \"{second}\""),
            (3, _) => format!("{} #AI newsletter", titled(first)),
            _ => format!("{} {}", titled(first), titled(second)),
        };
        let (tagged, plain) = (domain.unwrap_or(HOME), format!("{first} {second} &amp; friends. No bots were hurt."));
        let wish = match consent(key) {
            _ if withdrawn => Some("NoBot"),
            Consent::NobotInNote => Some("nobot"),
            Consent::NoindexInNote => Some("NoIndex"),
            _ => None,
        };
        let note = match wish {
            Some(tag) => format!(
                "<p>{plain}</p><p><a href=\"https://{tagged}/tags/{}\" class=\"mention hashtag\" rel=\"tag\">#<span>{tag}</span></a></p>",
                tag.to_lowercase()
            ),
            None => format!("<p>{plain}</p>"),
        };
        let field = match consent(key) {
            Consent::NobotInField => Some(("Rules", "#nobot please".to_owned())),
            _ if chance(draw, 0.3) => {
                let site = format!("https://{second}.example");
                Some(("Site", format!("<a href=\"{site}\" rel=\"me nofollow noopener\">{}</a>", escape(&site))))
            }
            _ => None,
        };
        let born = born(key);
        Self {
            id: id(key),
            username,
            domain,
            dialect,
            display_name,
            note,
            field,
            bot,
            locked: chance(draw, 0.1),
            discoverable: if chance(draw, 0.1) { None } else { Some(chance(draw, 0.8)) },
            indexable: if chance(draw, 0.1) { None } else { Some(chance(draw, 0.5)) },
            noindex: consent(key) == Consent::NoindexSetting,
            created_at: iso(born - born.rem_euclid(DAY)),
            followers: (draw.random::<f64>().powi(4) * 20_000.0) as u32,
            following: draw.random_range(0..1500),
            statuses: draw.random_range(1..40_000),
            shortcode,
        }
    }

    pub fn acct(&self) -> String {
        match self.domain {
            Some(domain) => format!("{}@{domain}", self.username),
            None => self.username.clone(),
        }
    }

    pub fn host(&self) -> &'static str {
        self.domain.unwrap_or(HOME)
    }

    pub fn url(&self) -> String {
        format!("https://{}/@{}", self.host(), self.username)
    }

    /// This account as it is named in a text.
    pub fn person(&self) -> Person {
        Person { id: self.id.clone(), username: self.username.clone(), acct: self.acct(), url: self.url() }
    }
}

/// When an account was opened: between 2018 and the start of the timeline.
fn born(key: u64) -> i64 {
    1_514_764_800_000 + (key.wrapping_mul(7919) & 0x1f_ffff) as i64 * 70_000
}

/// Most ids have eighteen digits; those of the oldest accounts have few.
fn id(key: u64) -> String {
    if key % 97 == 5 { (key + 2).to_string() } else { (((born(key) as u64) << 16) | (key & 0xffff)).to_string() }
}

fn titled(word: &str) -> String {
    word[..1].to_uppercase() + &word[1..]
}

/// The day of an account's latest status.
pub(super) fn last_day(at: i64) -> String {
    iso_date(at)
}
