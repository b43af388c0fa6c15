//! What a person does on the consent page of the local server: read it, agree, copy the code.

use super::http::{answer, client, is_ours, place};
use super::{base, join, oauth};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::runtime::block_on;
use html5gum::{Token, Tokenizer};
use url::Url;

/// Opens the consent page that `address` gives a person, submits its form and returns the code that the next page
/// shows.
///
/// # Errors
///
/// Fails on an address of another machine: only the project's own server is answered by a program. Fails too if the
/// page is no consent page or shows no code.
pub fn consent(config: &Config, address: &str) -> Result<String> {
    let bad = |why: &str| Error::cannot("answer the consent page", why).next("open the address in a browser");
    let base = base(config)?;
    let mut url = Url::parse(address).map_err(|e| bad(&e.to_string()))?;
    if url.origin() == oauth::pages(config, &base)?.origin() {
        // A person's browser may need another address than we do.
        let asked = url.query().map(str::to_owned);
        url = join(&base, url.path())?;
        url.set_query(asked.as_deref());
    }
    if !is_ours(config, &url) {
        return Err(bad("it is on another machine, where only a person may agree").refused());
    }
    let http = client(&url, true)?;
    let action = format!("agree on the consent page of {}", place(&url));
    let page = block_on(answer(http.get(url.clone()), &action))?;
    let fields = hidden_fields(&page.body);
    if fields.is_empty() {
        return Err(bad("it holds no form"));
    }
    let mut submit = url.clone();
    submit.set_query(None);
    let shown = block_on(answer(http.post(submit).form(&fields), &action))?;
    code(&shown.body).ok_or_else(|| bad(&format!("it shows no code (status {})", shown.status)))
}

/// Names and values of the hidden fields of a page's form.
fn hidden_fields(page: &str) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Tokenizer::new(page)
        .filter_map(|token| match token {
            Ok(Token::StartTag(tag)) if *tag.name == *b"input" => {
                let field = |name: &[u8]| tag.attributes.get(name).map(|v| text(v));
                (field(b"type").as_deref() == Some("hidden")).then(|| Some((field(b"name")?, field(b"value")?)))?
            }
            _ => None,
        })
        .collect()
}

/// The text of the page's `code` element.
fn code(page: &str) -> Option<String> {
    let mut inside = false;
    for token in Tokenizer::new(page) {
        match token.ok()? {
            Token::StartTag(tag) => inside = *tag.name == *b"code",
            Token::String(text) if inside => return Some(String::from_utf8_lossy(&text).trim().to_owned()),
            _ => {}
        }
    }
    None
}
