//! One round trip to a broker: is it there, and does it know the topic?

use crate::error::{Error, Result};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaRespErr;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// What a broker tells about its cluster.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// The cluster's id.
    pub(crate) id: Option<String>,
    /// How many brokers it has.
    pub(crate) brokers: usize,
    /// How many partitions the topic asked for has; `None` if it does not exist.
    pub(crate) partitions: Option<usize>,
}

/// Asks for the metadata of the cluster, and of `topic`.
pub(crate) fn cluster(servers: &str, topic: Option<&str>, limit: Duration) -> Result<Cluster> {
    let failed = |e: &dyn std::fmt::Display| {
        Error::cannot(format!("reach Kafka at {servers}"), e)
            .next("start it with `./spar services up`, or correct KAFKA_BOOTSTRAP_SERVERS")
            .transient()
    };
    // The client tries again and again until its time is over; a closed port is known at once.
    open(servers, limit).map_err(|e| failed(&e))?;
    let client: BaseConsumer = super::client(servers, "spar-probe")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .create()
        .map_err(|e| failed(&e))?;
    let metadata = client.fetch_metadata(topic, limit).map_err(|e| failed(&e))?;
    let partitions = topic.and_then(|name| {
        let found = metadata.topics().iter().find(|t| t.name() == name)?;
        match found.error() {
            None => Some(found.partitions().len()),
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => None,
            // A topic that exists and has no leader yet has no partitions that could be used.
            Some(_) => Some(0),
        }
    });
    let brokers = metadata.brokers().len();
    if brokers == 0 {
        return Err(failed(&"its metadata name no broker"));
    }
    Ok(Cluster { id: client.client().fetch_cluster_id(limit), brokers, partitions })
}

/// Opens a connection to any of the servers.
fn open(servers: &str, limit: Duration) -> std::io::Result<()> {
    let mut failure = std::io::Error::other("no address was given");
    for server in servers.split(',') {
        let server = server.trim().rsplit("://").next().unwrap_or_default();
        match server.to_socket_addrs() {
            Err(e) => failure = e,
            Ok(addresses) => {
                for address in addresses {
                    match TcpStream::connect_timeout(&address, limit) {
                        Ok(_) => return Ok(()),
                        Err(e) => failure = e,
                    }
                }
            }
        }
    }
    Err(failure)
}
