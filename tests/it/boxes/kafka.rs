//! The broker of the compose file as plain processes: the image's own set-up class reads its environment, and the
//! embedded version's broker runs on what comes out. (The image's command line tools are not among the embedded jars,
//! so the health check itself is not run here.)

use super::{Running, environment, free_ports, services};
use crate::support::{config_in, eventually, fresh_topic};
use spar::Config;
use spar::kafka::{Loader, Raw, brokers};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(90);

/// A class of the embedded Kafka's jars, run in `folder` with `environment` and no other.
fn java(folder: &Path, environment: &BTreeMap<String, String>) -> Command {
    let config = config_in(Path::new("unused"), &[]);
    let mut java = Command::new(spar::services::java::find(&config).unwrap());
    let jars = format!("{}/*", config.tools.join("kafka-4.4.0").display());
    let log = fs::File::create(folder.join("log")).unwrap();
    java.current_dir(folder).env_clear().envs(environment).args(["-Xmx512m", "-cp", &jars]);
    java.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    java
}

#[test]
fn a_record_put_from_the_host_is_read_inside() {
    let [inside, host, controller] = free_ports();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let data = folder.path().join("data");
    let mut told = environment(&services()["kafka"], &[]);
    for value in told.values_mut() {
        // Other ports and this machine's names; everything else as it stands.
        *value = value.replace("9093", &controller.to_string());
        *value = value.replace("29092", "HOST_PORT").replace("9092", &inside.to_string());
        *value = value.replace("HOST_PORT", &host.to_string());
        *value = value.replace("://:", "://127.0.0.1:").replace("kafka:", "localhost:");
        *value = value.replace("/var/lib/kafka/data", data.to_str().unwrap());
    }
    // What the image adds by itself.
    told.insert("CLUSTER_ID".into(), "5L6g3nShT-eMCtK--X86sw".into());
    for name in ["defaults", "mounted", "config"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let mut setup = java(folder.path(), &told);
    setup.args(["kafka.docker.KafkaDockerWrapper", "setup"]);
    setup.args(["--default-configs-dir", "defaults", "--mounted-configs-dir", "mounted"]);
    let done = setup.args(["--final-configs-dir", "config"]).status().unwrap();
    let log = || fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(done.success(), "{}", log());
    assert!(data.join("meta.properties").exists(), "{}", log());
    let properties = fs::read_to_string(folder.path().join("config/server.properties")).unwrap();
    assert!(properties.contains("log.retention.hours=-1"), "{properties}");

    let mut broker = java(folder.path(), &BTreeMap::new());
    let _broker = Running(broker.args(["kafka.Kafka", "config/server.properties"]).spawn().unwrap());
    let topic = fresh_topic("boxes");
    let at = |port: u16| Config {
        kafka: Some(format!("127.0.0.1:{port}")),
        topic: topic.clone(),
        ..config_in(folder.path(), &[])
    };
    eventually("the broker answers", LIMIT, || brokers(&at(inside)).is_ok());
    let told = |port: u16| brokers(&at(port)).unwrap();
    assert_eq!(told(inside), [format!("localhost:{inside}")], "what containers are told, their name put in");
    assert_eq!(told(host), [format!("127.0.0.1:{host}")], "what programs on the host are told");

    let loader = Loader::connect(&at(host)).unwrap();
    loader.create_topic(&topic, 6).unwrap();
    loader.put(&topic, Raw { value: Some(b"from the host"), ..Raw::default() }).unwrap();
    loader.flush().unwrap();
    assert_eq!(spar::kafka::topic_info(&at(inside)).unwrap().records(), 1);
}
