//! Applications, consent, tokens.

use super::client::{Answer, Stream, get, get_as, post, send, server, token};
use serde_json::Value;

const OOB: &str = "urn:ietf:wg:oauth:2.0:oob";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0123";
/// SHA-256 of the verifier, base64url without padding.
const CHALLENGE: &str = "v70ixSDfoBEDrDZV-0YABusoh_Ajp_a66XlJlwBHynw";

pub fn register(base: &str) -> Value {
    let fields = [("client_name", "5SPARK"), ("redirect_uris", OOB), ("scopes", "read profile")];
    let answer = post(base, "/api/v1/apps", &fields);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

fn authorize_path(app: &Value, changed: &[(&str, &str)]) -> String {
    let id = app["client_id"].as_str().unwrap();
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", id),
        ("redirect_uri", OOB),
        ("scope", "read:statuses profile"),
        ("state", "xyz & co"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changed {
        pairs.retain(|(known, _)| known != name);
        pairs.push((name, value));
    }
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("/oauth/authorize?{query}")
}

/// The hidden fields of the page's form, as a browser would send them.
fn hidden_fields(page: &str) -> Vec<(String, String)> {
    let attribute = |tag: &str, name: &str| {
        let from = tag.find(&format!("{name}=\"")).unwrap() + name.len() + 2;
        let value = &tag[from..from + tag[from..].find('"').unwrap()];
        value.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
    };
    let inputs = page.split("<input ").skip(1).map(|rest| &rest[..rest.find('>').unwrap()]);
    inputs
        .filter(|tag| tag.contains("type=\"hidden\""))
        .map(|tag| (attribute(tag, "name"), attribute(tag, "value")))
        .collect()
}

pub fn say_yes(base: &str, path: &str) -> Answer {
    let page = get(base, path);
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.headers["content-type"].starts_with("text/html"));
    let fields = hidden_fields(&page.body);
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    post(base, "/oauth/authorize", &fields)
}

pub fn shown_code(page: &Answer) -> String {
    let (_, rest) = page.body.split_once("class=\"oauth-code\">").expect("the page shows a code");
    rest[..rest.find('<').unwrap()].to_owned()
}

pub fn consent(base: &str, app: &Value) -> String {
    shown_code(&say_yes(base, &authorize_path(app, &[])))
}

fn exchange_with(base: &str, app: &Value, code: &str, changed: &[(&str, &str)]) -> Answer {
    let (id, secret) = (app["client_id"].as_str().unwrap(), app["client_secret"].as_str().unwrap());
    let mut fields = vec![
        ("grant_type", "authorization_code"),
        ("code", code),
        ("client_id", id),
        ("client_secret", secret),
        ("redirect_uri", OOB),
        ("code_verifier", VERIFIER),
    ];
    for (name, value) in changed {
        fields.retain(|(known, _)| known != name);
        fields.push((name, value));
    }
    post(base, "/oauth/token", &fields)
}

pub fn exchange(base: &str, app: &Value, code: &str) -> Answer {
    exchange_with(base, app, code, &[])
}

#[test]
fn a_code_becomes_a_token_that_works_and_the_same_one_again() {
    let (server, _folder) = server(10);
    let app = register(&server.url);
    assert_eq!(app["redirect_uri"], OOB);
    assert_eq!(app["client_secret_expires_at"], 0);
    assert_eq!(app["scopes"], serde_json::json!(["read", "profile"]));
    let token = exchange(&server.url, &app, &consent(&server.url, &app)).json();
    assert_eq!((&token["token_type"], &token["scope"]), (&"Bearer".into(), &"read:statuses profile".into()));
    let again = exchange(&server.url, &app, &consent(&server.url, &app)).json();
    assert_eq!(token["access_token"], again["access_token"]);
    let token = token["access_token"].as_str().unwrap();
    assert_eq!(get_as(&server.url, token, "/api/v1/accounts/verify_credentials").json()["username"], "visitor");
    let seen = get_as(&server.url, token, "/api/v1/apps/verify_credentials").json();
    assert_eq!(seen["name"], "5SPARK");
    assert!(seen.get("client_secret").is_none());
    assert_eq!(get(&server.url, "/api/v1/accounts/verify_credentials").status, 401);
}

#[test]
fn a_redirect_address_gets_the_code_and_the_state() {
    let (server, _folder) = server(10);
    let uri = "http://127.0.0.1:9/back?kept=1";
    let fields = [("client_name", "web"), ("redirect_uris", uri), ("scopes", "read")];
    let app = post(&server.url, "/api/v1/apps", &fields).json();
    let path = authorize_path(&app, &[("redirect_uri", uri), ("scope", "read")]);
    let answer = say_yes(&server.url, &path);
    assert_eq!(answer.status, 302);
    let location = url::Url::parse(&answer.headers["location"]).unwrap();
    let pairs: std::collections::HashMap<_, _> = location.query_pairs().into_owned().collect();
    assert_eq!((pairs["kept"].as_str(), pairs["state"].as_str()), ("1", "xyz & co"));
    let exchanged = exchange_with(&server.url, &app, &pairs["code"], &[("redirect_uri", uri)]);
    assert_eq!(exchanged.status, 200);
    let fields = url::Url::parse(&format!("http://x{path}")).unwrap().query().unwrap().to_owned() + "&_method=delete";
    let no = send(&server.url, "POST", "/oauth/authorize", &[], &fields);
    assert!(no.headers["location"].contains("error=access_denied"));
    let bad = get(&server.url, &authorize_path(&app, &[("redirect_uri", uri), ("scope", "write")]));
    assert!(bad.headers["location"].contains("error=invalid_scope"));
}

#[test]
fn every_wrong_exchange_is_refused_by_its_own_name() {
    let (server, _folder) = server(10);
    let base = &server.url;
    let (app, other) = (register(base), register(base));
    let error = |answer: Answer| (answer.status, answer.json()["error"].as_str().unwrap().to_owned());
    let grant = |status: u16| (status, "invalid_grant".to_owned());
    assert_eq!(error(exchange(base, &app, "never-given")), grant(400));
    let wrong = [("code_verifier", "another-verifier-of-at-least-forty-three-characters")];
    assert_eq!(error(exchange_with(base, &app, &consent(base, &app), &wrong)), grant(400));
    assert_eq!(error(exchange_with(base, &app, &consent(base, &app), &[("code_verifier", "")])), grant(400));
    assert_eq!(error(exchange(base, &other, &consent(base, &app))), grant(400));
    let elsewhere = [("redirect_uri", "http://127.0.0.1/")];
    assert_eq!(error(exchange_with(base, &app, &consent(base, &app), &elsewhere)), grant(400));
    let code = consent(base, &app);
    assert_eq!(exchange(base, &app, &code).status, 200);
    assert_eq!(error(exchange(base, &app, &code)), grant(400), "a code works once");
    let secret = [("client_secret", "guessed")];
    assert_eq!(error(exchange_with(base, &app, "x", &secret)), (401, "invalid_client".into()));
    let password = [("grant_type", "password")];
    assert_eq!(error(exchange_with(base, &app, "x", &password)), (400, "unsupported_grant_type".into()));
    let machine = [("grant_type", "client_credentials"), ("scope", "write:statuses")];
    assert_eq!(error(exchange_with(base, &app, "x", &machine)), (400, "invalid_scope".into()));
}

#[test]
fn wrong_registrations_and_requests_for_consent_are_refused() {
    let (server, _folder) = server(10);
    let register = |name: &str, uri: &str, scopes: &str| {
        post(&server.url, "/api/v1/apps", &[("client_name", name), ("redirect_uris", uri), ("scopes", scopes)]).status
    };
    assert_eq!(register("x", "not an address", "read"), 422);
    assert_eq!(register("x", "javascript:alert(1)", "read"), 422);
    assert_eq!(register("x", OOB, "read:everything"), 422);
    assert_eq!(register("", OOB, "read"), 422);
    let json = r#"{"client_name":"<b>x</b>","redirect_uris":["urn:ietf:wg:oauth:2.0:oob"],"scopes":"read"}"#;
    let app = send(&server.url, "POST", "/api/v1/apps", &[("Content-Type", "application/json")], json).json();
    let ask = |changed: &[(&str, &str)]| get(&server.url, &authorize_path(&app, changed));
    assert_eq!(ask(&[("client_id", "nobody")]).status, 400);
    assert_eq!(ask(&[("redirect_uri", "http://elsewhere.example/")]).status, 400);
    assert_eq!(ask(&[("scope", "profile")]).status, 400);
    assert!(ask(&[("scope", "read"), ("code_challenge_method", "plain")]).body.contains("invalid_request"));
    let page = ask(&[("scope", "read")]);
    assert!(page.body.contains("&lt;b&gt;x&lt;/b&gt;") && !page.body.contains("<b>x</b>"));
}

#[test]
fn an_application_token_is_no_person() {
    let (server, _folder) = server(10);
    let app = register(&server.url);
    let machine = [("grant_type", "client_credentials"), ("scope", "read")];
    let token = exchange_with(&server.url, &app, "", &machine).json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(get_as(&server.url, &token, "/api/v1/apps/verify_credentials").status, 200);
    assert_eq!(get_as(&server.url, &token, "/api/v1/accounts/verify_credentials").status, 422);
    let refused = get_as(&server.url, &token, "/api/v1/streaming/public");
    assert_eq!((refused.status, refused.json()["error"].as_str().unwrap()), (401, "Invalid access token"));
}

#[test]
fn revocation_ends_the_stream_and_the_token() {
    let (server, _folder) = server(200);
    let app = register(&server.url);
    let token =
        exchange(&server.url, &app, &consent(&server.url, &app)).json()["access_token"].as_str().unwrap().to_owned();
    let mut stream = Stream::open(&server.url, "/api/v1/streaming/user", &token);
    assert_eq!(stream.next_chunks(), [b":)\n".to_vec()]);
    let (id, secret) = (app["client_id"].as_str().unwrap(), app["client_secret"].as_str().unwrap());
    let revoke = |id: &str, secret: &str| {
        post(&server.url, "/oauth/revoke", &[("client_id", id), ("client_secret", secret), ("token", &token)])
    };
    let other = register(&server.url);
    let theirs = revoke(other["client_id"].as_str().unwrap(), other["client_secret"].as_str().unwrap());
    assert_eq!((theirs.status, theirs.json()["error"].as_str().unwrap()), (403, "unauthorized_client"));
    assert_eq!((revoke(id, secret).status, revoke(id, secret).body.as_str()), (200, "{}"));
    assert_eq!(stream.next_chunks(), Vec::<Vec<u8>>::new());
    assert!(stream.ended, "the body ends cleanly");
    let refused = get_as(&server.url, &token, "/api/v1/streaming/public");
    assert_eq!((refused.status, refused.json()["error"].as_str().unwrap()), (401, "Invalid access token"));
    assert_eq!(get_as(&server.url, &token, "/api/v1/apps/verify_credentials").status, 401);
}

#[test]
fn the_server_describes_its_oauth() {
    let (server, _folder) = server(10);
    let told = get(&server.url, "/.well-known/oauth-authorization-server").json();
    assert_eq!(told["token_endpoint"], format!("{}/oauth/token", server.url));
    assert_eq!(told["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert!(told["scopes_supported"].as_array().unwrap().iter().any(|scope| scope == "read:statuses"));
    assert!(!token(&server.url).is_empty());
}
