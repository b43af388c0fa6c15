//! From readable text to `text`: lower case, words and `#`, single spaces. [pure]

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
    let bytes = content.as_bytes();
    let mut at = 0;
    let mut chars = 0;
    let mut space = false;
    // True when the character just before, in the original, belongs to a word.
    let mut in_word = false;
    while at < bytes.len() {
        let run = plain_run(&bytes[at..]);
        if run > 0 {
            if std::mem::take(&mut space) {
                out.push(' ');
                chars += 1;
            }
            out.push_str(&content[at..at + run]);
            chars += run;
            at += run;
            in_word = true;
            continue;
        }
        if let Some(end) = url_end(content, at) {
            at = end;
            in_word = false;
            continue;
        }
        let c = content[at..].chars().next().unwrap_or(' ');
        let next = at + c.len_utf8();
        let keep = match class(c) {
            Class::Space => {
                space = chars > 0;
                in_word = false;
                false
            }
            Class::Gone => {
                in_word = false;
                false
            }
            Class::Hash => {
                in_word = false;
                true
            }
            Class::Word => {
                // A mark without its letter (an emoji that went) says nothing.
                let word = in_word || c.is_ascii() || !is_combining_mark(c);
                in_word = word;
                word
            }
            Class::Apostrophe => {
                in_word = in_word && url_end(content, next).is_none() && starts_word(&content[next..]);
                in_word
            }
        };
        if keep {
            if std::mem::take(&mut space) {
                out.push(' ');
                chars += 1;
            }
            if c == 'Σ' {
                // The one letter whose lower case depends on its place in the word.
                let last = out.chars().next_back().is_some_and(char::is_alphabetic) && !starts_word(&content[next..]);
                out.push(if last { 'ς' } else { 'σ' });
                chars += 1;
            } else {
                for lower in c.to_lowercase() {
                    out.push(lower);
                    chars += 1;
                }
            }
        }
        at = next;
    }
    chars
}

/// The number of bytes ahead that are copied as they are: lower-case ASCII letters, digits and `_`. An `h` ends the
/// run when it may open a URL.
fn plain_run(bytes: &[u8]) -> usize {
    let mut n = 0;
    while n < bytes.len() {
        let b = bytes[n];
        let plain = b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if !plain || (b == b'h' && opens_url(&bytes[n..])) {
            break;
        }
        n += 1;
    }
    n
}

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
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => Class::Word,
        '#' => Class::Hash,
        '\'' | '\u{2019}' => Class::Apostrophe,
        // Joiners shape words in several scripts; between emoji they go with them, as an apostrophe does.
        '\u{200c}' | '\u{200d}' => Class::Apostrophe,
        // Letters and digits drawn as emoji, and the marks that make an emoji of a character.
        '\u{1f100}'..='\u{1f1ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{20e3}' | '\u{e0100}'..='\u{e01ef}' => Class::Gone,
        c if c.is_whitespace() => Class::Space,
        c if c.is_ascii() => Class::Gone,
        c if c.is_alphanumeric() || is_combining_mark(c) => Class::Word,
        _ => Class::Gone,
    }
}
