//! The generated timeline itself.

use spar::local::generator::{Language, Schedule, Slice, Timing, Topic, Written, words_without_clean_form};
use std::collections::{BTreeMap, HashSet};
use unicode_normalization::char::is_combining_mark;

fn slices(seed: u64, statuses: u32) -> [Slice; 2] {
    let first = Slice::after(None, seed, statuses);
    [first, Slice::after(Some(&first), seed, statuses)]
}

fn bytes(schedule: &Schedule, step: usize) -> String {
    match schedule.write(&schedule.steps[step]) {
        Written::Status(event, made) => format!("{event} {}", made.json(true)),
        Written::Delete(id, _) => format!("delete {id}"),
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_in_any_order() {
    let [first, second] = slices(7, 400);
    let (one, other) = (Schedule::of(second, Some(first)), Schedule::of(second, Some(first)));
    assert_eq!(one.steps, other.steps);
    let forth: Vec<String> = (0..one.steps.len()).map(|step| bytes(&one, step)).collect();
    let back: Vec<String> = (0..one.steps.len()).rev().map(|step| bytes(&other, step)).collect();
    assert!(forth.iter().eq(back.iter().rev()));
    let [elsewhere, _] = slices(8, 400);
    assert_ne!(bytes(&Schedule::of(first, None), 0), bytes(&Schedule::of(elsewhere, None), 0));
}

#[test]
fn every_word_of_the_vocabulary_has_a_clean_form() {
    assert_eq!(words_without_clean_form(), Vec::<&str>::new());
}

#[test]
fn ids_are_unique_have_eighteen_digits_and_hold_the_time() {
    let mut ids = HashSet::new();
    for slice in slices(42, 20_000) {
        for index in 0..slice.statuses {
            let plan = slice.plan(index);
            assert!(ids.insert(plan.id), "{} came twice", plan.id);
            assert_eq!(plan.id.to_string().len(), 18);
            let expected = if plan.timing == Timing::Future { plan.arrival } else { plan.created };
            assert_eq!((plan.id >> 16) as i64, expected);
        }
    }
}

#[test]
fn times_keep_to_their_kind() {
    const MINUTE: i64 = 60_000;
    let mut kinds = BTreeMap::new();
    for slice in slices(42, 20_000) {
        let mut last = 0;
        for index in 0..slice.statuses {
            let plan = slice.plan(index);
            assert!(plan.arrival >= last && (slice.start..slice.end()).contains(&plan.arrival));
            last = plan.arrival;
            let behind = plan.arrival - plan.created;
            match plan.timing {
                Timing::Ordinary => assert!((0..30 * MINUTE).contains(&behind)),
                Timing::Late => assert!((24 * 60 * MINUTE..=73 * 60 * MINUTE).contains(&behind)),
                Timing::Future => {
                    let made = slice.status(&plan, plan.first, None);
                    assert!(made.label.created_at[..4].parse::<u32>().unwrap() >= 2100);
                }
            }
            for event in &plan.changes {
                // Nothing lies between what is surely in time and what is surely late.
                let after = event.at - plan.arrival;
                assert!(!(30 * MINUTE..6 * 60 * MINUTE).contains(&after), "a change comes after {after} ms");
            }
            *kinds.entry(format!("{:?}", plan.timing)).or_insert(0) += 1;
        }
    }
    assert!(kinds["Late"] > 200 && kinds["Future"] > 100, "{kinds:?}");
}

#[test]
fn languages_hours_and_authors_are_spread_as_in_life() {
    let [slice, _] = slices(42, 20_000);
    let (mut languages, mut hours, mut authors) = (BTreeMap::new(), [0; 24], BTreeMap::new());
    for index in 0..slice.statuses {
        let plan = slice.plan(index);
        *languages.entry(plan.first.language.code()).or_insert(0) += 1;
        hours[(plan.arrival / 3_600_000 % 24) as usize] += 1;
        *authors.entry(plan.author).or_insert(0) += 1;
    }
    for code in [Language::En, Language::Fr, Language::De, Language::Es, Language::Ja, Language::ZhTw, Language::PtBr] {
        assert!(languages[&code.code()] > 100, "{code:?}: {languages:?}");
    }
    assert!(languages[&None] > 500 && languages[&Some("en")] > 10_000, "{languages:?}");
    let (busy, quiet) = (hours.iter().max().unwrap(), hours.iter().min().unwrap());
    assert!(*busy > 2 * quiet, "{hours:?}");
    let mut counts: Vec<i32> = authors.values().copied().collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    assert!(counts.len() > 2000 && counts[0] > 20 * counts[counts.len() / 2], "{:?}", &counts[..5]);
}

/// The contract's cleaning, written once more for this test alone.
fn cleaned(readable: &str) -> String {
    let words = readable.to_lowercase();
    let words = words.split_whitespace().map(|word| match word.find("http://").or(word.find("https://")) {
        Some(at) => &word[..at],
        None => word,
    });
    let keep = |word: &str| {
        let letters: Vec<char> = word.chars().collect();
        let inside = |at: usize| at > 0 && at + 1 < letters.len();
        let is_letter = |c: char| c.is_alphanumeric() || (is_combining_mark(c) && c != '\u{fe0f}');
        let keeps = |at: usize| match letters[at] {
            '\'' | '’' => inside(at) && is_letter(letters[at - 1]) && is_letter(letters[at + 1]),
            c => is_letter(c) || matches!(c, '_' | '#'),
        };
        (0..letters.len()).filter(|at| keeps(*at)).map(|at| letters[at]).collect::<String>()
    };
    words.map(keep).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Text of HTML, for this test alone: the generator's HTML is well formed.
fn readable(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let end = rest[at..].find('>').unwrap() + at;
        text.push_str(&rest[..at]);
        if rest[at..].starts_with("<br") || rest[at..].starts_with("</p") {
            text.push('\n');
        }
        rest = &rest[end + 1..];
    }
    text.push_str(rest);
    for (entity, shown) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&nbsp;", "\u{a0}")] {
        text = text.replace(entity, shown);
    }
    text.replace("&amp;", "&")
}

#[test]
fn html_readable_and_clean_text_say_the_same() {
    let [slice, _] = slices(5, 6000);
    let mut moods = BTreeMap::new();
    let mut texts = HashSet::new();
    for index in 0..slice.statuses {
        let plan = slice.plan(index);
        for (edited, version) in plan.versions() {
            let made = slice.status(&plan, version, edited);
            let json: serde_json::Value = serde_json::from_str(&made.json(true)).unwrap();
            let html = json["content"].as_str().unwrap();
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&readable(html)), words(&made.label.content), "{html}");
            assert_eq!(cleaned(&made.label.content), made.label.text, "{}", made.label.content);
            *moods.entry(made.label.mood).or_insert(0) += 1;
            texts.insert(made.label.text);
        }
    }
    assert!(moods.values().all(|count| *count > 1000), "{moods:?}");
    assert!(texts.len() > 5800, "only {} different texts", texts.len());
}

/// The keyword list of the contract, matched the slow way.
fn holds_keyword(label_tags: &str, content: &str) -> bool {
    const TAGS: &str = "AI,ArtificialIntelligence,MachineLearning,DeepLearning,NLP,ReinforcementLearning,ComputerVision,\
        NeuralNetworks,GenerativeAI,SupervisedLearning,UnsupervisedLearning,TensorFlow,PyTorch,OpenAI,HuggingFace,\
        ChatGPT,GPT4,MLOps,DataEngineering,Robotics,SelfDrivingCars,AIArt,AIinHealthcare,AIAssistant,Automation,\
        RecommendationSystems,SpeechRecognition,AIEthics,AIConference,AIResearch";
    let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
    if label_tags.split(',').any(|tag| TAGS.split(',').any(|keyword| same(tag, keyword))) {
        return true;
    }
    let text = content.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
    let bounded = |at: usize, name: &str| {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        [before, after].into_iter().flatten().all(|c| !c.is_alphanumeric() && c != '_')
    };
    let names = ["sam altman", "elon musk", "andrew ng", "chat gpt", "chatgpt"];
    names.iter().any(|name| text.match_indices(name).any(|(at, _)| bounded(at, name)))
}

#[test]
fn a_label_says_keyword_exactly_when_the_text_or_the_tags_hold_one() {
    let [slice, _] = slices(11, 8000);
    let mut topics = BTreeMap::new();
    for index in 0..slice.statuses {
        let plan = slice.plan(index);
        let label = slice.status(&plan, plan.first, None).label;
        assert_eq!(label.keyword, plan.first.topic == Topic::Keyword, "{}", label.content);
        assert_eq!(
            label.keyword,
            holds_keyword(&label.hashtags, &label.content),
            "{} {}",
            label.content,
            label.hashtags
        );
        *topics.entry(format!("{:?}", plan.first.topic)).or_insert(0) += 1;
    }
    assert!(topics.values().all(|count| *count > 600), "{topics:?}");
}

#[test]
fn statuses_come_with_everything_that_real_ones_have() {
    let [slice, _] = slices(3, 4000);
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for index in 0..slice.statuses {
        let plan = slice.plan(index);
        let made = slice.status(&plan, plan.first, None);
        let json: serde_json::Value = serde_json::from_str(&made.json(false)).unwrap();
        let account = &json["account"];
        let content = json["content"].as_str().unwrap();
        let note = account["note"].as_str().unwrap().to_lowercase();
        let traits = [
            ("media", !json["media_attachments"].as_array().unwrap().is_empty()),
            (
                "media being processed",
                json["media_attachments"][0]["url"].is_null() && json["media_attachments"][0].is_object(),
            ),
            ("poll", json["poll"].is_object()),
            ("hidden totals", json["poll"].is_object() && json["poll"]["voters_count"].is_null()),
            ("card", json["card"].is_object()),
            ("spoiler", json["spoiler_text"] != ""),
            ("reply", json["in_reply_to_id"].is_string()),
            ("bot", account["bot"] == true),
            ("no bot, please", note.contains("nobot</span>") || note.contains("noindex</span>")),
            ("no index", account["noindex"] == true),
            ("unlisted", json["visibility"] == "unlisted"),
            ("private", json["visibility"] == "private"),
            ("mention", !json["mentions"].as_array().unwrap().is_empty()),
            ("link", content.contains("target=\"_blank\"")),
            ("entity", content.contains("&#39;") && content.contains("&amp;") || content.contains("&lt;")),
            ("custom emoji", !json["emojis"].as_array().unwrap().is_empty()),
            ("no url", json["url"].is_null()),
            ("remote", account["acct"].as_str().unwrap().contains('@')),
            ("other software", !content.starts_with("<p>") && !content.is_empty()),
        ];
        for (name, has) in traits {
            *seen.entry(name).or_default() += usize::from(has);
        }
        assert!(json["reblog"].is_null() && json.get("filtered").is_none());
    }
    assert!(seen.values().all(|count| *count > 0), "{seen:?}");
}
