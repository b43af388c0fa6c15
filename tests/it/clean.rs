use proptest::prelude::*;
use spar::stream::{clean, text_length};

#[test]
fn the_contracts_vectors_come_out_as_required() {
    // The texts are those of the contract after the one removal of HTML, which is partie1's.
    for (input, expected, length) in [
        ("I'm SO happy!  See https://example.org/x?y=1 now #AI", "i'm so happy see now #ai", 24),
        ("Hello #AI https://example.org/x and more", "hello #ai and more", 18),
        ("Hello\n\nWorld", "hello world", 11),
        ("2 < 3 and 5 > 4", "2 3 and 5 4", 11),
        ("HTTPD server", "httpd server", 12),
        ("Un café à Paris", "un café à paris", 15),
        ("日本語 #AI", "日本語 #ai", 7),
    ] {
        assert_eq!(clean(input), expected, "{input}");
        assert_eq!(text_length(&clean(input)), length, "{input}");
    }
}

#[test]
fn words_keep_their_apostrophes_marks_and_scripts() {
    for (input, expected) in [
        ("Don't", "don't"),
        ("L’été", "l’été"),
        ("'quoted' words'", "quoted words"),
        ("e\u{301}te\u{301}", "e\u{301}te\u{301}"),
        ("Привет, мир!", "привет мир"),
        ("नमस्ते दुनिया", "नमस्ते दुनिया"),
        ("می‌خواهم", "می‌خواهم"),
        ("ΟΔΟΣ ΣΑΣ", "οδος σας"),
        ("İstanbul", "i\u{307}stanbul"),
        ("snake_case 3²", "snake_case 3²"),
        ("re-use, now", "reuse now"),
        ("a''b", "ab"),
    ] {
        assert_eq!(clean(input), expected, "{input}");
    }
}

#[test]
fn urls_go_and_their_neighbours_stay() {
    for (input, expected) in [
        ("see HTTPS://Example.org/A?b#c now", "see now"),
        ("http://a.example", ""),
        ("voirhttps://a.example puis", "voir puis"),
        ("<https://a.example> ok", "ok"),
        ("h http:/ https httpx://y", "h http https httpxy"),
        ("l'https://a.example b", "l b"),
        ("one https://a.example\u{a0}two", "one two"),
    ] {
        assert_eq!(clean(input), expected, "{input}");
    }
}

#[test]
fn emoji_go_without_leaving_spaces_or_joiners() {
    for (input, expected) in [
        ("ok 👍🏽 go", "ok go"),
        ("❤\u{fe0f}love👩\u{200d}💻", "love"),
        ("1\u{fe0f}\u{20e3} 🅰\u{fe0f} 🇫🇷", "1"),
        ("🎉", ""),
    ] {
        assert_eq!(clean(input), expected, "{input}");
    }
}

proptest! {
    #[test]
    fn cleaning_twice_changes_nothing_more(text in "\\PC*") {
        let once = clean(&text);
        // A final sigma and dropped characters may bring letters together; a second pass sees the same letters.
        let twice = clean(&once);
        prop_assert_eq!(text_length(&twice), text_length(&once), "{:?} {:?}", once, twice);
    }

    #[test]
    fn a_clean_text_has_single_spaces_and_no_capital(text in ".{0,60}( |\t|\n|\u{a0}|A|É|#|')*.{0,60}") {
        let clean = clean(&text);
        prop_assert!(!clean.starts_with(' ') && !clean.ends_with(' ') && !clean.contains("  "), "{clean:?}");
        prop_assert!(!clean.chars().any(|c| c.is_ascii_uppercase()), "{clean:?}");
        prop_assert!(!clean.chars().any(|c| c.is_ascii_punctuation() && !"#_'".contains(c)), "{clean:?}");
    }
}
