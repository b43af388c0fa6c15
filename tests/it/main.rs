//! The behaviour of `spar`, seen through its public interface; services are real ones.

mod clean;
mod messages;
mod record;
mod timestamp;
mod window;
