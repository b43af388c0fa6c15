//! Values that show themselves: [`Table`], [`Figure`], [`Gallery`], [`Report`], and the one way to print a line.
//!
//! The kernel reads stdout line by line and takes its own marker anywhere in a line for the start of a content
//! block. So text from outside is printed with that marker and line breaks neutralised, and always as whole lines.

mod cell;
mod describe;
mod figure;
mod gallery;
mod panics;
mod report;
mod table;

pub(crate) use cell::grouped;
pub use figure::Figure;
pub use gallery::Gallery;
pub(crate) use panics::short_panics;
pub use report::Report;
pub use table::Table;

use std::io::Write;
use unicode_segmentation::UnicodeSegmentation;

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

/// `text` on one line, without anything the kernel takes for its own mark, a terminal for a command, or a reader's
/// screen for a change of direction.
pub fn neutralise(text: &str) -> String {
    let plain = |c| match c {
        c if breaks_line(c) => ' ',
        c if turns(c) => '\u{fffd}',
        c => c,
    };
    let one_line: String = text.chars().map(plain).collect();
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

/// `text` on one line with nothing invisible that acts: control characters become their pictures (`␀`, `␊`), marks
/// that turn the direction of the text around become `�`.
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}'),
            '\u{7f}' => '\u{2421}',
            c if turns(c) => '\u{fffd}',
            // XML 1.0 forbids the last two, even escaped.
            '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            c if breaks_line(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// `text` cut to at most `most` characters as a reader counts them, the last one `…` when something is missing.
pub fn shorten(text: &str, most: usize) -> String {
    // A "character" may carry any number of combining marks; more than a family of emoji needs is noise.
    let readable = |g: &str| g.chars().count() <= 16;
    let mut out = String::new();
    for (n, grapheme) in text.graphemes(true).enumerate() {
        if n + 1 == most && text.graphemes(true).nth(most).is_some() || n >= most {
            out.push('…');
            break;
        }
        out.push_str(if readable(grapheme) { grapheme } else { "\u{fffd}" });
    }
    out
}

/// Columns that `text` takes in a fixed-width font: East Asian characters and emoji take two.
pub fn columns(text: &str) -> usize {
    text.graphemes(true)
        .map(|g| match g.chars().next().map_or(0, u32::from) {
            0x1100..=0x115f | 0x2e80..=0xa4cf | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0xfe30..=0xfe6f => 2,
            0xff00..=0xff60 | 0xffe0..=0xffe6 | 0x1f300..=0x1faff | 0x20000..=0x3fffd => 2,
            _ => 1,
        })
        .sum()
}

/// The classes that keep MathJax, in JupyterLab and in its exported pages, from taking `$5 … $6` for a formula.
pub(crate) const NO_FORMULA: &str = "class=\"tex2jax_ignore mathjax_ignore\"";

/// Shows rich content in a notebook: blocks of (mime type, content), as one bundle.
///
/// `html` and `plain` blocks hold text that was escaped or neutralised before.
pub(crate) fn show(blocks: &[(&str, &str)]) {
    let mut text = String::new();
    for (mime, content) in blocks {
        text.push_str(&format!("EVCXR_BEGIN_CONTENT {mime}\n{content}\nEVCXR_END_CONTENT\n"));
    }
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

/// Marks that turn the direction of the text around them.
fn turns(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn breaks_line(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}
