//! The words that generated toots are made of, one file per language. A pattern is words and marks separated by
//! spaces; `{slot}` stands for one of the slot's entries, themselves patterns. `[pure]`
//!
//! Marks: `/` new line, `//` new paragraph, `%tag` a tag among the words, `%person` a name of the keyword list,
//! `%url` an address, `%mention` someone, `%emoji` an emoji; punctuation stands alone.

mod english;
mod french;
mod others;
pub(super) mod specials;
pub(super) mod tags;

use super::plan::Language;

/// The words of one language.
pub(super) struct Lexicon {
    /// Patterns of glad texts.
    pub positive: &'static [&'static str],
    /// Patterns of plain statements.
    pub neutral: &'static [&'static str],
    /// Patterns of unhappy texts.
    pub negative: &'static [&'static str],
    /// What a slot may hold.
    pub slots: &'static [(&'static str, &'static [&'static str])],
    /// What `{x}` may hold in a text about artificial intelligence.
    pub machines: &'static [&'static str],
    /// What `{x}` may hold in any other text.
    pub everyday: &'static [&'static str],
    /// Sentences that look like a keyword and are none.
    pub traps: &'static [&'static str],
    /// Sentences with a name of the keyword list.
    pub persons: &'static [&'static str],
    /// Sentences with a tag in their middle.
    pub inline: &'static [&'static str],
    /// Whether a space separates words.
    pub spaced: bool,
    /// Whether `!`, `?`, `:` and `;` stand after a no-break space.
    pub airy: bool,
}

impl Lexicon {
    /// The lexicon that a language writes with.
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::En | Language::EnGb | Language::Unknown => &english::LEXICON,
            Language::Fr => &french::LEXICON,
            Language::De => &others::GERMAN,
            Language::Es => &others::SPANISH,
            Language::Ja => &others::JAPANESE,
            Language::ZhTw => &others::CHINESE,
            Language::PtBr => &others::PORTUGUESE,
        }
    }

    /// The entries of a slot.
    pub fn slot(&self, name: &str) -> &'static [&'static str] {
        self.slots.iter().find(|(slot, _)| *slot == name).map_or(&[], |(_, entries)| entries)
    }

    /// Every pattern and entry.
    fn all(&self) -> impl Iterator<Item = &'static str> {
        let lists = [
            self.positive,
            self.neutral,
            self.negative,
            self.machines,
            self.everyday,
            self.traps,
            self.persons,
            self.inline,
        ];
        lists.into_iter().flatten().copied().chain(self.slots.iter().flat_map(|(_, entries)| entries.iter().copied()))
    }
}

/// Words whose clean form nobody wrote down; a check that there is none.
pub(super) fn without_clean_form() -> Vec<&'static str> {
    const MARKS: [&str; 21] =
        [".", ",", "!", "?", ":", ";", "…", "(", ")", "“", "”", "«", "»", "/", "//", "。", "、", "！", "？", "，", ""];
    let known = |word: &str| {
        MARKS.contains(&word)
            || word.starts_with(['%', '{'])
            || specials::is_plain(word)
            || specials::clean(word).is_some()
    };
    let lexicons = Language::ALL.into_iter().map(|(language, ..)| Lexicon::of(language));
    lexicons.flat_map(Lexicon::all).flat_map(|pattern| pattern.split(' ')).filter(|word| !known(word)).collect()
}

/// Emoji, the frequent ones first. None has a letter or a digit inside; some are joined or carry a selector.
pub(super) const EMOJI: [&str; 24] = [
    "😂",
    "❤️",
    "🎉",
    "🔥",
    "😍",
    "🤖",
    "👍",
    "🙏",
    "😭",
    "✨",
    "😅",
    "🚀",
    "☕",
    "🌧️",
    "🐈",
    "👩‍💻",
    "🤔",
    "🎶",
    "🌱",
    "👍🏽",
    "🇫🇷",
    "😡",
    "💔",
    "☀️",
];

/// Custom emoji.
pub(super) const SHORTCODES: [&str; 5] = ["blobcat", "ablobcatrave", "verified", "ferris", "tux_party"];
