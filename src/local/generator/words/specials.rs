//! Words with something else than letters and digits in them, with the clean form that each must get. `[pure]`

/// Shown form and clean form, written down by hand.
pub(in crate::local) const SPECIALS: [(&str, &str); 27] = [
    ("state-of-the-art", "stateoftheart"),
    ("start-up", "startup"),
    ("self-driving", "selfdriving"),
    ("open-source", "opensource"),
    ("10/10", "1010"),
    ("R&D", "rd"),
    ("9:30", "930"),
    ("3,000", "3000"),
    ("1.5", "15"),
    ("C++", "c"),
    ("CC-BY", "ccby"),
    (">", ""),
    ("50%", "50"),
    ("après-midi", "aprèsmidi"),
    ("casse-tête", "cassetête"),
    ("demi-journée", "demijournée"),
    ("utilisez-vous", "utilisezvous"),
    ("mot-dièse", "motdièse"),
    ("mot-clé", "motclé"),
    ("2 < 3", "2 3"),
    ("ranked #1", "ranked #1"),
    ("<b>bold</b>", "bboldb"),
    ("<script>alert(1)</script>", "scriptalert1script"),
    ("Robert'); DROP TABLE toots;--", "robert drop table toots"),
    ("\"quoted\"", "quoted"),
    (concat!("EVCXR_BEGIN", "_CONTENT text/html"), concat!("evcxr_begin", "_content texthtml")),
    ("cafe\u{301} \u{2014} noe\u{308}l", "cafe\u{301} noe\u{308}l"),
];

/// Specials that stand alone, as an aside.
pub(in crate::local) const ASIDES: [&str; 8] = [
    "2 < 3",
    "ranked #1",
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "Robert'); DROP TABLE toots;--",
    "\"quoted\"",
    concat!("EVCXR_BEGIN", "_CONTENT text/html"),
    "cafe\u{301} \u{2014} noe\u{308}l",
];

/// The clean form of a special.
pub(in crate::local) fn clean(shown: &str) -> Option<&'static str> {
    SPECIALS.iter().find(|(special, _)| *special == shown).map(|(_, clean)| *clean)
}

/// True for a word that is its own clean form, but for its case: letters, digits, apostrophes between letters.
pub(in crate::local) fn is_plain(word: &str) -> bool {
    let letters: Vec<char> = word.chars().collect();
    letters.iter().enumerate().all(|(at, c)| match c {
        '\'' => at > 0 && at + 1 < letters.len() && letters[at + 1] != '\'' && letters[at - 1] != '\'',
        c => c.is_alphanumeric(),
    })
}
