//! The embedded services live as long as someone holds a lease, survive crashes, and never take others with them.

use crate::place::{LIMIT, Place, at, kill, runs};
use crate::signals::{Signal, send};
use crate::support::{command, config_in, eventually, home, query};
use spar::Config;
use spar::config::Endpoints;
use spar::kafka::{Loader, Raw};
use spar::services::{self, Services};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[test]
fn data_survive_kills_and_the_last_holder_stops_the_services() {
    let place = Place::new("a folder with spaces é, and a comma ", true);
    let first = place.start();
    let config = first.config().clone();
    query(&at(&config, "postgres"), "CREATE DATABASE kept");
    query(&at(&config, "kept"), "CREATE TABLE kept AS SELECT 1 AS n");
    put_one(&config);

    // A second holder joins the same processes; the first one may leave.
    let (kafka, postgres) = (place.pid("kafka/process.json").unwrap(), place.pid("postgres/process.json").unwrap());
    let second = place.start();
    drop(first);
    assert_eq!(place.pid("kafka/process.json"), Some(kafka));
    assert_eq!(second.config().kafka, config.kafka);

    // Killed services come back at the next start, on the same ports, with their data.
    kill(kafka);
    kill(postgres);
    let third = place.start();
    assert_ne!(place.pid("kafka/process.json"), Some(kafka));
    assert_eq!(third.config().kafka, config.kafka);
    assert_eq!(query(&at(third.config(), "kept"), "SELECT n FROM kept"), ["1"]);
    assert_eq!(spar::kafka::topic_info(third.config()).unwrap().records(), 1);

    // A killed guard is replaced, and the services that ran are taken over.
    let kafka = place.pid("kafka/process.json").unwrap();
    kill(place.pid("guard.json").unwrap());
    let fourth = place.start();
    assert_eq!(place.pid("kafka/process.json"), Some(kafka));

    drop((second, third));
    let said = services::down(&config).unwrap().to_string();
    assert!(said.contains("still uses") && runs(kafka), "one holder is left, yet: {said}");
    drop(fourth);
    place.wait_until_stopped();
}

#[test]
fn data_and_port_are_the_same_after_a_stop() {
    let place = Place::new("kept", false);
    let holder = place.start();
    let first = holder.config().clone();
    query(&at(&first, "postgres"), "CREATE DATABASE kept");
    drop(holder);
    place.wait_until_stopped();
    let second = place.start();
    assert_eq!(query(&at(second.config(), "kept"), "SELECT 1"), ["1"]);
    assert_eq!(second.config().database_url, first.database_url);
}

/// Creates the topic and puts one record into it.
fn put_one(config: &Config) {
    let loader = Loader::connect(config).unwrap();
    loader.create_topic(&config.topic, 1).unwrap();
    loader.put(&config.topic, Raw { value: Some(b"kept"), ..Raw::default() }).unwrap();
    loader.flush().unwrap();
}

#[test]
fn a_killed_holder_leaves_no_service_behind() {
    let place = Place::new("holder", false);
    let mut holder = Command::new(command())
        .args(["services", "hold"])
        .env("SPAR_HOME", home())
        .env("SPAR_STATE", &place.config().state)
        // Nothing has to answer there: a broker of one's own is not started.
        .env("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9")
        .env_remove("DATABASE_URL")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let endpoints = Endpoints::file(&place.config().state, "local");
    eventually("the holder has started them", LIMIT, || endpoints.exists());
    let postgres = place.pid("postgres/process.json").unwrap();
    holder.kill().unwrap();
    holder.wait().unwrap();
    place.wait_until_stopped();
    assert!(!runs(postgres));
}

#[test]
fn pinned_services_stay_until_down_and_then_as_long_as_someone_uses_them() {
    let place = Place::new("pinned", false);
    services::up(&place.config(), command(), &mut |_| ()).unwrap();
    let postgres = place.pid("postgres/process.json").unwrap();
    let joined = place.start();
    let said = services::down(&place.config()).unwrap().to_string();
    assert!(said.contains("still uses"), "{said}");
    assert!(runs(postgres));
    drop(joined);
    place.wait_until_stopped();

    services::up(&place.config(), command(), &mut |_| ()).unwrap();
    let status = services::status(&place.config()).unwrap().to_string();
    assert!(status.contains("running"), "{status}");
    // Even without a guard, `down` stops them.
    kill(place.pid("guard.json").unwrap());
    let said = services::down(&place.config()).unwrap().to_string();
    assert!(said.starts_with("1 embedded service"), "{said}");
    place.wait_until_stopped();
}

#[test]
fn services_that_are_being_stopped_are_called_so() {
    let place = Place::new("stopping", false);
    let holder = place.start();
    let postgres = place.pid("postgres/process.json").unwrap();
    let signal = |signal| assert!(send(postgres, signal));
    let status = || services::status(&place.config()).unwrap().to_string();
    assert!(status().contains("running"), "{}", status());
    // A server that takes its time: it hears nothing until it is woken.
    signal(Signal::STOP);
    drop(holder);
    eventually("the status says so", LIMIT, || status().contains("stopping"));
    assert!(!status().contains("running"), "{}", status());
    signal(Signal::CONT);
    place.wait_until_stopped();
    assert!(status().contains("stopped"), "{}", status());
}

#[test]
fn the_local_mastodon_answers_and_comes_back_on_its_port() {
    let place = Place::new("mastodon", false);
    let mut config = place.config();
    (config.embedded.postgres, config.embedded.mastodon) = (false, true);
    let first = Services::start(&config, command(), &mut |_| ()).unwrap();
    let health = |config: &Config| {
        let table = spar::preflight::check(config).unwrap();
        table.frame().column("état").unwrap().str().unwrap().get(0).unwrap().to_owned()
    };
    assert!(health(first.config()).starts_with("prêt : version 4"), "{}", health(first.config()));
    assert!(first.config().mastodon_control.is_some());
    let process = place.pid("mastodon/process.json").unwrap();
    kill(process);
    let second = Services::start(&config, command(), &mut |_| ()).unwrap();
    assert_eq!(first.config().mastodon_url, second.config().mastodon_url);
    assert!(health(second.config()).ends_with("sans jeton d'accès"));
}

#[test]
fn two_starts_at_once_share_one_set_of_services() {
    let place = Place::new("two", false);
    let pids: Vec<_> = std::thread::scope(|scope| {
        let starts: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let services = place.start();
                    (place.pid("postgres/process.json").unwrap(), services)
                })
            })
            .collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    });
    assert_eq!(pids[0].0, pids[1].0);
}

#[test]
fn each_taken_port_is_replaced_by_a_free_one() {
    let place = Place::new("port", true);
    let mut config = place.config();
    config.embedded.mastodon = true;
    let start = || Services::start(&config, command(), &mut |_| ()).unwrap();
    let ports = || -> Vec<u64> {
        let plan = |service: &str| fs::read(place.state().join(service).join("plan.json")).unwrap();
        let plans = ["mastodon", "kafka", "postgres"].map(plan);
        let plans = plans.map(|plan| serde_json::from_slice::<serde_json::Value>(&plan).unwrap());
        plans.iter().flat_map(|plan| plan["ports"].as_array().unwrap()).map(|port| port.as_u64().unwrap()).collect()
    };
    drop(start());
    place.wait_until_stopped();
    let first = ports();
    let taken: Vec<_> = first.iter().map(|port| TcpListener::bind(("127.0.0.1", *port as u16)).unwrap()).collect();
    // Each service has answered on its own new ports before this comes back.
    let second = start();
    assert_eq!(query(&at(second.config(), "postgres"), "SELECT 1"), ["1"]);
    assert_eq!((taken.len(), ports().len()), (5, 5));
    assert!(ports().iter().all(|port| !first.contains(port)), "{first:?}, then {:?}", ports());
    println!("{} taken ports: each replaced", taken.len());
}

#[test]
fn the_role_of_the_notebooks_may_create_databases_and_is_no_superuser() {
    let place = Place::new("role", false);
    let services = place.start();
    let url = at(services.config(), "postgres");
    let rights = query(&url, "SELECT rolcreatedb::text || rolsuper::text FROM pg_roles WHERE rolname = current_user");
    assert_eq!(rights, ["truefalse"]);
    assert_eq!(query(&url, "SELECT lower('ÉTÉ')"), ["été"]);
    let mut wrong = url::Url::parse(url.expose()).unwrap();
    wrong.set_password(Some("wrong")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refused = runtime.block_on(tokio_postgres::connect(wrong.as_str(), tokio_postgres::NoTls));
    assert!(refused.is_err(), "a wrong password is refused");
    let file = Endpoints::file(&services.config().state, "local");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_start_that_fails_shows_the_last_lines_of_the_log() {
    let place = Place::new("broken", false);
    drop(place.start());
    place.wait_until_stopped();
    fs::write(place.state().join("postgres/data/postgresql.conf"), "no_such_setting = 1\n").unwrap();
    let failure = Services::start(&place.config(), command(), &mut |_| ()).unwrap_err().to_string();
    assert!(failure.contains("no_such_setting"), "{failure}");
}

#[test]
fn a_jar_that_is_not_the_listed_one_is_named() {
    let tools = place_of_jars();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for jar in fs::read_dir(tools).unwrap().flatten() {
        std::os::unix::fs::symlink(jar.path(), folder.path().join(jar.file_name())).unwrap();
    }
    services::verify_jars(folder.path()).unwrap();
    let jar = folder.path().join("slf4j-api-1.7.36.jar");
    fs::remove_file(&jar).unwrap();
    assert!(services::verify_jars(folder.path()).unwrap_err().to_string().contains("slf4j-api"));
    fs::write(&jar, "not a jar").unwrap();
    assert!(services::verify_jars(folder.path()).unwrap_err().to_string().contains("not the expected file"));
    fs::remove_file(&jar).unwrap();
    let real = place_of_jars().join("slf4j-api-1.7.36.jar");
    std::os::unix::fs::symlink(&real, &jar).unwrap();
    std::os::unix::fs::symlink(real, folder.path().join("stranger.jar")).unwrap();
    assert!(services::verify_jars(folder.path()).unwrap_err().to_string().contains("stranger.jar"));
}

fn place_of_jars() -> PathBuf {
    config_in(Path::new("unused"), &[]).tools.join("kafka-4.4.0")
}
