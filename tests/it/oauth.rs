use crate::stand_in::{StandIn, healthy, json};
use crate::support;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sha2::{Digest, Sha256};
use spar::Config;
use spar::config::Credentials;
use spar::mastodon::oauth::{App, OUT_OF_BAND, Registration, access_token_with, register_app};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

const SECRET: &str = "client-secret-marker";
const TOKEN: &str = "access-token-marker";

/// An instance that registers, checks PKCE as Mastodon does, and knows one token.
fn instance(challenge: Arc<Mutex<String>>) -> StandIn {
    StandIn::start(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("GET", "/.well-known/oauth-authorization-server") => {
            json(200, json!({"scopes_supported": ["read", "read:statuses", "profile"]}))
        }
        ("POST", "/api/v1/apps") => {
            json(200, json!({"id": "1", "client_id": "client-id-marker", "client_secret": SECRET}))
        }
        ("POST", "/oauth/token") if request.form("grant_type").as_deref() == Some("client_credentials") => {
            json(200, json!({"access_token": "app"}))
        }
        ("POST", "/oauth/token") => {
            let verifier = request.form("code_verifier").unwrap_or_default();
            let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
            let right = proof == *challenge.lock().unwrap() && request.form("code").as_deref() == Some("the code");
            if right && request.form("client_secret").as_deref() == Some(SECRET) {
                json(200, json!({"access_token": TOKEN, "token_type": "Bearer"}))
            } else {
                json(400, json!({"error": "invalid_grant", "error_description": "used or wrong"}))
            }
        }
        ("GET", "/api/v1/accounts/verify_credentials")
            if request.headers["authorization"] != format!("Bearer {TOKEN}") =>
        {
            json(401, json!({"error": "The access token is invalid"}))
        }
        _ => healthy(request).unwrap(),
    })
}

fn config(server: &StandIn, state: &tempfile::TempDir) -> Config {
    Config {
        mastodon_url: Some(server.url.clone()),
        source: "stand-in".into(),
        state: state.path().into(),
        access_token: None,
        ..support::config()
    }
}

/// What a person does: reads the address, agrees, gives the code.
fn agree(address: &str, challenge: &Mutex<String>, code: &str) -> String {
    let url = url::Url::parse(address).unwrap();
    let value = |key: &str| url.query_pairs().find(|(k, _)| k == key).map(|(_, v)| v.into_owned()).unwrap();
    assert_eq!((value("response_type"), value("redirect_uri")), ("code".into(), OUT_OF_BAND.into()));
    assert_eq!((value("scope"), value("code_challenge_method")), ("read:statuses profile".into(), "S256".into()));
    *challenge.lock().unwrap() = value("code_challenge");
    code.replace("{state}", &value("state"))
}

#[test]
fn an_application_is_registered_once_and_kept_in_a_private_file() {
    let server = instance(Arc::default());
    let state = tempfile::tempdir().unwrap();
    let config = config(&server, &state);
    assert!(Registration::saved(&config).unwrap_err().to_string().contains("create_app"));
    let first = register_app(&config, &App::named("5SPARK")).unwrap();
    let second = register_app(&config, &App::named("5SPARK")).unwrap();
    assert!(first.fresh && !second.fresh);
    let asked = server.asked("/api/v1/apps");
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].form("client_name").as_deref(), Some("5SPARK"));
    assert_eq!(asked[0].form("redirect_uris").as_deref(), Some(OUT_OF_BAND));
    assert_eq!(asked[0].form("scopes").as_deref(), Some("read:statuses profile"));
    let file = Credentials::file(&config.state, &config.source);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let shown = format!("{first} {first:?} {second} {}", first.tell());
    assert!(!shown.contains(SECRET) && !shown.contains("client-id-marker"), "{shown}");
}

#[test]
fn a_code_becomes_a_token_that_is_kept_and_never_shown() {
    let challenge = Arc::default();
    let server = instance(Arc::clone(&challenge));
    let state = tempfile::tempdir().unwrap();
    let config = config(&server, &state);
    let app = register_app(&config, &App::named("5SPARK")).unwrap();
    let token = access_token_with(&config, &app, |address| agree(address, &challenge, " the code\n")).unwrap();
    assert!(token.is_given());
    let shown = format!("{token} {token:?} {}", token.tell());
    assert!(shown.contains("reader") && !shown.contains(TOKEN), "{shown}");
    let saved = Credentials::read(&Credentials::file(&config.state, &config.source)).unwrap();
    assert_eq!(saved.access_token.unwrap().expose(), TOKEN);

    let again = access_token_with(&config, &app, |_| panic!("a living token asks nobody")).unwrap();
    assert!(again.is_given());
}

#[test]
fn a_whole_address_is_taken_as_a_code_only_for_the_request_it_answers() {
    let challenge = Arc::default();
    let server = instance(Arc::clone(&challenge));
    let state = tempfile::tempdir().unwrap();
    let config = config(&server, &state);
    let app = register_app(&config, &App::named("5SPARK")).unwrap();
    let pasted = |code: &'static str| access_token_with(&config, &app, |address| agree(address, &challenge, code));
    assert!(pasted("https://e.org/?code=the+code&state=other").unwrap_err().is_refused());
    assert!(pasted("https://e.org/?code=the+code&state={state}").unwrap().is_given());
}

#[test]
fn no_code_ends_in_one_sentence_and_a_wrong_one_says_so() {
    let challenge = Arc::default();
    let server = instance(Arc::clone(&challenge));
    let state = tempfile::tempdir().unwrap();
    let config = config(&server, &state);
    let app = register_app(&config, &App::named("5SPARK")).unwrap();
    let none = access_token_with(&config, &app, |_| String::new()).unwrap();
    assert!(!none.is_given() && none.to_string().contains("relancez"));
    let error = access_token_with(&config, &app, |address| agree(address, &challenge, "wrong")).unwrap_err();
    assert!(error.is_refused() && error.to_string().contains("invalid_grant"), "{error}");
    // Another verifier than the one whose challenge was shown.
    let error = access_token_with(&config, &app, |_| "the code".to_owned()).unwrap_err();
    assert!(error.to_string().contains("invalid_grant"), "{error}");
    assert!(!error.to_string().contains(SECRET));
}
