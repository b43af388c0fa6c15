//! What a server that is asked too often says about when to come back. `[pure]`

use crate::timestamp::Timestamp;
use std::time::Duration;

/// The longest window of Mastodon's limits: whoever asks for more has another clock than we.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// How long to wait, from the headers `X-RateLimit-Reset` (a time) or `Retry-After` (seconds), at most 15 minutes.
///
/// The time is counted from the server's own `date`, so that a clock of ours that is wrong changes nothing; without
/// that header, from `now`. Nothing when neither header says when, or when that moment is past.
///
/// ```
/// # use spar::mastodon::asked_wait;
/// let now = "2026-08-01T14:00:00Z".parse()?;
/// let reset = Some("2026-08-01T15:00:30.374878Z");
/// let date = Some("Sat, 01 Aug 2026 15:00:00 GMT");
/// assert_eq!(asked_wait(reset, None, date, now).unwrap().as_secs(), 30);
/// // Our clock is an hour behind, and the server does not tell its own.
/// assert_eq!(asked_wait(reset, None, None, now).unwrap().as_secs(), 900);
/// # Ok::<(), spar::Error>(())
/// ```
pub fn asked_wait(
    reset: Option<&str>,
    retry_after: Option<&str>,
    date: Option<&str>,
    now: Timestamp,
) -> Option<Duration> {
    let now = date.and_then(http_date).unwrap_or(now);
    let until = |at: Timestamp| at.as_micros().saturating_sub(now.as_micros());
    let micros = reset
        .and_then(|text| text.parse().ok())
        .map(until)
        .or_else(|| retry_after?.trim().parse::<u32>().ok().map(|seconds| i64::from(seconds) * 1_000_000))
        .or_else(|| retry_after.and_then(http_date).map(until))?;
    let wait = Duration::from_micros(u64::try_from(micros).ok().filter(|micros| *micros > 0)?);
    Some(wait.min(LONGEST))
}

/// The form of dates in HTTP: `Sat, 01 Aug 2026 15:00:00 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}
