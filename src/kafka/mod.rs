//! Kafka: the only place that names its client.

pub(crate) mod probe;
