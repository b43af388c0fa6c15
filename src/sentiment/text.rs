//! From raw text to tokens: one function for the training texts and for the toots. [pure]
//!
//! Lower case, accents kept; `<url>`, `<user>` and `<num>` stand for what they replace; a letter repeated more than
//! three times is cut to three, a run of `!` or `?` to two; emoji and emoticons are tokens; a tag is kept as such
//! and as its words. The three words after a negation, up to punctuation, carry the mark [`NEGATED`].

use super::emoticon;
use super::entities::decode_entities;
use std::fmt;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
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

/// Negation words: what follows them is marked.
fn negates(word: &str) -> bool {
    word.ends_with("n't")
        || word.starts_with("n'")
        || matches!(
            word,
            "not" | "no" | "never" | "none" | "nobody" | "nothing" | "nowhere" | "neither" | "nor" | "cannot" | "without"
                | "dont" | "cant" | "wont" | "didnt" | "doesnt" | "isnt" | "wasnt" | "arent" | "werent" | "couldnt"
                | "shouldnt" | "wouldnt" | "havent" | "hasnt" | "hadnt" | "aint"
                // French; `plus` negates only after `ne`, see `Scan::word`.
                | "ne" | "pas" | "jamais" | "rien" | "aucun" | "aucune" | "sans" | "ni"
        )
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || is_combining_mark(c)
}

/// Scripts written without spaces: each character is a token, and the pairs make the words.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{231a}' | '\u{231b}' | '\u{23e9}'..='\u{23fa}')
}

/// What an emoji may carry without being another one: its skin tone and how it is drawn.
fn is_variant(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
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
            if c == '@' {
                if let Some(taken) = user(rest) {
                    self.out.push("<user>");
                    return taken;
                }
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

/// The end of the word at the start of `rest`: an apostrophe inside a word belongs to it.
fn word_end(rest: &str) -> usize {
    let mut end = 0;
    let mut chars = rest.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let inside = (is_word(c) && !(stands_alone(c) && at > 0))
            || (c == '\'' && at > 0 && chars.peek().is_some_and(|(_, next)| next.is_alphanumeric()));
        if !inside {
            break;
        }
        end = at + c.len_utf8();
    }
    end
}

/// A number at the start of `rest`, when the word is nothing else: `12`, `3.5`, `10:30`, `1,000`, `50%`.
fn number(rest: &str, word: usize) -> Option<usize> {
    if !rest[..word].bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let bytes = rest.as_bytes();
    let mut end = word;
    while end + 1 < bytes.len() && b".,:/".contains(&bytes[end]) && bytes[end + 1].is_ascii_digit() {
        end += 1 + bytes[end + 1..].iter().take_while(|b| b.is_ascii_digit()).count();
    }
    if bytes.get(end) == Some(&b'%') {
        end += 1;
    }
    Some(end)
}

fn url(rest: &str) -> Option<usize> {
    let starts = |with: &str| rest.get(..with.len()).is_some_and(|s| s.eq_ignore_ascii_case(with));
    if !(starts("http://") || starts("https://") || starts("www.")) {
        return None;
    }
    Some(rest.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"')).unwrap_or(rest.len()))
}

/// `@name` and `@name@host`.
fn user(rest: &str) -> Option<usize> {
    let name = |from: usize| {
        let end = rest[from..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len() - from);
        (end > 0).then_some(from + end)
    };
    let mut end = name(1)?;
    if rest[end..].starts_with('@') {
        if let Some(mut host) = name(end + 1) {
            while rest[host..].starts_with(['.', '-']) {
                match name(host + 1) {
                    Some(further) => host = further,
                    None => break,
                }
            }
            end = host;
        }
    }
    Some(end)
}
