//! How many requests a token or an address may still send, in windows of the wall clock as Mastodon counts them.
//! Registering applications is not limited further, so that tests can share a server; Mastodon allows five in ten
//! minutes.

use crate::Timestamp;
use axum::http::{HeaderMap, HeaderValue};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

const MINUTE: i64 = 60_000;
/// How many counters are kept; when there are more, those of past windows go, then all.
const COUNTERS: usize = 10_000;

/// A limit: so many requests in so many minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Limit {
    /// 300 requests in 5 minutes.
    General,
    /// 300 pages in 15 minutes.
    Paged,
}

impl Limit {
    fn window(self) -> i64 {
        match self {
            Self::General => 5 * MINUTE,
            Self::Paged => 15 * MINUTE,
        }
    }
}

const REQUESTS: u32 = 300;

/// How a request stands with its limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowance {
    /// Requests left in the window, this one taken off.
    remaining: u32,
    /// False when this request is one too many.
    pub allowed: bool,
    /// When the window ends, in microseconds since 1970.
    reset: i64,
}

/// All counters.
#[derive(Default)]
pub(super) struct Limits(Mutex<HashMap<(Limit, String), (i64, u32)>>);

impl Limits {
    /// Counts a request of `who` (a token or an address) against its tightest limit.
    pub fn count(&self, who: &str, paged: bool) -> Allowance {
        let now = Timestamp::now().as_millis();
        let general = self.count_one(who, Limit::General, now);
        if !paged {
            return general;
        }
        let pages = self.count_one(who, Limit::Paged, now);
        if pages.remaining < general.remaining || !pages.allowed { pages } else { general }
    }

    fn count_one(&self, who: &str, limit: Limit, now: i64) -> Allowance {
        let window = now.div_euclid(limit.window());
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.len() >= COUNTERS {
            counters.retain(|(limit, _), (of, _)| *of == now.div_euclid(limit.window()));
            if counters.len() >= COUNTERS {
                counters.clear();
            }
        }
        let counter = counters.entry((limit, who.to_owned())).or_insert((window, 0));
        if counter.0 != window {
            *counter = (window, 0);
        }
        counter.1 = counter.1.saturating_add(1);
        Allowance {
            remaining: REQUESTS.saturating_sub(counter.1),
            allowed: counter.1 <= REQUESTS,
            reset: (window + 1) * limit.window() * 1000,
        }
    }
}

impl Allowance {
    /// Writes the headers that tell it; the end of the window is an ISO 8601 time with six decimals.
    pub fn write(self, headers: &mut HeaderMap) {
        let reset = Timestamp::from_micros(self.reset).to_string();
        let reset = reset.trim_end_matches('Z').to_owned() + ".000000Z";
        let values = [
            ("x-ratelimit-limit", REQUESTS.to_string()),
            ("x-ratelimit-remaining", self.remaining.to_string()),
            ("x-ratelimit-reset", reset),
        ];
        for (name, value) in values {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}
