//! What a text is made of: which characters make a word, and where an address, a name or a number ends. `[pure]`

use unicode_normalization::char::is_combining_mark;

/// Negation words: what follows them is marked.
pub(super) fn negates(word: &str) -> bool {
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

pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || is_combining_mark(c)
}

/// Scripts written without spaces: each character is a token, and the pairs make the words.
pub(super) fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

pub(super) fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1f000}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{2b00}'..='\u{2bff}' | '\u{231a}' | '\u{231b}' | '\u{23e9}'..='\u{23fa}')
}

/// What an emoji may carry without being another one: its skin tone and how it is drawn.
pub(super) fn is_variant(c: char) -> bool {
    matches!(c, '\u{fe0e}' | '\u{fe0f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

/// The end of the word at the start of `rest`: an apostrophe inside a word belongs to it.
pub(super) fn word_end(rest: &str) -> usize {
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
pub(super) fn number(rest: &str, word: usize) -> Option<usize> {
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

pub(super) fn url(rest: &str) -> Option<usize> {
    let starts = |with: &str| rest.get(..with.len()).is_some_and(|s| s.eq_ignore_ascii_case(with));
    if !(starts("http://") || starts("https://") || starts("www.")) {
        return None;
    }
    Some(rest.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"')).unwrap_or(rest.len()))
}

/// `@name` and `@name@host`.
pub(super) fn user(rest: &str) -> Option<usize> {
    let name = |from: usize| {
        let end = rest[from..].find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len() - from);
        (end > 0).then_some(from + end)
    };
    let mut end = name(1)?;
    if rest[end..].starts_with('@')
        && let Some(mut host) = name(end + 1)
    {
        while rest[host..].starts_with(['.', '-']) {
            match name(host + 1) {
                Some(further) => host = further,
                None => break,
            }
        }
        end = host;
    }
    Some(end)
}
