//! Labelled texts, packed: a million of them in two allocations. `[pure]`

use super::label::Sentiment;

/// Texts with their sentiment, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corpus {
    text: String,
    ends: Vec<usize>,
    labels: Vec<Sentiment>,
}

impl Corpus {
    /// The number of texts.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True when there is no text.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Adds a text.
    pub fn push(&mut self, label: Sentiment, text: &str) {
        self.text.push_str(text);
        self.ends.push(self.text.len());
        self.labels.push(label);
    }

    /// The text in row `row`.
    pub fn text(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.text[start..self.ends[row]]
    }

    /// The sentiment in row `row`.
    pub fn label(&self, row: usize) -> Sentiment {
        self.labels[row]
    }

    /// How many rows each sentiment has: negative, neutral, positive.
    pub fn counts(&self) -> [usize; 3] {
        count(&self.labels)
    }

    pub(crate) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.labels.shrink_to_fit();
    }
}

/// How often each sentiment occurs: negative, neutral, positive.
pub(crate) fn count<'a>(labels: impl IntoIterator<Item = &'a Sentiment>) -> [usize; 3] {
    let mut counts = [0; 3];
    for label in labels {
        counts[label.index()] += 1;
    }
    counts
}
