//! Values that show themselves: [`Table`], [`Figure`], [`Report`], and the one way to print a line.
//!
//! The kernel reads stdout line by line and takes its own marker anywhere in a line for the start of a content
//! block. So text from outside is printed with that marker and line breaks neutralised, and always as whole lines.

use crate::error::{Error, Result};
use polars::prelude::{DataFrame, IntoLazy, LazyFrame};
use std::fmt;
use std::io::Write;

/// Prints `line` as one whole line that the kernel cannot mistake for its own marks.
pub fn say(line: impl AsRef<str>) {
    let mut out = std::io::stdout().lock();
    // A closed stdout means that nobody reads; there is nobody to tell it either.
    let _ = writeln!(out, "{}", neutralise(line.as_ref()));
    let _ = out.flush();
}

/// Asks the person at the notebook for a line, typed unseen; empty when nobody can answer.
///
/// Waits as long as the prompt is open.
pub fn ask(prompt: &str) -> String {
    let mut out = std::io::stdout().lock();
    // The kernel cuts a prompt at its second colon.
    let prompt = neutralise(prompt).replace(':', " ");
    let asked = writeln!(out, "EVCXR_INPUT_REQUEST_PASSWORD:{prompt}").and_then(|()| out.flush());
    drop(out);
    let mut line = String::new();
    if asked.is_err() || std::io::stdin().read_line(&mut line).is_err() {
        return String::new();
    }
    line.trim().to_owned()
}

/// `text` without line breaks and without anything the kernel takes for its own mark.
pub fn neutralise(text: &str) -> String {
    let one_line: String = text
        .chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{85}') { ' ' } else { c })
        .collect();
    one_line.replace("EVCXR_", "EVCXR\u{2060}_")
}

/// `text` as HTML text or attribute value: no character of it is markup.
pub fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out.replace("EVCXR_", "EVCXR&#95;")
}

/// Prints one bundle of content blocks in one go, as the kernel wants them.
fn show(blocks: &[(&str, &str)]) {
    let mut text = String::new();
    for (mime, content) in blocks {
        text.push_str(&format!("EVCXR_BEGIN_CONTENT {mime}\n{content}\nEVCXR_END_CONTENT\n"));
    }
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// A sentence or a few that tell a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(String);

impl Report {
    /// From its text; a line break separates sentences.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// Shows the report in a notebook.
    pub fn evcxr_display(&self) {
        let plain: Vec<_> = self.0.lines().map(neutralise).collect();
        let html: Vec<_> = self.0.lines().map(escape_html).collect();
        show(&[("text/html", &format!("<p>{}</p>", html.join("<br>"))), ("text/plain", &plain.join("\n"))]);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Rows and columns that show themselves; the frame inside is polars'.
#[derive(Clone, Debug)]
pub struct Table {
    frame: DataFrame,
}

impl Table {
    /// From a frame.
    pub fn new(frame: DataFrame) -> Self {
        Self { frame }
    }

    /// The frame itself.
    pub fn frame(&self) -> &DataFrame {
        &self.frame
    }

    /// The number of rows.
    pub fn height(&self) -> usize {
        self.frame.height()
    }

    /// Asks polars: the closure gets the rows as a lazy frame and gives back another.
    ///
    /// # Errors
    ///
    /// Fails as polars fails, for example on a column that is not there.
    pub fn query(&self, question: impl FnOnce(LazyFrame) -> LazyFrame) -> Result<Table> {
        question(self.frame.clone().lazy())
            .collect()
            .map(Table::new)
            .map_err(|e| Error::cannot("answer the query", e).invalid())
    }

    /// Shows the table in a notebook.
    pub fn evcxr_display(&self) {
        let plain = self.to_string();
        let html = format!("<pre>{}</pre>", escape_html(&plain));
        show(&[("text/html", &html), ("text/plain", &plain.replace("EVCXR_", "EVCXR\u{2060}_"))]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.frame)
    }
}
