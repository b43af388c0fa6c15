//! Answers: JSON, errors, and the headers that Mastodon puts on them.

use super::accounts::random_bytes;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::json;
use std::convert::Infallible;
use std::fmt;

/// A JSON answer of the REST side.
pub(super) fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_string(value) {
        Ok(text) => raw_json(status, text),
        Err(e) => failed(&e),
    }
}

/// A JSON answer that is written already.
pub(super) fn raw_json(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json; charset=utf-8")], text).into_response()
}

/// `{"error": …}`
pub(super) fn error(status: StatusCode, message: &str) -> Response {
    json(status, &json!({ "error": message }))
}

/// The server's own fault.
pub(super) fn failed(why: &impl fmt::Display) -> Response {
    log::error!("the local Mastodon failed: {why}");
    error(StatusCode::INTERNAL_SERVER_ERROR, "An unexpected error occurred")
}

/// An error of the streaming side: chunked, without a charset.
pub(super) fn stream_error(status: StatusCode, message: &str) -> Response {
    let text = json!({ "error": message }).to_string();
    streaming(status, "application/json", chunked(text))
}

/// A body that is sent in chunks, as the streaming server sends everything.
pub(super) fn chunked(text: String) -> Body {
    Body::from_stream(futures_util::stream::iter([Ok::<_, Infallible>(text)]))
}

/// An answer of the streaming side.
pub(super) fn streaming(status: StatusCode, kind: &'static str, body: Body) -> Response {
    let mut answer = (status, body).into_response();
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert("x-powered-by", HeaderValue::from_static("Express"));
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if let Some(id) = request_id() {
        headers.insert("x-request-id", id);
    }
    answer
}

/// A random UUID, version 4.
pub(super) fn request_id() -> Option<HeaderValue> {
    let mut bytes: [u8; 16] = random_bytes().ok()?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    HeaderValue::from_str(&parts.join("-")).ok()
}
