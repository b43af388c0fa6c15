//! The streaming side: which stream is asked for, whether it may be heard, and its opening.
//!
//! Differences from Mastodon, on purpose: a few statuses that are not public come too, so that a client's own check
//! is put to work; and a stream waits for its socket, where Mastodon buffers without end.

use super::feed::Feed;
use super::lines::Channel;
use super::oauth::token_of;
use super::request::{Params, bearer};
use super::respond::{chunked, failed, stream_error, streaming};
use super::server::Shared;
use super::tagname::normalised;
use super::wire::Connection;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use std::sync::Arc;

/// `GET /api/v1/streaming/health`
pub(super) async fn health() -> Response {
    streaming(StatusCode::OK, "text/plain", chunked("OK".into()))
}

/// `GET /api/v1/streaming` on the host that streams: there is nowhere to be sent to.
pub(super) async fn bare() -> Response {
    stream_error(StatusCode::BAD_REQUEST, "Unknown channel requested")
}

/// Anything but GET.
pub(super) async fn not_get() -> Response {
    let page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>Error</title>\n</head>\n\
                <body>\n<pre>Cannot POST</pre>\n</body>\n</html>\n";
    (StatusCode::NOT_FOUND, Html(page)).into_response()
}

/// `GET /api/v1/streaming/{…}`. The order of the checks is Mastodon's: path, token, scope, parameters.
pub(super) async fn open(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(connection): ConnectInfo<Connection>,
    Path(path): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let params = Params::query(query.as_deref());
    let known = ["public", "public/local", "public/remote", "hashtag", "hashtag/local"].contains(&path.as_str())
        || ["user", "user/notification", "direct", "list"].contains(&path.as_str());
    if !known {
        return stream_error(StatusCode::BAD_REQUEST, "Unknown channel requested");
    }
    if bearer(&headers, &params).is_none() {
        return stream_error(StatusCode::UNAUTHORIZED, "Missing access token");
    }
    let Some(token) = token_of(&shared, &headers, &params).filter(|token| token.user) else {
        return stream_error(StatusCode::UNAUTHORIZED, "Invalid access token");
    };
    let scope = if path == "user/notification" { "read:notifications" } else { "read:statuses" };
    if !token.allows(scope) {
        return stream_error(StatusCode::UNAUTHORIZED, "Access token does not have the required scopes");
    }
    let channel = match (path.as_str(), params.get("tag"), params.get("list")) {
        ("public", ..) => Channel::Public,
        ("public/local", ..) => Channel::Local,
        ("public/remote", ..) => Channel::Remote,
        ("hashtag" | "hashtag/local", None, _) => {
            return stream_error(StatusCode::BAD_REQUEST, "Missing tag name parameter");
        }
        ("hashtag" | "hashtag/local", Some(tag), _) => {
            Channel::Hashtag { tag: normalised(tag), local_only: path == "hashtag/local" }
        }
        ("list", _, None) => return stream_error(StatusCode::BAD_REQUEST, "Missing list name parameter"),
        ("list", ..) => return stream_error(StatusCode::UNAUTHORIZED, "Not authorized to stream this list"),
        _ => Channel::Silent,
    };
    let only_media = params.flag("only_media");
    let begins = channel != Channel::Silent;
    let (lines, wire) = (Arc::clone(&shared.player.lines), connection.wire);
    let (line, frames) = lines.open(channel, only_media, token.token.expose().to_owned(), Arc::clone(&wire));
    let feed = Feed::new(lines, &line, frames, wire, shared.heartbeat);
    // The slice is begun before the answer leaves: who has the answer sees it running.
    if begins && let Err(e) = shared.player.begin().await {
        return failed(&e);
    }
    let mut answer = streaming(StatusCode::OK, "text/event-stream", Body::from_stream(feed));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    answer
}
