//! The local Mastodon, seen as its clients see it: over the wire, byte by byte where it matters.

mod client;
mod figures;
mod generator;
mod oauth;
mod oracle;
mod stream;
mod timelines;
