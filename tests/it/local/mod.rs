//! The local Mastodon, seen as its clients see it: over the wire, byte by byte where it matters.

mod agreement;
pub mod client;
mod generator;
pub mod oauth;
mod oracle;
mod stream;
mod timelines;
