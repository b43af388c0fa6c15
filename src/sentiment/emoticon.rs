//! Emoticons: faces written with punctuation, each brought to one spelling. `[pure]`

/// The emoticon at the start of `rest`, in its one spelling, and its length in bytes.
///
/// `before` is the character in front of it: `10:30` and `see:/tmp` hold no face.
pub(super) fn at(rest: &str, before: char) -> Option<(&'static str, usize)> {
    let b = rest.as_bytes();
    match b[0] {
        b'<' => heart(b),
        b':' | b';' | b'=' => face(b, before),
        b'(' | b')' if before.is_whitespace() => mirrored(b),
        b'^' => [("^_^", 3), ("^^", 2), ("^-^", 3)].iter().find(|(s, _)| rest.starts_with(s)).map(|(_, n)| (":)", *n)),
        b'-' if rest.starts_with("-_-") || rest.starts_with("-.-") => Some(("-_-", 3)),
        _ => None,
    }
}

fn heart(b: &[u8]) -> Option<(&'static str, usize)> {
    let (token, start) = if b.starts_with(b"</3") { ("</3", 3) } else { ("<3", 2) };
    if !b.starts_with(token.as_bytes()) {
        return None;
    }
    let end = start + b[start..].iter().take_while(|c| **c == b'3').count();
    // `x <30` is a comparison.
    (!b.get(end).is_some_and(u8::is_ascii_digit)).then_some((token, end))
}

fn face(b: &[u8], before: char) -> Option<(&'static str, usize)> {
    let mut mouth = 1;
    let tear = b.get(1) == Some(&b'\'');
    if matches!(b.get(1), Some(b'-' | b'\'' | b'^' | b'o' | b'~'))
        && b.get(2).is_some_and(|m| b")](}D/\\[|*pP{".contains(m))
    {
        mouth = 2;
    }
    let wink = b[0] == b';';
    let m = *b.get(mouth)?;
    let token = match m {
        b')' | b']' | b'}' if wink => ";)",
        b')' | b']' | b'}' => ":)",
        b'(' | b'[' | b'{' if tear => ":'(",
        b'(' | b'[' | b'{' => ":(",
        b'D' => ":d",
        b'p' | b'P' => ":p",
        b'/' | b'\\' => ":/",
        b'|' => ":|",
        b'o' | b'O' => ":o",
        b'*' => ":*",
        b'3' => ":3",
        _ => return None,
    };
    let end = mouth + b[mouth..].iter().take_while(|c| **c == m).count();
    let round = b"()[]{}".contains(&m);
    let followed = b.get(end).is_some_and(|c| c.is_ascii_alphanumeric() || *c == b'/' || *c >= 0x80);
    let glued = before.is_alphanumeric() && !(round && before.is_alphabetic());
    (!glued && (round || !followed)).then_some((token, end))
}

/// `(:` and `):`, between blanks only.
fn mirrored(b: &[u8]) -> Option<(&'static str, usize)> {
    let eyes = match b.get(1)? {
        b'-' | b'\'' => 2,
        _ => 1,
    };
    matches!(b.get(eyes)?, b':' | b';' | b'=').then_some(())?;
    let alone = b.get(eyes + 1).is_none_or(u8::is_ascii_whitespace);
    alone.then_some((if b[0] == b'(' { ":)" } else { ":(" }, eyes + 1))
}
