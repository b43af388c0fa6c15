//! The past over REST: public and tag timelines with their pages, and statuses by id.

use super::generator::Made;
use super::past::Wanted;
use super::request::Params;
use super::respond::{self, failed, raw_json};
use super::server::Shared;
use super::tagname::normalised;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use std::sync::Arc;

/// `GET /api/v1/timelines/public`
pub(super) async fn public(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Response {
    page(shared, "/api/v1/timelines/public".into(), Params::query(query.as_deref()), |_, _| true).await
}

/// `GET /api/v1/timelines/tag/{tag}`
pub(super) async fn tag(
    State(shared): State<Arc<Shared>>,
    Path(tag): Path<String>,
    RawQuery(query): RawQuery,
) -> Response {
    let params = Params::query(query.as_deref());
    let names = |name: &str, most: usize| params.all(name).take(most).map(normalised).collect::<Vec<_>>();
    let (any, all, none) = (names("any", 4), names("all", 4), names("none", 4));
    let wanted = normalised(&tag);
    let path = format!("/api/v1/timelines/tag/{}", encoded(&tag));
    page(shared, path, params, move |made, _| {
        let tags: Vec<String> = made.tags().map(normalised).collect();
        let has = |tag: &String| tags.contains(tag);
        (has(&wanted) || any.iter().any(has)) && all.iter().all(has) && !none.iter().any(has)
    })
    .await
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

async fn page(
    shared: Arc<Shared>,
    path: String,
    params: Params,
    keep: impl Fn(&Made, &Params) -> bool + Send + 'static,
) -> Response {
    // Ids that are no numbers have no place in the order; they count as absent, as a database cast would have it.
    let id = |name: &str| params.get(name).and_then(|id| id.parse::<u64>().ok());
    let limit = params.get("limit").and_then(|n| n.parse::<usize>().ok()).unwrap_or(20).clamp(1, 40);
    let wanted = Wanted { max_id: id("max_id"), since_id: id("since_id"), min_id: id("min_id"), limit };
    let (local, remote, only_media) = (params.flag("local"), params.flag("remote"), params.flag("only_media"));
    let base = shared.base.clone();
    let made = tokio::task::spawn_blocking(move || {
        let keep = |made: &Made| {
            (!local || made.is_local())
                && (!remote || !made.is_local())
                && (!only_media || made.has_media())
                && keep(made, &params)
        };
        shared.past.page(&shared.player.played(), &wanted, keep)
    })
    .await;
    let made = match made {
        Ok(made) => made,
        Err(e) => return failed(&e),
    };
    let statuses: Vec<String> = made.iter().map(|(_, made)| made.json(false)).collect();
    let mut answer = raw_json(StatusCode::OK, format!("[{}]", statuses.join(",")));
    if let (Some((newest, _)), Some((oldest, _))) = (made.first(), made.last()) {
        let mut kept = format!("limit={limit}");
        for (name, is_set) in [("local", local), ("only_media", only_media)] {
            if is_set {
                kept = format!("{kept}&{name}=true");
            }
        }
        // As upstream, `remote` and the tag lists are lost here; clients keep their own parameters.
        let links = format!(
            "<{base}{path}?{kept}&max_id={oldest}>; rel=\"next\", <{base}{path}?{kept}&min_id={newest}>; rel=\"prev\""
        );
        if let Ok(links) = HeaderValue::from_str(&links) {
            answer.headers_mut().insert(header::LINK, links);
        }
    }
    answer
}

/// `GET /api/v1/statuses?id[]=…`: up to twenty; those that are gone are missing.
pub(super) async fn by_ids(State(shared): State<Arc<Shared>>, RawQuery(query): RawQuery) -> Response {
    let params = Params::query(query.as_deref());
    let ids: Vec<u64> = params.all("id").take(20).filter_map(|id| id.parse().ok()).collect();
    let found = tokio::task::spawn_blocking(move || {
        let played = shared.player.played();
        ids.iter().filter_map(|id| shared.past.status(&played, *id)).map(|made| made.json(false)).collect::<Vec<_>>()
    })
    .await;
    match found {
        Ok(found) => raw_json(StatusCode::OK, format!("[{}]", found.join(","))),
        Err(e) => failed(&e),
    }
}

/// `GET /api/v1/statuses/{id}`
pub(super) async fn by_id(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let found = tokio::task::spawn_blocking(move || {
        let id = id.parse().ok()?;
        shared.past.status(&shared.player.played(), id).map(|made| made.json(false))
    })
    .await;
    match found {
        Ok(Some(json)) => raw_json(StatusCode::OK, json),
        Ok(None) => respond::error(StatusCode::NOT_FOUND, "Record not found"),
        Err(e) => failed(&e),
    }
}
