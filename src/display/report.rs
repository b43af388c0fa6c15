use super::{NO_FORMULA, escape_html, neutralise, show};
use std::fmt;

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

    /// The report as HTML: one paragraph, or a preformatted block when lines are indented.
    pub fn to_html(&self) -> String {
        let lines: Vec<_> = self.0.lines().map(|line| escape_html(&neutralise(line))).collect();
        if self.0.lines().any(|l| l.starts_with(' ')) {
            format!("<pre {NO_FORMULA}>{}</pre>", lines.join("\n"))
        } else {
            format!("<p {NO_FORMULA}>{}</p>", lines.join("<br>"))
        }
    }

    /// Shows the report in a notebook.
    pub fn evcxr_display(&self) {
        show(&[("text/html", &self.to_html()), ("text/plain", &self.to_string())]);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.lines().map(neutralise).collect();
        f.write_str(&lines.join("\n"))
    }
}
