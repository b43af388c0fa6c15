use super::Server;
use super::front::{Front, Manner};
use crate::place::at;
use crate::stand_in::{StandIn, healthy};
use crate::support::{command, config, home, query, unique};
use spar::config::Secret;
use spar::{Config, Store};
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

/// The password of every wrong URL here.
const PASSWORD: &str = "hidden%40word";

/// What `spar check` says on stderr and how it ends, when a setting differs from one with which all is well.
struct Check {
    mastodon: StandIn,
    state: tempfile::TempDir,
    kafka: String,
    database: Secret,
}

struct Told {
    code: Option<i32>,
    table: String,
    sentences: String,
    took: Duration,
}

impl Check {
    fn new(config: &Config, database: Secret) -> Self {
        let mastodon = StandIn::start(|request| healthy(request).unwrap());
        let state = tempfile::tempdir().unwrap();
        Self { mastodon, state, kafka: config.kafka.clone().unwrap(), database }
    }

    fn with(&self, settings: &[(&str, &str)]) -> Told {
        let mut check = Command::new(command());
        check.arg("check").env("SPAR_HOME", home()).env("SPAR_STATE", self.state.path());
        for (key, value) in [
            ("MASTODON_URL", self.mastodon.url.as_str()),
            ("MASTODON_ACCESS_TOKEN", "invented"),
            ("KAFKA_BOOTSTRAP_SERVERS", self.kafka.as_str()),
            ("DATABASE_URL", self.database.expose()),
        ] {
            check.env(key, value);
        }
        check.envs(settings.iter().copied());
        let began = Instant::now();
        let output = check.output().unwrap();
        Told {
            code: output.status.code(),
            table: String::from_utf8_lossy(&output.stdout).into_owned(),
            sentences: String::from_utf8_lossy(&output.stderr).into_owned(),
            took: began.elapsed(),
        }
    }
}

/// A port where nobody listens.
fn closed() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn kafka_address(config: &Config) -> SocketAddr {
    config.kafka().unwrap().parse().unwrap()
}

pub fn address_of(url: &Secret) -> SocketAddr {
    let url = url::Url::parse(url.expose()).unwrap();
    (url.host_str().unwrap().parse::<std::net::IpAddr>().unwrap(), url.port().unwrap()).into()
}

fn on_port(url: &Secret, port: u16) -> String {
    let mut url = url::Url::parse(url.expose()).unwrap();
    url.set_port(Some(port)).unwrap();
    url.into()
}

fn words(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect()
}

#[test]
fn a_wrong_address_is_told_in_one_sentence_in_time_and_without_the_password() {
    let postgres = Server::postgres();
    let right = postgres.database();
    let url = right.database_url().unwrap();
    let server = address_of(url);
    // Roles without rights, and databases that refuse them.
    let (owner, poor) = (postgres.superuser(), unique("poor"));
    let closed_base = unique("closed");
    query(&owner, &format!("CREATE ROLE {poor} LOGIN PASSWORD 'hidden@word'"));
    query(&owner, &format!("CREATE DATABASE {closed_base}"));
    query(&owner, &format!("REVOKE CONNECT ON DATABASE {closed_base} FROM PUBLIC"));

    let check = Check::new(&right, url.clone());
    let fine = check.with(&[]);
    assert_eq!((fine.code, fine.sentences.as_str()), (Some(0), ""), "{}", fine.table);

    let says = |words| Front::start(Manner::Says(words));
    let (mute, web) = (Front::start(Manner::Mute), says(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"));
    let old = Front::start(Manner::Rewrites(server, words(&[("1800", "1400"), ("18.", "14.")])));
    // The broker's own address in its answers becomes one where nobody listens.
    let broker = kafka_address(&right);
    let far = Front::start(Manner::Rewrites(broker, words(&[("127.0.0.1", "127.0.0.2")])));
    let (nobody, port) = (closed(), server.port());
    let of = |user: &str, port: u16, rest: &str| format!("postgres://{user}:{PASSWORD}@127.0.0.1:{port}/{rest}");
    let real = |database: &str| at(&right, database).expose().to_owned();
    let base = url.expose().rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();

    const URL: &str = "DATABASE_URL";
    const KAFKA: &str = "KAFKA_BOOTSTRAP_SERVERS";
    let cases: Vec<(&str, &str, String, [&str; 2])> = vec![
        ("a port where nobody listens", URL, of("spar", nobody, "x"), ["Connection refused", "correct DATABASE_URL"]),
        ("a wrong password", URL, of("spar", port, &base), ["28P01", "check user and password in DATABASE_URL"]),
        ("no such role", URL, of("nobody", port, &base), ["28P01", "check user and password in DATABASE_URL"]),
        ("not a URL", URL, format!("spar {PASSWORD}"), ["not a PostgreSQL URL", "write it as postgres://"]),
        (
            "another scheme",
            URL,
            format!("mysql://spar:{PASSWORD}@127.0.0.1/x"),
            ["not a PostgreSQL URL", "write it as"],
        ),
        (
            "an @ in the password",
            URL,
            format!("postgres://spar:x@hidden@word@127.0.0.1:{port}/x"),
            ["holds an @", "%40"],
        ),
        (
            "an unknown parameter",
            URL,
            of("spar", port, "x?hidden=word"),
            ["parameter that is not known", "write it as"],
        ),
        ("no database", URL, of("spar", port, ""), ["names no database", "end it with /mastodon_data"]),
        (
            "an unknown host",
            URL,
            format!("postgres://spar:{PASSWORD}@no-such-host.invalid/x"),
            ["no-such-host.invalid:5432", "correct DATABASE_URL"],
        ),
        (
            "a server that is silent",
            URL,
            of("spar", mute.port, "x"),
            ["does not answer as PostgreSQL", "DATABASE_URL names"],
        ),
        ("a web server", URL, of("spar", web.port, "x"), ["cannot connect to PostgreSQL at", "correct DATABASE_URL"]),
        ("PostgreSQL 14", URL, on_port(url, old.port), ["its version is 14", "15 or newer"]),
        ("a database that a role may not create", URL, of(&poor, port, "absent"), ["may not create it", "CREATEDB"]),
        ("a database that a role may not enter", URL, of(&poor, port, &closed_base), ["permission denied", "CONNECT"]),
        (
            "TLS that the server lacks",
            URL,
            real(&base).replace("sslmode=disable", "sslmode=require"),
            ["does not support TLS", "ssl = on"],
        ),
        (
            "a port where nobody listens",
            KAFKA,
            format!("127.0.0.1:{nobody}"),
            ["Connection refused", "correct KAFKA_BOOTSTRAP_SERVERS"],
        ),
        (
            "an unknown host",
            KAFKA,
            "no-such-host.invalid:9092".into(),
            ["no-such-host.invalid", "correct KAFKA_BOOTSTRAP_SERVERS"],
        ),
        ("a word", KAFKA, "no-such-host.invalid".into(), ["no-such-host.invalid", "correct KAFKA_BOOTSTRAP_SERVERS"]),
        ("a web server", KAFKA, format!("127.0.0.1:{}", web.port), ["no broker answers", "names a Kafka broker"]),
        (
            "a server that is silent",
            KAFKA,
            format!("127.0.0.1:{}", mute.port),
            ["no broker answers", "names a Kafka broker"],
        ),
        ("PostgreSQL", KAFKA, format!("127.0.0.1:{port}"), ["no broker answers", "names a Kafka broker"]),
        (
            "an advertised address out of reach",
            KAFKA,
            format!("127.0.0.1:{}", far.port),
            ["sends its clients on to 127.0.0.2", "advertised.listeners"],
        ),
    ];
    let told: Vec<Told> = std::thread::scope(|scope| {
        let check = &check;
        let all: Vec<_> =
            cases.iter().map(|(_, key, value, _)| scope.spawn(move || check.with(&[(key, value)]))).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for ((what, key, _, signs), told) in cases.iter().zip(&told) {
        let said = &told.sentences;
        println!("{key}, {what}, {:.1} s: {}", told.took.as_secs_f64(), said.trim());
        assert_eq!((told.code, said.lines().count()), (Some(1), 1), "{what}: {said}");
        for sign in signs {
            assert!(said.contains(sign), "{what}: {sign} in {said}");
        }
        for text in [said, &told.table] {
            assert!(!text.contains("hidden"), "{what} shows a part of the password: {text}");
        }
        // All of them run at once here; alone, none takes more than a quarter of a minute.
        assert!(told.took < Duration::from_secs(40), "{what}: {:?}", told.took);
    }
    println!("{} wrong settings, each told in one sentence with exit code 1", cases.len());
}

#[test]
fn a_role_without_rights_learns_what_to_grant() {
    let postgres = Server::postgres();
    let (owner, poor, base) = (postgres.superuser(), unique("poor"), unique("base"));
    query(&owner, &format!("CREATE ROLE {poor} LOGIN PASSWORD 'x'"));
    query(&owner, &format!("CREATE DATABASE {base}"));
    let port = address_of(&owner).port();
    let settings = |base: &str| Config {
        database_url: Some(Secret::new(format!("postgres://{poor}:x@127.0.0.1:{port}/{base}?sslmode=disable"))),
        ..config()
    };
    let absent = Store::create_database(&settings("absent")).unwrap_err().to_string();
    assert!(absent.contains("create the database absent") && absent.contains("CREATEDB"), "{absent}");
    // From PostgreSQL 15 on, a database of somebody else's lets nobody create tables.
    let tables = Store::create_tables(&settings(&base)).unwrap_err().to_string();
    assert!(tables.contains("permission denied for schema public") && tables.contains("own the database"), "{tables}");
    println!("what a person reads: {absent}\nwhat a person reads: {tables}");
}
