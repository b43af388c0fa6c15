//! From raw text to tokens: one function for the training texts and for the toots. `[pure]`
//!
//! Lower case, accents kept; `<url>`, `<user>` and `<num>` stand for what they replace; a letter repeated more than
//! three times is cut to three, a run of `!` or `?` to two; emoji and emoticons are tokens; a tag is kept as such
//! and as its words. The three words after a negation, up to punctuation, carry the mark [`NEGATED`].

use super::emoticon;
use super::entities::decode_entities;
use super::pattern::{is_emoji, is_variant, is_word, negates, number, stands_alone, url, user, word_end};
use std::fmt;
use unicode_normalization::UnicodeNormalization;
use unicode_segmentation::UnicodeSegmentation;

/// The version of these rules; it is stored with a model, and another version is another model.
pub const TOKENISER: u32 = 1;

/// The mark of a word that follows a negation. Words are in lower case, so no word can look like it.
pub const NEGATED: &str = "NOT_";

/// A text is read up to this many tokens.
const MOST_TOKENS: usize = 2_000;

/// How many words a negation marks.
const REACH: u8 = 3;

/// Tokens in one buffer, so that a million texts need no million small allocations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    text: String,
    ends: Vec<usize>,
    /// Words written in capitals, two letters or more.
    pub(crate) shouted: u32,
}

impl Tokens {
    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// True when the text holds nothing to learn from.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The tokens in the order of the text.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|i| {
            let start = if i == 0 { 0 } else { self.ends[i - 1] };
            &self.text[start..self.ends[i]]
        })
    }

    /// Shows the tokens in a notebook.
    pub fn evcxr_display(&self) {
        crate::Report::new(self.to_string()).evcxr_display();
    }

    fn push(&mut self, token: &str) {
        self.text.push_str(token);
        self.ends.push(self.text.len());
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.shouted = 0;
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, token) in self.iter().enumerate() {
            write!(f, "{}{token}", if i == 0 { "" } else { " · " })?;
        }
        Ok(())
    }
}

/// The tokens of a raw text.
///
/// ```
/// let tokens = spar::sentiment::tokens("@you I don't LIKE it, sorry!!! https://example.org #SoSad");
/// assert_eq!(tokens.to_string(), "<user> · i · don't · NOT_like · NOT_it · sorry · !! · <url> · #sosad · so · sad");
/// ```
pub fn tokens(text: &str) -> Tokens {
    let mut out = Tokens::default();
    tokens_into(text, &mut out);
    out
}

/// The same into a buffer that is used again.
pub(crate) fn tokens_into(text: &str, out: &mut Tokens) {
    out.clear();
    let decoded = decode_entities(text);
    if decoded.is_ascii() {
        scan(&decoded, out);
    } else {
        let plain: String = decoded.nfc().filter(|c| !is_invisible(*c)).map(straight).collect();
        scan(&plain, out);
    }
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200c}' | '\u{200e}' | '\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
}

fn straight(c: char) -> char {
    match c {
        '’' | '‘' | 'ʼ' | '´' | '`' => '\'',
        c => c,
    }
}

struct Scan<'a> {
    out: &'a mut Tokens,
    /// How many words are still under a negation.
    negated: u8,
    word: String,
}

fn scan(text: &str, out: &mut Tokens) {
    let mut scan = Scan { out, negated: 0, word: String::new() };
    let mut at = 0;
    let mut before = ' ';
    while let Some(c) = text[at..].chars().next() {
        if scan.out.len() >= MOST_TOKENS {
            break;
        }
        let taken = scan.step(&text[at..], c, before);
        // Every step takes at least the character that it saw.
        let taken = taken.max(c.len_utf8());
        before = text[at..at + taken].chars().next_back().unwrap_or(' ');
        at += taken;
    }
}

impl Scan<'_> {
    /// Reads what begins with `c`; gives the number of bytes read.
    fn step(&mut self, rest: &str, c: char, before: char) -> usize {
        if c.is_whitespace() {
            return c.len_utf8();
        }
        if !is_word(before) {
            if let Some(taken) = url(rest) {
                self.out.push("<url>");
                return taken;
            }
            if c == '@'
                && let Some(taken) = user(rest)
            {
                self.out.push("<user>");
                return taken;
            }
        }
        if let Some((token, taken)) = emoticon::at(rest, before) {
            self.out.push(token);
            return taken;
        }
        if c == '#' && rest[1..].starts_with(is_word) {
            return self.tag(rest);
        }
        if stands_alone(c) {
            return self.plain(&rest[..c.len_utf8()]);
        }
        if is_word(c) {
            return self.word(rest);
        }
        if is_emoji(c) {
            return self.emoji(rest);
        }
        self.punctuation(rest, c)
    }

    fn plain(&mut self, token: &str) -> usize {
        if self.negated > 0 {
            self.negated -= 1;
            self.out.text.push_str(NEGATED);
        }
        self.out.push(token);
        token.len()
    }

    fn word(&mut self, rest: &str) -> usize {
        let end = word_end(rest);
        let raw = &rest[..end];
        if let Some(taken) = number(rest, end) {
            self.out.push("<num>");
            return taken;
        }
        if raw.len() > 1
            && raw.chars().all(|c| !c.is_lowercase())
            && raw.chars().filter(|c| c.is_uppercase()).count() > 1
        {
            self.out.shouted += 1;
        }
        self.lower(raw);
        let word = std::mem::take(&mut self.word);
        if negates(&word) || (word == "plus" && self.negated > 0) {
            self.out.push(&word);
            self.negated = REACH;
        } else {
            self.plain(&word);
        }
        self.word = word;
        end
    }

    /// Puts `raw` in lower case into `self.word`, with at most three times the same character in a row.
    fn lower(&mut self, raw: &str) {
        self.word.clear();
        let (mut last, mut times) = ('\0', 0);
        for c in raw.chars().flat_map(char::to_lowercase) {
            times = if c == last { times + 1 } else { 1 };
            last = c;
            if times <= 3 {
                self.word.push(c);
            }
        }
    }

    /// `#SoSad` gives `#sosad`, `so` and `sad`.
    fn tag(&mut self, rest: &str) -> usize {
        let end = 1 + rest[1..].find(|c| !is_word(c)).unwrap_or(rest.len() - 1);
        let name = &rest[1..end];
        self.lower(name);
        self.out.text.push('#');
        let word = std::mem::take(&mut self.word);
        self.out.push(&word);
        self.word = word;
        let mut start = 0;
        let mut last = '_';
        for (at, c) in name.char_indices().chain([(name.len(), '_')]) {
            let edge = c == '_' || (c.is_uppercase() && last.is_lowercase()) || c.is_numeric() != last.is_numeric();
            if edge && at > start {
                let part = name[start..at].trim_matches('_');
                if part.chars().any(char::is_alphabetic) {
                    self.lower(part);
                    let word = std::mem::take(&mut self.word);
                    self.out.push(&word);
                    self.word = word;
                }
            }
            if edge {
                start = at;
            }
            last = c;
        }
        end
    }

    /// One token per emoji; a joined sequence is one.
    fn emoji(&mut self, rest: &str) -> usize {
        let cluster = rest.graphemes(true).next().unwrap_or_default();
        let mark = self.out.text.len();
        self.out.text.extend(cluster.chars().filter(|c| !is_variant(*c)));
        if self.out.text.len() > mark {
            self.out.push("");
        }
        cluster.len()
    }

    fn punctuation(&mut self, rest: &str, c: char) -> usize {
        let run = |of: &[char]| rest.find(|c| !of.contains(&c)).unwrap_or(rest.len());
        match c {
            '!' | '?' => {
                self.negated = 0;
                let end = run(&['!', '?']);
                let marks = &rest[..end];
                self.out.push(match (marks.contains('!'), marks.contains('?'), end > 1) {
                    (true, true, _) => "!?",
                    (true, _, true) => "!!",
                    (true, _, false) => "!",
                    (_, _, true) => "??",
                    (_, _, false) => "?",
                });
                end
            }
            '.' | '…' => {
                self.negated = 0;
                let end = run(&['.', '…']);
                if end > 1 {
                    self.out.push("...");
                }
                end
            }
            ',' | ';' | ':' | '(' | ')' | '\n' => {
                self.negated = 0;
                1
            }
            c => c.len_utf8(),
        }
    }
}
