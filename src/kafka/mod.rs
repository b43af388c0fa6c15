//! Kafka: the only place that names its client.

mod admin;
mod consumer;
mod cursor;
mod group;
mod loader;
pub(crate) mod probe;
mod producer;
mod spool;
mod tail;
mod waiting;

pub use admin::{TopicInfo, brokers, create_topic, topic_info};
pub use loader::{Loader, Raw};
pub use producer::{Deliveries, Producer};
pub use tail::{Record, tail};

pub(crate) use consumer::{Consumer, Polled};
pub(crate) use cursor::Cursor;
pub(crate) use group::{Group, Share};
pub(crate) use spool::undelivered;
pub(crate) use waiting::Waiting;

use crate::error::Error;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// The topic of events that cannot be read or delivered, beside the topic of toots: `mastodon_errors`.
pub fn errors_topic(topic: &str) -> String {
    format!("{}_errors", topic.strip_suffix("_stream").unwrap_or(topic))
}

/// The topic of gaps in the stream, beside the topic of toots: `mastodon_gaps`.
pub fn gaps_topic(topic: &str) -> String {
    format!("{}_gaps", topic.strip_suffix("_stream").unwrap_or(topic))
}

/// What every client is told; its log lines go to the `log` crate.
fn client(broker: &str, id: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", broker)
        .set("client.id", id)
        .set("reconnect.backoff.max.ms", "2000")
        .set("socket.keepalive.enable", "true")
        .set("allow.auto.create.topics", "false");
    config
}

/// A failed request: what was tried, where, and whether it may work later.
fn failed(action: &str, broker: &str, error: &KafkaError) -> Error {
    let cause = error.rdkafka_error_code().map_or_else(|| error.to_string(), |code| code.to_string());
    let failure = Error::cannot(format!("{action} at {broker}"), cause);
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::BrokerTransportFailure
            | RDKafkaErrorCode::AllBrokersDown
            | RDKafkaErrorCode::OperationTimedOut
            | RDKafkaErrorCode::MessageTimedOut
            | RDKafkaErrorCode::Resolve
            | RDKafkaErrorCode::RequestTimedOut,
        ) => failure
            .next("start Kafka (the embedded one: `./spar services up`), or correct KAFKA_BOOTSTRAP_SERVERS")
            .transient(),
        _ => failure,
    }
}
