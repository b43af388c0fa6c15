//! What `docker-compose.yml` says about every service.

use super::{environment, interpolated, services, strings, text, yaml};
use serde_json::Value;
use std::collections::BTreeSet;

/// The words `${NAME…}` of the file: name, and what follows it.
fn variables() -> Vec<(String, String)> {
    let file = text("docker-compose.yml");
    let found = file.split("${").skip(1).map(|rest| rest.split_once('}').unwrap().0);
    found
        .map(|word| {
            let end = word.find(|c: char| !(c.is_ascii_uppercase() || c == '_')).unwrap_or(word.len());
            (word[..end].to_owned(), word[end..].to_owned())
        })
        .collect()
}

fn keys(object: &Value) -> BTreeSet<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn every_service_of_the_course_is_there() {
    let names: Vec<String> = services().into_keys().collect();
    let expected = [
        "jupyter",
        "kafka",
        "kafka-zookeeper",
        "mastodon",
        "some-postgres",
        "spark-master",
        "spark-worker",
        "worker",
        "zookeeper",
    ];
    assert_eq!(names, expected);
    for (name, service) in services() {
        let profiles = strings(&service["profiles"]);
        let of_zookeeper = name.contains("zookeeper");
        assert_eq!(profiles, if of_zookeeper { vec!["zookeeper"] } else { vec![] }, "{name}");
    }
}

#[test]
fn every_service_is_checked_restarted_bounded_and_runs_as_an_ordinary_user() {
    for (name, service) in services() {
        let check = &service["healthcheck"];
        let test = strings(&check["test"]);
        assert!(test.len() >= 2 && ["CMD", "CMD-SHELL"].contains(&&*test[0]), "{name}: {test:?}");
        for key in ["interval", "timeout"] {
            assert!(check[key].as_str().is_some_and(|t| t.ends_with('s')), "{name}: {key}");
        }
        assert!(check["retries"].as_u64().is_some_and(|n| n >= 5), "{name}");
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        assert!(service["mem_limit"].as_str().is_some_and(|m| m.ends_with(['m', 'g'])), "{name}");
        let (user, group) = service["user"].as_str().unwrap().split_once(':').unwrap();
        assert!(user.parse::<u32>().unwrap() > 0 && group.parse::<u32>().is_ok(), "{name} runs as {user}");
        assert_eq!(strings(&service["cap_drop"]), ["ALL"], "{name}");
        assert_eq!(strings(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        for key in ["privileged", "cap_add", "devices", "pid", "ipc", "userns_mode", "network_mode", "env_file"] {
            assert!(service[key].is_null(), "{name} has {key}");
        }
        // A fixed name would forbid a second container of the service.
        assert!(service["container_name"].is_null(), "{name}");
    }
}

#[test]
fn all_are_on_one_network_and_published_on_loopback_only() {
    let file = yaml("docker-compose.yml");
    assert_eq!(file["networks"], serde_json::json!({ "bigdata_network": { "name": "bigdata_network" } }));
    let mut taken = BTreeSet::new();
    for (name, service) in services() {
        assert_eq!(strings(&service["networks"]), ["bigdata_network"], "{name}");
        for port in strings(&service["ports"]) {
            let (host, _) =
                port.strip_prefix("127.0.0.1:").unwrap_or_else(|| panic!("{name}: {port}")).split_once(':').unwrap();
            assert!(taken.insert(host.parse::<u16>().unwrap()), "{name}: {host} is taken");
            assert!(!["7077", "6066"].contains(&host), "{name}: anyone could submit programs");
        }
    }
}

#[test]
fn volumes_are_named_and_no_socket_or_folder_of_the_machine_is_mounted() {
    let file = yaml("docker-compose.yml");
    let mut used = BTreeSet::new();
    for (name, service) in services() {
        for volume in strings(&service["volumes"]) {
            let parts: Vec<&str> = volume.split(':').collect();
            assert!(!volume.contains("docker.sock") && parts[1].starts_with('/'), "{name}: {volume}");
            if parts[0].starts_with("./") {
                assert!(crate::support::home().join(parts[0]).exists(), "{name}: {volume}");
            } else {
                used.insert(parts[0].to_owned());
            }
        }
        // A worker's state is in the database.
        let keeps = strings(&service["volumes"]).iter().any(|v| !v.starts_with('.'));
        assert_eq!(keeps, name != "worker", "what {name} keeps");
    }
    assert_eq!(used, keys(&file["volumes"]).into_iter().map(str::to_owned).collect());
}

#[test]
fn services_start_when_those_they_need_are_healthy() {
    let all = services();
    for (name, service) in &all {
        for (needed, how) in service["depends_on"].as_object().into_iter().flatten() {
            assert_eq!(how["condition"], "service_healthy", "{name} → {needed}");
            assert_eq!(all[needed]["profiles"], service["profiles"], "{name} → {needed}");
        }
    }
    assert_eq!(keys(&all["jupyter"]["depends_on"]), ["kafka", "mastodon", "some-postgres"].into());
    assert_eq!(keys(&all["spark-worker"]["depends_on"]), ["spark-master"].into());
    assert_eq!(keys(&all["kafka-zookeeper"]["depends_on"]), ["zookeeper"].into());
}

#[test]
fn secrets_have_no_default_and_every_variable_is_in_the_example() {
    let example = text(".env.example");
    let mut secrets = BTreeSet::new();
    for (name, rest) in variables() {
        let line = format!("#{name}=");
        let listed = example.lines().find(|l| l.starts_with(&line));
        let listed = listed.unwrap_or_else(|| panic!("{name} is not in .env.example"));
        if ["PASSWORD", "TOKEN"].iter().any(|word| name.contains(word)) {
            assert_eq!(listed, line, "an example of a secret");
            if name != "MASTODON_ACCESS_TOKEN" {
                assert_eq!(rest, format!(":?set {name} in .env"));
                secrets.insert(name);
                continue;
            }
        }
        assert!(rest.starts_with(":-"), "{name}{rest}");
    }
    assert_eq!(secrets, ["JUPYTER_TOKEN", "POSTGRES_PASSWORD", "SPAR_PASSWORD"].map(str::to_owned).into());
    // A password that is no variable would stand in the file.
    for (name, service) in services() {
        for (key, value) in service["environment"].as_object().unwrap_or(&serde_json::Map::new()) {
            let secret = ["PASSWORD", "TOKEN", "SECRET", "DATABASE_URL"].iter().any(|word| key.contains(word));
            assert!(!secret || value.as_str().is_some_and(|v| v.contains("${")), "{name}: {key}");
        }
    }
}

#[test]
fn a_broker_has_an_address_inside_and_one_for_the_host() {
    for name in ["kafka", "kafka-zookeeper"] {
        let service = &services()[name];
        let told = environment(service, &[]);
        let address = |listener: &str| {
            let all = told["KAFKA_ADVERTISED_LISTENERS"].split(',');
            all.filter_map(|l| l.strip_prefix(listener)?.strip_prefix("://")).next().unwrap().to_owned()
        };
        assert_eq!(address("INTERNAL"), format!("{name}:9092"));
        let host = address("HOST");
        let port = host.strip_prefix("127.0.0.1:").unwrap();
        assert_eq!(strings(&service["ports"]), [format!("127.0.0.1:{port}:{port}")]);
        assert!(told["KAFKA_LISTENERS"].contains(&format!("HOST://:{port}")), "{name}");
        assert_eq!(told["KAFKA_INTER_BROKER_LISTENER_NAME"], "INTERNAL");
    }
    let jupyter = environment(&services()["jupyter"], &[("JUPYTER_TOKEN", "t"), ("SPAR_PASSWORD", "p")]);
    assert_eq!(jupyter["KAFKA_BOOTSTRAP_SERVERS"], "kafka:9092");
    assert_eq!(jupyter["KAFKA_PARTITIONS"], "6");
    let kept = spar::Config::from_settings(crate::support::home(), |_| None).unwrap().kafka_bytes;
    assert_eq!(environment(&services()["kafka"], &[])["KAFKA_LOG_RETENTION_BYTES"], kept.to_string());
}

#[test]
fn jupyter_is_told_the_addresses_of_the_other_services_and_nothing_is_embedded() {
    let all = services();
    let given = [("JUPYTER_TOKEN", "invented"), ("SPAR_PASSWORD", "invented")];
    let told = environment(&all["jupyter"], &given);
    let state = tempfile::tempdir().unwrap();
    let config = spar::Config::from_settings(state.path(), |key| told.get(key).cloned()).unwrap();
    assert_eq!(config.embedded, spar::config::Embedded::default());
    assert!(config.is_local());
    assert_eq!(config.mastodon_url.as_deref(), Some("http://mastodon:3000"));
    assert_eq!(config.mastodon_control.as_deref(), Some("http://mastodon:3001"));
    assert_eq!(config.database_url.unwrap().expose(), "postgres://spar:invented@some-postgres:5432/mastodon_data");
    let command = strings(&all["mastodon"]["command"]);
    for word in ["--listen=0.0.0.0", "--port=3000", "--control-port=3001", "--base=http://mastodon:3000"] {
        assert!(command.iter().any(|w| w == word), "{word}: {command:?}");
    }
    // The consent page, as the person's browser reaches it; the control address is nobody else's business.
    assert_eq!(config.local_pages.as_deref(), Some("http://localhost:3000"));
    assert_eq!(strings(&all["mastodon"]["ports"]), ["127.0.0.1:3000:3000"]);

    let mine = [("MASTODON_URL", "https://mastodon.example"), ("MASTODON_ACCESS_TOKEN", "mine")];
    let told = environment(&all["jupyter"], &[&given[..], &mine].concat());
    let config = spar::Config::from_settings(state.path(), |key| told.get(key).cloned()).unwrap();
    assert_eq!((config.source.as_str(), config.mastodon_control, config.local_url), ("mastodon.example", None, None));
    assert_eq!(config.access_token.unwrap().expose(), "mine");
}

#[test]
fn what_env_says_about_the_analysis_reaches_the_notebooks() {
    let example = text(".env.example");
    let part = example.split("# --- What is kept and counted").nth(1).unwrap();
    let part = part.split("# --- The local Mastodon").next().unwrap();
    let settings: BTreeSet<&str> = part
        .lines()
        .filter_map(|l| Some(l.strip_prefix('#')?.split_once('=')?.0))
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect();
    assert!(settings.len() >= 10, "{settings:?}");
    let jupyter = &services()["jupyter"]["environment"];
    for name in settings.into_iter().chain(["KAFKA_TOPIC", "MASTODON_URL", "MASTODON_ACCESS_TOKEN"]) {
        assert_eq!(jupyter[name], format!("${{{name}:-}}"), "{name}");
    }
}

#[test]
fn the_notebooks_that_are_mounted_are_the_projects() {
    let jupyter = &services()["jupyter"];
    let folder = text("Dockerfile").lines().find_map(|l| l.strip_prefix("WORKDIR ").map(str::to_owned)).unwrap();
    let volumes = strings(&jupyter["volumes"]);
    assert!(volumes.contains(&format!("./notebooks:{folder}/notebooks")), "{volumes:?}");
    assert!(volumes.contains(&format!("./data:{folder}/data:ro")), "{volumes:?}");
    for kept in [".spar/state", "out"] {
        assert!(volumes.iter().any(|v| v.ends_with(&format!(":{folder}/{kept}"))), "{kept}");
    }
    let kept = strings(&services()["mastodon"]["volumes"]);
    assert_eq!(kept, [format!("mastodon_state:{folder}/.spar/mastodon")]);
}

#[test]
fn postgres_keeps_its_data_where_version_18_puts_them_and_logs_no_toot() {
    let service = &services()["some-postgres"];
    assert!(strings(&service["volumes"]).contains(&"postgres_data:/var/lib/postgresql".to_owned()));
    let embedded = text("src/services/postgres.rs");
    let settings: Vec<_> =
        strings(&service["command"]).iter().filter_map(|w| Some(w.strip_prefix("-c")?.to_owned())).collect();
    assert!(settings.len() >= 4, "{settings:?}");
    for setting in settings {
        assert!(embedded.contains(&format!("\"{setting}\"")), "the embedded server is not told {setting}");
    }
}

#[test]
fn spark_shares_one_folder_and_one_version() {
    let all = services();
    let (master, worker) = (&all["spark-master"], &all["spark-worker"]);
    for key in ["image", "user", "volumes"] {
        assert_eq!(master[key], worker[key], "{key}");
    }
    assert_eq!(master["user"], "185:185");
    assert!(strings(&worker["command"]).contains(&"spark://spark-master:7077".to_owned()));
    assert!(worker["ports"].is_null(), "a published port allows one worker only");
    // Its programs take `--host name`; with `--host=name` they print their usage and end.
    let words = [strings(&master["command"]), strings(&worker["command"])].concat();
    assert!(!words.iter().any(|w| w.starts_with("--") && w.contains('=')), "{words:?}");
}

#[test]
fn the_checks_of_spark_see_whether_a_port_is_open() {
    let [port] = super::free_ports();
    for (name, place) in [("spark-master", "spark-master/7077"), ("spark-worker", "127.0.0.1/8081")] {
        let words = strings(&services()[name]["healthcheck"]["test"]);
        assert_eq!(words[..2], ["CMD", "bash"], "{name}");
        let here = words.last().unwrap().replace(place, &format!("127.0.0.1/{port}"));
        assert!(here.contains(&port.to_string()), "{here}");
        let run = || {
            let mut check = std::process::Command::new(&words[1]);
            check.args([&words[2], &here]).stderr(std::process::Stdio::null()).status().unwrap().success()
        };
        assert!(!run(), "{name}: nothing listens");
        let _open = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        assert!(run(), "{name}: something listens");
    }
}

#[test]
fn variables_are_put_in_as_compose_does() {
    let given = [("A", "1")];
    assert_eq!(interpolated("x${A:?why}y${B:-2}z${C:-}", &given), "x1y2z");
    assert!(std::panic::catch_unwind(|| interpolated("${B:?why}", &[])).is_err());
}

#[test]
fn a_worker_is_started_on_demand_and_knows_what_the_notebooks_know_of_the_stream() {
    let all = services();
    let (worker, jupyter) = (&all["worker"], &all["jupyter"]);
    assert_eq!((&worker["scale"], strings(&worker["command"])), (&0.into(), vec!["./spar".into(), "worker".into()]));
    assert!(worker["ports"].is_null(), "a port could be bound once only");
    for (key, value) in worker["environment"].as_object().unwrap() {
        assert_eq!(&jupyter["environment"][key], value, "{key}");
    }
    for key in ["KAFKA_BOOTSTRAP_SERVERS", "DATABASE_URL"] {
        assert!(worker["environment"][key].is_string(), "{key}");
    }
}
