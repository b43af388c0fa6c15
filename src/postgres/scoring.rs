//! partie4's side of the database: which toots are new, and their sentiments written with the history in one
//! transaction.
//!
//! Scoring never takes a toot away: it stays in `filtered_toots` and is copied to `history_toots`. What was scored is
//! written only where the stored version is still the one that was read; rows are held with `FOR SHARE` in id order,
//! so an edit or a delete waits, or was first and then the toot is left for the next run.

use super::Store;
use super::connect::statement_failed;
use super::retry::patiently;
use super::schema::ensure_tables;
use super::scoring_sql::{Columns, NEW_TOOTS, complete_statement, record_statement};
use crate::config::Config;
use crate::display::{Report, Table, neutralise, say};
use crate::error::Result;
use crate::runtime::block_on;
use crate::sentiment::{Scored, ScoredToot};
use crate::timestamp::Timestamp;
use polars::prelude::df;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use tokio_postgres::Client;

/// A run scores at most so many toots; the rest is new at the next run.
const MOST_TOOTS: i64 = 1_000_000;

/// The database as partie4 sees it. The connection opens when it is needed, again after [`Scoring::close`] too.
pub struct Scoring {
    config: Config,
    store: Mutex<Option<Store>>,
}

/// A toot to score, in the version that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToot {
    /// Its id.
    pub toot_id: String,
    /// The text that the model reads: `content`, or the cleaned text in a database that has no content.
    pub content: String,
    /// `edited_at` as the database writes it; `None` for a toot never edited.
    pub version: Option<String>,
    /// True for an old history row that is no longer in `filtered_toots`.
    pub archived: bool,
}

/// The toots to score: read once, a fixed set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewToots {
    /// The toots, by id.
    pub toots: Vec<NewToot>,
}

impl Scoring {
    /// Connects to the database.
    ///
    /// # Errors
    ///
    /// Fails if the server is away, refuses the role, or has no such database.
    pub fn open(config: &Config) -> Result<Self> {
        let store = Store::connect(config)?;
        Ok(Self { config: config.clone(), store: Mutex::new(Some(store)) })
    }

    /// Runs `work` on an open connection.
    fn with<T>(&self, work: impl AsyncFnOnce(&mut Client) -> Result<T>) -> Result<T> {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        if store.as_ref().is_none_or(|s| s.client.is_closed()) {
            *store = Some(Store::connect(&self.config)?);
        }
        let client = &mut store.as_mut().expect("it was opened above").client;
        block_on(work(client))
    }

    /// What works here: the learner, the database, and where the toots come from.
    ///
    /// # Errors
    ///
    /// Fails if the server is away.
    pub fn state(&self) -> Result<Report> {
        let (version, database): (String, String) = self.with(async |client| {
            let row = client
                .query_one("SELECT current_setting('server_version'), current_database()::text", &[])
                .await
                .map_err(|e| statement_failed("ask PostgreSQL for its version", &e))?;
            Ok((row.get(0), row.get(1)))
        })?;
        let toots = match self.config.is_local() {
            true => "toots générés par le Mastodon local, écrits par personne".to_owned(),
            false => format!("toots de {}", self.config.source),
        };
        Ok(Report::new(format!(
            "Moteur : linfa, dans ce processus, {} fils\nPostgreSQL {version}, base {database} ; {toots}",
            rayon::current_num_threads()
        )))
    }

    /// Creates `history_toots` and `toots_sentiments`, and the other tables, where they are missing.
    ///
    /// # Errors
    ///
    /// Fails if the database refuses.
    pub fn create_tables(&self) -> Result<Report> {
        self.with(async |client| ensure_tables(client, &self.config, false).await)?;
        say("Tables créées ou déjà existantes.");
        Ok(Report::new("history_toots et toots_sentiments sont prêtes"))
    }

    /// How many toots the history holds, and how many of those have no sentiment yet.
    ///
    /// # Errors
    ///
    /// Fails if the tables cannot be read.
    pub fn history(&self) -> Result<Report> {
        say("Charge les données historiques depuis PostgreSQL (history_toots)...");
        let (all, scored) = self.with(async |client| {
            let row = client
                .query_one(
                    "SELECT count(*), count(s.toot_id) FROM history_toots h LEFT JOIN toots_sentiments s USING (toot_id)",
                    &[],
                )
                .await
                .map_err(|e| statement_failed("read history_toots", &e))?;
            Ok((row.get::<_, i64>(0), row.get::<_, i64>(1)))
        })?;
        say(format!("Nombre de toots déjà traités (historique) : {all}"));
        Ok(Report::new(format!("{all} toots dans l'historique, dont {} sans sentiment", all - scored)))
    }

    /// Reads the toots without a sentiment for their present version, once: what arrives later waits for the next run.
    ///
    /// # Errors
    ///
    /// Fails if the tables cannot be read.
    pub fn new_toots(&self) -> Result<NewToots> {
        say("Charge les nouveaux toots depuis PostgreSQL (filtered_toots)...");
        let toots: Vec<NewToot> = self.with(async |client| {
            let rows = client
                .query(NEW_TOOTS, &[&MOST_TOOTS])
                .await
                .map_err(|e| statement_failed("read the new toots", &e))?;
            Ok(rows
                .iter()
                .map(|r| NewToot { toot_id: r.get(0), content: r.get(1), version: r.get(2), archived: r.get(3) })
                .collect())
        })?;
        if toots.is_empty() {
            say("Aucun nouveau toot à traiter.");
        } else {
            say(format!("Nombre de nouveaux toots : {}", toots.len()));
        }
        if toots.len() as i64 == MOST_TOOTS {
            say(format!("Pas plus de {MOST_TOOTS} toots à la fois : relancer pour la suite."));
        }
        Ok(NewToots { toots })
    }

    /// Writes the sentiments and the history copies in one transaction.
    ///
    /// # Errors
    ///
    /// Fails if the database refuses; then nothing was written, and the toots are still new.
    pub fn record(&self, scored: &Scored) -> Result<Recorded> {
        say("Stocke les résultats dans PostgreSQL (toots_sentiments)...");
        let now = Timestamp::now().to_string();
        let written = patiently(self.config.away, || self.record_once(scored, &now))?;
        say("Résultats stockés avec succès.");
        Ok(Recorded { scored: scored.toots.len(), written })
    }

    /// Done twice with the same time, it counts what the first try wrote although its answer was lost.
    fn record_once(&self, scored: &Scored, now: &String) -> Result<usize> {
        self.with(async |client| {
            let failed = |e: tokio_postgres::Error| statement_failed("record the sentiments", &e);
            let transaction = client.transaction().await.map_err(failed)?;
            let mut written = 0;
            for (archived, statement) in
                [(false, record_statement("filtered_toots")), (true, record_statement("history_toots"))]
            {
                let toots: Vec<&ScoredToot> = scored.toots.iter().filter(|t| t.toot.archived == archived).collect();
                if toots.is_empty() {
                    continue;
                }
                let columns = Columns::of(&toots);
                let rows = transaction.query(&statement, &columns.parameters(&scored.model_version, now)).await;
                written += rows.map_err(failed)?.len();
            }
            transaction.commit().await.map_err(failed)?;
            Ok(written)
        })
    }

    /// Makes sure that every scored toot is in the history, and says so.
    ///
    /// [`Scoring::record`] has copied the toots that it scored; only a database of the original can hold a sentiment
    /// without its history row, and that row is added here.
    ///
    /// # Errors
    ///
    /// Fails if the database refuses.
    pub fn copy_history(&self) -> Result<Report> {
        say("Déplace les toots traités dans PostgreSQL (history_toots)...");
        let (all, added) = patiently(self.config.away, || {
            self.with(async |client| {
                let failed = |e: tokio_postgres::Error| statement_failed("complete history_toots", &e);
                let added = client.execute(&complete_statement(), &[]).await.map_err(failed)?;
                let row = client.query_one("SELECT count(*) FROM history_toots", &[]).await.map_err(failed)?;
                Ok((row.get::<_, i64>(0), added))
            })
        })?;
        say("Toots déplacés dans la table historique avec succès.");
        Ok(Report::new(format!("{all} toots dans history_toots, dont {added} ajoutés par cette étape")))
    }

    /// The step that deletes nothing: scored toots stay in `filtered_toots` for partie3 and partie5.
    ///
    /// # Errors
    ///
    /// Fails if the tables cannot be read.
    pub fn keep_toots(&self) -> Result<Report> {
        say("Supprime les toots traités de la table filtered_toots...");
        let kept = self.with(async |client| {
            let row = client
                .query_one("SELECT count(*) FROM filtered_toots", &[])
                .await
                .map_err(|e| statement_failed("count filtered_toots", &e))?;
            Ok(row.get::<_, i64>(0))
        })?;
        say("Aucun toot_id à supprimer.");
        Ok(Report::new(format!("{kept} toots restent dans filtered_toots")))
    }

    /// Closes the connection; a cell that is run again opens another.
    pub fn close(&self) -> Report {
        say("Arrêt de la session PostgreSQL...");
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = None;
        say("Session PostgreSQL arrêtée.");
        Report::new("Connexion fermée")
    }
}

impl NewToots {
    /// Five of the toots.
    ///
    /// # Errors
    ///
    /// Fails if polars cannot build the table.
    pub fn preview(&self) -> Result<Table> {
        let shown = &self.toots[..self.toots.len().min(5)];
        crate::sentiment::table(df!(
            "toot_id" => shown.iter().map(|t| t.toot_id.as_str()).collect::<Vec<_>>(),
            "content" => shown.iter().map(|t| neutralise(&t.content)).collect::<Vec<_>>(),
            "edited_at" => shown.iter().map(|t| t.version.as_deref()).collect::<Vec<_>>(),
        ))
    }
}

/// What [`Scoring::record`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Toots that were scored.
    pub scored: usize,
    /// Toots whose sentiment and history row were written.
    pub written: usize,
}

impl Recorded {
    /// Shows the counts in a notebook.
    pub fn evcxr_display(&self) {
        Report::new(self.to_string()).evcxr_display();
    }
}

impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sentiments écrits, avec leur copie dans history_toots ; {} laissés de côté, modifiés, supprimés ou \
             déjà scorés entre-temps",
            self.written,
            self.scored - self.written
        )
    }
}
