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

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// Instants to label among `first ..= last`, in microseconds since 1970: at most `most`, evenly spaced on round times;
/// with each its text in UTC.
pub(super) fn time_ticks(first: i64, last: i64, most: i64) -> Vec<(i64, String)> {
    let seconds = [1, 2, 5].into_iter().flat_map(|n| [n * SECOND / 10, n * SECOND, n * 10 * SECOND]);
    let minutes = [1, 2, 5, 10, 15, 30].map(|n| n * MINUTE);
    let hours = [1, 2, 3, 6, 12].map(|n| n * HOUR);
    let days = [1, 2, 5, 10, 30, 100, 365].map(|n| n * DAY);
    let steps = seconds.filter(|step| MINUTE % step == 0).chain(minutes).chain(hours).chain(days);
    let step = steps.filter(|step| (last - first) / step < most).min().unwrap_or((last - first) / most + 1);
    let begin = first.div_euclid(step) * step + if first.rem_euclid(step) == 0 { 0 } else { step };
    let text = |at: i64| {
        let text = Timestamp::from_micros(at).to_string();
        let (_, time) = text.trim_end_matches('Z').split_once('T').unwrap_or_default();
        match step {
            DAY.. => day(at.div_euclid(DAY)),
            MINUTE.. => time.chars().take(5).collect(),
            SECOND.. => time.chars().take(8).collect(),
            _ => format!("{},{}", &time[..8], at.rem_euclid(SECOND) / (SECOND / 10)),
        }
    };
    (0..=(last - begin).div_euclid(step)).map(|n| begin + n * step).map(|at| (at, text(at))).collect()
}
