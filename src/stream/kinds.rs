//! Windows of other widths, beside the contract's: tumbling or sliding, of all toots, per language or per hashtag. `[pure]`

use crate::timestamp::Timestamp;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// In how many windows a toot may count, over all kinds; per hashtag, each of its tags does.
pub const MAX_WINDOWS: i64 = 100;
/// The widest window, in seconds: 31 days.
const WIDEST: i64 = 31 * 86_400;

/// What has windows of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum By {
    /// All toots together.
    All,
    /// Each language.
    Language,
    /// Each hashtag in lower case; a toot counts for each of its tags.
    Hashtag,
}

/// One kind of windows: `[start, end)`, aligned to midnight UTC, 1 January 1970.
///
/// A new one begins every `slide`, a divisor of the width, so that each toot is in exactly width / slide windows.
///
/// ```
/// # use spar::stream::WindowKind;
/// let kind: WindowKind = "60min / 15min by language".parse()?;
/// assert_eq!((kind.to_string().as_str(), kind.overlap()), ("1h/15min by language", 4));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowKind {
    by: By,
    /// In seconds, as the slide.
    width: i64,
    slide: i64,
}

impl WindowKind {
    /// What has windows of its own.
    pub fn by(self) -> By {
        self.by
    }

    /// In how many windows each toot is.
    pub fn overlap(self) -> i64 {
        self.width / self.slide
    }

    /// The starts of the windows that hold `at`, latest first.
    pub fn starts(self, at: Timestamp) -> impl Iterator<Item = Timestamp> {
        let (at, slide) = (at.as_micros(), self.slide * 1_000_000);
        let latest = at.saturating_sub(at.rem_euclid(slide));
        (0..self.overlap()).map(move |n| Timestamp::from_micros(latest.saturating_sub(n * slide)))
    }

    /// The end of the window that begins at `start`.
    pub fn end(self, start: Timestamp) -> Timestamp {
        Timestamp::from_micros(start.as_micros().saturating_add(self.width * 1_000_000))
    }
}

impl fmt::Display for WindowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        length(f, self.width)?;
        if self.slide != self.width {
            f.write_str("/")?;
            length(f, self.slide)?;
        }
        f.write_str(match self.by {
            By::All => "",
            By::Language => " by language",
            By::Hashtag => " by hashtag",
        })
    }
}

/// Units with their seconds, the longest first.
const UNITS: [(&str, i64); 4] = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];

fn length(f: &mut fmt::Formatter<'_>, seconds: i64) -> fmt::Result {
    let (unit, of) = UNITS.iter().find(|(_, of)| seconds % of == 0).unwrap_or(&("s", 1));
    write!(f, "{}{unit}", seconds / of)
}

/// Whole seconds from `90min`.
fn seconds(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (_, of) = UNITS.iter().find(|(unit, _)| *unit == text[digits..].trim_start())?;
    text[..digits].parse::<i64>().ok()?.checked_mul(*of)
}

impl FromStr for WindowKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shown: String = text.trim().chars().take(40).collect();
        let wrong = |why: &str| format!("{shown:?} {why}");
        let text = text.to_ascii_lowercase();
        let (lengths, by) = text.split_once(" by ").map_or((text.as_str(), None), |(l, by)| (l, Some(by.trim())));
        let by = match by {
            None => Some(By::All),
            Some("language") => Some(By::Language),
            Some("hashtag") => Some(By::Hashtag),
            Some(_) => None,
        };
        let (width, slide) = lengths.split_once('/').unwrap_or((lengths, lengths));
        let (Some(by), Some(width), Some(slide)) = (by, seconds(width), seconds(slide)) else {
            return Err(wrong("is no kind of windows, as `5min`, `1h/15min`, `1h by language` or `1d by hashtag`"));
        };
        match (width, slide) {
            (1..=WIDEST, 1..) if width % slide == 0 => Ok(Self { by, width, slide }),
            (1..=WIDEST, 1..) => Err(wrong("slides by no whole part of its width, so toots would count unevenly")),
            _ => Err(wrong("does not last from 1s to 31d")),
        }
    }
}

/// The kinds of windows that are kept, each once and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowKinds(Arc<[WindowKind]>);

impl WindowKinds {
    /// Each of them; its place is its number.
    pub fn iter(&self) -> impl Iterator<Item = WindowKind> {
        self.0.iter().copied()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that `keep` says.
    #[must_use]
    pub fn only(&self, keep: impl Fn(WindowKind) -> bool) -> Self {
        self.iter().filter(|kind| keep(*kind)).collect()
    }

    /// How many windows at most change with a toot of so many tags.
    pub fn reach(&self, tags: usize) -> usize {
        self.iter().map(|kind| kind.overlap() as usize * if kind.by == By::Hashtag { tags } else { 1 }).sum()
    }
}

impl FromIterator<WindowKind> for WindowKinds {
    fn from_iter<I: IntoIterator<Item = WindowKind>>(kinds: I) -> Self {
        let mut kinds: Vec<WindowKind> = kinds.into_iter().collect();
        kinds.sort_unstable();
        kinds.dedup();
        Self(kinds.into())
    }
}

impl fmt::Display for WindowKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("none");
        }
        let kinds: Vec<String> = self.iter().map(|kind| kind.to_string()).collect();
        f.write_str(&kinds.join(", "))
    }
}

impl FromStr for WindowKinds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.trim().eq_ignore_ascii_case("none") {
            return Ok(Self::default());
        }
        let items = text.split(',').filter(|item| !item.trim().is_empty());
        let kinds = items.map(str::parse).collect::<Result<Self, String>>()?;
        match kinds.iter().map(WindowKind::overlap).sum() {
            0..=MAX_WINDOWS => Ok(kinds),
            many => Err(format!("each toot would count in {many} windows, and {MAX_WINDOWS} are allowed")),
        }
    }
}
