use proptest::prelude::*;
use spar::toot::{KEYWORDS, Keywords, all_tags};

fn found(text: &str) -> bool {
    Keywords::new(&[]).found(text, &[]).is_some()
}

fn tag(name: &str) -> bool {
    Keywords::new(&[]).found("", &[name.to_owned()]).is_some()
}

/// One letter up, one down.
fn mixed(text: &str) -> String {
    text.char_indices().map(|(i, c)| if i % 2 == 0 { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect()
}

#[test]
fn each_of_the_36_keywords_alone_matches_in_any_case() {
    assert_eq!(KEYWORDS.len(), 36);
    assert_eq!(KEYWORDS.iter().filter(|k| k.starts_with('#')).count(), 30);
    for keyword in KEYWORDS {
        for form in [keyword.to_owned(), keyword.to_uppercase(), keyword.to_lowercase(), mixed(keyword)] {
            assert!(found(&form), "{form} alone");
            assert!(found(&format!("avant {form}, après")), "{form} in a sentence");
            if let Some(name) = form.strip_prefix('#') {
                assert!(tag(name), "{name} as a structured tag");
            }
        }
    }
}

#[test]
fn a_keyword_inside_another_word_does_not_match() {
    for trap in [
        "#airport",
        "#aid",
        "#ais",
        "#AI_Act",
        "rain and aid",
        "AI without its mark",
        "OpenAI",
        "TensorFlow",
        "Elon Muskrat",
        "Felon Musk",
        "elon_musk",
        "Elon. Musk",
        "Sam, Altman",
        "chat-gpt",
        "chatgpts",
        "xchatgpt",
        "https://example.org/page#AI",
        "https://example.org/#AI",
        "https://chatgpt.com/share",
        "mail=#AI",
        "word#AI",
    ] {
        assert!(!found(trap), "{trap}");
    }
    for trap in ["airport", "aid", "ais", "ai_", "elon musk"] {
        assert!(!tag(trap), "{trap} as a structured tag");
    }
}

#[test]
fn a_name_matches_on_word_boundaries_across_any_white_space() {
    for text in [
        "Elon Musk's rocket",
        "(Elon Musk)",
        "elon\u{a0}musk",
        "Elon\n  MUSK!",
        "ELON\tMUSK",
        "Andrew Ng.",
        "@elon musk",
        "Chat   GPT",
        "ChatGPT, encore",
    ] {
        assert!(found(text), "{text:?}");
    }
}

#[test]
fn a_tag_stands_between_any_marks() {
    for text in ["#AI!", "(#AI)", "…#AI,", "日本語 #AI", "#ai\n", "“#Ai”", "＃AI", "#ＡＩ", "##AI", "🤖#AI🤖"]
    {
        assert!(found(text), "{text:?}");
    }
}

#[test]
fn keywords_of_the_user_are_added_and_the_36_stay() {
    let keywords = Keywords::new(&["#Rust".into(), "Ada  Lovelace".into(), "#".into(), " ".into()]);
    assert_eq!(keywords.found("j'aime #rust", &[]), Some("#Rust"));
    assert_eq!(keywords.found("ADA Lovelace’s notes", &[]), Some("Ada  Lovelace"));
    assert_eq!(keywords.found("#ai", &[]), Some("#AI"));
    assert_eq!(keywords.found("rust", &[]), None);
}

#[test]
fn structured_tags_come_first_and_each_tag_once_as_it_was_written() {
    let tags = all_tags(["ai".into(), "#Été".into(), "AI".into(), String::new()], "Un #AI d'#ÉTÉ et #Rust #rust #2024");
    assert_eq!(tags, ["ai", "Été", "Rust"]);
}

#[test]
fn a_structured_tag_wins_over_the_text() {
    let keywords = Keywords::new(&[]);
    assert_eq!(keywords.found("#AI and Elon Musk", &["nlp".into()]), Some("#NLP"));
    assert_eq!(keywords.found("Elon Musk and #AI", &["cats".into()]), Some("#AI"));
}

proptest! {
    #[test]
    fn any_text_is_searched_without_harm_and_its_own_tags_are_found_again(text in "\\PC*") {
        let keywords = Keywords::new(&[]);
        let direct = keywords.found(&text, &[]).is_some();
        let tags = all_tags([], &text);
        if keywords.found("", &tags).is_some() {
            prop_assert!(direct);
        }
        for tag in &tags {
            prop_assert!(!tag.contains('#') && !tag.chars().any(char::is_whitespace));
        }
    }

    #[test]
    fn letters_glued_to_a_keyword_hide_it(letter in "[a-z]", keyword in 0usize..36) {
        let word = KEYWORDS[keyword];
        let glued = format!("{word}{letter}");
        let known = KEYWORDS.iter().any(|k| k.eq_ignore_ascii_case(&glued));
        prop_assert_eq!(found(&glued), known);
    }
}
