//! What the timeline has in store for one status: when it comes, by whom, about what, and what becomes of it.
//! A plan is drawn from the seed alone, in any order, at no cost worth mentioning. `[pure]`

use super::author;
use super::clock::{DAY, FUTURE, HOUR, MINUTE, ORIGIN, hour_of, moment_of};
use super::random::{Purpose, chance, random};
use super::{Slice, Topic, Version};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// The language that a status says it is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    En,
    /// English, as written in Great Britain.
    EnGb,
    /// French.
    Fr,
    /// German.
    De,
    /// Spanish.
    Es,
    /// Japanese.
    Ja,
    /// Chinese, as written in Taiwan.
    ZhTw,
    /// Portuguese, as written in Brazil.
    PtBr,
    /// The status does not say.
    Unknown,
}

impl Language {
    /// All languages, with their share and the hours that their writers' clocks are ahead of UTC.
    pub(super) const ALL: [(Self, f64, usize); 9] = [
        (Self::En, 0.56, 20),
        (Self::EnGb, 0.015, 0),
        (Self::Fr, 0.115, 1),
        (Self::De, 0.085, 1),
        (Self::Es, 0.06, 22),
        (Self::Ja, 0.07, 9),
        (Self::ZhTw, 0.015, 8),
        (Self::PtBr, 0.03, 21),
        (Self::Unknown, 0.05, 0),
    ];

    /// The code in a status; none when it does not say.
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::En => Some("en"),
            Self::EnGb => Some("en-GB"),
            Self::Fr => Some("fr"),
            Self::De => Some("de"),
            Self::Es => Some("es"),
            Self::Ja => Some("ja"),
            Self::ZhTw => Some("zh-TW"),
            Self::PtBr => Some("pt-BR"),
            Self::Unknown => None,
        }
    }

    /// True for English, of whatever country.
    pub fn is_english(self) -> bool {
        matches!(self, Self::En | Self::EnGb)
    }

    fn draw(draw: &mut ChaCha8Rng, hour: usize) -> Self {
        // Those who sleep write less; English comes from everywhere.
        let weight = |(language, share, ahead): (Self, f64, usize)| match (hour + ahead) % 24 {
            0..6 if !language.is_english() => share * 0.3,
            _ => share,
        };
        let mut left = draw.random::<f64>() * Self::ALL.into_iter().map(weight).sum::<f64>();
        for entry in Self::ALL {
            left -= weight(entry);
            if left < 0.0 {
                return entry.0;
            }
        }
        Self::En
    }
}

/// How the time that a status claims goes with the time when it comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// Less than half an hour before it comes.
    Ordinary,
    /// A day or more before it comes.
    Late,
    /// In the year 2100 or later.
    Future,
}

/// Something that happens to a status after it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It gets another text.
    Edit(Version),
    /// It goes.
    Delete,
}

/// A change and its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Whether that is in the slice after the status's own.
    pub next_slice: bool,
    /// What.
    pub change: Change,
}

/// All that the timeline has in store for one status.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its place in the slice.
    pub index: u32,
    /// When it comes, in milliseconds since 1970.
    pub arrival: i64,
    /// When it says that it was written.
    pub created: i64,
    /// How these two go together.
    pub timing: Timing,
    /// Its id: 48 bits of time, 16 bits of its own.
    pub id: u64,
    /// The key of its author.
    pub author: u64,
    /// `public`, `unlisted` or `private`.
    pub visibility: &'static str,
    /// What it says at first.
    pub first: Version,
    /// What happens to it, in order.
    pub changes: Vec<Event>,
    /// An id that was never shown and is deleted at its arrival, as happens for posts nobody saw.
    pub stray_delete: Option<u64>,
}

impl Plan {
    /// Draws the plan of the status at `index` of a slice.
    pub fn of(slice: &Slice, index: u32) -> Self {
        let draw = &mut random(slice.seed, Purpose::Plan as u64, slice.place(index));
        let part = (f64::from(index) + draw.random::<f64>()) / f64::from(slice.statuses);
        let arrival = slice.start + moment_of(part);
        let (timing, created) = claimed(draw, arrival);
        // A server numbers by the claimed time, but by its own clock when the claim lies ahead of it.
        let of_time = if timing == Timing::Future { arrival } else { created };
        let id = ((of_time as u64) << 16) | u64::from(index.wrapping_mul(40_503) & 0xffff);
        let language = Language::draw(draw, hour_of(arrival));
        let rank = author::rank(draw);
        let keen = author::is_keen(rank);
        let topic = match draw.random::<f64>() {
            p if p < if keen { 0.56 } else { 0.13 } => Topic::Keyword,
            p if p > 0.9 => Topic::Trap,
            _ => Topic::Other,
        };
        let visibility = match draw.random::<f64>() {
            p if p < 0.985 => "public",
            p if p < 0.997 => "unlisted",
            _ => "private",
        };
        let first = Version { number: 0, language, topic, withdrawn: false };
        let changes = fate(draw, slice, arrival, first);
        let withdraws = changes.iter().any(|e| matches!(e.change, Change::Edit(v) if v.withdrawn));
        let author = if withdraws { author::passing(slice.place(index)) } else { author::settled(language, rank) };
        // Ids from before the timeline: no status ever has one.
        let stray_delete = chance(draw, 0.003).then(|| id - ((3650 * DAY as u64) << 16));
        Self { index, arrival, created, timing, id, author, visibility, first, changes, stray_delete }
    }

    /// The versions, first to last: when each was made (none for the first) and what it is.
    pub fn versions(&self) -> impl Iterator<Item = (Option<i64>, Version)> + '_ {
        let edits = self.changes.iter().filter_map(|event| match event.change {
            Change::Edit(version) => Some((Some(event.at), version)),
            Change::Delete => None,
        });
        std::iter::once((None, self.first)).chain(edits)
    }

    /// True when the author lets others process this version.
    pub fn consents(&self, version: Version) -> bool {
        !version.withdrawn && author::consent(self.author).is_given()
    }
}

fn claimed(draw: &mut ChaCha8Rng, arrival: i64) -> (Timing, i64) {
    let kind = draw.random::<f64>();
    let how_much = draw.random::<f64>();
    if kind < 0.015 {
        let created = arrival - DAY - (how_much * (2 * DAY) as f64) as i64;
        if created >= ORIGIN {
            return (Timing::Late, created);
        }
    } else if kind < 0.021 {
        return (Timing::Future, FUTURE + (how_much * (50 * 365 * DAY) as f64) as i64);
    }
    let delay = match draw.random::<f64>() {
        p if p < 0.7 => how_much * 5_000.0,
        p if p < 0.95 => how_much * 120_000.0,
        _ => how_much * (29 * MINUTE) as f64,
    };
    (Timing::Ordinary, (arrival - delay as i64).max(ORIGIN))
}

/// What becomes of a status. An edit comes within the half hour, which never makes it late, or after six hours,
/// which always does when it is what first brings the toot into the tables.
fn fate(draw: &mut ChaCha8Rng, slice: &Slice, arrival: i64, first: Version) -> Vec<Event> {
    let kind = draw.random::<f64>();
    let (soon, later) = (draw.random_range(MINUTE..14 * MINUTE), draw.random_range(15 * MINUTE..29 * MINUTE));
    let much_later = draw.random_range(6 * HOUR..30 * HOUR);
    let next_week = slice.length + draw.random_range(HOUR..slice.length - HOUR);
    let edit_delay = if chance(draw, 0.6) { soon } else { much_later };
    let keyword = first.topic == Topic::Keyword;
    let edit = |number: u8, topic: Topic| Change::Edit(Version { number, topic, ..first });
    let same = edit(1, first.topic);
    let events: &[(i64, Change)] = &match kind {
        p if p < 0.018 => vec![(edit_delay, same)],
        p if p < 0.022 && keyword => vec![(edit_delay, edit(1, Topic::Other))],
        p if p < 0.022 => vec![(edit_delay, same)],
        p if p < 0.027 && !keyword => vec![(edit_delay, edit(1, Topic::Keyword))],
        p if p < 0.027 => vec![(edit_delay, edit(1, Topic::Trap))],
        p if p < 0.030 => vec![(edit_delay, Change::Edit(Version { number: 1, language: Language::Fr, ..first }))],
        p if p < 0.032 => {
            let english = Version { number: 1, language: Language::En, topic: Topic::Keyword, withdrawn: false };
            vec![(edit_delay, Change::Edit(english))]
        }
        p if p < 0.036 => vec![(edit_delay, Change::Edit(Version { number: 1, withdrawn: true, ..first }))],
        p if p < 0.039 => vec![(soon, same), (later, edit(2, first.topic))],
        p if p < 0.041 => vec![(soon, edit(1, Topic::Other)), (later, edit(2, Topic::Keyword))],
        p if p < 0.061 => vec![(much_later, Change::Delete)],
        p if p < 0.066 => vec![(-(soon % 900) - 1, Change::Delete)],
        p if p < 0.069 => vec![(soon, same), (much_later, Change::Delete)],
        p if p < 0.075 => vec![(next_week, same)],
        p if p < 0.079 => vec![(next_week, Change::Delete)],
        _ => return Vec::new(),
    };
    let end = slice.start + slice.length;
    let mut changes = Vec::with_capacity(events.len());
    for (delay, change) in events {
        if *delay == next_week {
            let at = slice.start + delay;
            changes.push(Event { at, next_slice: true, change: *change });
        } else if arrival + delay < end {
            changes.push(Event { at: arrival + delay, next_slice: false, change: *change });
        }
    }
    changes
}
