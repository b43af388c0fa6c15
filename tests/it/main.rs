//! The behaviour of `spar`, seen through its public interface; services are real ones.

mod clean;
mod dataset;
mod desk;
mod display;
mod exactly_once;
mod history;
mod keywords;
mod local;
mod messages;
mod model;
mod plots;
mod read;
mod record;
mod runner;
mod schema;
mod scoring;
mod services;
mod sink;
mod sse;
mod support;
mod tidy;
mod timestamp;
mod tokens;
mod toot;
mod window;
mod world;
