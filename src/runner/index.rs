//! The index of the pages: what ran, how it went, with which programs, and what the tables hold now.

use super::{NOTEBOOKS, Ran};
use crate::config::Config;
use crate::display::{Table, escape_html, grouped, neutralise};
use crate::error::{Error, Result};
use crate::postgres::{Store, probe};
use crate::runtime::block_on;
use crate::setup::{evcxr, kafka, page};
use crate::timestamp::Timestamp;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What is known beside the notebooks themselves.
pub(super) struct Facts {
    versions: Vec<(&'static str, String)>,
    /// The tables and their rows; none where the notebooks use no service.
    tables: Option<Result<Table>>,
    /// From the first kernel's start to the last page.
    pub(super) duration: Duration,
}

impl Facts {
    /// Asks the programs, and the services where the notebooks use them. What does not answer says so on the page.
    pub(super) fn gather(config: &Config, with_services: bool) -> Self {
        let mut versions = vec![
            ("spar", env!("CARGO_PKG_VERSION").to_owned()),
            ("rustc", rustc().unwrap_or_else(|| "inconnue".into())),
            ("evcxr", evcxr::VERSION.to_owned()),
        ];
        if with_services {
            versions.push(("Kafka", kafka_version(config)));
            versions.push(("PostgreSQL", postgres_version(config).unwrap_or_else(|_| "inconnue".into())));
        }
        let tables = with_services.then(|| Store::connect(config).and_then(|store| store.tables()));
        Self { versions, tables, duration: Duration::ZERO }
    }
}

/// `rustc 1.95.0 (…)` says 1.95.0.
fn rustc() -> Option<String> {
    let said = Command::new("rustc").arg("--version").stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(said.stdout).ok()?.split_whitespace().nth(1).map(str::to_owned)
}

/// A broker does not tell its version.
fn kafka_version(config: &Config) -> String {
    match &config.kafka {
        _ if config.embedded.kafka => kafka::VERSION.to_owned(),
        Some(servers) => format!("serveur {servers}"),
        None => "inconnue".to_owned(),
    }
}

fn postgres_version(config: &Config) -> Result<String> {
    block_on(probe::look(config.database_url()?)).map(|found| found.version)
}

/// The page, whole in itself, in the style of the notebooks' pages.
pub(super) fn html(config: &Config, ran: &[Ran], facts: &Facts, out: &Path) -> String {
    let origin = if config.is_local() {
        "Les toots sont générés par le serveur Mastodon local du projet\u{202f}: personne ne les a écrits.".to_owned()
    } else {
        format!("Les toots viennent de l’instance {}.", shown(&config.source))
    };
    let now = Timestamp::from_millis(Timestamp::now().as_millis() / 1000 * 1000);
    let versions: String =
        facts.versions.iter().map(|(name, version)| format!("<li>{name} {}</li>\n", shown(version))).collect();
    let body = format!(
        "<h1>Les notebooks exécutés</h1>\n\
         <p class=\"lead\">Des toots publics, de Mastodon à PostgreSQL, puis aux graphiques.</p>\n\
         <p>{origin}</p>\n\
         <div class=\"table\" tabindex=\"0\" role=\"group\" aria-label=\"Notebooks\"><table>\n<thead><tr>\
         <th scope=\"col\">Notebook</th><th scope=\"col\">État</th>\
         <th scope=\"col\" class=\"n\">Cellules</th><th scope=\"col\" class=\"n\">Durée</th></tr></thead>\n\
         <tbody>\n{}</tbody>\n</table></div>\n{}\
         <footer>\n<h2>Versions</h2>\n<ul class=\"facts\">\n{versions}</ul>\n\
         <p>Exécution du <time datetime=\"{now}\">{}</time>, {}\u{202f}min {}\u{202f}s en tout.</p>\n</footer>",
        rows(ran, out),
        facts.tables.as_ref().map(tables).unwrap_or_default(),
        date(&now.to_string()),
        facts.duration.as_secs() / 60,
        facts.duration.as_secs() % 60,
    );
    format!(
        "<!DOCTYPE html>\n<html lang=\"fr\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>spar\u{202f}: les notebooks exécutés</title>\n\
         <style>\n{}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n",
        page::STYLE
    )
}

const MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];

/// `2026-11-24T14:05:00Z` as a French reader writes it.
fn date(iso: &str) -> String {
    let number = |at: std::ops::Range<usize>| iso.get(at).and_then(|digits| digits.parse::<usize>().ok()).unwrap_or(0);
    let month = MONTHS.get(number(5..7).wrapping_sub(1)).unwrap_or(&"");
    let day = if number(8..10) == 1 { "1er".into() } else { number(8..10).to_string() };
    format!("{day} {month} {} à {}\u{202f}h\u{202f}{:02} (UTC)", number(0..4), number(11..13), number(14..16))
}

/// A row for each notebook that ran, and for the pages of earlier runs that still lie beside theirs; in their order.
fn rows(ran: &[Ran], out: &Path) -> String {
    let of_a_folder = ran.iter().map(|r| r.notebook.as_str()).filter(|name| !NOTEBOOKS.contains(name));
    of_a_folder
        .chain(NOTEBOOKS)
        .filter_map(|name| match ran.iter().find(|r| r.notebook == name) {
            Some(ran) => Some(row(name, out, &state(ran), &ran.cells.to_string(), &seconds(ran.seconds))),
            None if out.join(format!("{name}.html")).is_file() => Some(row(name, out, "exécuté auparavant", "", "")),
            None => None,
        })
        .collect()
}

fn row(name: &str, out: &Path, state: &str, cells: &str, seconds: &str) -> String {
    format!(
        "<tr><th scope=\"row\"><a href=\"{}.html\">{}</a></th><td>{state}</td>\
         <td class=\"n\">{cells}</td><td class=\"n\">{seconds}</td></tr>\n",
        escape_html(name),
        shown(&title(name, out).unwrap_or_else(|| name.to_owned())),
    )
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.1}\u{202f}s").replace('.', ",")
}

fn state(ran: &Ran) -> String {
    match &ran.failure {
        None => "<span class=\"good\">✓ exécuté</span>".to_owned(),
        Some(failure) => format!(
            "<a class=\"bad\" href=\"{}.html#cellule-{2}\">✗ arrêté à la cellule {2}</a>\u{202f}: {1}",
            escape_html(&ran.notebook),
            shown(failure.message.lines().next().unwrap_or_default()),
            failure.cell,
        ),
    }
}

/// The first heading of an executed notebook.
fn title(name: &str, out: &Path) -> Option<String> {
    let text = std::fs::read_to_string(out.join(format!("{name}.ipynb"))).ok()?;
    let notebook: serde_json::Value = serde_json::from_str(&text).ok()?;
    let cell = notebook["cells"].as_array()?.iter().find(|cell| cell["cell_type"] == "markdown")?;
    let first = cell["source"].as_str().or_else(|| cell["source"][0].as_str())?;
    Some(first.lines().next()?.strip_prefix("# ")?.trim().replace('\'', "’"))
}

fn tables(answer: &Result<Table>) -> String {
    let counted = answer.as_ref().map_err(Error::to_string).and_then(|table| {
        let frame = table.frame();
        let failed = |e: polars::error::PolarsError| e.to_string();
        let names = frame.column("table").and_then(|c| c.str()).map_err(failed)?;
        let counts = frame.column("rows").and_then(|c| c.i64()).map_err(failed)?;
        Ok(names
            .iter()
            .zip(counts.iter())
            .map(|(name, count)| {
                let (name, count) = (shown(name.unwrap_or_default()), grouped(&count.unwrap_or(0).to_string()));
                format!("<li><code>{name}</code> <span>{count}</span></li>\n")
            })
            .collect::<String>())
    });
    match counted {
        Ok(rows) => format!("<h2>Lignes des tables</h2>\n<ul class=\"facts counts\">\n{rows}</ul>\n"),
        Err(why) => format!("<h2>Lignes des tables</h2>\n<p>{}</p>\n", shown(&why)),
    }
}

fn shown(text: &str) -> String {
    escape_html(&neutralise(text))
}
