//! The name under which a tag is filed: `Été` and `ete` are one. `[pure]`

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Compatibility form, lower case, Latin accents folded, everything but letters, digits, `_`, `·` and the
/// non-joiner dropped.
pub(super) fn normalised(tag: &str) -> String {
    let lower = tag.nfkc().collect::<String>().to_lowercase();
    let mut name = String::with_capacity(lower.len());
    let mut after_latin = false;
    for c in lower.nfd() {
        if is_combining_mark(c) {
            // Accents go from Latin letters only; elsewhere a mark makes another letter.
            if !after_latin {
                name.push(c);
            }
        } else if c.is_alphanumeric() || matches!(c, '_' | '·' | '\u{200c}') {
            after_latin = c.is_ascii_alphabetic();
            name.push(c);
        }
    }
    name.nfc().collect()
}
