//! One round trip to a broker: is it there, can it be reached where it sends its clients, and does it know the topic?

use crate::error::{Error, Result};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaRespErr;
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long an advertised address may take to open.
const ADVERTISED: Duration = Duration::from_secs(3);

/// What a broker tells about its cluster.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// The cluster's id.
    pub(crate) id: Option<String>,
    /// Host and port of each broker, as it tells its clients.
    pub(crate) brokers: Vec<String>,
    /// How many partitions the topic asked for has; `None` if it does not exist.
    pub(crate) partitions: Option<usize>,
}

/// Asks for the metadata of the cluster, and of `topic`.
pub(crate) fn cluster(servers: &str, topic: Option<&str>, limit: Duration) -> Result<Cluster> {
    let failed = |e: &dyn std::fmt::Display| {
        Error::cannot(format!("reach Kafka at {servers}"), e)
            .next("start it (the embedded one: `./spar services up`), or correct KAFKA_BOOTSTRAP_SERVERS")
            .transient()
    };
    // The client tries again and again until its time is over; a closed port is known at once.
    open(servers, limit).map_err(|e| failed(&e))?;
    let client: BaseConsumer = super::client(servers, "spar-probe")
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "500")
        .create()
        .map_err(|e| failed(&e))?;
    let metadata = client.fetch_metadata(topic, limit).map_err(|e| {
        let code = e.rdkafka_error_code().map_or_else(|| e.to_string(), |code| code.to_string());
        failed(&format!("a connection opens, but no broker answers on it ({code})"))
            .next("check that KAFKA_BOOTSTRAP_SERVERS names a Kafka broker that asks for neither TLS nor a password")
    })?;
    let partitions = topic.and_then(|name| {
        let found = metadata.topics().iter().find(|t| t.name() == name)?;
        match found.error() {
            None => Some(found.partitions().len()),
            Some(RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) => None,
            // A topic that exists and has no leader yet has no partitions that could be used.
            Some(_) => Some(0),
        }
    });
    let brokers: Vec<String> = metadata.brokers().iter().map(|b| format!("{}:{}", b.host(), b.port())).collect();
    if brokers.is_empty() {
        return Err(failed(&"its metadata name no broker"));
    }
    reachable(&brokers, limit).map_err(|why| {
        failed(&why).next("set the broker's advertised.listeners to an address that this machine reaches")
    })?;
    Ok(Cluster { id: client.client().fetch_cluster_id(limit), brokers, partitions })
}

/// Clients are sent on to the addresses that the brokers advertise: at least one must be open.
fn reachable(brokers: &[String], limit: Duration) -> Result<(), String> {
    let mut failure = String::new();
    for place in brokers {
        match open(place, limit.min(ADVERTISED)) {
            Ok(()) => return Ok(()),
            Err(e) => failure = format!("it sends its clients on to {place}, which cannot be reached ({e})"),
        }
    }
    Err(failure)
}

/// Opens a connection to any of the servers.
fn open(servers: &str, limit: Duration) -> std::io::Result<()> {
    let mut failure = std::io::Error::other("no address was given");
    for server in servers.split(',') {
        let server = server.trim().rsplit("://").next().unwrap_or_default();
        // The client's own default.
        let server = if server.contains(':') { server.to_owned() } else { format!("{server}:9092") };
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
