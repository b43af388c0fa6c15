//! Windows of event time, aligned to midnight UTC, 1 January 1970. `[pure]`

use crate::error::{Error, Result};
use crate::timestamp::Timestamp;
use std::time::Duration;

/// A stretch of event time: the start belongs to it, the end does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// The first instant inside.
    pub start: Timestamp,
    /// The first instant after.
    pub end: Timestamp,
}

/// The window of length `width` that holds `at`.
///
/// A toot of 12:00:00 opens the window that starts then.
///
/// # Errors
///
/// Fails if `width` is zero or longer than 292,000 years.
///
/// ```
/// # use std::time::Duration;
/// let window = spar::stream::tumbling("2024-10-10T11:59:59Z".parse()?, Duration::from_secs(3600))?;
/// assert_eq!(window.end.to_string(), "2024-10-10T12:00:00Z");
/// # Ok::<(), spar::Error>(())
/// ```
pub fn tumbling(at: Timestamp, width: Duration) -> Result<Window> {
    Ok(Width::new(width)?.window(at))
}

/// A checked width of windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Width(i64);

impl Width {
    /// Checks that windows of this width exist.
    ///
    /// # Errors
    ///
    /// Fails if `width` is under a microsecond or longer than 292,000 years.
    pub fn new(width: Duration) -> Result<Self> {
        match i64::try_from(width.as_micros()) {
            Ok(micros) if micros > 0 => Ok(Self(micros)),
            _ => Err(Error::cannot(format!("use windows of {width:?}"), "they must last from 1 µs to 292,000 years")
                .next("set SPAR_WINDOW_SECONDS to a number of seconds, for example 3600")
                .invalid()),
        }
    }

    /// The window that holds `at`.
    pub fn window(self, at: Timestamp) -> Window {
        let start = at.as_micros().saturating_sub(at.as_micros().rem_euclid(self.0));
        Window { start: Timestamp::from_micros(start), end: Timestamp::from_micros(start.saturating_add(self.0)) }
    }

    /// The width in whole seconds, rounded down.
    pub fn as_secs(self) -> i64 {
        self.0 / 1_000_000
    }
}
