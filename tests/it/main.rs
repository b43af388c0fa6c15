//! The behaviour of `spar`, seen through its public interface; services are real ones.

mod keywords;
mod sse;
mod timestamp;
mod toot;
