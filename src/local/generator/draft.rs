//! A text built part by part in three forms at once: HTML as a server writes it, the readable text, and the clean
//! text that the pipeline should arrive at. Each part knows its own three forms; nothing is parsed back. `[pure]`

/// How a server writes HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Mastodon itself: paragraphs, spans in tags and links.
    Mastodon,
    /// Other software: no paragraph, bare links, `<br/>`.
    Other,
}

/// Someone who is named in a text.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub id: String,
    pub username: String,
    pub acct: String,
    pub url: String,
}

/// A text in the making.
pub(super) struct Draft {
    dialect: Dialect,
    domain: &'static str,
    pub html: String,
    pub readable: String,
    pub clean: String,
    /// Tags written in the text, in order: the name, and whether the author's server saw that it is one.
    pub tags: Vec<(String, bool)>,
    pub mentions: Vec<Person>,
    /// Codes of the custom emoji used.
    pub shortcodes: Vec<&'static str>,
    pub links: Vec<String>,
    /// Names of the keyword list that the text holds (tags are judged by who adds them).
    pub keyword: bool,
    gap: Option<char>,
    clean_gap: bool,
}

impl Draft {
    pub fn new(dialect: Dialect, domain: &'static str) -> Self {
        Self {
            dialect,
            domain,
            html: String::with_capacity(512),
            readable: String::with_capacity(256),
            clean: String::with_capacity(256),
            tags: Vec::new(),
            mentions: Vec::new(),
            shortcodes: Vec::new(),
            links: Vec::new(),
            keyword: false,
            gap: None,
            clean_gap: false,
        }
    }

    fn put(&mut self, html: &str, readable: &str, clean: &str) {
        if let Some(gap) = self.gap.take() {
            match gap {
                '\u{a0}' if self.dialect == Dialect::Other => self.html.push_str("&nbsp;"),
                gap => self.html.push(gap),
            }
            self.readable.push(gap);
            self.clean_gap = true;
        }
        self.html.push_str(html);
        self.readable.push_str(readable);
        if !clean.is_empty() {
            if self.clean_gap && !self.clean.is_empty() {
                self.clean.push(' ');
            }
            self.clean.push_str(clean);
            self.clean_gap = false;
        }
        self.gap = Some(' ');
    }

    /// A word of letters, digits, `_` and apostrophes between letters.
    pub fn word(&mut self, word: &str) {
        self.put(&escape(word), word, &word.to_lowercase());
    }

    /// Anything whose clean form is known by heart.
    pub fn special(&mut self, shown: &str, clean: &str) {
        self.put(&escape(shown), shown, clean);
    }

    /// Punctuation that clings to what stands before it.
    pub fn mark(&mut self, mark: &str) {
        self.glue();
        self.put(&escape(mark), mark, "");
    }

    /// Punctuation that clings to what comes after it.
    pub fn opening(&mut self, mark: &str) {
        self.put(&escape(mark), mark, "");
        self.glue();
    }

    /// `'s` after a name or a tag.
    pub fn possessive(&mut self) {
        self.glue();
        let form = if self.dialect == Dialect::Mastodon { "'s" } else { "’s" };
        self.put(&escape(form), form, form);
    }

    /// The next part follows without a space.
    pub fn glue(&mut self) {
        self.gap = None;
    }

    /// The next part follows after a space, also in scripts that write none.
    pub fn space(&mut self) {
        if !self.readable.is_empty() && !self.readable.ends_with('\n') {
            self.gap = Some(' ');
        }
    }

    /// The next part follows after a space that does not break.
    pub fn hard_space(&mut self) {
        self.gap = Some('\u{a0}');
    }

    fn break_with(&mut self, html: &str, readable: &str) {
        self.gap = None;
        if self.readable.is_empty() {
            return;
        }
        self.html.push_str(html);
        self.readable.push_str(readable);
        self.clean_gap = true;
    }

    /// A new line.
    pub fn line(&mut self) {
        self.break_with(if self.dialect == Dialect::Mastodon { "<br />" } else { "<br/>" }, "\n");
    }

    /// A new paragraph.
    pub fn paragraph(&mut self) {
        match self.dialect {
            Dialect::Mastodon => self.break_with("</p><p>", "\n"),
            Dialect::Other => self.break_with("<br/><br/>", "\n\n"),
        }
    }

    /// A tag; `linked` when the author's server saw that it is one.
    pub fn tag(&mut self, name: &str, linked: bool) {
        let (lower, domain) = (name.to_lowercase(), self.domain);
        let html = match self.dialect {
            _ if !linked => format!("#{name}"),
            Dialect::Mastodon => format!(
                "<a href=\"https://{domain}/tags/{lower}\" class=\"mention hashtag\" rel=\"tag\">#<span>{name}</span></a>"
            ),
            Dialect::Other => {
                format!("<a class=\"hashtag\" href=\"https://{domain}/tag/{lower}\" rel=\"tag\">#{name}</a>")
            }
        };
        self.put(&html, &format!("#{name}"), &format!("#{lower}"));
        self.tags.push((name.to_owned(), linked));
    }

    /// Someone's name, with a link to them.
    pub fn mention(&mut self, person: Person) {
        let (url, name) = (&person.url, &person.username);
        let html = match self.dialect {
            Dialect::Mastodon => format!(
                "<span class=\"h-card\" translate=\"no\"><a href=\"{url}\" class=\"u-url mention\">@<span>{name}</span></a></span>"
            ),
            Dialect::Other => format!(
                "<span class=\"h-card\"><a class=\"u-url mention\" href=\"{url}\" rel=\"ugc\">@<span>{name}</span></a></span>"
            ),
        };
        self.put(&html, &format!("@{name}"), &name.to_lowercase());
        self.mentions.push(person);
    }

    /// An address; it belongs to the readable text, not to the clean one.
    pub fn link(&mut self, url: &str) {
        let href = escape(url);
        let html = match self.dialect {
            Dialect::Mastodon => format!(
                "<a href=\"{href}\" target=\"_blank\" rel=\"nofollow noopener\" translate=\"no\">{}</a>",
                shortened(url)
            ),
            Dialect::Other => {
                format!("<a href=\"{href}\" rel=\"nofollow noopener noreferrer\" target=\"_blank\">{href}</a>")
            }
        };
        self.put(&html, url, "");
        self.links.push(url.to_owned());
    }

    /// An emoji, which the clean text does without.
    pub fn emoji(&mut self, emoji: &str) {
        self.put(emoji, emoji, "");
    }

    /// A custom emoji, written `:code:`.
    pub fn shortcode(&mut self, code: &'static str) {
        let shown = format!(":{code}:");
        self.put(&shown, &shown, code);
        self.shortcodes.push(code);
    }

    /// The HTML as it goes into a status.
    pub fn content(&self) -> String {
        match self.dialect {
            Dialect::Mastodon if !self.html.is_empty() => format!("<p>{}</p>", self.html),
            _ => self.html.clone(),
        }
    }
}

/// The three spans that Mastodon shows of an address: scheme hidden, thirty characters, the rest hidden.
fn shortened(url: &str) -> String {
    let scheme = ["https://www.", "https://", "http://"].into_iter().find(|s| url.starts_with(s)).unwrap_or_default();
    let rest = &url[scheme.len()..];
    let cut = rest.char_indices().nth(30).map_or(rest.len(), |(at, _)| at);
    let class = if cut < rest.len() { "ellipsis" } else { "" };
    format!(
        "<span class=\"invisible\">{scheme}</span><span class=\"{class}\">{}</span><span class=\"invisible\">{}</span>",
        escape(&rest[..cut]),
        escape(&rest[cut..])
    )
}

/// Writes text so that HTML shows it as it is.
pub(super) fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}
