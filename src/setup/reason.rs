//! Why a program of the set-up failed, read off what it said. `[pure]`

use crate::display::shorten;

/// What a reader can tell apart, from the most to the least certain.
const REASONS: [Reason; 5] = [
    Reason {
        signs: &["no space left on device", "os error 28", "errno 28", "disk quota exceeded"],
        why: "the disk is full",
        next: "free about 2 GB, or set SPAR_TOOLS to a folder on another disk",
    },
    Reason {
        signs: &["do not match the hashes", "expected sha256"],
        why: "what came is not the file that this project knows",
        next: "do not use it; look at the package index that PIP_INDEX_URL or pip's settings name",
    },
    Reason {
        signs: &["permission denied", "read-only file system"],
        why: "it may not write or run something",
        next: "make the named folder yours, or set SPAR_TOOLS to a folder that you may write to",
    },
    Reason {
        signs: &[
            "could not resolve",
            "couldn't resolve",
            "failed to resolve",
            "name resolution",
            "name or service not known",
            "unknownhost",
            "network is unreachable",
            "connection refused",
            "connection reset",
            "could not connect",
            "couldn't connect",
            "failed to connect",
            "failed to establish a new connection",
            "max retries exceeded",
            "timed out",
            "proxyerror",
            "ssl: ",
            "certificate verify failed",
        ],
        why: "the network did not give it",
        next: NETWORK,
    },
    Reason {
        // What pip says when it could not even ask.
        signs: &["from versions: none"],
        why: "the network did not give it",
        next: NETWORK,
    },
];

const NETWORK: &str =
    "check the network (a proxy goes into HTTPS_PROXY, an index of your own into the settings of pip and cargo)";

/// One reason, how to know it and what to do.
struct Reason {
    signs: &'static [&'static str],
    why: &'static str,
    next: &'static str,
}

/// How many characters of the telling line are repeated, and how many bytes of them before its sign.
const LINE: (usize, usize) = (160, 80);

/// The part of a long line that tells.
fn around(line: &str, place: usize) -> String {
    let start = line.floor_char_boundary(place.saturating_sub(LINE.1));
    let dots = if start == 0 { "" } else { "…" };
    format!("{dots}{}", shorten(&line[start..], LINE.0))
}

/// Reads a program's lines as they come and keeps the one that tells most.
#[derive(Debug, Default)]
pub(super) struct Reader {
    best: Option<(usize, String)>,
}

impl Reader {
    /// Looks at one more line; among lines of one reason the last one tells most.
    pub(super) fn read(&mut self, line: &str) {
        // ASCII only, so that positions are the same in both.
        let lower = line.to_ascii_lowercase();
        let sign = |reason: &Reason| reason.signs.iter().filter_map(|sign| lower.rfind(sign)).max();
        let found = REASONS.iter().enumerate().find_map(|(at, reason)| Some((at, sign(reason)?)));
        if let Some((found, place)) = found
            && self.best.as_ref().is_none_or(|(best, _)| found <= *best)
        {
            self.best = Some((found, around(line, place)));
        }
    }

    /// The reason when the disk is found to be full afterwards: some programs do not say so.
    pub(super) fn full_disk() -> (String, &'static str) {
        (REASONS[0].why.to_owned(), REASONS[0].next)
    }

    /// The reason with the line that told it, and what to do about it; `None` when nothing was recognised.
    pub(super) fn reason(&self) -> Option<(String, &'static str)> {
        let (at, line) = self.best.as_ref()?;
        Some((format!("{} ({line})", REASONS[*at].why), REASONS[*at].next))
    }
}
