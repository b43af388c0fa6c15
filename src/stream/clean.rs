//! From readable text to `text`: lower case, words and `#`, single spaces. `[pure]`

use unicode_normalization::char::is_combining_mark;

/// What becomes of a character.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Hash,
    Space,
    Apostrophe,
    Gone,
}

/// `content` cleaned: URLs go, letters become lower case, everything but letters, marks, digits, `_`, `#`, spaces and
/// the apostrophe inside a word goes, spaces become single and none stays at the ends.
///
/// ```
/// assert_eq!(spar::stream::clean("I'm at the café:  https://example.org/x #AI"), "i'm at the café #ai");
/// ```
pub fn clean(content: &str) -> String {
    let mut out = String::with_capacity(content.len());
    clean_into(content, &mut out);
    out
}

/// The number of characters (Unicode scalar values) of `text`: the one definition of length in the project.
pub fn text_length(text: &str) -> usize {
    text.chars().count()
}

/// Appends `content`, cleaned, to `out`, and gives the number of characters appended.
pub fn clean_into(content: &str, out: &mut String) -> usize {
    let mut cleaner = Cleaner { content, out, chars: 0, space: false, in_word: false };
    let mut at = 0;
    while let Some(&byte) = content.as_bytes().get(at) {
        at = match ASCII.get(usize::from(byte)) {
            Some(class) => cleaner.ascii(at, byte, *class),
            None => cleaner.other(at),
        };
    }
    cleaner.chars
}

struct Cleaner<'a> {
    content: &'a str,
    out: &'a mut String,
    chars: usize,
    /// A space is due before the next character.
    space: bool,
    /// The character just before, in the original, belongs to a word.
    in_word: bool,
}

impl Cleaner<'_> {
    /// Takes the ASCII character at byte `at`, or a whole run of plain ones; gives where to go on.
    fn ascii(&mut self, at: usize, byte: u8, class: Class) -> usize {
        let rest = &self.content.as_bytes()[at..];
        match class {
            Class::Word if matches!(byte, b'h' | b'H') && opens_url(rest) => {
                self.in_word = false;
                return url_end(self.content, at).unwrap_or(at + 1);
            }
            Class::Word if byte.is_ascii_uppercase() => {
                self.push(char::from(byte.to_ascii_lowercase()));
                self.in_word = true;
            }
            Class::Word => {
                let plain = |b: &u8| PLAIN[usize::from(*b)];
                // The first one is no URL; a later `h` may open one.
                let run = 1 + rest[1..].iter().position(|b| !plain(b)).unwrap_or(rest.len() - 1);
                self.due();
                self.out.push_str(&self.content[at..at + run]);
                self.chars += run;
                self.in_word = true;
                return at + run;
            }
            Class::Hash => {
                self.push('#');
                self.in_word = false;
            }
            Class::Space => {
                self.space = self.chars > 0;
                self.in_word = false;
            }
            Class::Gone => self.in_word = false,
            Class::Apostrophe => self.inside_word(char::from(byte), at + 1),
        }
        at + 1
    }

    /// Takes the character beyond ASCII at byte `at`; gives where to go on.
    fn other(&mut self, at: usize) -> usize {
        let Some(c) = self.content[at..].chars().next() else {
            return self.content.len();
        };
        let next = at + c.len_utf8();
        match class(c) {
            // A mark without its letter (an emoji that went) says nothing.
            Class::Word if !self.in_word && is_combining_mark(c) => {}
            // The one letter whose lower case depends on its place in the word.
            Class::Word if c == 'Σ' => {
                let last = self.in_word && !starts_word(&self.content[next..]);
                self.push(if last { 'ς' } else { 'σ' });
                self.in_word = true;
            }
            Class::Word => {
                c.to_lowercase().for_each(|lower| self.push(lower));
                self.in_word = true;
            }
            Class::Space => {
                self.space = self.chars > 0;
                self.in_word = false;
            }
            Class::Apostrophe => self.inside_word(c, next),
            Class::Hash | Class::Gone => self.in_word = false,
        }
        next
    }

    /// Keeps `c` only between two characters of a word.
    fn inside_word(&mut self, c: char, next: usize) {
        self.in_word = self.in_word && url_end(self.content, next).is_none() && starts_word(&self.content[next..]);
        if self.in_word {
            self.push(c);
        }
    }

    fn push(&mut self, c: char) {
        self.due();
        self.out.push(c);
        self.chars += 1;
    }

    fn due(&mut self) {
        if std::mem::take(&mut self.space) {
            self.out.push(' ');
            self.chars += 1;
        }
    }
}

/// The class of every ASCII character.
static ASCII: [Class; 128] = {
    let mut table = [Class::Gone; 128];
    let mut n = 0;
    while n < 128 {
        table[n] = match n as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => Class::Word,
            b'#' => Class::Hash,
            b'\'' => Class::Apostrophe,
            b'\t'..=b'\r' | b' ' => Class::Space,
            _ => Class::Gone,
        };
        n += 1;
    }
    table
};

/// True for the bytes that are copied as they are; not for `h`, which may open a URL.
static PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut n = 0;
    while n < 256 {
        table[n] = matches!(n as u8, b'a'..=b'g' | b'i'..=b'z' | b'0'..=b'9' | b'_');
        n += 1;
    }
    table
};

fn opens_url(bytes: &[u8]) -> bool {
    let scheme = |s: &[u8]| bytes.len() >= s.len() && bytes[..s.len()].eq_ignore_ascii_case(s);
    scheme(b"http://") || scheme(b"https://")
}

/// Where the URL that starts at byte `at` ends: before the next blank, or a mark that no URL holds.
fn url_end(content: &str, at: usize) -> Option<usize> {
    let rest = &content[at..];
    if !matches!(rest.as_bytes().first(), Some(b'h' | b'H')) || !opens_url(rest.as_bytes()) {
        return None;
    }
    let length = rest.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"')).unwrap_or(rest.len());
    Some(at + length)
}

fn starts_word(rest: &str) -> bool {
    rest.chars().next().is_some_and(|c| class(c) == Class::Word)
}

fn class(c: char) -> Class {
    match c {
        c if c.is_ascii() => ASCII[c as usize],
        '\u{2019}' => Class::Apostrophe,
        // Joiners shape words in several scripts; between emoji they go with them, as an apostrophe does.
        '\u{200c}' | '\u{200d}' => Class::Apostrophe,
        // Letters and digits drawn as emoji, and the marks that make an emoji of a character.
        '\u{1f100}'..='\u{1f1ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{20e3}' | '\u{e0100}'..='\u{e01ef}' => Class::Gone,
        c if c.is_whitespace() => Class::Space,
        c if c.is_alphanumeric() || is_combining_mark(c) => Class::Word,
        _ => Class::Gone,
    }
}
