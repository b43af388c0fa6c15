//! One error for the whole crate: what was tried, on what, why it failed and the next step, all in `Display`.

use crate::display::neutralise;
use std::error::Error as StdError;
use std::fmt;

/// A failure, told in one sentence: `cannot <action>: <cause>; <next step>`.
///
/// The kernel prints errors with `{}` and no source chain, so the whole story is in `Display`.
pub struct Error(Box<Inner>);

/// `Result` with the crate's own [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

struct Inner {
    kind: Kind,
    action: String,
    cause: String,
    next: Option<String>,
}

/// What a caller may branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It may work later: a service is away, a connection broke, a time limit passed.
    Transient,
    /// A definitive refusal: a wrong token, a missing right, a fenced worker.
    Refused,
    /// The input or a setting is wrong.
    Invalid,
    /// Anything else.
    Other,
}

impl Error {
    /// `cannot <action>: <cause>`; add the way out with [`Error::next`].
    pub(crate) fn cannot(action: impl Into<String>, cause: impl fmt::Display) -> Self {
        Self(Box::new(Inner {
            kind: Kind::Other,
            action: bounded(&action.into()),
            cause: bounded(&one_line(&cause.to_string())),
            next: None,
        }))
    }

    /// Adds what the reader can do about it.
    pub(crate) fn next(mut self, step: impl Into<String>) -> Self {
        self.0.next = Some(step.into());
        self
    }

    /// Adds a fact to the cause: what became of the work.
    pub(crate) fn and(mut self, fact: impl fmt::Display) -> Self {
        self.0.cause = one_line(&format!("{}; {fact}", self.0.cause));
        self
    }

    /// Says it may work later.
    pub(crate) fn transient(mut self) -> Self {
        self.0.kind = Kind::Transient;
        self
    }

    /// Says it is final: trying again cannot help.
    pub(crate) fn refused(mut self) -> Self {
        self.0.kind = Kind::Refused;
        self
    }

    /// Says an input or a setting is wrong.
    pub(crate) fn invalid(mut self) -> Self {
        self.0.kind = Kind::Invalid;
        self
    }

    /// A path that cannot be used.
    pub fn path(path: &std::path::Path, cause: &std::io::Error) -> Self {
        Self::cannot(format!("use {}", path.display()), cause).invalid()
    }

    /// True when trying again later may help: a service is away or a connection broke.
    pub fn is_transient(&self) -> bool {
        self.0.kind == Kind::Transient
    }

    /// True when a server or an owner said no for good: a wrong token, a lost partition.
    pub fn is_refused(&self) -> bool {
        self.0.kind == Kind::Refused
    }

    /// True when an input or a setting is wrong.
    pub fn is_invalid(&self) -> bool {
        self.0.kind == Kind::Invalid
    }
}

/// The longest action or cause, in characters: what a server answers may be a book.
const LONGEST: usize = 2000;

fn bounded(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Causes come from outside and may hold several lines; an error is one.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { action, cause, next, .. } = &*self.0;
        // Any of the three may repeat what came from outside, and a kernel or a terminal reads the sentence.
        write!(f, "cannot {}: {}", neutralise(action), neutralise(cause))?;
        match next {
            Some(step) => write!(f, "; {}", neutralise(step)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for Error {}
