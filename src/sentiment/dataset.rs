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

/// A field longer than this, in bytes, is a quote that was opened and never closed, or no tweet.
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
    // Old Macs end a line with CR alone.
    let first =
        text.split(['\n', '\r']).find(|line| !line.trim().is_empty()).ok_or_else(|| wrong(name, "it is empty"))?;
    let layout = layout(first).ok_or_else(|| wrong(name, no_layout(first)))?;
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
        let (line, start) = record.position().map_or((0, 0), |at| (at.line(), at.byte() as usize));
        let fields = fields(&record).map_err(|cause| refuse(format!("line {line}: {cause}")))?;
        let raw = &text.as_bytes()[start..reader.position().byte() as usize];
        if !tab && never_closed(raw) {
            return Err(refuse(format!("line {line}: {OPEN_QUOTE}")));
        }
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
    if starts(b"PK\x03\x04") {
        return Err("it is a zip archive or an Excel workbook; unpack it, or save it as CSV in UTF-8".into());
    }
    let packed: [&[u8]; 5] = [b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"7z\xbc\xaf", b"\x28\xb5\x2f\xfd"];
    if packed.iter().any(|with| starts(with)) {
        return Err("it is compressed; unpack it first".into());
    }
    if starts(b"\x89PNG") || starts(b"\xff\xd8\xff") || starts(b"GIF8") || starts(b"%PDF") {
        return Err("it is a picture or a document, no text file".into());
    }
    let Some(at) = memchr::memchr(0, bytes) else {
        return if utf_16_mark(bytes) { Err(UTF_16.into()) } else { Ok(()) };
    };
    // In UTF-16 every second byte of plain text is 0.
    let start = &bytes[..bytes.len().min(1000)];
    let zeros = |from: usize| start.iter().skip(from).step_by(2).filter(|b| **b == 0).count();
    if utf_16_mark(bytes) || zeros(0).max(zeros(1)) * 4 > start.len() {
        return Err(UTF_16.into());
    }
    Err(format!("it holds a null byte at offset {at}, so it is no text file"))
}

const UTF_16: &str = "it is in UTF-16; save it as UTF-8";

fn utf_16_mark(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff])
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

/// Why the first row tells no layout, as far as it can be guessed.
fn no_layout(first: &str) -> String {
    let cause = "its first row has neither 6 nor 2 columns, nor the form id TAB rating TAB text";
    let parts = |with: char| first.matches(with).count();
    if first.trim_start().starts_with('<') {
        return format!("{cause}: it is a page of HTML or XML; download the file itself");
    }
    match [';', '|', '\t', ','].into_iter().max_by_key(|c| parts(*c)).filter(|c| parts(*c) > 0) {
        Some(';') => format!("{cause}: its columns are separated by semicolons; save it with commas"),
        Some('|') => format!("{cause}: its columns are separated by bars; save it with commas"),
        Some('\t') => format!("{cause}: it has {} columns separated by TAB", parts('\t') + 1),
        _ => cause.to_owned(),
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
    if let Some(field) = record.iter().find(|field| field.len() > LONGEST_FIELD) {
        return Err(format!("a field has {} bytes, which no tweet has: {OPEN_QUOTE}", field.len()));
    }
    record.iter().map(|field| std::str::from_utf8(field).map_err(|e| e.to_string())).collect()
}

const OPEN_QUOTE: &str = "a quote is opened and never closed";

/// True when a record of several lines was read on only because a quote stayed open: at its end, or at a quote that
/// closes in the middle of a field. Quotes that are careless within one line take nothing else along.
fn never_closed(record: &[u8]) -> bool {
    let record = record.trim_ascii();
    if memchr::memchr2(b'\n', b'\r', record).is_none() {
        return false;
    }
    let mut rest = record;
    loop {
        // At the start of a field.
        if let Some(quoted) = rest.strip_prefix(b"\"") {
            rest = quoted;
            loop {
                let Some(end) = memchr::memchr(b'"', rest) else { return true };
                rest = &rest[end + 1..];
                match rest.first() {
                    Some(b'"') => rest = &rest[1..],
                    None | Some(b',') => break,
                    Some(_) => return true,
                }
            }
        }
        match memchr::memchr(b',', rest) {
            Some(end) => rest = &rest[end + 1..],
            None => return false,
        }
    }
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
    if label.split_once(';').is_some_and(|(first, _)| Sentiment::from_target(first.trim_matches('"')).is_some()) {
        return "its columns are separated by semicolons; save it with commas".into();
    }
    if label.chars().count() > 12 {
        format!("the label is a text, where {wanted} is expected")
    } else {
        format!("the label {label:?} is unknown, where {wanted} is expected")
    }
}
