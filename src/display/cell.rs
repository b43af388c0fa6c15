//! One value of a table as text: numbers readable, nulls visible, times in UTC.

use super::visible;
use crate::timestamp::Timestamp;
use polars::prelude::{AnyValue, Column, DataType, TimeUnit};

/// Decimals beyond these are noise in an average; the whole number stays in the cell's title.
const DECIMALS: usize = 6;

/// Between groups of three digits: a narrow space where no line breaks.
const GROUP: char = '\u{202f}';

/// A value ready to show.
pub(super) enum Cell {
    Null,
    /// What is shown, and the whole value when that is longer.
    Text(String, Option<String>),
    Number(String, Option<String>),
}

/// The cells of one column, in the rows asked for.
pub(super) fn cells(column: &Column, rows: &[usize], most: usize) -> Vec<Cell> {
    let values: Vec<AnyValue<'_>> = rows.iter().map(|&row| column.get(row).unwrap_or(AnyValue::Null)).collect();
    // One number of decimals for the column, so that the points stand below each other.
    let decimals = values.iter().filter_map(float).map(decimals).max().unwrap_or(0);
    values.iter().map(|value| cell(value, decimals, most)).collect()
}

/// What stands under a column's name.
pub(super) fn type_name(dtype: &DataType) -> String {
    match dtype {
        DataType::Datetime(..) => "datetime (UTC)".into(),
        DataType::List(inner) => format!("list[{}]", type_name(inner)),
        other => other.to_string(),
    }
}

/// One value alone, as in a cell of a table; nothing for a null.
pub(super) fn alone(value: &AnyValue<'_>, most: usize) -> Option<String> {
    match cell(value, float(value).map_or(0, decimals), most) {
        Cell::Null => None,
        Cell::Text(text, _) | Cell::Number(text, _) => Some(text),
    }
}

fn cell(value: &AnyValue<'_>, decimals: usize, most: usize) -> Cell {
    match value {
        AnyValue::Null => Cell::Null,
        AnyValue::String(text) => text_cell(text, most),
        AnyValue::StringOwned(text) => text_cell(text, most),
        AnyValue::Float32(_) | AnyValue::Float64(_) => {
            let x = float(value).unwrap_or(f64::NAN);
            let shown = show_float(x, decimals);
            let whole = x.to_string();
            Cell::Number(shown, (x.is_finite() && self::decimals(x) == DECIMALS).then_some(whole))
        }
        AnyValue::Date(days) => Cell::Text(date(*days), None),
        AnyValue::Datetime(ticks, unit, _) | AnyValue::DatetimeOwned(ticks, unit, _) => {
            Cell::Text(datetime(*ticks, *unit), None)
        }
        number if number.dtype().is_integer() => Cell::Number(grouped(&number.to_string()), None),
        AnyValue::List(_) => text_cell(&nested(value, DEPTH), most),
        other => text_cell(&other.to_string(), most),
    }
}

/// How deep into lists a cell looks, and how many values of each it shows.
const DEPTH: usize = 3;
const ITEMS: usize = 10;

/// A list as `[1, 2, 3]`, bounded whatever it holds.
fn nested(value: &AnyValue<'_>, depth: usize) -> String {
    match value {
        AnyValue::List(_) if depth == 0 => "[…]".into(),
        AnyValue::List(list) => {
            let mut items: Vec<_> =
                (0..list.len().min(ITEMS)).filter_map(|at| list.get(at).ok()).map(|v| nested(&v, depth - 1)).collect();
            if list.len() > ITEMS {
                items.push(format!("… {} en tout", grouped(&list.len().to_string())));
            }
            format!("[{}]", items.join(", "))
        }
        // In quotes, so that a comma inside a text is not one between two.
        AnyValue::String(_) | AnyValue::StringOwned(_) => {
            format!("\"{}\"", value.get_str().map(|text| super::shorten(start(text), 100)).unwrap_or_default())
        }
        simple => alone(simple, 100).unwrap_or_else(|| "null".into()),
    }
}

/// The part of a text that a cell looks at: a text of megabytes costs no more than a long one.
fn start(text: &str) -> &str {
    &text[..text.floor_char_boundary(1 << 15)]
}

fn text_cell(text: &str, most: usize) -> Cell {
    let text = visible(start(text));
    let short = super::shorten(&text, most);
    let whole = (short != text).then(|| super::shorten(&text, 400));
    Cell::Text(short, whole)
}

fn float(value: &AnyValue<'_>) -> Option<f64> {
    match value {
        AnyValue::Float32(x) => Some(f64::from(*x)),
        AnyValue::Float64(x) => Some(*x),
        _ => None,
    }
}

/// True when the number is too great or too small to be written out.
fn scientific(x: f64) -> bool {
    x != 0.0 && !(1e-4..1e15).contains(&x.abs())
}

fn decimals(x: f64) -> usize {
    if !x.is_finite() || scientific(x) {
        return 0;
    }
    let text = format!("{x:.DECIMALS$}");
    let fraction = text.split_once('.').map_or("", |(_, f)| f);
    fraction.trim_end_matches('0').len()
}

fn show_float(x: f64, decimals: usize) -> String {
    if !x.is_finite() {
        x.to_string()
    } else if scientific(x) {
        format!("{x:.6e}")
    } else {
        let text = format!("{x:.decimals$}");
        match text.split_once('.') {
            Some((whole, fraction)) => format!("{}.{fraction}", grouped(whole)),
            None => grouped(&text),
        }
    }
}

/// `1234567` as `1 234 567`; numbers of four digits stay as they are, years among them.
pub(crate) fn grouped(number: &str) -> String {
    let digits = number.trim_start_matches('-');
    if digits.len() < 5 {
        return number.to_owned();
    }
    let mut out = String::from(if digits.len() < number.len() { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(GROUP);
        }
        out.push(digit);
    }
    out
}

fn date(days: i32) -> String {
    let at = Timestamp::from_micros(i64::from(days).saturating_mul(86_400_000_000)).to_string();
    at.split('T').next().unwrap_or_default().to_owned()
}

fn datetime(ticks: i64, unit: TimeUnit) -> String {
    let micros = match unit {
        TimeUnit::Nanoseconds => ticks.div_euclid(1000),
        TimeUnit::Microseconds => ticks,
        TimeUnit::Milliseconds => ticks.saturating_mul(1000),
    };
    Timestamp::from_micros(micros).to_string().trim_end_matches('Z').replacen('T', " ", 1)
}
