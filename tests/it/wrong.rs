//! A wrong address or a wrong token: what a person reads in a cell and in `spar check`, and the exit code.

use crate::ingest::TOKEN;
use crate::local::client;
use crate::local::oauth;
use crate::stand_in::{StandIn, healthy, json, reply};
use crate::support::{self, command, config_in, home};
use serde_json::json;
use spar::config::Secret;
use spar::{Config, Mastodon, preflight};
use std::process::Command;

/// One wrong setting.
struct Case {
    name: &'static str,
    url: String,
    token: String,
    /// Words of the sentence.
    hints: &'static [&'static str],
}

/// Instances of which each has something wrong, and what must be read about it.
fn cases(servers: &mut Vec<StandIn>, local: &str) -> Vec<Case> {
    let mut stand_in = |server: StandIn| {
        servers.push(server);
        servers.last().unwrap().url.clone()
    };
    let verified = |status: u16, body: serde_json::Value| {
        StandIn::start(move |request| match request.path.as_str() {
            "/api/v1/accounts/verify_credentials" => json(status, body.clone()),
            _ => healthy(request).unwrap_or_else(|| json(404, json!({}))),
        })
    };
    let case = |name, url: &str, token: &str, hints| Case { name, url: url.into(), token: token.into(), hints };
    // A token that an application got for itself, on the real thing.
    let app = oauth::register(local);
    let (id, secret) = (app["client_id"].as_str().unwrap(), app["client_secret"].as_str().unwrap());
    let fields =
        [("grant_type", "client_credentials"), ("client_id", id), ("client_secret", secret), ("scope", "read profile")];
    let of_app = client::post(local, "/oauth/token", &fields).json()["access_token"].as_str().unwrap().to_owned();
    // A token that was good once.
    let revoked = oauth::exchange(local, &app, &oauth::consent(local, &app)).json()["access_token"].clone();
    let revoked = revoked.as_str().unwrap();
    let fields = [("client_id", id), ("client_secret", secret), ("token", revoked)];
    assert_eq!(client::post(local, "/oauth/revoke", &fields).status, 200);
    let page = StandIn::start(|_| reply(200, "text/html", "<!DOCTYPE html><title>Bienvenue</title>"));
    let lost = StandIn::start(|_| reply(404, "text/html", "<h1>Not Found</h1>"));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    vec![
        case("a token that nobody knows", local, "made-up", &["does not know the access token", "jeton_access"]),
        case("a revoked token", local, revoked, &["does not know the access token", "jeton_access"]),
        case("an application's token", local, &of_app, &["belongs to an application", "jeton_access"]),
        case(
            "too small a scope",
            &stand_in(verified(403, json!({"error": "This action is outside the authorized scopes"}))),
            TOKEN,
            &["403", "read:statuses profile"],
        ),
        case("a web site", &stand_in(page), TOKEN, &["MASTODON_URL", "no Mastodon server"]),
        case("a web server without the page", &stand_in(lost), TOKEN, &["404", "no Mastodon server"]),
        case("nobody there", &format!("http://{closed}"), TOKEN, &["refused", "MASTODON_URL"]),
        case(
            "a host with a typing error",
            "https://mastodon.invalid",
            TOKEN,
            &["mastodon.invalid", "MASTODON_URL and the network"],
        ),
        case("plain http", "http://mastodon.invalid", TOKEN, &["plain http", "https address"]),
        case("https where http is spoken", &local.replace("http://", "https://"), TOKEN, &["MASTODON_URL"]),
        case("no scheme", "mastodon.invalid", TOKEN, &["MASTODON_URL", "https://mastodon.example"]),
        case("another scheme", "ftp://mastodon.invalid", TOKEN, &["ftp", "https://mastodon.example"]),
    ]
}

#[test]
fn a_wrong_address_or_token_is_told_in_one_sentence_wherever_it_is_met() {
    let (local, folder) = client::server(10);
    let mut servers = Vec::new();
    let cases = cases(&mut servers, &local.url);
    let running = support::config();
    for case in &cases {
        let settings = [
            ("MASTODON_URL", case.url.as_str()),
            ("MASTODON_ACCESS_TOKEN", &case.token),
            ("KAFKA_BOOTSTRAP_SERVERS", running.kafka().unwrap()),
            ("DATABASE_URL", running.database_url().unwrap().expose()),
        ];
        let says_it = |text: &str| {
            assert!(case.hints.iter().all(|hint| text.contains(hint)), "{}: {text}", case.name);
            assert!(!text.contains(&case.token), "{}: {text}", case.name);
        };
        // The cell that connects, and the pre-flight.
        let read =
            Config::from_settings(home(), |key| settings.iter().find(|(k, _)| *k == key).map(|(_, v)| (*v).to_owned()));
        let error = match &read {
            Err(error) => error.to_string(),
            Ok(config) => {
                let error = Mastodon::connect(config).map(|_| ()).unwrap_err();
                let required = preflight::require(config).unwrap_err();
                assert_eq!(required.to_string(), error.to_string(), "{}", case.name);
                error.to_string()
            }
        };
        assert!(!error.contains('\n') && error.contains("; "), "{}: {error}", case.name);
        says_it(&error);
        // The command, as a person types it.
        let mut check = Command::new(command());
        check.arg("check").env("SPAR_HOME", home()).env("SPAR_STATE", folder.path().join("state")).envs(settings);
        let output = check.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{}: {told}", case.name);
        assert_eq!(told.trim_end().lines().count(), 1, "{}: {told}", case.name);
        says_it(&told);
        println!("{}: {}", case.name, told.trim_end());
    }
    println!("{} wrong settings: each ends in one sentence and exit code 1", cases.len());
}

#[test]
fn the_check_is_content_with_a_good_token_and_with_none_yet() {
    let (server, folder) = client::server(10);
    let good = client::token(&server.url);
    for (token, state) in [(Some(good), "compte visitor"), (None, "sans jeton")] {
        let config = Config {
            mastodon_url: Some(server.url.clone()),
            access_token: token.map(Secret::new),
            state: folder.path().join("state"),
            ..support::config()
        };
        let table = preflight::check(&config).unwrap().to_string();
        assert!(table.contains(state), "{table}");
        preflight::require(&config).unwrap();
    }
    // An embedded server that is away is no wrong setting: the command that starts it is named.
    let away = config_in(folder.path(), &[]);
    assert!(preflight::require(&away).unwrap_err().to_string().contains("services up"));
}
