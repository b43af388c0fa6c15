//! What partie5 loads, prepares and draws: from the tables to four [`Figure`]s.

use crate::batch::local::Local;
use crate::batch::{Engine, Question, Scope};
use crate::config::Config;
use crate::display::{Figure, Gallery, Report, Table, grouped, say};
use crate::error::{Error, Result};
use crate::plots;
use crate::postgres::snapshot::Snapshot;
use polars::prelude::{
    Column, DataFrame, DataType, IntoLazy, JoinArgs, JoinCoalesce, JoinType, PolarsResult, SortMultipleOptions,
    UniqueKeepStrategy, col, len, lit,
};
use std::fmt;
use std::sync::{Mutex, PoisonError};

/// The name that PostgreSQL shows for the connection.
const APPLICATION: &str = "MastodonVisualisations";

/// A tag longer than this is stored with its toot, not averaged: the column of averages does not hold it.
const LONGEST_TAG: u32 = crate::stream::MAX_TAG as u32;

/// The charts that make the notebook complete.
const CHARTS: usize = 4;

/// One state of the tables, ready to be counted and drawn.
pub struct Charts {
    toots: Table,
    engine: Local,
    sentiments: Table,
    windows: Table,
    user_lengths: Table,
    hashtag_lengths: Table,
    config: Config,
    /// The latest of each chart, in the order of drawing.
    drawn: Mutex<Vec<Figure>>,
}

impl Charts {
    /// Reads the toots of both toot tables, each id once, their sentiments and the three aggregates, only the
    /// columns needed, all at one instant.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL is away or partie2 has not created the tables.
    pub fn load(config: &Config) -> Result<Self> {
        say("Chargement des données depuis PostgreSQL...");
        let snapshot = Snapshot::open(config, APPLICATION)?;
        let toots = snapshot.toots("toot_id, \"timestamp\", user_id, username, hashtags")?;
        let charts = Self {
            engine: Local::new(&toots),
            toots,
            sentiments: snapshot.read("SELECT toot_id, sentiment FROM toots_sentiments")?,
            windows: snapshot.read("SELECT total_toots FROM toots_time_window_aggregates")?,
            user_lengths: snapshot.read("SELECT user_id FROM user_avg_length")?,
            hashtag_lengths: snapshot.read("SELECT hashtag FROM hashtag_avg_length")?,
            config: config.clone(),
            drawn: Mutex::default(),
        };
        say("Données chargées avec succès.");
        Ok(charts)
    }

    /// What was loaded: each table and its rows.
    ///
    /// # Errors
    ///
    /// Never in practice: fails only as building a table fails.
    pub fn tables(&self) -> Result<Table> {
        let rows = [
            ("filtered_toots + history_toots", &self.toots),
            ("toots_sentiments", &self.sentiments),
            ("toots_time_window_aggregates", &self.windows),
            ("user_avg_length", &self.user_lengths),
            ("hashtag_avg_length", &self.hashtag_lengths),
        ];
        let names = Column::new("table".into(), rows.map(|(name, _)| name));
        let counts = Column::new("rows".into(), rows.map(|(_, table)| table.height() as i64));
        finished(DataFrame::new(rows.len(), vec![names, counts]))
    }

    /// Where the toots come from.
    pub fn origin(&self) -> Report {
        Report::new(crate::batch::origin(&self.config))
    }

    /// Whether the tables agree: what the toots say beside what the aggregates hold.
    ///
    /// # Errors
    ///
    /// Fails if polars fails.
    pub fn agreement(&self) -> Result<Table> {
        let failed = |e| Error::cannot("compare the tables", e);
        let windows = self.windows.frame().column("total_toots").map_err(failed)?;
        let windows = windows.as_materialized_series().sum::<i64>().map_err(failed)?;
        let users = self.toots.query(|t| {
            let ids = t.filter(col("user_id").is_not_null()).select([col("user_id")]);
            ids.unique(None, UniqueKeepStrategy::Any)
        })?;
        let tags = self.engine.answer(Question::Hashtags(Scope::All))?;
        let tags = tags.query(|t| t.filter(col("hashtag").str().len_chars().lt_eq(lit(LONGEST_TAG))))?;
        let short = format!("hashtags ({LONGEST_TAG} caractères au plus)");
        let rows: [(&str, i64, &str, i64); 3] = [
            ("toots", self.toots.height() as i64, "toots_time_window_aggregates", windows),
            ("utilisateurs", users.height() as i64, "user_avg_length", self.user_lengths.height() as i64),
            (short.as_str(), tags.height() as i64, "hashtag_avg_length", self.hashtag_lengths.height() as i64),
        ];
        let columns = vec![
            Column::new("counted".into(), rows.map(|r| r.0)),
            Column::new("in_toots".into(), rows.map(|r| r.1)),
            Column::new("table".into(), rows.map(|r| r.2)),
            Column::new("in_table".into(), rows.map(|r| r.3)),
            Column::new("agree".into(), rows.map(|r| r.1 == r.3)),
        ];
        finished(DataFrame::new(rows.len(), columns))
    }

    /// Joins its sentiment to each toot and counts: `sentiment` (`négatif`, `neutre` and `positif` always, in this
    /// order; null last, for toots not scored), `toots`.
    ///
    /// # Errors
    ///
    /// Fails if polars fails.
    pub fn sentiments(&self) -> Result<Table> {
        say("Préparation des données pour la distribution des sentiments...");
        let scored = self.sentiments.frame().clone().lazy();
        let order = DataFrame::new(3, vec![Column::new("sentiment".into(), plots::SENTIMENTS)])
            .map_err(|e| Error::cannot("order the sentiments", e))?
            .lazy()
            .with_row_index("place", None);
        let by = [col("sentiment")];
        let counted = self.toots.query(|toots| {
            let joined = toots.join(scored, [col("toot_id")], [col("toot_id")], JoinArgs::new(JoinType::Left));
            let counts = joined.group_by(&by).agg([len().cast(DataType::Int64).alias("toots")]);
            let nulls_too = JoinArgs::new(JoinType::Full).with_coalesce(JoinCoalesce::CoalesceColumns);
            order
                .join(counts, &by, &by, nulls_too)
                .with_columns([col("toots").fill_null(lit(0i64))])
                .sort_by_exprs([col("place"), col("sentiment")], SortMultipleOptions::default().with_nulls_last(true))
        })?;
        let counted = counted.query(|t| t.select([col("sentiment"), col("toots")]))?;
        say("Données de sentiments chargées depuis la table toots_sentiments.");
        Ok(counted)
    }

    /// Toots per day (UTC): `date`, `total_toots`.
    ///
    /// # Errors
    ///
    /// Fails if polars fails.
    pub fn toots_per_day(&self) -> Result<Table> {
        self.prepared("la fréquence des toots", Question::TootsPerDay, "Données de fréquence des toots préparées.")
    }

    /// Toots per tag: `hashtag`, `hashtag_count`. Tags too long for the table of averages are counted, and told.
    ///
    /// # Errors
    ///
    /// Fails if polars fails.
    pub fn hashtags(&self) -> Result<Table> {
        let question = Question::Hashtags(Scope::All);
        let tags = self.prepared("les hashtags les plus fréquents", question, "Données des hashtags préparées.")?;
        let long = tags.query(|t| t.filter(col("hashtag").str().len_chars().gt(lit(LONGEST_TAG))))?.height();
        if long > 0 {
            let (s, es, them) = if long > 1 { ("s", "sont comptés", "les") } else { ("", "est compté", "le") };
            say(format!(
                "{long} hashtag{s} de plus de {LONGEST_TAG} caractères {es} ici ; hashtag_avg_length ne {them} tient pas."
            ));
        }
        Ok(tags)
    }

    /// Toots per user and hour of the day (UTC): `user_id`, `username`, `hour`, `total_toots`.
    ///
    /// # Errors
    ///
    /// Fails if polars fails.
    pub fn users(&self) -> Result<Table> {
        let after = "Données de l'activité des utilisateurs préparées.";
        self.prepared("l'activité des utilisateurs", Question::UserHours, after)
    }

    /// Chart 1, from [`Charts::sentiments`].
    ///
    /// # Errors
    ///
    /// As [`plots::sentiments`].
    pub fn draw_sentiments(&self, table: &Table) -> Result<Figure> {
        say("Création de la visualisation : Distribution des sentiments...");
        self.remember(plots::sentiments(table, self.about())?)
    }

    /// Chart 2, from [`Charts::toots_per_day`].
    ///
    /// # Errors
    ///
    /// As [`plots::frequency`].
    pub fn draw_frequency(&self, table: &Table) -> Result<Figure> {
        say("Création de la visualisation : Fréquence des toots au fil du temps...");
        self.remember(plots::frequency(table, self.about())?)
    }

    /// Chart 3, from [`Charts::hashtags`].
    ///
    /// # Errors
    ///
    /// As [`plots::hashtags`].
    pub fn draw_hashtags(&self, table: &Table) -> Result<Figure> {
        say("Création de la visualisation : Hashtags les plus fréquents...");
        self.remember(plots::hashtags(table, self.about())?)
    }

    /// Chart 4, from [`Charts::users`], for users with more toots than `SPAR_HEATMAP_OVER`.
    ///
    /// # Errors
    ///
    /// As [`plots::users`].
    pub fn draw_users(&self, table: &Table) -> Result<Figure> {
        say("Création de la visualisation : Activité des utilisateurs...");
        self.remember(plots::users(table, self.config.heatmap_over, self.about())?)
    }

    /// Says that the four charts are made, and names them.
    ///
    /// # Errors
    ///
    /// Fails if one of them was not drawn.
    pub fn finish(&self) -> Result<Report> {
        let drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        if drawn.len() < CHARTS {
            let cause = format!("only {} of {CHARTS} charts were drawn", drawn.len());
            return Err(Error::cannot("finish the charts", cause).next("run the cells of the four charts first"));
        }
        say("Visualisations créées avec succès.");
        let mut names: Vec<_> = drawn.iter().map(Figure::name).collect();
        names.sort_unstable();
        Ok(Report::new(format!("{CHARTS} graphiques : {}.", names.join(", "))))
    }

    /// The charts drawn so far, side by side.
    pub fn gallery(&self) -> Gallery {
        Gallery::new(self.drawn.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned())
    }

    /// Shows in a notebook how many toots are held.
    pub fn evcxr_display(&self) {
        Report::new(self.to_string()).evcxr_display();
    }

    fn prepared(&self, what: &str, question: Question, after: &str) -> Result<Table> {
        say(format!("Préparation des données pour {what}..."));
        let table = self.engine.answer(question)?;
        say(after);
        Ok(table)
    }

    /// What stands below each chart of generated toots.
    fn about(&self) -> &'static str {
        if self.config.is_local() { "toots générés" } else { "" }
    }

    fn remember(&self, figure: Figure) -> Result<Figure> {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        match drawn.iter_mut().find(|old| old.name() == figure.name()) {
            Some(old) => figure.clone_into(old),
            None => drawn.push(figure.clone()),
        }
        Ok(figure)
    }
}

impl fmt::Display for Charts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} toots, prêts à être dessinés.", grouped(&self.toots.height().to_string()))
    }
}

fn finished(frame: PolarsResult<DataFrame>) -> Result<Table> {
    frame.map(Table::new).map_err(|e| Error::cannot("build a table", e))
}
