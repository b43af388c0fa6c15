use proptest::prelude::*;
use serde_json::{Value, json};
use spar::toot::{Change, Keywords, Message, Refusal, Status, Verdict, html_to_text, judge};

/// The contract's fields, in its order.
pub const FIELDS: [&str; 16] = [
    "id",
    "created_at",
    "content",
    "user_id",
    "username",
    "acct",
    "display_name",
    "visibility",
    "reblogs_count",
    "favourites_count",
    "tags",
    "language",
    "replies_count",
    "followers_count",
    "following_count",
    "statuses_count",
];

fn text(html: &str, expected: &str) {
    assert_eq!(html_to_text(html), expected, "{html}");
}

#[test]
fn the_contracts_vectors_keep_every_word() {
    text(
        "<p>I'm SO happy!  See https://example.org/x?y=1 now #AI</p>",
        "I'm SO happy! See https://example.org/x?y=1 now #AI",
    );
    text("<p>Hello <a>#AI</a> <a>https://example.org/x</a> and more</p>", "Hello #AI https://example.org/x and more");
    text("<p>Hello</p><p>World</p>", "Hello\nWorld");
    text("2 < 3 and 5 > 4", "2 < 3 and 5 > 4");
    text("<p>HTTPD server</p>", "HTTPD server");
    text("<p>Un café à Paris</p>", "Un café à Paris");
    text("<p>日本語 #AI</p>", "日本語 #AI");
}

#[test]
fn blocks_and_breaks_separate_and_inline_tags_do_not() {
    text("<p>Hello</p><p>#AI</p>", "Hello\n#AI");
    text("#<span>AI</span>", "#AI");
    text("un<br>deux<br />trois", "un\ndeux\ntrois");
    text("<ul><li>a</li><li>b</li></ul>c", "a\nb\nc");
    text("a<div>b</div>c", "a\nb\nc");
    text("in<b>sé</b><i>pa</i>rable", "inséparable");
    text("<blockquote>cité</blockquote>dit", "cité\ndit");
    text("<pre>a\n  b</pre>", "a\nb");
    text("  <p>  x   y\n z </p>  ", "x y z");
}

#[test]
fn entities_are_decoded_once() {
    text("Tom &amp; Jerry &lt;b&gt; &#39;hi&#39; &quot;q&quot;", "Tom & Jerry <b> 'hi' \"q\"");
    text("&amp;amp; &amp;lt;p&amp;gt;", "&amp; &lt;p&gt;");
    text("a&nbsp;b", "a\u{a0}b");
}

#[test]
fn a_link_gives_its_whole_address_a_mention_and_a_tag_their_text() {
    text(
        r#"<p>Lire <a href="https://www.example.org/a/very/long/path?x=1&amp;y=2" target="_blank" rel="nofollow noopener" translate="no"><span class="invisible">https://www.</span><span class="ellipsis">example.org/a/very/long/path?x</span><span class="invisible">=1&amp;y=2</span></a> vite</p>"#,
        "Lire https://www.example.org/a/very/long/path?x=1&y=2 vite",
    );
    text(
        r#"<p><span class="h-card" translate="no"><a href="https://example.org/@ana" class="u-url mention">@<span>ana</span></a></span> <a href="https://example.org/tags/AI" class="mention hashtag" rel="tag">#<span>AI</span></a>!</p>"#,
        "@ana #AI!",
    );
    text(r#"<a href="https://example.org/">lis ceci</a>"#, "lis ceci https://example.org/");
    text(r#"<a href="javascript:alert(1)">clic</a>"#, "clic");
    text(r#"<a href="https://example.org/x">example.org/x"#, "https://example.org/x");
}

#[test]
fn words_beside_an_address_stay_apart_from_it() {
    let link = r#"<a href="https://example.org/x">example.org/x</a>"#;
    text(&format!("avant{link}après"), "avant https://example.org/x après");
    text(&format!("({link}), suite"), "(https://example.org/x), suite");
    text(&format!("{link}.<b>Suite</b>"), "https://example.org/x. Suite");
    text(&format!("{link},suite"), "https://example.org/x ,suite");
    text(&format!("<p>{link}</p>fin"), "https://example.org/x\nfin");
}

#[test]
fn what_nobody_reads_is_dropped() {
    text("a<script>alert('x')</script>b<style>p{}</style>c", "abc");
    text("a<svg><text>x</text></svg>b<math><mi>x</mi></math>c<iframe>x</iframe>d<!-- x -->e", "abcde");
    text("a<svg/>b", "ab");
    text("a\u{0}b", "ab");
}

#[test]
fn hostile_markup_ends() {
    text(&"<div>".repeat(100_000), "");
    text(&"<a href='https://e.org'>".repeat(3), "https://e.org https://e.org https://e.org");
    text("<p", "");
    text("<<<>>>", "<<<>>>");
}

proptest! {
    #[test]
    fn escaped_text_comes_back_with_its_white_space_folded(words in prop::collection::vec("[^\\s\\p{C}]{1,8}", 0..8)) {
        let plain = words.join(" ");
        let escaped = plain.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        prop_assert_eq!(html_to_text(&format!("<p>{escaped}</p>")), plain);
    }

    #[test]
    fn any_html_gives_text_without_padding(html in "\\PC*") {
        let text = html_to_text(&html);
        prop_assert_eq!(text.trim_matches([' ', '\n']), text.as_str());
    }
}

fn status() -> Value {
    json!({
        "id": "117024236332527350", "created_at": "2024-10-10T11:17:26.5Z", "edited_at": null,
        "content": "<p>Un café avec <a href=\"https://e.org/tags/AI\" class=\"mention hashtag\">#<span>AI</span></a></p>",
        "visibility": "public", "language": "fr", "url": null, "uri": "https://e.org/1", "sensitive": false,
        "spoiler_text": "", "in_reply_to_id": null, "reblogs_count": 1, "favourites_count": 2, "replies_count": 3,
        "tags": [{"name": "ai", "url": "https://e.org/tags/ai"}], "reblog": null, "poll": null, "unknown": {"x": [1]},
        "account": {
            "id": 42, "username": "ana", "acct": "ana@example.org", "display_name": "Ana", "note": "<p>Bonjour</p>",
            "fields": [], "bot": false, "followers_count": 4, "following_count": 5, "statuses_count": 6
        }
    })
}

fn parsed(value: &Value) -> Status {
    serde_json::from_value(value.clone()).unwrap()
}

fn message(value: &Value) -> Value {
    let status = parsed(value);
    let Verdict::Kept { text, tags } = judge(&status, &Keywords::new(&[])) else { panic!("not kept") };
    let json = Message::kept(status, text, tags, Change::New, "local").unwrap().to_json().unwrap();
    serde_json::from_slice(&json).unwrap()
}

/// The keys of a JSON object as they are written.
fn keys(json: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(json).unwrap();
    let object: Value = serde_json::from_str(text).unwrap();
    let mut keys: Vec<String> = object.as_object().unwrap().keys().cloned().collect();
    keys.sort_by_key(|key| text.find(&format!("\"{key}\":")).unwrap());
    keys
}

#[test]
fn a_message_has_the_16_fields_in_order_with_their_values() {
    let status = parsed(&status());
    let json = Message::kept(status, "Un café avec #AI".into(), vec!["ai".into()], Change::New, "local")
        .unwrap()
        .to_json()
        .unwrap();
    assert_eq!(keys(&json)[..16], FIELDS);
    assert!(String::from_utf8(json.clone()).unwrap().contains("café"), "characters are not escaped");
    let value: Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(value["id"], "117024236332527350");
    assert_eq!(value["created_at"], "2024-10-10T11:17:26.5+00:00");
    assert_eq!(value["user_id"], "42");
    assert_eq!(value["tags"], json!(["ai"]));
    assert_eq!((&value["event"], &value["source"]), (&json!("update"), &json!("local")));
    for (field, expected) in
        [("reblogs_count", 1), ("favourites_count", 2), ("replies_count", 3), ("statuses_count", 6)]
    {
        assert_eq!(value[field], expected, "{field}");
    }
}

#[test]
fn an_unknown_value_is_null_and_its_key_stays() {
    let least = json!({"id": 7, "visibility": "public", "tags": [{"name": "AI"}], "account": {"id": "1"}});
    let value = message(&least);
    for field in FIELDS {
        assert!(value.get(field).is_some(), "{field}");
    }
    assert_eq!(value["id"], "7");
    for field in ["created_at", "content", "username", "language", "followers_count"] {
        assert_eq!(value[field], Value::Null, "{field}");
    }
}

#[test]
fn a_delete_and_a_retract_hold_nothing_but_the_id() {
    let deleted = Message::deleted("01ARZ3NDEKTSV4RRFFQ69G5FAV", "local").to_json().unwrap();
    let retracted = Message::retracted("7", Some("2024-10-10T11:17:26Z".into()), "local").unwrap().to_json().unwrap();
    for (json, id, event) in [(&deleted, "01ARZ3NDEKTSV4RRFFQ69G5FAV", "delete"), (&retracted, "7", "retract")] {
        assert_eq!(keys(json)[..16], FIELDS);
        let value: Value = serde_json::from_slice(json).unwrap();
        assert_eq!((value["id"].as_str(), value["event"].as_str()), (Some(id), Some(event)));
        assert!(FIELDS[1..].iter().all(|field| value[field].is_null()));
    }
    let value: Value = serde_json::from_slice(&retracted).unwrap();
    assert_eq!(value["edited_at"], "2024-10-10T11:17:26+00:00");
}

#[test]
fn ids_never_pass_through_a_float() {
    for (id, expected) in [(json!(117024236332527350u64), "117024236332527350"), (json!("007"), "007"), (json!(1), "1")]
    {
        let mut value = status();
        value["id"] = id;
        assert_eq!(parsed(&value).id, expected);
    }
    for bad in [json!(1.5), json!(""), json!(null), json!([1])] {
        let mut value = status();
        value["id"] = bad.clone();
        assert!(serde_json::from_value::<Status>(value).is_err(), "{bad}");
    }
}

#[test]
fn tags_of_the_text_that_the_array_lacks_are_added() {
    let mut value = status();
    value["content"] = json!("<p>#AI et #Rust, #ai</p>");
    assert_eq!(message(&value)["tags"], json!(["ai", "Rust"]));
}

#[test]
fn who_does_not_consent_is_left_out() {
    let judged = |change: &dyn Fn(&mut Value)| {
        let mut value = status();
        change(&mut value);
        judge(&parsed(&value), &Keywords::new(&[]))
    };
    for visibility in [json!("unlisted"), json!("private"), json!("direct"), json!(null)] {
        let verdict = judged(&|v| v["visibility"] = visibility.clone());
        assert_eq!(verdict, Verdict::Refused(Refusal::NotPublic), "{visibility}");
    }
    let marks = ["<p>Pas de robots : #<span>NoBot</span></p>", "#nobot", "x &#35;NOINDEX y"];
    for mark in marks {
        assert_eq!(judged(&|v| v["account"]["note"] = json!(mark)), Verdict::Refused(Refusal::Marked), "{mark}");
        let field = json!([{"name": "robots", "value": mark}]);
        assert_eq!(judged(&|v| v["account"]["fields"] = field.clone()), Verdict::Refused(Refusal::Marked), "{mark}");
    }
    assert_eq!(judged(&|v| v["account"]["suspended"] = json!(true)), Verdict::Refused(Refusal::Suspended));
    assert_eq!(judged(&|v| v["account"]["noindex"] = json!(true)), Verdict::Refused(Refusal::NoIndex));
    assert_eq!(judged(&|v| v["reblog"] = json!({"id": "1"})), Verdict::Refused(Refusal::Boost));
    assert!(matches!(judged(&|v| v["account"]["note"] = json!("#nobots-club et nobot")), Verdict::Kept { .. }));
    assert_eq!(judged(&|v| (v["content"], v["tags"]) = (json!("<p>rien</p>"), json!([]))), Verdict::NoKeyword);
}
