//! What the instance says about itself.

use super::generator::HOME;
use super::respond::json;
use super::server::Shared;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;

/// The Mastodon that this server stands in for, and that it is a stand-in.
const VERSION: &str = "4.6.5+spar.local";
const TITLE: &str = "Mastodon local de spar";
const DESCRIPTION: &str = "Un serveur local dont les comptes et les toots sont générés.";

/// `GET /api/v2/instance`
pub(super) async fn v2(State(shared): State<Arc<Shared>>) -> Response {
    let access = json!({ "local": "public", "remote": "public" });
    json(
        StatusCode::OK,
        &json!({
            "domain": HOME,
            "title": TITLE,
            "version": VERSION,
            "source_url": "https://github.com/mastodon/mastodon",
            "description": DESCRIPTION,
            "usage": { "users": { "active_month": 1 } },
            "thumbnail": { "url": format!("https://{HOME}/thumbnail.png"), "blurhash": null, "versions": {} },
            "icon": [],
            "languages": ["fr"],
            "configuration": {
                "urls": {
                    "streaming": shared.streaming, "status": null, "about": format!("{}/about", shared.base),
                    "privacy_policy": null, "terms_of_service": null,
                },
                "vapid": { "public_key": "" },
                "accounts": { "max_featured_tags": 10, "max_pinned_statuses": 5 },
                "statuses": {
                    "max_characters": 500, "max_media_attachments": 4, "characters_reserved_per_url": 23,
                },
                "media_attachments": { "supported_mime_types": [], "description_limit": 1500 },
                "polls": {
                    "max_options": 4, "max_characters_per_option": 50, "min_expiration": 300,
                    "max_expiration": 2_629_746,
                },
                "translation": { "enabled": false },
                "timelines_access": {
                    "live_feeds": access, "hashtag_feeds": access,
                    "trending_link_feeds": { "local": "disabled", "remote": "disabled" },
                },
                "limited_federation": false,
            },
            "registrations": { "enabled": false, "approval_required": false, "message": null, "url": null },
            "api_versions": { "mastodon": 11 },
            "contact": { "email": "", "account": null },
            "rules": rules_list(),
        }),
    )
}

/// `GET /api/v1/instance`
pub(super) async fn v1(State(shared): State<Arc<Shared>>) -> Response {
    json(
        StatusCode::OK,
        &json!({
            "uri": HOME,
            "title": TITLE,
            "short_description": DESCRIPTION,
            "description": DESCRIPTION,
            "email": "",
            "version": VERSION,
            "urls": { "streaming_api": shared.streaming },
            "stats": { "user_count": 1, "status_count": 0, "domain_count": 8 },
            "thumbnail": null,
            "languages": ["fr"],
            "registrations": false,
            "approval_required": false,
            "invites_enabled": false,
            "contact_account": null,
            "rules": rules_list(),
        }),
    )
}

fn rules_list() -> Value {
    let text = "Les toots sont générés : il n'y a personne à respecter ici, mais le code fait comme s'il y en avait.";
    json!([{ "id": "1", "text": text, "hint": "" }])
}

/// `GET /api/v1/instance/rules`
pub(super) async fn rules() -> Response {
    json(StatusCode::OK, &rules_list())
}

/// `GET /api/v1/instance/privacy_policy` and `…/terms_of_service`
pub(super) async fn policy() -> Response {
    let content = "<p>Rien n'est collecté : les comptes et les toots de ce serveur sont générés.</p>";
    json(StatusCode::OK, &json!({ "updated_at": "2023-01-01T00:00:00.000Z", "content": content }))
}

/// The one person who lives here, as they see themselves.
pub(super) fn visitor() -> Value {
    let picture = format!("https://{HOME}/avatars/visitor.png");
    json!({
        "id": "1", "username": "visitor", "acct": "visitor", "display_name": "Visiteur", "locked": false, "bot": false,
        "discoverable": false, "indexable": false, "group": false, "created_at": "2023-01-01T00:00:00.000Z",
        "note": "", "url": format!("https://{HOME}/@visitor"), "uri": format!("https://{HOME}/users/visitor"),
        "avatar": picture, "avatar_static": picture, "header": picture, "header_static": picture,
        "followers_count": 0, "following_count": 0, "statuses_count": 0, "last_status_at": null,
        "hide_collections": null, "noindex": false, "emojis": [], "roles": [], "fields": [],
        "source": { "privacy": "public", "sensitive": false, "language": null, "note": "", "fields": [] },
    })
}
