//! The behaviour of `spar`, seen through its public interface; services are real ones.

mod services;
mod support;
mod display;
mod history;
mod plots;
mod read;
mod local;
mod timestamp;
mod world;
mod clean;
mod desk;
mod messages;
mod record;
mod sink;
mod support;
mod timestamp;
mod window;
mod dataset;
mod timestamp;
mod tokens;
mod keywords;
mod sse;
mod timestamp;
mod toot;
