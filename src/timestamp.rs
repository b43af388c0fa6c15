//! Event time: an instant in UTC, to the microsecond. Pure but for `now`.

use crate::error::{Error, Result};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// An instant in UTC, in microseconds since 1 January 1970; it prints as RFC 3339.
///
/// ```
/// # use spar::Timestamp;
/// let at: Timestamp = "2024-10-10T13:17:26.5+02:00".parse()?;
/// assert_eq!(at.to_string(), "2024-10-10T11:17:26.5Z");
/// # Ok::<(), spar::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Microseconds between 1970 and 2000, PostgreSQL's own epoch.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

impl Timestamp {
    /// From microseconds since 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From milliseconds since 1970.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1000))
    }

    /// Microseconds since 1970.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since 1970, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Microseconds since 2000, as PostgreSQL's binary format wants them.
    pub const fn as_postgres_micros(self) -> i64 {
        self.0.saturating_sub(POSTGRES_EPOCH)
    }

    /// From microseconds since 2000, PostgreSQL's binary format.
    pub const fn from_postgres_micros(micros: i64) -> Self {
        Self(micros.saturating_add(POSTGRES_EPOCH))
    }

    /// The present, by the machine's clock. Only the edges of the crate ask for it.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }

    /// This instant moved back by `by`.
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(micros(by)))
    }

    /// This instant moved forward by `by`.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(micros(by)))
    }

    /// The calendar year in UTC.
    pub fn year(self) -> i16 {
        self.civil().year()
    }

    fn civil(self) -> jiff::civil::DateTime {
        if let Ok(at) = jiff::Timestamp::from_microsecond(self.0) {
            return jiff::tz::Offset::UTC.to_datetime(at);
        }
        // The calendar goes a little further than instants do: to the last moment of the year 9999.
        let epoch = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
        let end = if self.0 < 0 { jiff::civil::DateTime::MIN } else { jiff::civil::DateTime::MAX };
        epoch.checked_add(jiff::SignedDuration::from_micros(self.0)).unwrap_or(end)
    }

    /// The form of a Kafka message: `2024-10-10T11:17:26+00:00`, with a fraction when there is one.
    pub fn to_offset_form(self) -> String {
        let mut text = self.to_string();
        text.pop();
        text.push_str("+00:00");
        text
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}Z", self.civil())
    }
}

impl FromStr for Timestamp {
    type Err = Error;

    /// Reads RFC 3339 with `Z` or an offset and 0 to 9 fractional digits; digits beyond the sixth are cut.
    fn from_str(text: &str) -> Result<Self> {
        if let Some(micros) = utc_fast(text.as_bytes()) {
            return Ok(Self(micros));
        }
        let at: jiff::Timestamp = text.trim().parse().map_err(|e| {
            Error::cannot(format!("read the time {text:?}"), e).next("write it as 2024-10-10T11:17:26Z").invalid()
        })?;
        Ok(Self(at.as_nanosecond().div_euclid(1000) as i64))
    }
}

/// `YYYY-MM-DDTHH:MM:SS[.f…](Z|+00:00)`, the form that nearly every message has; anything else is left to jiff.
fn utc_fast(b: &[u8]) -> Option<i64> {
    if b.len() < 20 || b[4] != b'-' || b[7] != b'-' || b[10] != b'T' || b[13] != b':' || b[16] != b':' {
        return None;
    }
    let number = |at: usize, digits: usize| -> Option<i64> {
        b[at..at + digits].iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
    };
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let mut rest = &b[19..];
    let mut fraction = 0;
    if rest[0] == b'.' {
        let digits = rest[1..].iter().take_while(|d| d.is_ascii_digit()).count();
        if !(1..=9).contains(&digits) {
            return None;
        }
        for place in 0..6 {
            let digit = if place < digits { rest[1 + place] - b'0' } else { 0 };
            fraction = fraction * 10 + i64::from(digit);
        }
        rest = &rest[1 + digits..];
    }
    if rest != b"Z" && rest != b"+00:00" {
        return None;
    }
    // Day 29 and later depend on the month; jiff decides about those that may not exist.
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    if day > 28 {
        jiff::civil::Date::new(year as i16, month as i8, day as i8).ok()?;
    }
    Some((days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second) * 1_000_000 + fraction)
}

/// Days since 1970 of a date of the proleptic Gregorian calendar, counted in years that begin in March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

impl From<Timestamp> for SystemTime {
    fn from(at: Timestamp) -> Self {
        let distance = Duration::from_micros(at.0.unsigned_abs());
        // PostgreSQL's own range lies inside that of the system's time.
        let time = if at.0 < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) };
        time.unwrap_or(UNIX_EPOCH)
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(after) => Self(micros(after)),
            Err(e) => Self(-micros(e.duration())),
        }
    }
}
