//! The behaviour of `spar`, seen through its public interface; services are real ones.

mod local;
mod timestamp;
