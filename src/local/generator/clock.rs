//! Event time of the generated timeline, in milliseconds since 1970. `[pure]`

/// One minute.
pub(crate) const MINUTE: i64 = 60_000;
/// One hour.
pub(crate) const HOUR: i64 = 60 * MINUTE;
/// One day.
pub(crate) const DAY: i64 = 24 * HOUR;
/// One week: the length of a slice.
pub(crate) const WEEK: i64 = 7 * DAY;

/// Monday 2 January 2023, midnight UTC: where every timeline starts.
pub(crate) const ORIGIN: i64 = 1_672_617_600_000;
/// 1 January 2100, midnight UTC: nothing before it is future-dated.
pub(crate) const FUTURE: i64 = 4_102_444_800_000;

/// How busy each hour of the day is (UTC), as a share of the busiest.
const HOURS: [f64; 24] = [
    0.48, 0.42, 0.37, 0.34, 0.33, 0.36, 0.45, 0.56, 0.66, 0.74, 0.79, 0.82, 0.86, 0.91, 0.96, 1.0, 1.0, 0.98, 0.95,
    0.92, 0.86, 0.77, 0.67, 0.56,
];
/// How busy each day of the week is, from Monday.
const DAYS: [f64; 7] = [0.97, 1.0, 1.0, 0.99, 0.96, 0.86, 0.84];

/// The share of a week's statuses that has come by the start of each hour, from 0 to 1.
fn weeks_course() -> &'static [f64; 169] {
    static COURSE: std::sync::OnceLock<[f64; 169]> = std::sync::OnceLock::new();
    COURSE.get_or_init(|| {
        let mut course = [0.0; 169];
        for hour in 0..168 {
            course[hour + 1] = course[hour] + HOURS[hour % 24] * DAYS[hour / 24];
        }
        let whole = course[168];
        course.map(|part| part / whole)
    })
}

/// The moment of a week, in milliseconds from its start, by which the share `part` of its statuses has come.
pub(super) fn moment_of(part: f64) -> i64 {
    let course = weeks_course();
    let hour = course.partition_point(|share| *share <= part).clamp(1, 168) - 1;
    let within = (part - course[hour]) / (course[hour + 1] - course[hour]);
    // One second at each end is left free, so that a delete can come before the first update.
    (hour as i64 * HOUR + (within.clamp(0.0, 1.0) * HOUR as f64) as i64).clamp(1000, WEEK - 1000)
}

/// The hour of the day, 0 to 23, UTC.
pub(super) fn hour_of(at: i64) -> usize {
    (at.rem_euclid(DAY) / HOUR) as usize
}

/// The form that Mastodon gives an instant: `2023-01-02T10:11:12.345Z`.
pub(crate) fn iso(at: i64) -> String {
    let (year, month, day) = date(at.div_euclid(DAY));
    let of_day = at.rem_euclid(DAY);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        of_day / HOUR,
        of_day / MINUTE % 60,
        of_day / 1000 % 60,
        of_day % 1000
    )
}

/// The day alone: `2023-01-02`.
pub(super) fn iso_date(at: i64) -> String {
    let (year, month, day) = date(at.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day of a day counted from 1970, in years that begin in March.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}
