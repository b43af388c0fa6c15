//! Where ticks stand and what they say. `[pure]`

use crate::display::grouped;
use crate::timestamp::Timestamp;

/// Whole numbers from 0 to at most `highest`, evenly spaced, ten at most.
pub(super) fn count_ticks(highest: f64) -> Vec<u64> {
    let fits = |step: &u64| highest / *step as f64 <= 9.0;
    let steps = (0..19).flat_map(|power| [1, 2, 5].map(|n| n * 10u64.pow(power) / if power > 17 { 10 } else { 1 }));
    let step = steps.into_iter().find(fits).unwrap_or(u64::MAX / 4);
    (0..=9).map(|n| n * step).take_while(|n| *n as f64 <= highest).collect()
}

/// Days to label among `first ..= last`: at most `most`, evenly spaced, the last one always.
pub(super) fn day_ticks(first: i64, last: i64, most: i64) -> Vec<i64> {
    let days = last - first;
    let fits = |step: &i64| days / step < most;
    let step = [1, 2, 3, 5, 7, 10, 14, 21, 28, 61, 91, 183, 365, 730].into_iter().find(fits).unwrap_or(days / most + 1);
    let mut ticks: Vec<i64> = (0..=days / step).map(|n| last - n * step).collect();
    ticks.reverse();
    ticks
}

/// A whole number, digits in groups of three from 10 000 on.
pub(super) fn whole(n: u64) -> String {
    grouped(&n.to_string())
}

/// A day, counted from 1970, as `31-12-2024`.
pub(super) fn day(days: i64) -> String {
    let text = Timestamp::from_micros(days.saturating_mul(86_400_000_000)).to_string();
    let date = text.split('T').next().unwrap_or_default();
    let mut parts: Vec<&str> = date.rsplitn(3, '-').collect();
    parts.truncate(3);
    parts.join("-")
}
