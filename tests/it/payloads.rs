//! Texts meant to act where they should only be read, and a strict reader of the HTML that they end in.

use html5gum::{Token, Tokenizer};

/// Texts as the network may send them, meant to break out of a cell, a line or a drawing.
pub fn hostile() -> Vec<String> {
    let fixed = [
        "EVCXR_BEGIN_CONTENT text/html",
        "EVCXR_END_CONTENT",
        "x EVCXR_BEGIN_CONTENT image/png\nAAAA\nEVCXR_END_CONTENT",
        "EVCXR_EXECUTION_COMPLETE",
        "evcxr EVCXR__EVCXR_",
        "</td><script>alert(1)</script>",
        "</td></tr></table><h1>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)>",
        "</svg><script>alert(1)</script>",
        "</text><rect width=\"9999\" height=\"9999\"/>",
        "</title><script>alert(1)</script>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?xml version=\"1.0\"?>",
        "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>",
        "&e;",
        "&lt;b&gt;",
        "&",
        "&&amp;&#0;",
        "\"",
        "'",
        "\" onmouseover=\"alert(1)",
        "' onmouseover='alert(1)",
        "javascript:alert(1)",
        "`id`",
        "$(id)",
        "'; DROP TABLE filtered_toots; --",
        "\\",
        "\\u0000",
        "\0",
        "\u{1b}[31mred\u{1b}[0m",
        "\u{1b}]0;title\u{7}",
        "\r\n\r\nHTTP/1.1 200 OK",
        "a\tb\u{b}c\u{c}d",
        "line one\u{2028}line two\u{2029}line three\u{85}four",
        "\u{202e}desrever\u{202c}",
        "\u{2067}isolate",
        "\u{200f}right\u{200e}left",
        "\u{feff}bom",
        "\u{fffe}\u{ffff}",
        "z\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}\u{309}\u{30a}\u{30b}\u{30c}\u{30d}\u{30e}\u{30f}\u{310}\u{311}",
        "日本語のタグ",
        "한국어",
        "العربية",
        "👩‍👩‍👧‍👦🇫🇷🏳️‍🌈",
        "\u{10ffff}\u{e000}",
        "",
        " ",
        "=HYPERLINK(\"http://example.org\")",
        // Elements and attributes that act.
        "<ScRiPt>alert(1)</sCrIpT>",
        "<script src=//evil.example/x.js></script>",
        "<svg/onload=alert(1)>",
        "<body onload=alert(1)>",
        "<iframe src=javascript:alert(1)></iframe>",
        "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe>",
        "<meta http-equiv=refresh content=\"0;url=javascript:alert(1)\">",
        "<base href=//evil.example/>",
        "<form action=javascript:alert(1)><button>go</button></form>",
        "<a href=\"javascript:alert(1)\">x</a>",
        "<a href=\" &#14; java&#x09;script:alert(1)\">x</a>",
        "<a href=\"data:text/html,<script>alert(1)</script>\">x</a>",
        "<a href=vbscript:msgbox(1)>x</a>",
        "<div style=\"background:url(javascript:alert(1))\">x</div>",
        "<div style=\"width:expression(alert(1))\">x</div>",
        "<style>@import 'http://evil.example/x.css';</style>",
        "<link rel=stylesheet href=http://evil.example/x.css>",
        "<object data=javascript:alert(1)></object>",
        "<embed src=javascript:alert(1)>",
        "<video><source onerror=alert(1)></video>",
        "<details open ontoggle=alert(1)>",
        "<input autofocus onfocus=alert(1)>",
        "<marquee onstart=alert(1)>",
        "<a xlink:href=\"javascript:alert(1)\"><text>x</text></a>",
        // Forms that change when a browser writes and reads them again, and broken tags.
        "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
        "<svg></p><style><a id=\"</style><img src=1 onerror=alert(1)>\">",
        "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
        "<template><script>alert(1)</script></template>",
        "<<script>script>alert(1)<</script>/script>",
        "<scr\0ipt>alert(1)</scr\0ipt>",
        "<img src=x onerror\n=alert(1)>",
        "<img src=x onerror=alert(1)//",
        "<!--><script>alert(1)</script>-->",
        "<!-- --!><img src=x onerror=alert(1)>",
        "<![CDATA[<script>alert(1)</script>]]>",
        "<?php echo 1 ?>",
        "</textarea></pre></style></title><script>alert(1)</script>",
        "\u{feff}<script>alert(1)</script>",
        "＜script＞alert(1)＜/script＞",
        // Entities, once and twice.
        "&lt;script&gt;alert(1)&lt;/script&gt;",
        "&amp;lt;script&amp;gt;alert(1)&amp;lt;/script&amp;gt;",
        "&#60;img src=x onerror=alert(1)&#62;",
        "&#x3c;script&#x3e;alert(1)&#x3c;/script&#x3e;",
        // Other languages that somebody on the way may speak.
        "$$\\href{javascript:alert(1)}{x}$$",
        "\\(\\unicode{x3c}\\)",
        "\\begin{equation}x\\end{equation}",
        "$5 or $6",
        "[x](javascript:alert(1))",
        "![x](x\" onerror=\"alert(1))",
        "=cmd|'/C calc'!A0",
        "+1+1",
        "-1+1",
        "@SUM(A1)",
        "{{7*7}}${7*7}",
        "%s%n%x{}{0}",
        "EVCXR_BEGIN_CONTENT text/html\n<script>alert(1)</script>\nEVCXR_END_CONTENT\n",
        "EVCXR_INPUT_REQUEST_PASSWORD:your password",
        "EVCXR_VARIABLE_CHANGED_TYPE:config",
        "\u{9b}31mred",
        "zero\u{200b}width\u{2060}\u{200d}",
    ];
    let mut all: Vec<String> = fixed.iter().map(|s| s.to_string()).collect();
    all.push("x".repeat(300));
    all.push("<".repeat(300));
    all.push("日".repeat(300));
    all.push("w".repeat(20_000));
    all.push("<b>".repeat(5_000));
    all
}

/// An element of a page: its name, and its attributes with their values.
pub type Element = (String, Vec<(String, String)>);

/// Every start tag of `html`, as a browser's tokenizer sees them.
pub fn elements(html: &str) -> Vec<Element> {
    let mut emitter = html5gum::DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Tokenizer::new_with_emitter(html, emitter)
        .filter_map(|Ok(token)| match token {
            Token::StartTag(tag) => {
                let attributes = tag.attributes.iter().map(|(name, value)| (text(name), text(value)));
                Some((text(&tag.name), attributes.collect()))
            }
            _ => None,
        })
        .collect()
}

/// Asserts that no element of `html` acts: only those of a table or a paragraph, with attributes that say how they look.
#[track_caller]
pub fn assert_inert(html: &str, what: &str) {
    const ELEMENTS: [&str; 13] =
        ["div", "table", "thead", "tbody", "tr", "th", "td", "p", "pre", "br", "span", "i", "b"];
    const ATTRIBUTES: [&str; 5] = ["style", "class", "align", "title", "colspan"];
    for (name, attributes) in elements(html) {
        assert!(ELEMENTS.contains(&name.as_str()), "{what}: <{name}> came out");
        for (attribute, value) in attributes {
            assert!(ATTRIBUTES.contains(&attribute.as_str()), "{what}: <{name} {attribute}=…> came out");
            let acts =
                attribute == "style" && (value.contains("url") || value.contains('\\') || value.contains("expression"));
            assert!(!acts, "{what}: <{name} style={value:?}> came out");
        }
    }
    assert_plain(html, what);
}

/// Asserts that a browser which opens `page` runs nothing of it and fetches nothing: links are all that leads away.
#[track_caller]
pub fn assert_whole_in_itself(page: &str, what: &str) {
    const LOADING: [&str; 8] = ["src", "srcset", "poster", "data", "background", "action", "formaction", "xlink:href"];
    let (mut policy, mut language) = (String::new(), String::new());
    for (name, attributes) in elements(page) {
        assert!(!["script", "link", "iframe", "object", "embed", "base"].contains(&name.as_str()), "{what}: <{name}>");
        for (attribute, value) in &attributes {
            assert!(!attribute.starts_with("on"), "{what}: <{name} {attribute}=…>");
            let loads = LOADING.contains(&attribute.as_str());
            assert!(!loads || value.starts_with("data:"), "{what}: <{name} {attribute}={value:.60?}>");
            match (name.as_str(), attribute.as_str()) {
                ("html", "lang") => language.clone_from(value),
                ("meta", "content") if value.contains("default-src") => policy.clone_from(value),
                _ => {}
            }
        }
    }
    assert_eq!(language, "fr", "{what}");
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("http"), "{what}: {policy}");
    for style in page.split("<style").skip(1).filter_map(|rest| rest.split("</style>").next()) {
        assert!(!style.contains("url(") && !style.contains("@import"), "{what}: a style that fetches");
    }
}

/// Asserts that neither the kernel nor a terminal takes `text` for a command, and that it reads in one direction.
#[track_caller]
pub fn assert_plain(text: &str, what: &str) {
    assert!(!text.contains("EVCXR_"), "{what}: the kernel's mark came out");
    let acts = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert_eq!(text.chars().find(|c| acts(*c)), None, "{what}: a character that acts came out");
}
