//! Applications, codes and tokens, as the local server keeps them. One person lives here: the visitor.

use crate::config::{Secret, write_private};
use crate::error::{Error, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The redirect address of applications that cannot be redirected to: the code is shown instead.
pub(super) const OUT_OF_BAND: &str = "urn:ietf:wg:oauth:2.0:oob";
/// How long a code can be exchanged.
const CODE_LIFE: Duration = Duration::from_secs(600);
/// How many codes wait at most; how many applications are kept at most. The oldest go first.
const CODES: usize = 1000;
const APPS: usize = 10_000;

/// Scopes that an application can ask for, beside their parts (`read:statuses`).
const SCOPES: [&str; 5] = ["read", "write", "follow", "push", "profile"];
const PARTS: [&str; 14] = [
    "accounts",
    "blocks",
    "bookmarks",
    "collections",
    "conversations",
    "favourites",
    "filters",
    "follows",
    "lists",
    "media",
    "mutes",
    "notifications",
    "search",
    "statuses",
];

/// A registered application.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct App {
    pub id: u64,
    pub name: String,
    pub website: Option<String>,
    pub redirect_uris: Vec<String>,
    pub scopes: Vec<String>,
    pub client_id: String,
    pub client_secret: Secret,
}

/// A token, of the visitor or of an application alone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Token {
    pub token: Secret,
    pub client_id: String,
    pub scopes: Vec<String>,
    /// False for a token that an application got for itself.
    pub user: bool,
    /// Seconds since 1970.
    pub created_at: i64,
}

impl Token {
    /// Whether the token allows `scope`, by name or by the whole that it is a part of.
    pub fn allows(&self, scope: &str) -> bool {
        let whole = scope.split(':').next().unwrap_or(scope);
        self.scopes.iter().any(|held| held == scope || held == whole)
    }
}

/// A code that the visitor gave out.
struct Code {
    code: String,
    client_id: String,
    redirect_uri: String,
    scopes: Vec<String>,
    challenge: Option<String>,
    given: Instant,
}

#[derive(Default, Serialize, Deserialize)]
struct Kept {
    apps: Vec<App>,
    tokens: Vec<Token>,
}

/// Everything, behind one lock and in one file.
pub(super) struct Accounts {
    file: PathBuf,
    kept: Mutex<Kept>,
    codes: Mutex<Vec<Code>>,
}

impl Accounts {
    /// Reads the file of a folder, or starts with nothing.
    pub fn open(folder: &Path) -> Result<Self> {
        let file = folder.join("accounts.json");
        let kept = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|e| Error::cannot(format!("understand {}", file.display()), format!("line {}", e.line())))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Kept::default(),
            Err(e) => return Err(Error::cannot(format!("read {}", file.display()), e)),
        };
        Ok(Self { file, kept: Mutex::new(kept), codes: Mutex::default() })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn codes(&self) -> MutexGuard<'_, Vec<Code>> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn save(&self, kept: &Kept) -> Result<()> {
        let json = serde_json::to_vec(kept).map_err(|e| Error::cannot("write the accounts", e))?;
        write_private(&self.file, &json)
    }

    /// Registers an application.
    pub fn register(
        &self,
        name: String,
        website: Option<String>,
        redirect_uris: Vec<String>,
        scopes: Vec<String>,
    ) -> Result<App> {
        let mut kept = self.kept();
        let id = kept.apps.last().map_or(1, |app| app.id + 1);
        let (client_id, client_secret) = (random_text()?, Secret::new(random_text()?));
        let app = App { id, name, website, redirect_uris, scopes, client_id, client_secret };
        if kept.apps.len() == APPS {
            let gone = kept.apps.remove(0);
            kept.tokens.retain(|token| token.client_id != gone.client_id);
        }
        kept.apps.push(app.clone());
        self.save(&kept)?;
        Ok(app)
    }

    /// The application with this id.
    pub fn app(&self, client_id: &str) -> Option<App> {
        self.kept().apps.iter().find(|app| app.client_id == client_id).cloned()
    }

    /// The application with this id and this secret.
    pub fn client(&self, client_id: &str, secret: &str) -> Option<App> {
        self.app(client_id).filter(|app| same(app.client_secret.expose(), secret))
    }

    /// The token itself, when it lives.
    pub fn token(&self, token: &str) -> Option<Token> {
        self.kept().tokens.iter().find(|held| same(held.token.expose(), token)).cloned()
    }

    /// Gives out a code in the visitor's name.
    pub fn grant(
        &self,
        client_id: &str,
        redirect_uri: &str,
        scopes: Vec<String>,
        challenge: Option<String>,
    ) -> Result<String> {
        let code = random_text()?;
        let (client_id, redirect_uri) = (client_id.to_owned(), redirect_uri.to_owned());
        let mut codes = self.codes();
        codes.retain(|held| held.given.elapsed() < CODE_LIFE);
        if codes.len() == CODES {
            codes.remove(0);
        }
        codes.push(Code { code: code.clone(), client_id, redirect_uri, scopes, challenge, given: Instant::now() });
        Ok(code)
    }

    /// Exchanges a code, once: nothing when it is unknown, used, too old, of another application or redirect
    /// address, or when the verifier is not the one that the challenge came from.
    pub fn exchange(
        &self,
        app: &App,
        code: &str,
        redirect_uri: &str,
        verifier: Option<&str>,
        now: i64,
    ) -> Result<Option<Token>> {
        let mut codes = self.codes();
        let Some(at) = codes.iter().position(|held| same(&held.code, code)) else { return Ok(None) };
        let held = codes.remove(at);
        drop(codes);
        let proven = match (&held.challenge, verifier) {
            (Some(challenge), Some(verifier)) => {
                same(challenge, &URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())))
            }
            (Some(_), None) => false,
            (None, _) => true,
        };
        let ours = held.client_id == app.client_id && held.redirect_uri == redirect_uri;
        if !proven || !ours || held.given.elapsed() >= CODE_LIFE {
            return Ok(None);
        }
        self.issue(app, held.scopes, true, now).map(Some)
    }

    /// Issues a token; the same application, person and scopes get the same one again.
    pub fn issue(&self, app: &App, scopes: Vec<String>, user: bool, now: i64) -> Result<Token> {
        let mut kept = self.kept();
        let known = |t: &&Token| t.client_id == app.client_id && t.user == user && t.scopes == scopes;
        if let Some(token) = kept.tokens.iter().find(known) {
            return Ok(token.clone());
        }
        let token = Secret::new(random_text()?);
        let token = Token { token, client_id: app.client_id.clone(), scopes, user, created_at: now };
        kept.tokens.push(token.clone());
        self.save(&kept)?;
        Ok(token)
    }

    /// Takes a token back. False when it belongs to another application; an unknown one is taken back already.
    pub fn revoke(&self, app: &App, token: &str) -> Result<bool> {
        let mut kept = self.kept();
        let Some(at) = kept.tokens.iter().position(|held| same(held.token.expose(), token)) else { return Ok(true) };
        if kept.tokens[at].client_id != app.client_id {
            return Ok(false);
        }
        kept.tokens.remove(at);
        self.save(&kept)?;
        Ok(true)
    }
}

/// The scopes of a request, when the server knows them all.
pub(super) fn known_scopes(text: &str) -> Option<Vec<String>> {
    let known = |scope: &str| match scope.split_once(':') {
        None => SCOPES.contains(&scope),
        Some((whole, part)) => matches!(whole, "read" | "write") && PARTS.contains(&part),
    };
    let scopes: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    scopes.iter().all(|scope| known(scope)).then_some(scopes)
}

/// Whether an application registered for `held` may ask for `wanted`.
pub(super) fn covers(held: &[String], wanted: &[String]) -> bool {
    let whole = |scope: &str| scope.split(':').next().unwrap_or_default().to_owned();
    wanted.iter().all(|scope| held.iter().any(|h| h == scope || *h == whole(scope)))
}

/// All scopes, for the server's description of itself.
pub(super) fn all_scopes() -> Vec<String> {
    let parts = |whole: &'static str| PARTS.iter().map(move |part| format!("{whole}:{part}"));
    SCOPES.iter().map(|s| (*s).to_owned()).chain(parts("read")).chain(parts("write")).collect()
}

/// Compares secrets in a time that does not depend on where they differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b)) == 0
}

/// 32 bytes of the system's randomness.
fn random_text() -> Result<String> {
    Ok(URL_SAFE_NO_PAD.encode(random_bytes::<32>()?))
}

/// Bytes that nobody can guess.
pub(super) fn random_bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|e| Error::cannot("draw a secret from /dev/urandom", e))?;
    Ok(bytes)
}
