//! The control address: how the timeline stands, and what a right pipeline has made of what was sent.

use super::oracle::{Expected, expected};
use super::respond::{failed, json};
use super::server::Shared;
use crate::error::Error;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use std::sync::Arc;

/// `GET /control/slice` and `GET /control/expected`.
pub(super) fn routes() -> Router<Arc<Shared>> {
    Router::new().route("/control/slice", get(slice)).route("/control/expected", get(expectation))
}

async fn slice(State(shared): State<Arc<Shared>>) -> Response {
    json(StatusCode::OK, &shared.player.standing().await)
}

async fn expectation(State(shared): State<Arc<Shared>>) -> Response {
    match tokio::task::spawn_blocking(move || tell(&shared)).await {
        Ok(Ok(expected)) => json(StatusCode::OK, &expected),
        Ok(Err(e)) => failed(&e),
        Err(e) => failed(&e),
    }
}

/// What belongs in the tables by now.
pub(super) fn tell(shared: &Shared) -> crate::Result<Expected> {
    let ledgers = shared.player.ledger.slices();
    if let Some(failed) = ledgers.iter().find(|ledger| ledger.has_failed()) {
        let cause = "not everything that was sent could be written down";
        return Err(Error::cannot(format!("trust the ledger of slice {}", failed.slice.number), cause));
    }
    Ok(expected(&ledgers.iter().map(|ledger| ledger.sent()).collect::<Vec<_>>()))
}
