//! The client against the whole local Mastodon, and what arrives in Kafka against its oracle.

use crate::local::client;
use crate::local::oauth::{say_yes, shown_code};
use crate::support;
use serde_json::Value;
use spar::kafka::{create_topic, gaps_topic, tail};
use spar::local::LocalServer;
use spar::mastodon::oauth::{App, access_token_with, register_app};
use spar::{Config, Ingest, Journal, Mastodon, Producer, Timestamp, Until};
use std::collections::BTreeMap;

/// Settings for a local server: its topic exists, and a token was obtained as a person would.
pub fn config(server: &LocalServer, state: &tempfile::TempDir) -> Config {
    config_on(Config { state: state.path().join("state"), ..support::config() }, server)
}

/// The same on other servers.
pub fn config_on(base: Config, server: &LocalServer) -> Config {
    let mut config = Config {
        topic: support::fresh_topic("listen"),
        mastodon_url: Some(server.url.clone()),
        mastodon_control: Some(server.control.clone()),
        access_token: None,
        ..base
    };
    create_topic(&config).unwrap();
    let app = register_app(&config, &App::named("5SPARK")).unwrap();
    let token = access_token_with(&config, &app, |address| {
        shown_code(&say_yes(&server.url, address.strip_prefix(&server.url).unwrap()))
    });
    assert!(token.unwrap().is_given());
    let file = spar::config::Credentials::file(&config.state, &config.source);
    config.access_token = spar::config::Credentials::read(&file).unwrap().access_token;
    assert!(!register_app(&config, &App::named("5SPARK")).unwrap().fresh);
    config
}

pub fn listener(config: &Config) -> Ingest {
    let mastodon = Mastodon::connect(config).unwrap();
    Ingest::new(config, &mastodon, &Producer::connect(config).unwrap(), Journal::default())
}

/// The toots that a reader of the topic ends with: id → content and tags.
pub fn toots(config: &Config) -> BTreeMap<String, (String, String)> {
    let mut kept: BTreeMap<String, (Option<String>, Option<Value>)> = BTreeMap::new();
    for record in tail(config, &config.topic, u32::MAX).unwrap() {
        let value: Value = serde_json::from_slice(&record.value.unwrap()).unwrap();
        let id = value["id"].as_str().unwrap().to_owned();
        assert_eq!(record.key.as_deref(), Some(&*id));
        let version = value["edited_at"].as_str().map(str::to_owned);
        let entry = kept.entry(id).or_default();
        match value["event"].as_str().unwrap() {
            // A delete wins over every version, also when it comes first.
            "delete" => *entry = (Some("~".into()), None),
            "retract" if version >= entry.0 => *entry = (version, None),
            "update" | "status.update" if version >= entry.0 => *entry = (version, Some(value)),
            _ => {}
        }
    }
    let far: Timestamp = "2100-01-01T00:00:00Z".parse().unwrap();
    kept.into_iter()
        .filter_map(|(id, (_, value))| Some((id, value?)))
        .filter(|(_, v)| v["language"].as_str().and_then(|l| l.split('-').next()) == Some("en"))
        .filter(|(_, v)| v["created_at"].as_str().unwrap().parse::<Timestamp>().unwrap() < far)
        .map(|(id, v)| (id, (words(v["content"].as_str().unwrap()), tags(&v))))
        .collect()
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn tags(value: &Value) -> String {
    let names: Vec<&str> = value["tags"].as_array().unwrap().iter().map(|tag| tag.as_str().unwrap()).collect();
    names.join(",")
}

pub fn expected(server: &LocalServer) -> BTreeMap<String, (String, String)> {
    let toots = server.expected().unwrap().toots.into_iter();
    toots.map(|toot| (toot.label.toot_id, (words(&toot.label.content), toot.label.hashtags))).collect()
}

#[test]
fn every_toot_that_the_local_server_sent_is_in_the_topic_after_each_slice() {
    let (server, state) = client::server(3000);
    let config = config(&server, &state);
    let ingest = listener(&config);
    let mut acknowledged = 0;
    for slice in 1..=2 {
        let report = ingest.run(Until::CaughtUp).unwrap();
        let standing = client::get(&server.control, "/control/slice").json();
        assert_eq!((&standing["slice"], &standing["state"]), (&slice.into(), &"over".into()));
        assert_eq!(standing["sent"], report.received, "every event that was sent was read");
        assert_eq!((report.errors, report.sent), (0, report.acknowledged));
        let told = report.kept + report.edited + report.retracted + report.deleted;
        assert_eq!(report.received, told + report.no_keyword + report.refused + report.other);
        assert_eq!(report.sent, told + report.gaps);
        acknowledged += report.acknowledged - report.gaps;
        let (found, wanted) = (toots(&config), expected(&server));
        assert!(wanted.len() > 100 * slice, "{}", wanted.len());
        for (id, toot) in &wanted {
            assert_eq!(found.get(id), Some(toot), "{id}");
        }
        assert_eq!(found.len(), wanted.len());
    }
    assert_eq!(tail(&config, &config.topic, u32::MAX).unwrap().len() as u64, acknowledged);
    // Between the two runs nobody listened.
    assert_eq!(tail(&config, &gaps_topic(&config.topic), u32::MAX).unwrap().len(), 1);
}

#[test]
fn a_token_that_is_revoked_while_listening_ends_the_run_with_a_clear_message() {
    let (server, state) = client::server(3000);
    let config = config(&server, &state);
    let ingest = listener(&config);
    let saved =
        spar::config::Credentials::read(&spar::config::Credentials::file(&config.state, &config.source)).unwrap();
    let fields = [
        ("client_id", saved.client_id.unwrap()),
        ("client_secret", saved.client_secret.unwrap()),
        ("token", config.access_token.clone().unwrap()),
    ];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.expose())).collect();
    let mut job = ingest.start().unwrap();
    support::eventually("the stream is open", std::time::Duration::from_secs(20), || {
        client::get(&server.control, "/control/slice").json()["sent"].as_u64() > Some(0)
    });
    assert_eq!(client::post(&server.url, "/oauth/revoke", &fields).status, 200);
    support::eventually("the job says why it ended", std::time::Duration::from_secs(20), || {
        let status = job.status();
        status.text().contains("terminé") && status.text().contains("jeton_access")
    });
    let error = job.join().unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("jeton_access"), "{error}");
    assert!(Mastodon::connect(&config).map(|_| ()).unwrap_err().is_refused());
}
