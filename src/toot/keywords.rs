//! Which toots are about artificial intelligence: whole tags and whole names, ignoring case. `[pure]`

use std::borrow::Cow;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The project's keywords, in its order: 30 tags and 6 names.
pub const KEYWORDS: [&str; 36] = [
    "#AI",
    "#ArtificialIntelligence",
    "#MachineLearning",
    "#DeepLearning",
    "#NLP",
    "#ReinforcementLearning",
    "#ComputerVision",
    "#NeuralNetworks",
    "#GenerativeAI",
    "#SupervisedLearning",
    "#UnsupervisedLearning",
    "#TensorFlow",
    "#PyTorch",
    "#OpenAI",
    "#HuggingFace",
    "#ChatGPT",
    "#GPT4",
    "#MLOps",
    "#DataEngineering",
    "#Robotics",
    "#SelfDrivingCars",
    "#AIArt",
    "#AIinHealthcare",
    "#AIAssistant",
    "#Automation",
    "#RecommendationSystems",
    "#SpeechRecognition",
    "Sam Altman",
    "Elon Musk",
    "Andrew Ng",
    "#AIEthics",
    "#AIConference",
    "#AIResearch",
    "Chat gpt",
    "chatgpt",
    "Sam altman",
];

/// The keywords, prepared once.
#[derive(Clone, Debug)]
pub struct Keywords {
    /// Folded tag → the keyword as it is written.
    tags: HashMap<String, String>,
    /// The folded words of a name, and the keyword as it is written.
    names: Vec<(Vec<String>, String)>,
}

impl Keywords {
    /// The project's 36 keywords and `extra` ones; those that begin with `#` are tags, the others names.
    pub fn new(extra: &[String]) -> Self {
        let mut this = Self { tags: HashMap::new(), names: Vec::new() };
        for keyword in KEYWORDS.into_iter().chain(extra.iter().map(String::as_str)) {
            let keyword = keyword.trim();
            if let Some(tag) = keyword.strip_prefix('#') {
                let tag = fold(tag);
                if !tag.is_empty() {
                    this.tags.entry(tag).or_insert_with(|| keyword.to_owned());
                }
                continue;
            }
            let name: Vec<String> = words(keyword).map(|(at, word)| fold(&keyword[at..at + word])).collect();
            if !name.is_empty() && this.names.iter().all(|(known, _)| *known != name) {
                this.names.push((name, keyword.to_owned()));
            }
        }
        this
    }

    /// The first keyword that the toot holds: among its structured `tags`, then the tags of `text`, then its words.
    ///
    /// Tags are compared whole, names on word boundaries and across any white space; addresses are no words.
    ///
    /// ```
    /// # use spar::toot::Keywords;
    /// let keywords = Keywords::new(&[]);
    /// assert_eq!(keywords.found("Elon  Musk's rocket", &[]), Some("Elon Musk"));
    /// assert_eq!(keywords.found("rain over the #airport", &[]), None);
    /// ```
    pub fn found(&self, text: &str, tags: &[String]) -> Option<&str> {
        let known = |tag: &str| self.tags.get(&fold(tag.trim_start_matches('#'))).map(String::as_str);
        if let Some(keyword) = tags.iter().find_map(|tag| known(tag)) {
            return Some(keyword);
        }
        let text = without_addresses(text);
        tags_in(&text).into_iter().find_map(known).or_else(|| self.name_in(&text))
    }

    fn name_in(&self, text: &str) -> Option<&str> {
        let words: Vec<(usize, usize)> = words(text).collect();
        for start in 0..words.len() {
            for (name, keyword) in &self.names {
                let Some(found) = words.get(start..start + name.len()) else { continue };
                let same = found.iter().zip(name).all(|(&(at, length), word)| folds_to(&text[at..at + length], word));
                if same && found.windows(2).all(|pair| is_blank(&text[pair[0].0 + pair[0].1..pair[1].0])) {
                    return Some(keyword);
                }
            }
        }
        None
    }
}

/// The toot's tags, once each ignoring case, as first written: the structured ones, then those only `text` has.
pub fn all_tags(structured: impl IntoIterator<Item = String>, text: &str) -> Vec<String> {
    let mut seen = Vec::new();
    let mut tags = Vec::new();
    let text = without_addresses(text);
    let in_text = tags_in(&text).into_iter().map(str::to_owned);
    for tag in structured.into_iter().map(|tag| tag.trim().trim_start_matches('#').to_owned()).chain(in_text) {
        let folded = fold(&tag);
        if !folded.is_empty() && !seen.contains(&folded) {
            seen.push(folded);
            tags.push(tag);
        }
    }
    tags
}

/// The tags written in `text`, without their `#`, in order.
pub(crate) fn tags_in(text: &str) -> Vec<&str> {
    let mut tags = Vec::new();
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        if matches!(c, '#' | '＃') && !(before.is_alphanumeric() || matches!(before, '/' | '=' | ')')) {
            let rest = &text[at + c.len_utf8()..];
            let end = rest.find(|c: char| !in_tag(c)).unwrap_or(rest.len());
            let tag = rest[..end].trim_end_matches(['·', '・', '\u{200c}']);
            // A number alone is no tag.
            if tag.chars().any(|c| c.is_alphabetic() || c == '_') {
                tags.push(tag);
            }
        }
        before = c;
    }
    tags
}

fn in_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || (!c.is_ascii() && is_combining_mark(c))
}

fn in_tag(c: char) -> bool {
    in_word(c) || matches!(c, '·' | '・' | '\u{200c}')
}

/// The start and length, in bytes, of each word.
fn words(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text[at..].find(in_word)?;
        let length = text[start..].find(|c| !in_word(c)).unwrap_or(text.len() - start);
        at = start + length;
        Some((start, length))
    })
}

fn is_blank(text: &str) -> bool {
    text.chars().all(char::is_whitespace)
}

/// Compatibility forms and case made one.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.nfkc().flat_map(char::to_lowercase).collect() }
}

fn folds_to(word: &str, folded: &str) -> bool {
    if word.is_ascii() { word.eq_ignore_ascii_case(folded) } else { fold(word) == folded }
}

/// `text` with each web address replaced by a space.
fn without_addresses(text: &str) -> Cow<'_, str> {
    if !text.contains("://") {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(colon) = rest.find("://") {
        let head = &rest[..colon];
        let scheme = ["https", "http"].into_iter().find(|s| {
            head.len() >= s.len() && head.as_bytes()[head.len() - s.len()..].eq_ignore_ascii_case(s.as_bytes())
        });
        let Some(scheme) = scheme else {
            out.push_str(&rest[..colon + 3]);
            rest = &rest[colon + 3..];
            continue;
        };
        out.push_str(&head[..head.len() - scheme.len()]);
        out.push(' ');
        rest = &rest[colon..];
        rest = &rest[rest.find(char::is_whitespace).unwrap_or(rest.len())..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}
