//! Apache Kafka on loopback: one node in KRaft mode, broker and controller in one process.

use super::jars::verify_jars;
use super::process::{Plan, detached, run};
use super::site::{Service, Site};
use super::{java, random};
use crate::config::write_private;
use crate::error::{Error, Result};
use crate::kafka::probe;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// The folder of the jars below the tools.
const JARS: &str = "kafka-4.4.0";

/// Log lines below a warning would fill the disk and hide the one that matters.
const QUIET: [&str; 2] =
    ["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"];

/// Writes the settings and, the first time, formats the data folder.
pub(crate) fn plan(site: Site<'_>, ports: Vec<u16>) -> Result<Plan> {
    let config = site.config;
    let folder = Service::Kafka.folder(&config.source_state());
    let jars = config.tools.join(JARS);
    verify_jars(&jars)?;
    let java = java::find(config)?;
    write_private(&folder.join("server.properties"), settings(&ports, config.kafka_bytes).as_bytes())?;
    let mut class_path = OsString::from(jars);
    class_path.push("/*");
    if cluster_id(&folder).is_none() {
        let log = Service::Kafka.log(&config.source_state()).with_extension("format.log");
        let mut format = detached(&java, &log)?;
        format.args(QUIET).arg("-XX:TieredStopAtLevel=1").arg("-cp").arg(&class_path);
        format.args(["kafka.tools.StorageTool", "format", "--ignore-formatted", "-c", "server.properties", "-t"]);
        format.arg(new_cluster_id()?);
        run(&mut format, &folder, Duration::from_secs(60), &log)?;
    }
    let mut args: Vec<OsString> = ["-Xmx512m", "-Djava.awt.headless=true"].map(OsString::from).into();
    args.extend(QUIET.map(OsString::from));
    args.extend(["-cp".into(), class_path, "kafka.Kafka".into(), "server.properties".into()]);
    Ok(Plan { program: java, args, ports })
}

/// A metadata request, answered by the broker of this very data folder.
pub(crate) fn ask(site: Site<'_>, ports: &[u16]) -> Result<()> {
    let cluster = probe::cluster(&address(ports), None, Duration::from_secs(5))?;
    let ours = cluster_id(&Service::Kafka.folder(&site.config.source_state()));
    if cluster.id.is_some() && cluster.id != ours {
        return Err(Error::cannot(format!("use Kafka at {}", address(ports)), "another broker listens there"));
    }
    Ok(())
}

/// What clients connect to.
pub(crate) fn address(ports: &[u16]) -> String {
    format!("127.0.0.1:{}", ports[0])
}

/// Everything is relative to the service's own folder: `log.dirs` takes commas for separators, and a property
/// file knows no other letters than Latin ones.
fn settings(ports: &[u16], bytes: u64) -> String {
    let listeners = format!("PLAINTEXT://127.0.0.1:{},CONTROLLER://127.0.0.1:{}", ports[0], ports[1]);
    let segment = (bytes / 8).clamp(1 << 20, 1 << 27);
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners={listeners}\n\
         advertised.listeners={listeners}\n\
         controller.listener.names=CONTROLLER\n\
         inter.broker.listener.name=PLAINTEXT\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         log.dirs=data\n\
         auto.create.topics.enable=false\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=4\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=4\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n\
         log.cleaner.dedupe.buffer.size=16777216\n\
         log.retention.hours=-1\n\
         log.retention.bytes={bytes}\n\
         log.segment.bytes={segment}\n",
        controller = ports[1],
    )
}

/// The cluster that the data belong to, once they are formatted.
fn cluster_id(folder: &Path) -> Option<String> {
    let properties = fs::read_to_string(folder.join("data/meta.properties")).ok()?;
    properties.lines().find_map(|line| line.strip_prefix("cluster.id=")).map(|id| id.replace('\\', ""))
}

fn new_cluster_id() -> Result<String> {
    // The fixed first byte keeps the id from beginning with a dash, which the tool would take for an option.
    let mut bytes = random(16)?;
    bytes[0] = 0x53;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
