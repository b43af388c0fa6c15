//! A status's HTML as readable text. `[pure]`

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, Tokenizer};
use std::convert::Infallible;

/// The readable text of `html`: case, emoji and no-break spaces kept, entities decoded once.
///
/// Blocks and `<br>` become line breaks, inline tags nothing at all. A link gives its whole address, a mention or a
/// hashtag its text. What scripts, styles, frames and drawings hold is dropped.
///
/// ```
/// # use spar::toot::html_to_text;
/// assert_eq!(html_to_text("<p>Hello</p><p>#<span>AI</span> &amp; more</p>"), "Hello\n#AI & more");
/// ```
pub fn html_to_text(html: &str) -> String {
    let mut text = Text::default();
    let mut emitter = CallbackEmitter::new(|event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
        text.event(event);
        None
    });
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(html, emitter).finish();
    text.finish()
}

/// Elements whose content nobody reads.
const HIDDEN: [&[u8]; 9] =
    [b"script", b"style", b"svg", b"math", b"iframe", b"template", b"noscript", b"noembed", b"title"];

/// Elements that begin and end a line.
const BLOCKS: [&[u8]; 36] = [
    b"p",
    b"div",
    b"li",
    b"ul",
    b"ol",
    b"blockquote",
    b"pre",
    b"h1",
    b"h2",
    b"h3",
    b"h4",
    b"h5",
    b"h6",
    b"hr",
    b"table",
    b"tr",
    b"td",
    b"th",
    b"caption",
    b"dl",
    b"dt",
    b"dd",
    b"section",
    b"article",
    b"aside",
    b"header",
    b"footer",
    b"main",
    b"nav",
    b"figure",
    b"figcaption",
    b"details",
    b"summary",
    b"center",
    b"address",
    b"form",
];

/// The text so far, and where the tokenizer stands.
#[derive(Default)]
struct Text {
    out: String,
    /// The `<a>` that is open.
    link: Option<Link>,
    /// The hidden element that is open, and how many of its name are nested.
    hidden: Option<(Vec<u8>, u32)>,
    /// Open `<pre>` elements: their line breaks count.
    pre: u32,
    /// An address was just written; what is glued to it needs a space.
    after_url: bool,
    tag: Vec<u8>,
    attribute: Vec<u8>,
    href: String,
    class: String,
}

#[derive(Default)]
struct Link {
    href: String,
    class: String,
    text: String,
}

impl Text {
    fn event(&mut self, event: CallbackEvent<'_>) {
        match event {
            CallbackEvent::OpenStartTag { name } => {
                self.tag.clear();
                self.tag.extend_from_slice(name);
                self.href.clear();
                self.class.clear();
            }
            CallbackEvent::AttributeName { name } => {
                self.attribute.clear();
                self.attribute.extend_from_slice(name);
            }
            CallbackEvent::AttributeValue { value } if self.tag == b"a" => match self.attribute.as_slice() {
                b"href" => self.href = String::from_utf8_lossy(value).into_owned(),
                b"class" => self.class = String::from_utf8_lossy(value).into_owned(),
                _ => {}
            },
            CallbackEvent::CloseStartTag { self_closing } => self.open(self_closing),
            CallbackEvent::EndTag { name } => self.close(name),
            CallbackEvent::String { value } if self.hidden.is_none() => {
                let value = String::from_utf8_lossy(value);
                match &mut self.link {
                    Some(link) => link.text.push_str(&value),
                    None => self.write(&value),
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, self_closing: bool) {
        let name = std::mem::take(&mut self.tag);
        let drawing = matches!(name.as_slice(), b"svg" | b"math");
        if let Some((hidden, depth)) = &mut self.hidden {
            if *hidden == name && !(drawing && self_closing) {
                *depth += 1;
            }
        } else if HIDDEN.contains(&name.as_slice()) {
            if !(drawing && self_closing) {
                self.hidden = Some((name, 1));
            }
        } else if name == b"a" {
            self.close_link();
            let (href, class) = (std::mem::take(&mut self.href), std::mem::take(&mut self.class));
            self.link = Some(Link { href, class, text: String::new() });
        } else if name == b"br" {
            self.line_break();
        } else if BLOCKS.contains(&name.as_slice()) {
            self.boundary();
            self.pre += u32::from(name == b"pre");
        }
    }

    fn close(&mut self, name: &[u8]) {
        if let Some((hidden, depth)) = &mut self.hidden {
            if hidden == name {
                *depth -= 1;
                if *depth == 0 {
                    self.hidden = None;
                }
            }
        } else if name == b"a" {
            self.close_link();
        } else if name == b"br" {
            self.line_break();
        } else if BLOCKS.contains(&name) {
            self.boundary();
            self.pre = self.pre.saturating_sub(u32::from(name == b"pre"));
        }
    }

    /// A line ends here, once, however many blocks end or begin.
    fn boundary(&mut self) {
        if let Some(link) = &mut self.link {
            link.text.push(' ');
            return;
        }
        self.end_line();
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn line_break(&mut self) {
        if let Some(link) = &mut self.link {
            link.text.push(' ');
            return;
        }
        self.end_line();
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    fn end_line(&mut self) {
        self.after_url = false;
        while self.out.ends_with(' ') {
            self.out.pop();
        }
    }

    fn write(&mut self, text: &str) {
        self.part_from_url(text);
        let mut rest = text;
        while let Some(at) = rest.find(|c: char| c.is_ascii_whitespace() || c == '\0') {
            self.out.push_str(&rest[..at]);
            match rest.as_bytes()[at] {
                // PostgreSQL takes no U+0000, and HTML gives it no meaning.
                0 => {}
                b'\n' if self.pre > 0 => self.line_break(),
                _ if self.out.is_empty() || self.out.ends_with([' ', '\n']) => {}
                _ => self.out.push(' '),
            }
            rest = &rest[at + 1..];
        }
        self.out.push_str(rest);
    }

    /// Puts a space between an address and words glued to it: who cuts addresses out later must not take the words.
    fn part_from_url(&mut self, text: &str) {
        if !self.after_url {
            return;
        }
        let glued = text.split(|c: char| c.is_whitespace()).next().unwrap_or_default();
        if glued.chars().any(|c| c.is_alphanumeric() || matches!(c, '#' | '@')) {
            self.out.push(' ');
            self.after_url = false;
        } else if glued.len() < text.len() {
            self.after_url = false;
        }
    }

    fn close_link(&mut self) {
        let Some(Link { href, class, text }) = self.link.take() else { return };
        let shown = text.trim();
        let by_name = class.split_ascii_whitespace().any(|c| matches!(c, "mention" | "hashtag"));
        match web_address(&href) {
            Some(url) if !by_name && !shown.starts_with(['#', '@', '＃']) => {
                if !shown.is_empty() && !stands_for(shown, &url) {
                    self.write(&text);
                }
                self.write_url(&url);
            }
            _ => self.write(&text),
        }
    }

    fn write_url(&mut self, url: &str) {
        let opens = |c: char| c.is_whitespace() || matches!(c, '(' | '[' | '{' | '<' | '«' | '"' | '\'' | '“' | '‘');
        if self.out.chars().next_back().is_some_and(|last| !opens(last)) {
            self.out.push(' ');
        }
        self.out.push_str(url);
        self.after_url = true;
    }

    fn finish(mut self) -> String {
        self.close_link();
        let blank = [' ', '\n'];
        self.out.truncate(self.out.trim_end_matches(blank).len());
        self.out
    }
}

/// `href` when it is an address of the web, without blanks inside.
fn web_address(href: &str) -> Option<String> {
    let href = href.trim();
    let web = ["http://", "https://"].iter().any(|s| href.get(..s.len()).is_some_and(|h| h.eq_ignore_ascii_case(s)));
    web.then(|| href.replace('\0', "").replace(char::is_whitespace, "%20"))
}

/// True when the link's text is its address, perhaps shortened, and tells nothing more.
fn stands_for(text: &str, url: &str) -> bool {
    fn bare(address: &str) -> &str {
        let rest = address.split_once("://").map_or(address, |(_, rest)| rest);
        rest.strip_prefix("www.").unwrap_or(rest).trim_end_matches(['…', '/'])
    }
    let (text, url) = (bare(text), bare(url));
    let begins = url.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
    begins && (text.len() == url.len() || text.contains('.'))
}
