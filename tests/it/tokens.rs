use proptest::prelude::*;
use spar::sentiment::{Corpus, NEGATED, Sentiment, Vectors, decode_entities, tokens, vector};
use std::sync::Arc;

fn words(text: &str) -> String {
    tokens(text).iter().collect::<Vec<_>>().join(" ")
}

#[test]
fn placeholders_stand_for_addresses_people_and_numbers() {
    assert_eq!(words("see https://example.org/a?b=1&c=2 and www.example.org"), "see <url> and <url>");
    assert_eq!(words("@ana and @bob@mastodon.example.org: hello"), "<user> and <user> hello");
    assert_eq!(words("12 of 1,000 at 10:30, 50% of 3.5"), "<num> of <num> at <num> <num> of <num>");
    assert_eq!(words("2nd gr8 gpt4"), "2nd gr8 gpt4");
    assert_eq!(words("mail me@example.org"), "mail me example org");
}

#[test]
fn the_same_sentence_from_a_tweet_and_from_a_toot_gives_the_same_tokens() {
    let tweet = "@bob I don&#39;t think it&amp;that works &lt;3 http://t.co/x &quot;really&quot;!!!!";
    let toot = "@alice@example.social I don’t think it&that works <3 https://example.org/long \"really\"!!!!";
    assert_eq!(words(tweet), words(toot));
    assert_eq!(vector(tweet), vector(toot));
}

#[test]
fn an_apostrophe_inside_a_word_belongs_to_it() {
    assert_eq!(words("don't DON’T"), "don't don't");
    assert_eq!(words("'quoted' rock'n'roll, j’aime"), "quoted rock'n'roll j'aime");
}

#[test]
fn a_negation_marks_the_next_three_words_up_to_punctuation() {
    assert_eq!(words("not one two three four"), "not NOT_one NOT_two NOT_three four");
    assert_eq!(words("I don't like, it"), "i don't NOT_like it");
    assert_eq!(words("never! again"), "never ! again");
    assert_eq!(words("je n'aime pas ça du tout"), "je n'aime pas NOT_ça NOT_du NOT_tout");
    assert_eq!(words("sans plus attendre"), "sans plus NOT_attendre");
    assert_eq!(words("plus de soleil"), "plus de soleil");
}

#[test]
fn repeats_are_cut_and_capitals_lowered() {
    assert_eq!(words("SOOOOOO coool"), "sooo coool");
    assert_eq!(words("wow!!!!!! what??? eh?!?! ok... fine. A"), "wow !! what ?? eh !? ok ... fine a");
}

#[test]
fn emoji_and_emoticons_are_tokens() {
    assert_eq!(words("good 👍🏽👍 job"), "good 👍 👍 job");
    assert_eq!(words("family 👨‍👩‍👧 ❤️"), "family 👨‍👩‍👧 ❤");
    assert_eq!(words("yes :) :-)) =D ;) :( :'( :-/ (: <3 </3"), "yes :) :) :d ;) :( :'( :/ :) <3 </3");
    assert_eq!(words("great:) 10:30 a:b http://x.y/:/ ratio 4:3"), "great :) <num> a b <url> ratio <num>");
}

#[test]
fn a_tag_is_kept_as_such_and_as_its_words() {
    assert_eq!(words("#MachineLearning #ai #GPT4Now"), "#machinelearning machine learning #ai ai #gpt4now gpt now");
    assert_eq!(words("#1 # alone"), "#1 alone");
}

#[test]
fn accents_and_other_scripts_stay() {
    assert_eq!(words("Un CAFÉ à Paris"), "un café à paris");
    assert_eq!(words("cafe\u{301}"), "café");
    assert_eq!(words("日本 #AI"), "日 本 #ai ai");
    assert_eq!(words("हिन्दी"), "हिन्दी");
}

#[test]
fn entities_are_decoded_once_and_unknown_ones_stay() {
    assert_eq!(decode_entities("a &amp;lt; b &#233;&#xe9; &bogus; & &"), "a &lt; b éé &bogus; & &");
    assert_eq!(decode_entities("&#0;&#99999999;"), " &#99999999;");
}

#[test]
fn one_text_alone_and_within_a_corpus_has_the_same_numbers() {
    let texts = ["I love it :)", "not good at all", "meh", "I love it :)"];
    let mut corpus = Corpus::default();
    texts.iter().for_each(|t| corpus.push(Sentiment::Positive, t));
    let vectors = Vectors::new(Arc::new(corpus));
    for (row, text) in texts.iter().enumerate() {
        assert_eq!(vectors.vector(row), vector(text), "{text}");
    }
    assert_eq!(vectors.duplicates, 1);
}

proptest! {
    #[test]
    fn any_text_is_read_without_failing(text in "\\PC{0,200}") {
        let once = tokens(&text);
        prop_assert!(once.iter().all(|t| !t.is_empty() && !t.contains(char::is_whitespace)));
        prop_assert_eq!(&once, &tokens(&text));
    }

    #[test]
    fn case_changes_no_word(text in "[a-zA-Z ,!]{0,80}") {
        prop_assert_eq!(words(&text.to_lowercase()), words(&text));
    }

    #[test]
    fn only_a_negation_marks_words(text in "(good|bad|day|sun| |,|!|#x|:\\)){0,30}") {
        prop_assert!(!words(&text).contains(NEGATED));
    }
}
