//! The consent page, and the pages that follow it. The visitor is signed in already; nobody else lives here.

use super::accounts::OUT_OF_BAND;
use super::oauth::Asked;
use crate::display::escape_html;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

fn html(status: StatusCode, title: &str, body: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html>\n<html lang=\"fr\">\n<head>\n<meta charset=\"utf-8\">\n<title>{title}</title>\n\
         <style>body{{font-family:sans-serif;max-width:36em;margin:4em auto;line-height:1.5}}\
         code{{background:#eee;padding:.2em .4em}}button{{font-size:1em;margin-right:1em}}</style>\n\
         </head>\n<body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    );
    let mut answer = (status, Html(page)).into_response();
    // No other page may frame this one and have its button pressed.
    answer.headers_mut().insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    answer
}

/// Asks the visitor. Every parameter is a hidden field of the form, so whoever submits it needs nothing else.
pub(super) fn page(asked: &Asked) -> Response {
    let scopes: String = asked.scopes.iter().map(|scope| format!("<li>{}</li>", escape_html(scope))).collect();
    let hidden =
        |name: &str, value: &str| format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escape_html(value));
    let mut fields = hidden("client_id", &asked.app.client_id)
        + &hidden("redirect_uri", &asked.redirect_uri)
        + &hidden("response_type", "code")
        + &hidden("scope", &asked.scopes.join(" "));
    if let Some(state) = &asked.state {
        fields += &hidden("state", state);
    }
    if let Some(challenge) = &asked.challenge {
        fields += &(hidden("code_challenge", challenge) + &hidden("code_challenge_method", "S256"));
    }
    let body = format!(
        "<p>L'application <strong>{}</strong> demande à lire en votre nom :</p>\n<ul>{scopes}</ul>\n\
         <form action=\"/oauth/authorize\" method=\"post\">\n{fields}\
         <button type=\"submit\">Autoriser</button>\n\
         <button type=\"submit\" name=\"_method\" value=\"delete\">Refuser</button>\n</form>\n\
         <p>Mastodon local de spar : les comptes et les toots sont générés.</p>",
        escape_html(&asked.app.name)
    );
    html(StatusCode::OK, "Autorisation demandée", &body)
}

/// Shows the code, or sends it to the application.
pub(super) fn granted(asked: &Asked, code: &str) -> Response {
    if asked.redirect_uri == OUT_OF_BAND {
        let body = format!(
            "<p>Copiez ce code dans l'application :</p>\n<p><code class=\"oauth-code\">{}</code></p>",
            escape_html(code)
        );
        return html(StatusCode::OK, "Code d'autorisation", &body);
    }
    redirect(&asked.redirect_uri, &[("code", code)], asked.state.as_deref())
}

/// Tells the application what went wrong; without an address of its own, the visitor.
pub(super) fn back(redirect_uri: &str, state: Option<&str>, error: &str, why: &str) -> Response {
    if redirect_uri == OUT_OF_BAND {
        return html(StatusCode::BAD_REQUEST, "Autorisation refusée", &format!("<p>{error}: {why}</p>"));
    }
    redirect(redirect_uri, &[("error", error), ("error_description", why)], state)
}

/// Tells the visitor why nothing is asked.
pub(super) fn refused(why: &str) -> Response {
    html(StatusCode::BAD_REQUEST, "Demande invalide", &format!("<p>{why}</p>"))
}

fn redirect(uri: &str, pairs: &[(&str, &str)], state: Option<&str>) -> Response {
    // It was checked when the application registered it.
    let Ok(mut uri) = url::Url::parse(uri) else { return refused("L'adresse de retour est illisible.") };
    uri.query_pairs_mut().extend_pairs(pairs).extend_pairs(state.map(|state| ("state", state)));
    match HeaderValue::from_str(uri.as_str()) {
        Ok(location) => (StatusCode::FOUND, [(header::LOCATION, location)]).into_response(),
        Err(_) => refused("L'adresse de retour est illisible."),
    }
}
