//! OAuth: registration, consent, exchange, revocation. The authorization-code flow takes PKCE (`S256` only); there is
//! no password grant, as in Mastodon since 4.4.

use super::accounts::{App, OUT_OF_BAND, Token, all_scopes, covers, known_scopes};
use super::consent;
use super::request::{Params, bearer};
use super::respond::{self, failed, json};
use super::server::Shared;
use crate::Timestamp;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::sync::Arc;

/// Parameters and application of an authorisation, once they have been checked.
pub(super) struct Asked {
    pub app: App,
    pub redirect_uri: String,
    pub scopes: Vec<String>,
    pub state: Option<String>,
    pub challenge: Option<String>,
}

/// `POST /api/v1/apps`
pub(super) async fn register(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let params = Params::body(&headers, &body);
    let invalid = |why: &str| respond::error(StatusCode::UNPROCESSABLE_ENTITY, &format!("Validation failed: {why}"));
    let Some(name) = params.get("client_name").filter(|name| name.len() <= 60) else {
        return invalid("Application name can't be blank or longer than 60 characters");
    };
    let uris: Vec<String> = params.all("redirect_uris").flat_map(str::split_whitespace).map(str::to_owned).collect();
    if uris.is_empty() {
        return invalid("Redirect URI can't be blank");
    }
    if !uris.iter().all(|uri| uri == OUT_OF_BAND || is_absolute(uri)) {
        return invalid("Redirect URI must be an absolute URI.");
    }
    let Some(scopes) = known_scopes(params.get("scopes").unwrap_or("read")) else {
        return invalid("Scopes doesn't match configured on the server.");
    };
    let website = params.get("website").map(str::to_owned);
    match shared.accounts.register(name.to_owned(), website, uris, scopes) {
        Ok(app) => {
            let mut told = describe(&app);
            told["client_id"] = json!(app.client_id);
            told["client_secret"] = json!(app.client_secret.expose());
            told["client_secret_expires_at"] = json!(0);
            json(StatusCode::OK, &told)
        }
        Err(e) => failed(&e),
    }
}

fn is_absolute(uri: &str) -> bool {
    url::Url::parse(uri).is_ok_and(|uri| uri.fragment().is_none() && !matches!(uri.scheme(), "javascript" | "data"))
}

/// An application as it may be shown to anyone who holds one of its tokens.
fn describe(app: &App) -> Value {
    json!({
        "id": app.id.to_string(), "name": app.name, "website": app.website, "scopes": app.scopes,
        "redirect_uris": app.redirect_uris, "redirect_uri": app.redirect_uris.join("\n"), "vapid_key": "",
    })
}

/// Checks what an application asks the visitor for; otherwise says what is wrong, to whom it may be said.
fn asked(shared: &Shared, params: &Params) -> Result<Asked, Box<Response>> {
    let Some(app) = params.get("client_id").and_then(|id| shared.accounts.app(id)) else {
        return Err(Box::new(consent::refused("Aucune application ne porte cet identifiant.")));
    };
    let redirect_uri = params.get("redirect_uri").unwrap_or_default().to_owned();
    if !app.redirect_uris.contains(&redirect_uri) {
        return Err(Box::new(consent::refused("L'adresse de retour n'est pas celle de l'application.")));
    }
    let state = params.get("state").map(str::to_owned);
    let refuse = |error: &str, why: &str| Box::new(consent::back(&redirect_uri, state.as_deref(), error, why));
    if params.get("response_type") != Some("code") {
        return Err(refuse("unsupported_response_type", "Only the response type code is known."));
    }
    let scopes = known_scopes(params.get("scope").unwrap_or("read")).filter(|wanted| covers(&app.scopes, wanted));
    let Some(scopes) = scopes else {
        return Err(refuse("invalid_scope", "The application is not registered for these scopes."));
    };
    let challenge = params.get("code_challenge").map(str::to_owned);
    if challenge.is_some() && params.get("code_challenge_method") != Some("S256") {
        return Err(refuse("invalid_request", "The code challenge method must be S256."));
    }
    Ok(Asked { app, redirect_uri, scopes, state, challenge })
}

/// `GET /oauth/authorize`: the consent page.
pub(super) async fn ask(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Response {
    match asked(&shared, &Params::query(query.as_deref())) {
        Ok(asked) => consent::page(&asked),
        Err(answer) => *answer,
    }
}

/// `POST /oauth/authorize`: the visitor's answer.
pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = Params::of(query.as_deref(), &headers, &body);
    let asked = match asked(&shared, &params) {
        Ok(asked) => asked,
        Err(answer) => return *answer,
    };
    if params.get("_method") == Some("delete") {
        return consent::back(&asked.redirect_uri, asked.state.as_deref(), "access_denied", "The visitor said no.");
    }
    match shared.accounts.grant(
        &asked.app.client_id,
        &asked.redirect_uri,
        asked.scopes.clone(),
        asked.challenge.clone(),
    ) {
        Ok(code) => consent::granted(&asked, &code),
        Err(e) => failed(&e),
    }
}

fn oauth_error(status: StatusCode, error: &str, why: &str) -> Response {
    json(status, &json!({ "error": error, "error_description": why }))
}

/// The application that a request proves to come from, by its body or by HTTP Basic.
fn client(shared: &Shared, headers: &HeaderMap, params: &Params) -> Option<App> {
    let basic = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()?.strip_prefix("Basic "));
    if let Some(basic) = basic {
        let decoded = String::from_utf8(STANDARD.decode(basic.trim()).ok()?).ok()?;
        let (id, secret) = decoded.split_once(':')?;
        return shared.accounts.client(id, secret);
    }
    shared.accounts.client(params.get("client_id")?, params.get("client_secret")?)
}

/// `POST /oauth/token`
pub(super) async fn token(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let params = Params::body(&headers, &body);
    let bad = |error: &str, why: &str| oauth_error(StatusCode::BAD_REQUEST, error, why);
    let grant = params.get("grant_type");
    if !matches!(grant, Some("authorization_code" | "client_credentials")) {
        return bad("unsupported_grant_type", "This server gives tokens for a code or for client credentials only.");
    }
    let Some(app) = client(&shared, &headers, &params) else {
        return oauth_error(StatusCode::UNAUTHORIZED, "invalid_client", "The client id or its secret is unknown.");
    };
    let now = Timestamp::now().as_millis() / 1000;
    let issued = if grant == Some("authorization_code") {
        let (Some(code), Some(uri)) = (params.get("code"), params.get("redirect_uri")) else {
            return bad("invalid_request", "A code and its redirect address are needed.");
        };
        shared.accounts.exchange(&app, code, uri, params.get("code_verifier"), now)
    } else {
        let scopes = known_scopes(params.get("scope").unwrap_or("read")).filter(|wanted| covers(&app.scopes, wanted));
        let Some(scopes) = scopes else {
            return bad("invalid_scope", "The application is not registered for these scopes.");
        };
        shared.accounts.issue(&app, scopes, false, now).map(Some)
    };
    match issued {
        Ok(Some(token)) => json(
            StatusCode::OK,
            &json!({
                "access_token": token.token.expose(), "token_type": "Bearer",
                "scope": token.scopes.join(" "), "created_at": token.created_at,
            }),
        ),
        Ok(None) => bad("invalid_grant", "The code is unknown, used, expired, or was not given to this request."),
        Err(e) => failed(&e),
    }
}

/// `POST /oauth/revoke`: ends the token and the streams that it opened.
pub(super) async fn revoke(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let params = Params::body(&headers, &body);
    let forbidden =
        || oauth_error(StatusCode::FORBIDDEN, "unauthorized_client", "The token is not one of this application.");
    let Some(app) = client(&shared, &headers, &params) else { return forbidden() };
    let token = params.get("token").unwrap_or_default();
    match shared.accounts.revoke(&app, token) {
        Ok(true) => {
            shared.player.lines.revoke(token);
            json(StatusCode::OK, &json!({}))
        }
        Ok(false) => forbidden(),
        Err(e) => failed(&e),
    }
}

/// `GET /.well-known/oauth-authorization-server`
pub(super) async fn metadata(State(shared): State<Arc<Shared>>) -> Response {
    let base = &shared.base;
    json(
        StatusCode::OK,
        &json!({
            "issuer": format!("{base}/"),
            "service_documentation": "https://docs.joinmastodon.org/",
            "authorization_endpoint": format!("{base}/oauth/authorize"),
            "token_endpoint": format!("{base}/oauth/token"),
            "revocation_endpoint": format!("{base}/oauth/revoke"),
            "app_registration_endpoint": format!("{base}/api/v1/apps"),
            "scopes_supported": all_scopes(),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
            "code_challenge_methods_supported": ["S256"],
        }),
    )
}

/// The live token of a request.
pub(super) fn token_of(shared: &Shared, headers: &HeaderMap, params: &Params) -> Option<Token> {
    shared.accounts.token(&bearer(headers, params)?)
}

fn invalid_token() -> Response {
    respond::error(StatusCode::UNAUTHORIZED, "The access token is invalid")
}

/// `GET /api/v1/apps/verify_credentials`
pub(super) async fn verify_app(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let token = token_of(&shared, &headers, &Params::default());
    match token.and_then(|token| shared.accounts.app(&token.client_id)) {
        Some(app) => json(StatusCode::OK, &describe(&app)),
        None => invalid_token(),
    }
}

/// `GET /api/v1/accounts/verify_credentials`
pub(super) async fn verify_account(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let Some(token) = token_of(&shared, &headers, &Params::default()) else { return invalid_token() };
    if !token.allows("read:accounts") && !token.allows("profile") {
        return respond::error(StatusCode::FORBIDDEN, "This action is outside the authorized scopes");
    }
    if !token.user {
        return respond::error(StatusCode::UNPROCESSABLE_ENTITY, "This method requires an authenticated user");
    }
    json(StatusCode::OK, &super::instance::visitor()).into_response()
}
