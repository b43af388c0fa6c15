//! Did a cell do what it should? The kernel says "ok" also after a failed `?` or a panic, so outputs decide. `[pure]`

use serde_json::Value;

/// How a cell ended, as the driver saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The kernel said that it is idle again.
    Complete,
    /// The kernel's process is gone.
    Gone,
    /// Its time ran out.
    TooLong,
}

/// Why a cell failed, in a few plain lines; `None` when it did not.
///
/// `outputs` is the cell's output list in the notebook format. Any `error` output fails the cell, and so does any
/// text on stderr: that is where the kernel puts the error of a `?` and the words of a panic.
pub fn failure(ended: Ended, outputs: &Value) -> Option<String> {
    let told = complaint(outputs);
    match ended {
        Ended::Complete => told,
        Ended::Gone => Some(with("the kernel died while the cell ran", told)),
        Ended::TooLong => Some(with("the cell did not end in its time and was stopped", told)),
    }
}

fn with(what: &str, told: Option<String>) -> String {
    told.map_or_else(|| what.to_owned(), |t| format!("{what}: {t}"))
}

/// How many lines of a complaint are repeated.
const LINES: usize = 12;

fn complaint(outputs: &Value) -> Option<String> {
    let mut lines: Vec<String> = Vec::new();
    for output in outputs.as_array().into_iter().flatten() {
        match output["output_type"].as_str() {
            Some("error") => {
                let trace = output["traceback"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let text: Vec<_> = trace.collect();
                let text =
                    if text.is_empty() { output["evalue"].as_str().unwrap_or("error").into() } else { text.join("\n") };
                lines.extend(text.lines().map(plain));
            }
            Some("stream") if output["name"] == "stderr" => {
                lines.extend(text_of(&output["text"]).lines().map(plain));
            }
            _ => {}
        }
    }
    lines.retain(|l| !l.trim().is_empty());
    if lines.is_empty() {
        return None;
    }
    // A panic's trace lists the kernel's own frames; they say nothing about the cell.
    if let Some(trace) = lines.iter().position(|l| l.trim() == "stack backtrace:") {
        lines.truncate(trace.max(1));
    }
    lines.truncate(LINES);
    Some(lines.join("\n"))
}

/// A notebook keeps text as one string or as a list of lines.
fn text_of(value: &Value) -> String {
    match value {
        Value::Array(parts) => parts.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().unwrap_or_default().to_owned(),
    }
}

/// A line without its terminal colours (`ESC [ … letter`).
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
            continue;
        }
        if chars.next() == Some('[') {
            chars.by_ref().find(char::is_ascii_alphabetic);
        }
    }
    out
}
