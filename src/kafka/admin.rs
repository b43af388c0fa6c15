//! Topics: create them, ask how full they are.

use super::{client, errors_topic, failed, gaps_topic, probe};
use crate::config::Config;
use crate::display::{Report, say};
use crate::error::{Error, Result};
use crate::runtime::block_on;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::error::RDKafkaErrorCode;
use std::fmt;
use std::time::{Duration, Instant};

/// How long a question to the broker may take.
const ASK: Duration = Duration::from_secs(10);
/// How long a new topic may take until each partition has a leader.
const READY: Duration = Duration::from_secs(30);

/// How a topic stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicInfo {
    /// Its name.
    pub topic: String,
    /// For each partition, its number, its first offset, and the offset after its last record.
    pub partitions: Vec<(i32, i64, i64)>,
}

impl TopicInfo {
    /// The records that it holds.
    pub fn records(&self) -> i64 {
        self.partitions.iter().map(|(_, first, end)| end - first).sum()
    }

    /// Shows the topic in a notebook.
    pub fn evcxr_display(&self) {
        Report::new(self.to_string()).evcxr_display();
    }
}

impl fmt::Display for TopicInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parts, records) = (self.partitions.len(), self.records());
        let plural = |n: i64| if n > 1 { "s" } else { "" };
        write!(f, "{} : {parts} partition{}, {records} message{}", self.topic, plural(parts as i64), plural(records))
    }
}

/// Host and port of each broker, as it tells its clients.
///
/// # Errors
///
/// Fails if no broker answers, or none of these addresses can be reached.
pub fn brokers(config: &Config) -> Result<Vec<String>> {
    probe::cluster(config.kafka()?, None, ASK).map(|cluster| cluster.brokers)
}

/// Creates the topic of toots, and beside it those of errors and gaps; one that exists is left as it is.
///
/// # Errors
///
/// Fails if the broker is away, or refuses for any other reason than that the topic exists.
pub fn create_topic(config: &Config) -> Result<TopicInfo> {
    let broker = config.kafka()?;
    probe::cluster(broker, None, ASK)?;
    let admin: AdminClient<DefaultClientContext> = client(broker, "spar-admin")
        .create()
        .map_err(|e| failed("prepare the administration of topics", broker, &e))?;
    let (errors, gaps) = (errors_topic(&config.topic), gaps_topic(&config.topic));
    let replication = || TopicReplication::Fixed(config.replication);
    let wanted = [
        NewTopic::new(&config.topic, config.partitions, replication()),
        NewTopic::new(&errors, 1, replication()),
        NewTopic::new(&gaps, 1, replication()),
    ];
    let options = AdminOptions::new().request_timeout(Some(ASK)).operation_timeout(Some(READY));
    let action = format!("create the topic {}", config.topic);
    let results = block_on(admin.create_topics(&wanted, &options)).map_err(|e| failed(&action, broker, &e))?;
    let mut existed = false;
    for result in results {
        match result {
            Ok(_) => {}
            Err((topic, RDKafkaErrorCode::TopicAlreadyExists)) => existed |= topic == config.topic,
            Err((topic, code)) => {
                return Err(Error::cannot(format!("create the topic {topic} at {broker}"), code)
                    .next("check KAFKA_PARTITIONS and KAFKA_REPLICATION against the broker"));
            }
        }
    }
    let info = ready(config, &action)?;
    say(if existed {
        format!("Sujet '{}' existe déjà.", config.topic)
    } else {
        format!("Sujet '{}' créé avec succès.", config.topic)
    });
    Ok(info)
}

/// Waits until every partition of the topic has a leader.
fn ready(config: &Config, action: &str) -> Result<TopicInfo> {
    let started = Instant::now();
    loop {
        let problem = match topic_info(config) {
            Ok(info) if !info.partitions.is_empty() => return Ok(info),
            Ok(_) => "the broker does not list it yet".to_owned(),
            Err(e) => e.to_string(),
        };
        if started.elapsed() > READY {
            return Err(Error::cannot(action, problem)
                .next("look at the broker with `./spar services status`")
                .transient());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The partitions of the topic of toots and their offsets; none when it does not exist.
///
/// # Errors
///
/// Fails if the broker is away or a partition has no leader.
pub fn topic_info(config: &Config) -> Result<TopicInfo> {
    let broker = config.kafka()?;
    let action = format!("ask about the topic {}", config.topic);
    let admin: AdminClient<DefaultClientContext> =
        client(broker, "spar-admin").create().map_err(|e| failed(&action, broker, &e))?;
    let metadata = admin.inner().fetch_metadata(Some(&config.topic), ASK).map_err(|e| failed(&action, broker, &e))?;
    let mut partitions = Vec::new();
    for topic in metadata.topics().iter().filter(|t| t.name() == config.topic && t.error().is_none()) {
        for part in topic.partitions() {
            let (first, end) = admin
                .inner()
                .fetch_watermarks(&config.topic, part.id(), ASK)
                .map_err(|e| failed(&action, broker, &e))?;
            partitions.push((part.id(), first, end));
        }
    }
    partitions.sort_unstable();
    Ok(TopicInfo { topic: config.topic.clone(), partitions })
}
