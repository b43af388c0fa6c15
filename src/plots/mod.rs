//! Tables in, [`Figure`]s out: charts in the manner of matplotlib and seaborn, drawn once with plotters, as SVG,
//! and turned into a PNG of twice the size. [pure apart from the machine's fonts]
//!
//! Every chart is drawn for any data: with nothing to show, it is an empty frame with a sentence inside.

mod axis;
mod colour;
mod frequency;
mod hashtags;
mod lag;
mod raster;
mod sentiments;
mod sheet;
mod users;

pub use frequency::frequency;
pub use hashtags::hashtags;
pub use lag::lag;
pub use sentiments::{SENTIMENTS, sentiments};
pub use users::users;

use crate::display::{Figure, Table};
use crate::error::{Error, Result};
use polars::prelude::{AnyValue, Column, DataType};
use sheet::Sheet;

/// Draws on a sheet of so many inches, 100 pixels each, and makes both formats of it.
fn figure(
    name: &str,
    title: &str,
    (width, height): (u32, u32),
    summary: String,
    draw: impl FnOnce(&Sheet<'_>) -> Result<()>,
) -> Result<Figure> {
    let svg = sheet::draw(title, (width * 100, height * 100), draw)?;
    let png = raster::png(&svg)?;
    Ok(Figure::new(name, summary, svg, png))
}

/// Words below a chart: those that are not empty, with a point between them.
fn note(words: &[String]) -> String {
    let words: Vec<&str> = words.iter().map(String::as_str).filter(|w| !w.is_empty()).collect();
    words.join(" · ")
}

/// `n mot` or `n mots`.
fn counted(n: u64, word: &str) -> String {
    format!("{} {word}{}", axis::whole(n), if n > 1 { "s" } else { "" })
}

fn column<'a>(table: &'a Table, name: &str) -> Result<&'a Column> {
    table.frame().column(name).map_err(|_| {
        Error::cannot("draw a chart", format!("the table has no column {name}, only {}", table.names().join(", ")))
            .next("give it the table that the chart's documentation names")
            .invalid()
    })
}

fn texts(table: &Table, name: &str) -> Result<Vec<Option<String>>> {
    let text = |value: AnyValue<'_>| match value.get_str() {
        Some(text) => Some(text.to_owned()),
        None => (!value.is_null()).then(|| value.to_string()),
    };
    let column = column(table, name)?;
    Ok((0..column.len()).map(|row| column.get(row).ok().and_then(text)).collect())
}

/// Whole numbers; a null counts 0, and nothing is below 0.
fn counts(table: &Table, name: &str) -> Result<Vec<u64>> {
    Ok(numbers(table, name)?.into_iter().map(|n| n.unwrap_or(0).max(0).unsigned_abs()).collect())
}

fn numbers(table: &Table, name: &str) -> Result<Vec<Option<i64>>> {
    let column = column(table, name)?
        .cast(&DataType::Int64)
        .map_err(|e| Error::cannot(format!("draw the column {name}"), e).invalid())?;
    Ok((0..column.len()).map(|row| column.get(row).ok().and_then(|v| v.extract::<i64>())).collect())
}
