//! Writes a text: sentences from the lexicon, tags, links, emoji, and what makes it match the keywords or not. `[pure]`

use super::author::{Author, rank, settled};
use super::draft::Draft;
use super::plan::Language;
use super::random::{chance, pick, pick_zipf};
use super::words::{EMOJI, Lexicon, SHORTCODES, specials, tags};
use super::{Topic, Version};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A written text, with the tags that the server found in it.
pub(super) struct Composed {
    pub draft: Draft,
    /// Names as the status's array of tags holds them.
    pub array: Vec<String>,
    /// Whether a keyword is in it, as a tag or as a name.
    pub keyword: bool,
    /// `positive`, `neutral` or `negative`: the list its sentences come from.
    pub mood: &'static str,
}

/// How a text gets its keyword, or what looks like one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Means {
    /// Tags among the words or after them.
    Tags,
    /// A name, or a sentence, in the text.
    Text,
    /// Both.
    Both,
    /// A tag that only the array holds.
    ArrayOnly,
    /// A tag in the text that the author's server overlooked.
    Overlooked,
    /// Nothing at all.
    None,
}

/// The one who writes a text while it grows.
struct Writer<'a> {
    draw: &'a mut ChaCha8Rng,
    seed: u64,
    language: Language,
    lexicon: &'static Lexicon,
    topic: Topic,
    draft: Draft,
    /// Whether the next word opens a sentence.
    start: bool,
    /// Whether a tag of the topic was written.
    tagged: bool,
}

/// Writes one version of a status of `author`; a reply to oneself starts with one's own name.
pub(super) fn compose(draw: &mut ChaCha8Rng, seed: u64, author: &Author, version: Version, reply: bool) -> Composed {
    let (language, topic) = (version.language, version.topic);
    let lexicon = Lexicon::of(language);
    let draft = Draft::new(author.dialect, author.host());
    let mut writer = Writer { draw, seed, language, lexicon, topic, draft, start: true, tagged: false };
    let (mood, patterns) = match writer.draw.random_range(0..100) {
        0..38 => ("positive", lexicon.positive),
        38..72 => ("neutral", lexicon.neutral),
        _ => ("negative", lexicon.negative),
    };
    let means = match (topic, writer.draw.random_range(0..100)) {
        (Topic::Other, _) => Means::None,
        (_, 0..58) => Means::Tags,
        (_, 58..78) => Means::Text,
        (_, 78..87) => Means::Both,
        (_, 87..94) => Means::ArrayOnly,
        _ => Means::Overlooked,
    };
    if reply {
        writer.draft.mention(author.person());
    }
    let sentences = match writer.draw.random_range(0..100) {
        0..50 => 1,
        50..80 => 2,
        80..95 => 3,
        _ => 5,
    };
    for number in 0..sentences {
        if number > 0 {
            writer.part_from_previous();
        }
        let (text, inline) = (matches!(means, Means::Text | Means::Both), matches!(means, Means::Tags | Means::Both));
        let chosen = match number {
            0 if text && topic == Topic::Keyword => lexicon.persons,
            0 if text => lexicon.traps,
            1 if inline || (means == Means::None && chance(writer.draw, 0.2)) => lexicon.inline,
            _ => patterns,
        };
        let pattern = pick(writer.draw, chosen);
        writer.write(pattern, 0);
    }
    writer.finish(means);
    let array = writer.array(means);
    let keyword = writer.draft.keyword || (topic == Topic::Keyword && means != Means::Text);
    Composed { draft: writer.draft, array, keyword, mood }
}

impl Writer<'_> {
    fn part_from_previous(&mut self) {
        match self.draw.random_range(0..100) {
            0..12 => self.draft.line(),
            12..28 => self.draft.paragraph(),
            _ if self.lexicon.spaced => self.draft.space(),
            _ => {}
        }
        self.start = true;
    }

    /// Writes a pattern; slots are patterns too, three deep at most.
    fn write(&mut self, pattern: &'static str, depth: u8) {
        for token in pattern.split(' ').filter(|token| !token.is_empty()) {
            match token {
                "/" => self.draft.line(),
                "//" => self.draft.paragraph(),
                "(" | "“" => self.draft.opening(token),
                "«" => {
                    self.draft.opening(token);
                    self.draft.hard_space();
                }
                "»" => {
                    self.draft.hard_space();
                    self.draft.special(token, "");
                }
                "%tag" => self.topics_tag(true),
                "%tag's" => {
                    self.topics_tag(true);
                    self.draft.possessive();
                }
                "%person" => self.person(),
                "%url" => self.link(),
                "%emoji" => self.emoji(),
                _ if token.starts_with('{') => self.slot(token.trim_matches(['{', '}']), depth),
                _ => self.word(token),
            }
        }
    }

    fn slot(&mut self, name: &str, depth: u8) {
        let entries = match name {
            "x" if self.topic == Topic::Keyword || chance(self.draw, 0.08) => self.lexicon.machines,
            "x" => self.lexicon.everyday,
            name => self.lexicon.slot(name),
        };
        if !entries.is_empty() && depth < 3 {
            let entry = pick(self.draw, entries);
            self.write(entry, depth + 1);
        }
    }

    fn word(&mut self, token: &'static str) {
        if specials::is_plain(token) {
            match token.chars().next() {
                Some(first) if self.start && first.is_lowercase() => {
                    let mut word: String = first.to_uppercase().collect();
                    word.push_str(&token[first.len_utf8()..]);
                    self.draft.word(&word);
                }
                _ => self.draft.word(token),
            }
            self.start = false;
        } else if let Some(clean) = specials::clean(token) {
            self.draft.special(token, clean);
            self.start = false;
        } else {
            if self.lexicon.airy && matches!(token, "!" | "?" | ":" | ";") {
                self.draft.hard_space();
                self.draft.special(token, "");
            } else {
                self.draft.mark(token);
            }
            self.start = matches!(token, "." | "!" | "?");
        }
        if !self.lexicon.spaced {
            self.draft.glue();
        }
    }

    /// A tag: what its letters look like is the author's choice.
    fn tag(&mut self, name: &str, linked: bool) {
        let name = match self.draw.random_range(0..100) {
            0..60 => name.to_owned(),
            60..88 => name.to_lowercase(),
            88..95 => name.to_uppercase(),
            _ => {
                let mut letters = name.chars();
                letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
            }
        };
        self.draft.space();
        self.draft.tag(&name, linked);
        self.start = false;
    }

    fn topics_tag(&mut self, linked: bool) {
        let name = self.topics_tag_name();
        self.tagged = true;
        self.tag(name, linked);
    }

    fn topics_tag_name(&mut self) -> &'static str {
        match self.topic {
            Topic::Keyword => pick_zipf(self.draw, &tags::KEYWORD_TAGS),
            Topic::Trap => pick(self.draw, &tags::TRAP_TAGS),
            Topic::Other => pick_zipf(self.draw, &tags::OTHER_TAGS),
        }
    }

    fn person(&mut self) {
        let name = pick(self.draw, &tags::PERSONS);
        self.draft.space();
        let mut separator = ' ';
        let mut rest: &'static str = name;
        loop {
            match separator {
                '\n' => self.draft.line(),
                '\u{a0}' => self.draft.hard_space(),
                _ => {}
            }
            let Some(at) = rest.find([' ', '\u{a0}', '\n']) else { break };
            self.draft.word(&rest[..at]);
            separator = rest[at..].chars().next().unwrap_or(' ');
            rest = &rest[at + separator.len_utf8()..];
        }
        self.draft.word(rest);
        self.draft.keyword = true;
        self.start = false;
        if self.language.is_english() && chance(self.draw, 0.15) {
            self.draft.possessive();
        }
        self.draft.space();
    }

    fn link(&mut self) {
        let site = pick(self.draw, &tags::SITES);
        let page = self.draw.random_range(1000..9_999_999u32);
        self.draft.space();
        self.draft.link(&format!("{site}{page}"));
        self.draft.space();
    }

    fn emoji(&mut self) {
        self.draft.space();
        let emoji = pick_zipf(self.draw, &EMOJI);
        self.draft.emoji(emoji);
        self.draft.space();
    }

    /// What stands after the sentences: an aside, a mention, emoji, a link, tags.
    fn finish(&mut self, means: Means) {
        if chance(self.draw, 0.012) {
            self.draft.space();
            let aside = pick(self.draw, &specials::ASIDES);
            self.draft.special(aside, specials::clean(aside).unwrap_or_default());
        }
        if chance(self.draw, 0.08) {
            let person = Author::of(self.seed, settled(self.language, rank(self.draw)), false).person();
            self.draft.space();
            self.draft.mention(person);
            self.draft.space();
        }
        if chance(self.draw, 0.15) {
            self.emoji();
        }
        if chance(self.draw, 0.03) {
            let code = pick(self.draw, &SHORTCODES);
            self.draft.space();
            self.draft.shortcode(code);
            self.draft.space();
        }
        if self.topic == Topic::Trap && chance(self.draw, 0.15) {
            self.draft.space();
            self.draft.link("https://wiki.example/w/Robotics#AI");
        } else if chance(self.draw, 0.12) {
            self.link();
        }
        if chance(self.draw, 0.4) {
            self.draft.paragraph();
        }
        match means {
            Means::Tags | Means::Both => {
                let wanted = usize::from(!self.tagged) + usize::from(chance(self.draw, 0.4));
                (0..wanted).for_each(|_| self.topics_tag(true));
            }
            Means::Overlooked => self.topics_tag(false),
            _ => {}
        }
        for _ in 0..self.draw.random_range(0..8u32).saturating_sub(4) {
            let (name, linked) = (pick_zipf(self.draw, &tags::OTHER_TAGS), !chance(self.draw, 0.02));
            self.tag(name, linked);
        }
    }

    /// The array of tags: those of the text that the server saw, in its own spelling, and now and then one more.
    fn array(&mut self, means: Means) -> Vec<String> {
        let mut array: Vec<String> = Vec::new();
        let seen: Vec<String> =
            self.draft.tags.iter().filter(|(_, linked)| *linked).map(|(name, _)| name.clone()).collect();
        for name in seen {
            if !array.iter().any(|known| same(known, &name)) {
                array.push(if chance(self.draw, 0.7) { name.to_lowercase() } else { name });
            }
        }
        let mut extra = match means {
            Means::ArrayOnly => vec![self.topics_tag_name().to_owned()],
            _ if chance(self.draw, 0.02) => vec![pick_zipf(self.draw, &tags::OTHER_TAGS).to_owned()],
            _ => Vec::new(),
        };
        if chance(self.draw, 0.0004) {
            extra.push("lo".to_owned() + &"o".repeat(297) + "ng");
        }
        extra.retain(|name| !array.iter().any(|known| same(known, name)));
        array.extend(extra);
        array
    }
}

/// The same tag, whatever the case.
pub(super) fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}
