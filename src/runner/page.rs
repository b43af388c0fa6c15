//! The pages a reader gets: one per notebook by nbconvert, and an index.

use super::Ran;
use crate::config::Config;
use crate::display::{escape_html, neutralise};
use crate::error::{Error, Result};
use crate::setup::{Kernel, Tools};
use crate::timestamp::Timestamp;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = include_str!("render.py");
/// What helps where results cannot be written.
pub(super) const ROOM: &str = "make room there, or choose another folder with --out, then run the same command again";

/// A renderer that works while notebooks run: pages are asked for as they come, and awaited at the end.
pub(super) struct Pages {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    out: PathBuf,
    asked: usize,
}

impl Pages {
    pub(super) fn start(tools: &Tools, kernel: &Kernel, out: &Path) -> Result<Self> {
        let mut child = Command::new(&tools.python)
            .arg("-c")
            .arg(SCRIPT)
            .arg(out)
            .envs(kernel.environment())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Out of the terminal's reach: it ends at the end of its stdin.
            .process_group(0)
            .spawn()
            .map_err(|e| Error::cannot(format!("start {}", tools.python.display()), e).next("run `./spar setup`"))?;
        let to = child.stdin.take();
        let from = child.stdout.take().ok_or_else(|| Error::cannot("hear the renderer", "it has no stdout"))?;
        Ok(Self { child, to, from: BufReader::new(from), out: out.to_owned(), asked: 0 })
    }

    /// Asks for the page of an executed notebook.
    pub(super) fn render(&mut self, executed: &Path) -> Result<()> {
        self.asked += 1;
        match &mut self.to {
            Some(to) => writeln!(to, "{}", executed.display())
                .and_then(|()| to.flush())
                .map_err(|e| Error::cannot("ask for a page", e)),
            None => Err(Error::cannot("ask for a page", "the renderer has ended")),
        }
    }

    /// Waits for all pages and writes the index.
    pub(super) fn finish(mut self, config: &Config, ran: &[Ran]) -> Result<PathBuf> {
        self.to = None;
        let (mut pages, mut errors) = (0, Vec::new());
        for line in (&mut self.from).lines() {
            let line = line.map_err(|e| Error::cannot("hear the renderer", e))?;
            let value: Value = serde_json::from_str(&line).map_err(|e| Error::cannot("understand the renderer", e))?;
            if value["page"].is_string() {
                pages += 1;
            } else if let Some(error) = value["error"].as_str() {
                errors.push(error.to_owned());
            }
        }
        if pages != self.asked {
            let why = if errors.is_empty() { "the renderer ended early".into() } else { errors.join("; ") };
            let what = format!("render {} of {} pages into {}", self.asked - pages, self.asked, self.out.display());
            return Err(Error::cannot(what, why).next(ROOM));
        }
        let file = self.out.join("index.html");
        std::fs::write(&file, index(config, ran, &self.out))
            .map_err(|e| Error::cannot(format!("write {}", file.display()), e).next(ROOM))?;
        Ok(file)
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.to = None;
        // It ends by itself at the end of its input; an error of wait leaves nothing to do.
        let _ = self.child.wait();
    }
}

/// Rows for the pages of earlier runs that still lie beside this one's.
fn earlier(ran: &[Ran], out: &Path) -> impl Iterator<Item = String> {
    super::NOTEBOOKS
        .into_iter()
        .filter(|name| ran.iter().all(|r| r.notebook != *name) && out.join(format!("{name}.html")).is_file())
        .map(|name| {
            format!(
                "<tr><td><a href=\"{name}.html\">{name}</a></td><td>exécuté auparavant</td><td></td><td></td></tr>\n"
            )
        })
}

fn index(config: &Config, ran: &[Ran], out: &Path) -> String {
    let rows: String = ran
        .iter()
        .map(|r| {
            let state = match &r.failure {
                None => "exécuté".to_owned(),
                Some(f) => format!("arrêté à la cellule {} : {}", f.cell, f.message.lines().next().unwrap_or_default()),
            };
            format!(
                "<tr><td><a href=\"{0}.html{4}\">{0}</a></td><td>{1}</td><td class=n>{2}</td><td class=n>{3:.1}&nbsp;s</td></tr>\n",
                escape_html(&r.notebook),
                escape_html(&neutralise(&state)),
                r.cells,
                r.seconds,
                if r.failure.is_some() { "#failed" } else { "" },
            )
        })
        .chain(earlier(ran, out))
        .collect();
    let origin = if config.is_local() {
        "Les toots sont générés par le serveur Mastodon local du projet.".to_owned()
    } else {
        format!("Les toots viennent de {}.", escape_html(&config.source))
    };
    format!(
        "<!DOCTYPE html>\n<html lang=\"fr\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>spar : les notebooks exécutés</title>\n<style>{STYLE}</style></head>\n<body><h1>spar</h1>\n\
         <p>Des toots publics, de Mastodon à PostgreSQL : les notebooks exécutés, dans l’ordre.</p>\n<p>{origin}</p>\n\
         <table><thead><tr><th>Notebook</th><th>État</th><th class=n>Cellules</th><th class=n>Durée</th></tr></thead><tbody>\n{rows}</tbody></table>\n\
         <p class=foot>spar {} · {}</p></body></html>\n",
        env!("CARGO_PKG_VERSION"),
        Timestamp::from_millis(Timestamp::now().as_millis() / 1000 * 1000),
    )
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:3rem auto;padding:0 1rem;\
color:#222;background:#fff}table{border-collapse:collapse;width:100%}th,td{padding:.4rem .8rem;text-align:left;\
border-bottom:1px solid #ccc}.n{text-align:right}.foot{color:#666;font-size:.85rem}a{color:#1f5fa8}\
@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}th,td{border-color:#444}a{color:#8ab8f0}}";
