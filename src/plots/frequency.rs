use super::axis::{count_ticks, day, day_ticks, whole};
use super::sheet::{Frame, Sheet, Words, room};
use super::{counted, counts, figure, note, numbers};
use crate::display::{Figure, Table};
use crate::error::Result;
use plotters::style::{RGBColor, WHITE};
use std::collections::BTreeMap;

/// matplotlib's first colour.
const BLUE: RGBColor = RGBColor(0x1f, 0x77, 0xb4);

/// Toots outside the last days that hold this share of all do not stretch the axis …
const SHARE: f64 = 0.95;
/// … when they would make it more than so many times longer, beyond a month.
const STRETCH: i64 = 3;
const MONTH: i64 = 31;

/// An axis has at least so many days.
const FEWEST: i64 = 7;

/// At most so many dates stand under the axis.
const LABELS: i64 = 16;

/// Chart 2: toots per day (UTC) as a line; a day without toots counts 0.
///
/// `table` has `date` and `total_toots`. Few toots much older than the rest are told in words, so that they do not
/// flatten the line. `about` is added below the chart.
///
/// # Errors
///
/// Fails if a column is missing, no date or no number.
pub fn frequency(table: &Table, about: &str) -> Result<Figure> {
    let mut days: BTreeMap<i64, u64> = BTreeMap::new();
    for (date, n) in numbers(table, "date")?.into_iter().zip(counts(table, "total_toots")?) {
        // A day that no calendar knows would make an axis without end.
        if let Some(date) = date.filter(|d| n > 0 && (-1_000_000..=3_000_000).contains(d)) {
            *days.entry(date).or_default() += n;
        }
    }
    let (first, last) = span(&days);
    let older: u64 = days.range(..first).map(|(_, n)| n).sum();
    let oldest = match days.keys().next() {
        Some(oldest) if older > 0 => format!("{} plus anciens, depuis le {}", counted(older, "toot"), day(*oldest)),
        _ => String::new(),
    };
    let below = note(&["jours UTC".into(), oldest, about.to_owned()]);
    let words = Words { title: "Nombre de toots par jour", x: "Date", y: "Nombre de toots", note: &below };
    let line: Vec<(i64, u64)> = (first..=last).map(|d| (d, days.get(&d).copied().unwrap_or(0))).collect();
    let total: u64 = line.iter().map(|(_, n)| n).sum();
    let told = match days.is_empty() {
        true => "aucun toot".into(),
        false => format!("{} du {} au {}", counted(total, "toot"), day(first), day(last)),
    };
    let summary = format!("{} : {}", words.title, note(&[told, below.clone()]));

    figure("toots-par-jour", words.title, (12, 6), summary, |sheet| {
        if days.is_empty() {
            return sheet.blank(&words, "Aucun toot enregistré pour l'instant.");
        }
        let highest = line.iter().map(|(_, n)| *n).max().unwrap_or(0) as f64;
        let ticks = count_ticks(highest * 1.05);
        let frame = sheet.frame(&words, room(&ticks), 62.0);
        let scale = Scale { frame, first, days: last - first, highest };
        draw(sheet, &scale, &line)?;
        for date in day_ticks(first, last, LABELS) {
            sheet.x_tick_slanted(scale.x(date), frame.bottom, &day(date))?;
        }
        for tick in ticks {
            sheet.y_tick(frame.left, scale.y(tick as f64), &whole(tick))?;
        }
        sheet.border(&frame)?;
        sheet.words(&frame, &words)
    })
}

/// From a day and a count to a place, with a twentieth of the range free on each side.
struct Scale {
    frame: Frame,
    first: i64,
    days: i64,
    highest: f64,
}

impl Scale {
    fn x(&self, day: i64) -> f64 {
        let share = (day - self.first) as f64 / self.days as f64;
        self.frame.left + (self.frame.right - self.frame.left) * (0.05 + share) / 1.1
    }

    fn y(&self, n: f64) -> f64 {
        self.frame.bottom - (self.frame.bottom - self.frame.top) * (0.05 + n / self.highest) / 1.1
    }
}

fn draw(sheet: &Sheet<'_>, scale: &Scale, line: &[(i64, u64)]) -> Result<()> {
    let points: Vec<_> = line.iter().map(|(date, n)| (scale.x(*date), scale.y(*n as f64))).collect();
    sheet.path(&points, 1.5, BLUE)?;
    // Markers that touch each other hide the line.
    let apart = (scale.frame.right - scale.frame.left) / line.len() as f64;
    let radius = (apart * 0.4).min(4.17);
    if radius < 1.0 {
        return Ok(());
    }
    for point in points {
        sheet.circle(point, radius, WHITE)?;
        sheet.circle(point, radius - 0.7f64.min(radius * 0.2), BLUE)?;
    }
    Ok(())
}

/// The days shown, first and last.
fn span(days: &BTreeMap<i64, u64>) -> (i64, i64) {
    let (Some(oldest), Some(last)) = (days.keys().next(), days.keys().next_back()) else {
        return (0, FEWEST - 1);
    };
    let total: u64 = days.values().sum();
    let mut held = 0;
    let recent = days.iter().rev().find(|(_, n)| {
        held += **n;
        held as f64 >= SHARE * total as f64
    });
    let recent = recent.map_or(*oldest, |(day, _)| *day);
    let stretched = last - oldest > STRETCH * (last - recent) + MONTH;
    let first = if stretched { recent } else { *oldest };
    (first.min(last - (FEWEST - 1)), *last)
}
