//! From nothing to an access token: register an application, have a person authorise it, exchange the code.

use super::http::{Answer, answer, client, is_ours, place, refused, safe_for_token};
use super::{base, join, verify};
use crate::config::{Config, Credentials, Secret};
use crate::display::{Report, ask, neutralise, say};
use crate::error::{Error, Result};
use crate::runtime::block_on;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Client;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt;
use url::Url;

/// The redirect address that makes the instance show the code to the person.
pub const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";
/// Read only, and as little as a public stream needs.
const SCOPES: &str = "read:statuses profile";
/// The same for servers older than Mastodon 4.3.
const OLD_SCOPES: &str = "read:statuses read:accounts";

/// What an application calls itself, where the code goes, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its name.
    pub name: String,
    /// Where the code is sent.
    pub redirect_uri: String,
    /// What it may do, separated by spaces.
    pub scopes: String,
}

impl App {
    /// An application that reads public statuses and shows its code to the person.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), redirect_uri: OUT_OF_BAND.to_owned(), scopes: SCOPES.to_owned() }
    }

    /// Shows the application in a notebook.
    pub fn evcxr_display(&self) {
        Report::new(self.to_string()).evcxr_display();
    }
}

impl fmt::Display for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Application : {}\nRedirection : {}\nDroits : {}", self.name, self.redirect_uri, self.scopes)
    }
}

/// A registered application; it shows itself masked.
#[derive(Clone, Debug)]
pub struct Registration {
    instance: String,
    id: Secret,
    secret: Secret,
    redirect_uri: String,
    scopes: String,
    /// True when it was registered now, false when an earlier registration is used.
    pub fresh: bool,
}

impl Registration {
    /// The application that `create_app` registered with this instance.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub fn saved(config: &Config) -> Result<Self> {
        let saved = Credentials::read(&Credentials::file(&config.state, &config.source))?;
        Self::from_credentials(config, &saved).ok_or_else(|| {
            Error::cannot(format!("use the application of {}", config.source), "none is registered yet")
                .next("run notebooks/create_app.ipynb first")
        })
    }

    fn from_credentials(config: &Config, saved: &Credentials) -> Option<Self> {
        Some(Self {
            instance: config.source.clone(),
            id: saved.client_id.clone()?,
            secret: saved.client_secret.clone()?,
            redirect_uri: saved.redirect_uri.clone().unwrap_or_else(|| OUT_OF_BAND.to_owned()),
            scopes: saved.scopes.clone().unwrap_or_else(|| SCOPES.to_owned()),
            fresh: false,
        })
    }

    /// Prints `Client ID:` and `Client Secret:`, masked, and tells what became of the application.
    pub fn tell(&self) -> Report {
        say(format!("Client ID: {}", masked(&self.id)));
        say(format!("Client Secret: {}", masked(&self.secret)));
        Report::new(self.to_string())
    }

    /// Shows the application in a notebook.
    pub fn evcxr_display(&self) {
        Report::new(self.to_string()).evcxr_display();
    }
}

impl fmt::Display for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.fresh { "enregistrée" } else { "déjà enregistrée" };
        write!(f, "Application {} {state} auprès de {}.", masked(&self.id), self.instance)
    }
}

/// A person's access token; it shows itself masked.
#[derive(Clone, Debug)]
pub struct Token {
    token: Option<Secret>,
    account: String,
}

impl Token {
    /// True when there is one: the person gave a code, or an earlier token still lives.
    pub fn is_given(&self) -> bool {
        self.token.is_some()
    }

    /// Prints `Jeton d'accès:`, masked, and tells whose it is; without a token, what to do.
    pub fn tell(&self) -> Report {
        if let Some(token) = &self.token {
            say(format!("Jeton d'accès: {}", masked(token)));
        }
        Report::new(self.to_string())
    }

    /// Shows the token in a notebook.
    pub fn evcxr_display(&self) {
        Report::new(self.to_string()).evcxr_display();
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.token {
            Some(token) => write!(f, "Jeton {} du compte {}.", masked(token), neutralise(&self.account)),
            None => f.write_str("Aucun code donné : relancez la cellule précédente pour en demander un."),
        }
    }
}

/// Registers `app` with the instance and keeps its id and secret; a second call registers nothing new.
///
/// # Errors
///
/// Fails if the instance is away or refuses; the refusal is printed first, after `Erreur:`.
pub fn register_app(config: &Config, app: &App) -> Result<Registration> {
    let base = base(config)?;
    safe_for_token(config, &base)?;
    let client = client(&base, is_ours(config, &base))?;
    let file = Credentials::file(&config.state, &config.source);
    let saved = Credentials::read(&file)?;
    if let Some(known) = Registration::from_credentials(config, &saved)
        && known.redirect_uri == app.redirect_uri
        && block_on(still_known(&client, &base, &known))?
    {
        return Ok(known);
    }
    let scopes = block_on(scopes_for(&client, &base, &app.scopes))?;
    let action = format!("register the application {} with {}", app.name, place(&base));
    let form =
        [("client_name", app.name.as_str()), ("redirect_uris", app.redirect_uri.as_str()), ("scopes", scopes.as_str())];
    let answer = block_on(answer(client.post(join(&base, "/api/v1/apps")?).form(&form), &action))?;
    if answer.status != 200 {
        return Err(told(&action, &answer));
    }
    let keys: Keys = answer.json("the application's keys")?;
    let fresh = Credentials {
        client_id: Some(keys.client_id),
        client_secret: Some(keys.client_secret),
        redirect_uri: Some(app.redirect_uri.clone()),
        scopes: Some(scopes),
        access_token: None,
    };
    fresh.write(&file)?;
    Registration::from_credentials(config, &fresh)
        .map(|registration| Registration { fresh: true, ..registration })
        .ok_or_else(|| Error::cannot(action, "the answer holds no keys"))
}

#[derive(Deserialize)]
struct Keys {
    client_id: Secret,
    client_secret: Secret,
}

/// A person's token: the one kept if it still lives, else the address to open is printed, its code asked for and
/// exchanged, and the token kept.
///
/// # Errors
///
/// Fails if the instance is away or refuses the code; the refusal is printed first, after `Erreur:`.
pub fn access_token(config: &Config, app: &Registration) -> Result<Token> {
    access_token_with(config, app, |address| {
        say(format!("Ouvrez cette adresse : {address}"));
        ask("Code d'autorisation")
    })
}

/// The same, with another way than the notebook's prompt to get the code for an address.
///
/// # Errors
///
/// Fails as [`access_token`] does.
pub fn access_token_with(config: &Config, app: &Registration, code_for: impl FnOnce(&str) -> String) -> Result<Token> {
    let base = base(config)?;
    safe_for_token(config, &base)?;
    let client = client(&base, is_ours(config, &base))?;
    let file = Credentials::file(&config.state, &config.source);
    let mut saved = Credentials::read(&file)?;
    if let Some(token) = config.access_token.clone().or_else(|| saved.access_token.clone())
        && let Some(account) = block_on(verify(&client, &base, &token))?
    {
        return Ok(Token { token: Some(token), account });
    }
    let (verifier, state) = (random_text()?, random_text()?);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let mut address = join(&pages(config, &base)?, "/oauth/authorize")?;
    address
        .query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", app.id.expose())
        .append_pair("redirect_uri", &app.redirect_uri)
        .append_pair("scope", &app.scopes)
        .append_pair("state", &state)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256");
    let Some(code) = code_of(&code_for(address.as_str()), &state)? else {
        return Ok(Token { token: None, account: String::new() });
    };
    let action = format!("exchange the code at {}", place(&base));
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("client_id", app.id.expose()),
        ("client_secret", app.secret.expose()),
        ("redirect_uri", app.redirect_uri.as_str()),
        ("code_verifier", verifier.as_str()),
    ];
    let answer = block_on(answer(client.post(join(&base, "/oauth/token")?).form(&form), &action))?;
    if answer.status != 200 {
        return Err(told(&action, &answer));
    }
    let Some(token) = answer.json::<Value>("the token")?.get("access_token").and_then(Value::as_str).map(Secret::new)
    else {
        return Err(Error::cannot(action, "the answer holds no access token"));
    };
    let account = block_on(verify(&client, &base, &token))?.unwrap_or_default();
    saved.access_token = Some(token.clone());
    saved.write(&file)?;
    Ok(Token { token: Some(token), account })
}

/// Where a person's browser reaches the instance.
pub(super) fn pages(config: &Config, base: &Url) -> Result<Url> {
    match config.local_pages.as_deref() {
        None => Ok(base.clone()),
        Some(pages) => pages.parse().map_err(|e| Error::cannot(format!("use SPAR_LOCAL_PAGES={pages}"), e).invalid()),
    }
}

/// The code that a person pasted: itself, or inside the whole address it was sent to, whose state must be ours.
fn code_of(pasted: &str, state: &str) -> Result<Option<String>> {
    let pasted = pasted.trim();
    let Some(url) = pasted.contains("://").then(|| Url::parse(pasted).ok()).flatten() else {
        return Ok((!pasted.is_empty()).then(|| pasted.to_owned()));
    };
    let value = |key: &str| url.query_pairs().find(|(k, _)| k == key).map(|(_, v)| v.into_owned());
    if value("state").is_some_and(|given| given != state) {
        return Err(Error::cannot("use this address", "it answers another request than this cell's")
            .next("run the cell again and open the new address")
            .refused());
    }
    Ok(value("code"))
}

/// True unless the instance says that it does not know the application.
async fn still_known(client: &Client, base: &Url, app: &Registration) -> Result<bool> {
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", app.id.expose()),
        ("client_secret", app.secret.expose()),
        ("redirect_uri", app.redirect_uri.as_str()),
    ];
    let action = format!("ask {} about the application", place(base));
    let answer = answer(client.post(join(base, "/oauth/token")?).form(&form), &action).await?;
    Ok(answer.status != 401)
}

/// `wanted`, or its older form when the server does not know the scope `profile`.
async fn scopes_for(client: &Client, base: &Url, wanted: &str) -> Result<String> {
    let action = format!("ask {} for its scopes", place(base));
    let answer = answer(client.get(join(base, "/.well-known/oauth-authorization-server")?), &action).await?;
    let knows_profile = answer.status == 200
        && answer
            .json::<Value>("the server's scopes")?
            .get("scopes_supported")
            .and_then(Value::as_array)
            .is_some_and(|scopes| scopes.iter().any(|s| s == "profile"));
    Ok(if wanted == SCOPES && !knows_profile { OLD_SCOPES.to_owned() } else { wanted.to_owned() })
}

/// Prints `Erreur:` with status and body, and gives the error.
fn told(action: &str, answer: &Answer) -> Error {
    say(format!("Erreur: {} {}", answer.status, answer.excerpt()));
    let error = refused(action, answer);
    match answer.status {
        400 => error.next("run the cell again and paste the new code: each one works once, for ten minutes").refused(),
        401 => error.next("run notebooks/create_app.ipynb again: the server does not know the application").refused(),
        _ => error,
    }
}

/// The first four characters, enough to recognise it and not to use it.
fn masked(secret: &Secret) -> String {
    let text = secret.expose();
    if text.chars().count() < 12 {
        return "***".to_owned();
    }
    format!("{}***", text.chars().take(4).collect::<String>())
}

/// 43 random characters of the alphabet of URLs.
fn random_text() -> Result<String> {
    let mut bytes = [0; 32];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut bytes)
        .map_err(|_| Error::cannot("make a random number", "the system gives none"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
