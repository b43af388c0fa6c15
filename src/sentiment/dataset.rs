//! A labelled file, from its bytes: what it is gets detected over the whole file, and said. `[pure]`

use super::corpus::Corpus;
use super::label::Sentiment;
use crate::error::{Error, Result};
use csv::{ByteRecord, ReaderBuilder};

/// The form in which a file keeps its labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Sentiment140: `target, ids, date, flag, user, text`, quoted, comma-separated.
    SixColumns,
    /// `target, text`, comma-separated.
    TwoColumns,
    /// `target` TAB `text`.
    Tab,
    /// `id` TAB mean rating TAB `text`, ratings from −4 to 4.
    Rated,
}

/// A labelled file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// The texts.
    pub corpus: Corpus,
    /// How they were laid out.
    pub layout: Layout,
    /// `UTF-8` or `windows-1252` (the superset of ISO-8859-1).
    pub encoding: &'static str,
    /// True when the first row named the columns.
    pub header: bool,
    /// Rows read, the header left out.
    pub read: usize,
    /// Rows left out because they have no text or no label.
    pub incomplete: usize,
}

/// A field longer than this is a quote that was opened and never closed.
const LONGEST_FIELD: usize = 20_000;

/// Columns: which holds the label and which the text.
struct Columns {
    all: usize,
    label: usize,
    text: usize,
}

/// Reads a labelled file from its bytes; `name` is what errors call it.
///
/// # Errors
///
/// Fails if the file is empty, compressed or in UTF-16, if a row has another number of columns than the first, if a
/// quote is not closed, if a label is unknown, or if the labels 0 and 4 do not both occur.
pub fn read_labelled(bytes: Vec<u8>, name: &str) -> Result<Labelled> {
    let refuse = |cause: String| wrong(name, cause);
    refuse_binary(&bytes).map_err(refuse)?;
    let (text, encoding) = decode(bytes);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let first = text.lines().find(|line| !line.trim().is_empty()).ok_or_else(|| wrong(name, "it is empty"))?;
    let layout = layout(first)
        .ok_or_else(|| wrong(name, "its first row has neither 6 nor 2 columns, nor the form id TAB rating TAB text"))?;
    let tab = matches!(layout, Layout::Tab | Layout::Rated);
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(if tab { b'\t' } else { b',' })
        .quoting(!tab)
        .from_reader(text.as_bytes());
    let mut found = Labelled { corpus: Corpus::default(), layout, encoding, header: false, read: 0, incomplete: 0 };
    let mut columns = None;
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record).map_err(|e| wrong(name, e))? {
        let line = record.position().map_or(0, csv::Position::line);
        let fields = fields(&record).map_err(|cause| refuse(format!("line {line}: {cause}")))?;
        if columns.is_none() {
            let (named, header) =
                columns_of(layout, &fields).map_err(|cause| refuse(format!("line {line}: {cause}")))?;
            columns = Some(named);
            found.header = header;
            if header {
                continue;
            }
        }
        let columns = columns.as_ref().expect("the first row has just set them");
        if fields.len() != columns.all {
            return Err(refuse(format!("line {line} has {} columns, the first row has {}", fields.len(), columns.all)));
        }
        found.read += 1;
        let (label, text) = (fields[columns.label].trim(), fields[columns.text].trim());
        if label.is_empty() || text.is_empty() {
            found.incomplete += 1;
            continue;
        }
        let label =
            sentiment(layout, label).ok_or_else(|| refuse(format!("line {line}: {}", unknown(layout, label))))?;
        found.corpus.push(label, text);
    }
    found.corpus.shrink();
    let counts = found.corpus.counts();
    if counts[0] == 0 || counts[2] == 0 {
        return Err(refuse(format!(
            "both labels 0 and 4 are needed; it has {} rows of 0, {} of 2 and {} of 4",
            counts[0], counts[1], counts[2]
        )));
    }
    Ok(found)
}

fn wrong(name: &str, cause: impl std::fmt::Display) -> Error {
    Error::cannot(format!("read the labelled texts of {name}"), cause)
        .next(
            "give a CSV file in the form of Sentiment140 (target, ids, date, flag, user, text; target 0, 2 or 4), \
             `target,text`, or `id TAB rating TAB text`",
        )
        .invalid()
}

fn refuse_binary(bytes: &[u8]) -> Result<(), String> {
    let starts = |with: &[u8]| bytes.starts_with(with);
    if starts(&[0x1f, 0x8b]) || starts(b"PK\x03\x04") || starts(b"BZh") || starts(&[0xfd, b'7', b'z']) {
        return Err("it is compressed; unpack it first".into());
    }
    if starts(&[0xff, 0xfe]) || starts(&[0xfe, 0xff]) {
        return Err("it is in UTF-16; save it as UTF-8".into());
    }
    match bytes.iter().position(|b| *b == 0) {
        Some(at) => Err(format!("it holds a null byte at offset {at}, so it is no text file")),
        None => Ok(()),
    }
}

/// Strict UTF-8 over the whole file, else windows-1252: the first block proves nothing.
fn decode(bytes: Vec<u8>) -> (String, &'static str) {
    match String::from_utf8(bytes) {
        Ok(text) => (text, "UTF-8"),
        Err(e) => {
            let bytes = e.into_bytes();
            let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes);
            (text.into_owned(), "windows-1252")
        }
    }
}

fn layout(first: &str) -> Option<Layout> {
    let tabs: Vec<&str> = first.split('\t').collect();
    match tabs.as_slice() {
        [id, rating, _] if id.trim().parse::<u64>().is_ok() && rating.trim().parse::<f64>().is_ok() => {
            return Some(Layout::Rated);
        }
        [_, _] => return Some(Layout::Tab),
        _ => {}
    }
    let mut reader = ReaderBuilder::new().has_headers(false).from_reader(first.as_bytes());
    let mut record = ByteRecord::new();
    reader.read_byte_record(&mut record).ok()?;
    match record.len() {
        6 => Some(Layout::SixColumns),
        2 => Some(Layout::TwoColumns),
        _ => None,
    }
}

fn fields(record: &ByteRecord) -> Result<Vec<&str>, String> {
    if record.iter().any(|field| field.len() > LONGEST_FIELD) {
        return Err("a quote is opened and never closed".into());
    }
    record.iter().map(|field| std::str::from_utf8(field).map_err(|e| e.to_string())).collect()
}

/// The columns by the names of a header, else by their places.
fn columns_of(layout: Layout, first: &[&str]) -> Result<(Columns, bool), String> {
    let all = first.len();
    let place = |names: &[&str]| first.iter().position(|field| names.contains(&field.trim().to_lowercase().as_str()));
    let label = place(&["target", "label", "sentiment", "polarity", "class"]);
    let text = place(&["text", "tweet", "content", "message"]);
    match (label, text) {
        (Some(label), Some(text)) => Ok((Columns { all, label, text }, true)),
        (None, None) => {
            let label = if layout == Layout::Rated { 1 } else { 0 };
            Ok((Columns { all, label, text: all - 1 }, false))
        }
        _ => Err("the header names only one of the columns target and text".into()),
    }
}

fn sentiment(layout: Layout, label: &str) -> Option<Sentiment> {
    if layout != Layout::Rated {
        return Sentiment::from_target(label);
    }
    label.parse().ok().filter(|mean: &f64| (-4.0..=4.0).contains(mean)).map(Sentiment::from_rating)
}

/// A long label is a text in the wrong place, and texts are not repeated in errors.
fn unknown(layout: Layout, label: &str) -> String {
    let wanted = if layout == Layout::Rated { "a rating from -4 to 4" } else { "0, 2 or 4" };
    if label.chars().count() > 12 {
        format!("the label is a text, where {wanted} is expected")
    } else {
        format!("the label {label:?} is unknown, where {wanted} is expected")
    }
}
