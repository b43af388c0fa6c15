//! The server: its two addresses, its start and its end.

use super::accounts::Accounts;
use super::ledger::Ledger;
use super::limits::Limits;
use super::oracle::Expected;
use super::past::Past;
use super::player::Player;
use super::request::{Params, bearer};
use super::wire::{Connection, WireListener};
use super::{LocalSettings, control, instance, oauth, respond, streaming, timelines};
use crate::config::write_private;
use crate::error::{Error, Result};
use crate::runtime::{block_on, runtime};
use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::{MethodRouter, get, post};
use serde_json::json;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long open connections have to end when the server stops.
const GOODBYE: Duration = Duration::from_secs(2);

/// What every request needs.
pub(super) struct Shared {
    pub base: String,
    pub streaming: String,
    pub heartbeat: Duration,
    pub accounts: Accounts,
    pub player: Arc<Player>,
    pub past: Past,
    limits: Limits,
}

/// A running local Mastodon; dropping it stops it.
pub struct LocalServer {
    /// The base URL of the public API.
    pub url: String,
    /// The base URL of the control address.
    pub control: String,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    /// Held as long as the server runs: two servers must not share a folder.
    _lock: File,
}

impl LocalServer {
    /// What a right pipeline has made of everything sent so far.
    ///
    /// # Errors
    ///
    /// Fails if the ledger could not be written in full.
    pub fn expected(&self) -> Result<Expected> {
        control::tell(&self.shared)
    }

    async fn end(&mut self) {
        let _ = self.stop.send(true);
        self.shared.player.stop().await;
        for mut task in self.tasks.drain(..) {
            if tokio::time::timeout(GOODBYE, &mut task).await.is_err() {
                task.abort();
            }
        }
    }
}

impl Drop for LocalServer {
    fn drop(&mut self) {
        block_on(self.end());
    }
}

/// Starts the server in this process.
///
/// # Errors
///
/// Fails if the folder cannot be used or belongs to a running server, or if a port is taken.
pub fn start(settings: &LocalSettings) -> Result<LocalServer> {
    block_on(launch(settings))
}

/// Runs the server until SIGTERM or SIGINT.
///
/// # Errors
///
/// Fails as [`start`] does.
pub fn serve(settings: &LocalSettings) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    super::log::to_stderr();
    block_on(async {
        let watch = |kind| signal(kind).map_err(|e| Error::cannot("watch for signals", e));
        let (mut term, mut int) = (watch(SignalKind::terminate())?, watch(SignalKind::interrupt())?);
        let mut server = launch(settings).await?;
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        server.end().await;
        // Its drop would wait for the runtime from inside it.
        std::mem::forget(server);
        Ok(())
    })
}

async fn launch(settings: &LocalSettings) -> Result<LocalServer> {
    let lock = lock(settings)?;
    let accounts = Accounts::open(&settings.folder)?;
    let ledger = Ledger::open(&settings.folder)?;
    let (public, port) = bind(settings, settings.port).await?;
    let (private, control_port) = bind(settings, settings.control_port).await?;
    let url = settings.base.clone().unwrap_or_else(|| format!("http://127.0.0.1:{port}"));
    let control = format!("http://127.0.0.1:{control_port}");
    let shared = Arc::new(Shared {
        base: url.clone(),
        // As Mastodon tells it: http is ws, https is wss.
        streaming: url.replacen("http", "ws", 1),
        heartbeat: settings.heartbeat,
        accounts,
        player: Arc::new(Player::new(ledger, settings.seed, settings.statuses, settings.speed)),
        past: Past::default(),
        limits: Limits::default(),
    });
    let (stop, stopped) = watch::channel(false);
    let ended = |mut stopped: watch::Receiver<bool>| async move {
        // An error means that the sender is gone, which is an end too.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    let service = routes(&shared).into_make_service_with_connect_info::<Connection>();
    let serving = axum::serve(WireListener(public), service).with_graceful_shutdown(ended(stopped.clone()));
    let controls = control::routes().with_state(Arc::clone(&shared));
    let controlling = axum::serve(private, controls).with_graceful_shutdown(ended(stopped));
    let tasks =
        vec![runtime().spawn(async { log_end(serving.await) }), runtime().spawn(async { log_end(controlling.await) })];
    if let Some(ready) = &settings.ready {
        let told = json!({ "url": url, "control": control, "pid": std::process::id() });
        write_private(ready, told.to_string().as_bytes())?;
    }
    Ok(LocalServer { url, control, shared, stop, tasks, _lock: lock })
}

fn log_end(ended: std::io::Result<()>) {
    if let Err(e) = ended {
        log::error!("the local Mastodon stopped serving: {e}");
    }
}

fn lock(settings: &LocalSettings) -> Result<File> {
    use rustix::fs::{FlockOperation, flock};
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
    let folder = &settings.folder;
    let cannot = |e: std::io::Error| Error::cannot(format!("use the folder {}", folder.display()), e);
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(cannot)?;
    let path = folder.join("lock");
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = file.map_err(cannot)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
        Error::cannot(format!("use the folder {}", folder.display()), "another local Mastodon runs on it")
            .next("stop that one with `./spar services down`, or choose another folder")
    })?;
    Ok(file)
}

async fn bind(settings: &LocalSettings, port: u16) -> Result<(TcpListener, u16)> {
    let cannot = |e: std::io::Error| {
        let place = format!("listen on {}:{port}", settings.listen);
        Error::cannot(place, e).next("choose another port; 0 takes a free one")
    };
    let listener = TcpListener::bind((settings.listen, port)).await.map_err(cannot)?;
    let port = listener.local_addr().map_err(cannot)?.port();
    Ok((listener, port))
}

fn routes(shared: &Arc<Shared>) -> Router {
    // As upstream, a slash at the end of a path changes nothing, but for streams.
    let both = |router: Router<Arc<Shared>>, (path, answer): (&str, MethodRouter<Arc<Shared>>)| {
        router.route(path, answer.clone()).route(&format!("{path}/"), answer)
    };
    let rest = [
        ("/api/v1/apps", post(oauth::register)),
        ("/api/v1/apps/verify_credentials", get(oauth::verify_app)),
        ("/api/v1/accounts/verify_credentials", get(oauth::verify_account)),
        ("/api/v1/instance", get(instance::v1)),
        ("/api/v2/instance", get(instance::v2)),
        ("/api/v1/instance/rules", get(instance::rules)),
        ("/api/v1/instance/privacy_policy", get(instance::policy)),
        ("/api/v1/instance/terms_of_service", get(instance::policy)),
        ("/api/v1/timelines/public", get(timelines::public)),
        ("/api/v1/timelines/tag/{tag}", get(timelines::tag)),
        ("/api/v1/statuses", get(timelines::by_ids)),
        ("/api/v1/statuses/{id}", get(timelines::by_id)),
    ]
    .into_iter()
    .fold(Router::new(), both)
    .layer(from_fn_with_state(Arc::clone(shared), limited));
    let oauth = [
        ("/oauth/authorize", get(oauth::ask).post(oauth::answer)),
        ("/oauth/token", post(oauth::token)),
        ("/oauth/revoke", post(oauth::revoke)),
    ];
    oauth
        .into_iter()
        .fold(rest, both)
        .route("/.well-known/oauth-authorization-server", get(oauth::metadata))
        .route("/api/v1/streaming", get(streaming::bare).fallback(streaming::not_get))
        .route("/api/v1/streaming/", get(streaming::bare).fallback(streaming::not_get))
        .route("/api/v1/streaming/health", get(streaming::health).fallback(streaming::not_get))
        .route("/api/v1/streaming/{*path}", get(streaming::open).fallback(streaming::not_get))
        .fallback(async || respond::error(StatusCode::NOT_FOUND, "Not Found"))
        .with_state(Arc::clone(shared))
}

/// Counts a REST request against the limits, and tells them on the answer.
async fn limited(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    request: Request,
    next: Next,
) -> Response {
    let params = Params::query(request.uri().query());
    let paged = ["min_id", "max_id", "since_id"].iter().any(|name| params.get(name).is_some());
    // A token that nobody knows counts as none.
    let who = bearer(request.headers(), &params)
        .filter(|token| shared.accounts.token(token).is_some())
        .unwrap_or_else(|| connection.from.ip().to_string());
    let allowance = shared.limits.count(&who, paged);
    let mut answer = if allowance.allowed {
        next.run(request).await
    } else {
        respond::error(StatusCode::TOO_MANY_REQUESTS, "Too many requests")
    };
    allowance.write(answer.headers_mut());
    if let Some(id) = respond::request_id() {
        answer.headers_mut().insert("x-request-id", id);
    }
    answer
}
