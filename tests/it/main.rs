//! The behaviour of `spar`, seen through its public interface; services are real ones.

mod clean;
mod desk;
mod messages;
mod record;
mod sink;
mod support;
mod timestamp;
mod window;
