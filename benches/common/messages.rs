//! Generated messages, the same for every measurement.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Zipf};
use spar::Timestamp;
use std::fmt::Write as _;

const WORDS: [&str; 24] = [
    "model", "training", "data", "robots", "learning", "Paper", "today", "with", "the", "and", "café", "network", "is",
    "really", "good", "a", "new", "Don't", "language", "prompt", "of", "results", "vision", "open",
];

const FIRST_ID: u64 = 113_000_000_000_000_000;

/// Messages of about 600 bytes: 80 % in English, 50,000 authors, 3,000 tags, 48 hours in mild disorder.
pub struct Messages {
    random: ChaCha8Rng,
    users: Zipf<f64>,
    tags: Zipf<f64>,
    /// The message written last.
    pub text: String,
}

impl Messages {
    pub fn new() -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(42),
            users: Zipf::new(50_000.0, 1.05).expect("a distribution"),
            tags: Zipf::new(3_000.0, 1.05).expect("a distribution"),
            text: String::new(),
        }
    }

    /// The id of the message with this number.
    pub fn id(n: usize) -> String {
        (FIRST_ID + n as u64 * 1_000).to_string()
    }

    /// Writes the next message into `text`; gives its id and whether it is in English.
    pub fn next(&mut self, n: usize, of: usize) -> (String, bool) {
        const BEGIN: i64 = 1_728_000_000_000_000;
        let random = &mut self.random;
        let id = Self::id(n);
        let step = 48 * 3_600_000_000 / of as i64;
        let at = Timestamp::from_micros(BEGIN + n as i64 * step - random.random_range(0..600_000_000));
        let english = random.random_bool(0.8);
        let user = self.users.sample(random) as u64;
        self.text.clear();
        let out = &mut self.text;
        let _ = write!(out, r#"{{"id":"{id}","created_at":"{}","content":""#, at.to_offset_form());
        for word in 0..random.random_range(12..24) {
            out.push_str(if word == 0 { "" } else { " " });
            out.push_str(WORDS[random.random_range(0..WORDS.len())]);
        }
        let _ = write!(
            out,
            r#" #AI https://example.org/{n}","user_id":"{user}","username":"user{user}","acct":"user{user}@example.org","display_name":"User {user}","visibility":"public","reblogs_count":0,"favourites_count":0,"tags":["AI""#
        );
        for _ in 0..random.random_range(0..4) {
            let _ = write!(out, r#","Tag{}""#, self.tags.sample(random) as u64);
        }
        let language = if english { "en" } else { ["fr", "de", "ja", "es"][n % 4] };
        let _ = write!(
            out,
            r#"],"language":"{language}","replies_count":0,"followers_count":120,"following_count":80,"statuses_count":2400,"event":"update","edited_at":null,"source":"local","url":"https://example.org/@user{user}/{id}","sensitive":false,"in_reply_to_id":null,"bot":false}}"#
        );
        (id, english)
    }
}
