//! A notebook's page, as nbconvert and JupyterLab make it with the project's settings.

use crate::contrast::{contrast, hex};
use crate::local::client::send;
use crate::payloads::{assert_whole_in_itself, elements};
use crate::support::{config_in, eventually};
use serde_json::{Value, json};
use spar::Config;
use spar::display::{Figure, Report, Table};
use spar::setup::{Kernel, Tools};
use std::collections::HashSet;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

/// A prepared kernel of the tests' own, and the folder of a notebook.
struct Place {
    folder: tempfile::TempDir,
    tools: Tools,
    kernel: Kernel,
}

impl Place {
    fn new(notebook: &Value) -> Self {
        let folder = tempfile::Builder::new().prefix("page").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let tools = Tools::of(&config_in(folder.path(), &[]));
        let kernel = Kernel::prepare(&Config::from_settings(folder.path(), |_| None).unwrap(), &tools).unwrap();
        fs::write(folder.path().join("essai.ipynb"), notebook.to_string()).unwrap();
        Self { folder, tools, kernel }
    }

    fn python(&self, module: &str) -> Command {
        let mut python = Command::new(&self.tools.python);
        python.args(["-m", module]).envs(self.kernel.environment()).current_dir(self.folder.path());
        python
    }

    /// The page as `jupyter nbconvert --to html` writes it.
    fn convert(&self) -> String {
        self.convert_with(&[])
    }

    fn convert_with(&self, more: &[&str]) -> String {
        let mut convert = self.python("nbconvert");
        convert.args(["--to", "html", "--stdout", "--log-level=ERROR", "essai.ipynb"]).args(more);
        let done = convert.output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }
}

fn markdown(text: &str) -> Value {
    json!({"cell_type": "markdown", "metadata": {}, "source": text})
}

fn code(text: &str, outputs: Value) -> Value {
    json!({"cell_type": "code", "metadata": {}, "execution_count": 7, "source": text, "outputs": outputs})
}

fn shown(data: Value) -> Value {
    json!([{"output_type": "execute_result", "execution_count": 7, "metadata": {}, "data": data}])
}

fn table(columns: usize) -> Table {
    let names: Vec<String> = (0..columns).map(|n| format!("colonne{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Table::of_text(&names, &[vec!["ce qu'il dit : « non »".into(); columns]]).unwrap()
}

fn chart() -> Figure {
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"80\" height=\"60\"><circle r=\"9\"/></svg>\n";
    Figure::new("essai", "Deux < trois & \"quatre\" : un graphique", svg.into(), Vec::new())
}

fn notebook() -> Value {
    let chart = chart();
    json!({
        "nbformat": 4, "nbformat_minor": 4,
        "metadata": {"kernelspec": {"name": "rust", "display_name": "Rust", "language": "rust"}, "language_info": {"name": "rust"}},
        "cells": [
            markdown("# L'essai – Un titre"),
            markdown("Qui ? Tous : « oui » ; non ! Le code `a : b ?` reste. Ce sont 1 600 000 tweets, dont 76 %."),
            code("let x = 1; // « ? »", json!([{"output_type": "stream", "name": "stdout", "text": "prêt : oui ?\n"}])),
            markdown("## Une étape\n\nUn [lien](https://example.org/ailleurs) et $5 à payer."),
            code("table", shown(json!({"text/html": table(3).to_html(), "text/plain": "table"}))),
            code("wide", shown(json!({"text/html": table(12).to_html(), "text/plain": "table"}))),
            code("report", shown(json!({"text/html": Report::new("l'un : l'autre").to_html(), "text/plain": ""}))),
            markdown("### Un détail"),
            code("chart", shown(json!({"image/svg+xml": chart.svg(), "text/plain": chart.to_string()}))),
            markdown("## Une étape"),
            code("boom()?", json!([{"output_type": "stream", "name": "stderr", "text": "\u{1b}[31mcannot\u{1b}[0m <b>\n"}])),
        ],
    })
}

/// The page, made once.
fn page() -> &'static str {
    static PAGE: OnceLock<String> = OnceLock::new();
    PAGE.get_or_init(|| Place::new(&notebook()).convert())
}

/// The values of an attribute, over all elements of a name.
fn values(page: &str, element: &str, attribute: &str) -> Vec<String> {
    let of = elements(page).into_iter().filter(|(name, _)| element == "*" || name == element);
    of.flat_map(|(_, all)| all).filter(|(name, _)| name == attribute).map(|(_, value)| value).collect()
}

#[test]
fn a_page_is_whole_in_itself_and_small() {
    assert_whole_in_itself(page(), "the page");
    assert!(page().contains("href=\"https://example.org/ailleurs\""), "links stay");
    assert!(page().len() < 80_000, "{} bytes", page().len());
}

#[test]
fn prose_gets_french_typography_and_code_and_data_do_not() {
    let prose = "Qui\u{202f}? Tous\u{202f}: «\u{202f}oui\u{202f}»\u{202f}; non\u{202f}! Le code";
    assert!(page().contains(prose), "{}", page());
    assert!(page().contains("1\u{202f}600\u{202f}000 tweets, dont 76\u{202f}%"));
    assert!(page().contains("<code translate=\"no\">a : b ?</code>") && page().contains("// « ? »"));
    assert!(page().contains("prêt : oui ?") && page().contains("ce qu'il dit : « non »"));
    assert!(page().contains("l'un\u{202f}: l'autre"), "a report's sentence never breaks before its colon");
    assert!(page().contains("<title>L’essai – Un titre</title>"));
}

#[test]
fn the_table_of_contents_leads_to_every_heading() {
    let links = values(page(), "a", "href").into_iter();
    let links: Vec<_> = links.filter(|href| href.starts_with('#') && !href.starts_with("#cellule")).collect();
    let ids = values(page(), "*", "id");
    assert_eq!(ids.len(), ids.iter().collect::<HashSet<_>>().len(), "an id twice: {ids:?}");
    assert!(links.iter().all(|link| ids.iter().any(|id| link[1..] == *id)), "{links:?} {ids:?}");
    assert_eq!(links.len(), 4, "one past the contents, and three headings below the title: {links:?}");
    let headings: Vec<_> =
        elements(page()).into_iter().map(|(name, _)| name).filter(|n| n.len() == 2 && n.starts_with('h')).collect();
    assert_eq!(headings, ["h1", "h2", "h3", "h2"]);
}

#[test]
fn a_notebook_without_a_title_takes_its_name() {
    let page =
        Place::new(&json!({"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": [code("1", json!([]))]}))
            .convert();
    assert!(page.contains("<title>essai</title>") && page.contains("<h1>essai</h1>"), "{page}");
    assert!(!page.contains("<nav"), "nothing to list");
}

#[test]
fn charts_are_drawings_told_in_words_and_what_scrolls_has_the_focus() {
    assert_eq!(values(page(), "img", "alt"), ["Deux < trois & \"quatre\" : un graphique"]);
    assert!(values(page(), "img", "src")[0].starts_with("data:image/svg+xml;base64,"));
    let boxes = values(page(), "div", "aria-label");
    assert_eq!(boxes, ["Tableau", "Tableau"]);
    let classes = values(page(), "div", "class");
    assert!(classes.iter().any(|c| c == "table") && classes.iter().any(|c| c == "table wide very-wide"), "{classes:?}");
    assert_eq!(values(page(), "*", "tabindex").iter().filter(|i| *i == "0").count(), 3, "two tables and a chart");
}

#[test]
fn cells_have_the_numbers_that_errors_tell_and_an_error_is_only_text() {
    for cell in 1..=6 {
        assert!(page().contains(&format!("id=\"cellule-{cell}\"")) && page().contains(&format!("[{cell}]</span>")));
    }
    assert!(page().contains("cannot</span> &lt;b&gt;"), "{}", page());
    assert!(
        page().contains("<a href=\"#cellule-6\">cellule 6</a>"),
        "the top of the page leads to the cell that failed"
    );
}

#[test]
fn letters_of_a_page_stand_out_in_the_light_and_in_the_dark() {
    let style = page().split("<style").nth(1).unwrap();
    for scheme in style.split(":root {").skip(1).take(2) {
        let rules = scheme.split('}').next().unwrap();
        let colour = |name: &str| hex(rules.split(&format!("--{name}: ")).nth(1).unwrap().split(';').next().unwrap());
        for name in ["text", "muted", "link", "warn", "good", "keyword", "string", "number", "comment", "type"] {
            for paper in ["paper", "shade"] {
                let ratio = contrast(colour(name), colour(paper));
                assert!(ratio >= 4.5, "{name} on {paper}: {ratio:.2}");
            }
        }
    }
}

/// JupyterLab on a place, ended when dropped.
struct Lab(Child);

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn jupyterlabs_own_export_is_the_same_page() {
    let place = Place::new(&notebook());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut lab = place.python("jupyterlab");
    lab.args(["--no-browser", "--allow-root", "--ServerApp.port_retries=0", "--ServerApp.allow_remote_access=True"])
        .args([format!("--ServerApp.port={port}"), "--IdentityProvider.token=known".into()])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let _lab = Lab(lab.spawn().unwrap());
    eventually("JupyterLab listens", Duration::from_secs(60), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    // The address behind File > Save and Export Notebook As > HTML.
    let menu = |more: &str| {
        let path = format!("/nbconvert/html/essai.ipynb?download=true{more}");
        let answer = send(&format!("http://127.0.0.1:{port}"), "GET", &path, &[("Authorization", "token known")], "");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    };
    assert_eq!(menu(""), page());
    // It proposes to make the page harmless. Ours is, so that only spaces and signs between styles may change.
    let bare = |page: &str| page.split_whitespace().collect::<String>().replace(";\"", "\"");
    assert_eq!(bare(&menu("&sanitize_html=true")), bare(page()));
}

#[test]
fn a_page_made_harmless_neither_acts_nor_fetches() {
    let acting = "<script>alert(1)</script><p onclick='alert(1)'>a</p><iframe src='https://example.org'></iframe>\
        <img src='https://example.org/x.png' onerror='alert(1)'><img src=data:text/html,x><a href=' javascript:alert(1)'>b</a>\
        <a href='DATA:text/html,x'>c</a><svg onload='alert(1)'></svg><div style='background:url(https://example.org/y);padding:1px'>d</div>";
    let notebook = json!({
        "nbformat": 4, "nbformat_minor": 4, "metadata": {"language_info": {"name": "rust"}},
        "cells": [markdown(&format!("# Un\n\n{acting}")), code("x", shown(json!({"text/html": acting, "text/plain": ""})))],
    });
    let page = Place::new(&notebook).convert_with(&["--HTMLExporter.sanitize_html=True"]);
    assert_whole_in_itself(&page, "the page");
    for (name, attributes) in elements(&page) {
        assert_ne!(name, "svg");
        for (attribute, value) in attributes {
            let value = value.trim().to_lowercase();
            assert!(attribute != "href" || !value.starts_with("data:") && !value.starts_with("javascript:"), "{value}");
            assert!(attribute != "style" || !value.contains("url("), "{value}");
        }
    }
    assert!(values(&page, "div", "style").iter().any(|style| style.contains("padding")), "what only shows stays");
}
