//! Kafka: the only place that names its client.

pub(crate) mod probe;
mod consumer;
mod loader;

pub(crate) use consumer::{Consumer, Polled};
pub use loader::{Loader, Raw};

/// The topic of gaps in the stream, beside the topic of toots: `mastodon_gaps`.
pub fn gaps_topic(topic: &str) -> String {
    format!("{}_gaps", topic.strip_suffix("_stream").unwrap_or(topic))
}
