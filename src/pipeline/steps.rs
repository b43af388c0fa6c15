//! The steps of the notebook around the run: what is set, what is read, what is written.

use super::feed::Survey;
use super::report::TABLES;
use super::{Pipeline, Sample};
use crate::config::Config;
use crate::display::{Report, Table, say};
use crate::error::{Error, Result};
use crate::postgres::{Store, about, agreement, ledger};
use crate::runtime::block_on;
use polars::prelude::{DataFrame, PolarsResult, df};
use std::fmt;

/// What the writers' messages call the four outputs.
const OUTPUTS: [&str; 4] = [
    "des toots filtrés",
    "des agrégats de fenêtres temporelles",
    "de la longueur moyenne des toots par utilisateur",
    "de la longueur moyenne des toots par hashtag",
];

pub(super) fn table(frame: PolarsResult<DataFrame>) -> Result<Table> {
    frame.map(Table::new).map_err(|e| Error::cannot("show a table", e))
}

impl Pipeline {
    /// Prepares the engine for this topic and this database.
    ///
    /// # Errors
    ///
    /// Fails if the database is away or has no tables yet, or if a setting is wrong.
    pub fn open(config: &Config) -> Result<Self> {
        say("Initialisation du moteur spar...");
        let pipeline = Self::quiet(config)?;
        if pipeline.rules.source != config.source {
            say(format!(
                "Attention : cette base contient les toots de « {} » ; ceux de « {} » iront dans 'dead_letter'.",
                pipeline.rules.source, config.source
            ));
        }
        if let Some(windows) = pipeline.left_aside() {
            say(format!(
                "Attention : cette base a les fenêtres « {} », pas « {windows} » ; Store::create_tables les change.",
                pipeline.rules.kinds
            ));
        }
        say("Moteur spar initialisé.");
        Ok(pipeline)
    }

    /// The same without a word.
    ///
    /// # Errors
    ///
    /// Fails as [`Pipeline::open`] does.
    pub fn quiet(config: &Config) -> Result<Self> {
        let store = Store::connect(config)?;
        let mut rules = block_on(agreement::rules(&store.client, config))?;
        if let Some(source) = block_on(about(&store.client, "source"))? {
            rules.source = source;
        }
        Ok(Self { config: config.clone(), rules, hook: None, accept_gap: false })
    }

    /// The settings that this notebook goes by, without any secret.
    ///
    /// # Errors
    ///
    /// Fails if the table cannot be made.
    pub fn settings(config: &Config) -> Result<Table> {
        let pairs = [
            ("KAFKA_BOOTSTRAP_SERVERS", config.kafka()?.to_owned()),
            ("KAFKA_TOPIC", config.topic.clone()),
            ("DATABASE_URL", "***".to_owned()),
            ("SPAR_LANGUAGES", config.languages.join(",")),
            ("SPAR_WINDOW_SECONDS", config.window.as_secs().to_string()),
            ("SPAR_LATENESS_SECONDS", config.lateness.as_secs().to_string()),
            ("SPAR_WINDOWS", config.windows.as_ref().map_or("aucune ou celles de la base".into(), ToString::to_string)),
            ("SPAR_IDLE_SECONDS", config.idle.as_secs().to_string()),
        ];
        table(df!(
            "réglage" => pairs.iter().map(|(key, _)| *key).collect::<Vec<_>>(),
            "valeur" => pairs.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(),
        ))
    }

    /// The partitions of the topic: first and last offsets, and what is still to be read.
    ///
    /// # Errors
    ///
    /// Fails if Kafka is away or the topic does not exist.
    pub fn topic(&self) -> Result<Table> {
        say("Lecture des flux de Kafka...");
        let bounds = Survey::new(&self.config)?.bounds();
        let store = Store::connect(&self.config)?;
        let applied = block_on(ledger::applied(&store.client))?;
        let mine = |part: i32| applied.iter().find(|row| row.topic == self.config.topic && row.part == part);
        let next: Vec<i64> =
            bounds.iter().map(|(part, first, _)| mine(*part).map_or(*first, |row| row.next_offset)).collect();
        let lag: Vec<i64> = bounds.iter().zip(&next).map(|((_, _, end), next)| (end - next).max(0)).collect();
        say("Flux de Kafka configuré.");
        table(df!(
            "partition" => bounds.iter().map(|b| b.0).collect::<Vec<_>>(),
            "premier" => bounds.iter().map(|b| b.1).collect::<Vec<_>>(),
            "fin" => bounds.iter().map(|b| b.2).collect::<Vec<_>>(),
            "prochain" => next,
            "à lire" => lag,
        ))
    }

    /// The first readable messages of the topic, at most `most`: to look at, nothing moves.
    ///
    /// # Errors
    ///
    /// Fails if Kafka is away or the topic does not exist.
    pub fn sample(&self, most: usize) -> Result<Sample> {
        Sample::take(&self.config, &self.rules, most)
    }

    /// How each of the four tables is written.
    ///
    /// # Errors
    ///
    /// Fails if the table cannot be made.
    pub fn writers(&self) -> Result<Table> {
        table(df!(
            "table" => TABLES,
            "clé" => ["toot_id", "window_start, window_end", "user_id", "hashtag"],
            "écriture" => [
                "COPY ; une version plus récente remplace",
                "ajoute au total de la fenêtre",
                "ajoute à la somme et au nombre",
                "ajoute à la somme et au nombre",
            ],
        ))
    }

    /// Checks that this role may write the four tables, and says so.
    ///
    /// # Errors
    ///
    /// Fails if a table is missing or the role may not write it.
    pub fn start_writers(&self) -> Result<Report> {
        let store = Store::connect(&self.config)?;
        for (table, output) in TABLES.iter().zip(OUTPUTS) {
            say(format!("Début de l'écriture {output}..."));
            block_on(crate::postgres::may_write(&store.client, table))?;
            say(format!("Écriture {output} démarrée."));
        }
        Ok(Report::new("Quatre sorties, une seule lecture de Kafka, une transaction par batch."))
    }

    /// Shows the engine in a notebook.
    pub fn evcxr_display(&self) {
        Report::new(self.to_string()).evcxr_display();
    }
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "partie2 : sujet {}, langues {}, fenêtres de {} s, retard admis {} s.",
            self.config.topic,
            self.rules.languages.join(", "),
            self.rules.width.as_secs(),
            self.rules.lateness.as_secs()
        )?;
        if !self.rules.kinds.is_empty() {
            write!(f, " Autres fenêtres : {}.", self.rules.kinds)?;
        }
        if self.rules.source == "local" { write!(f, "\nToots générés par le Mastodon local.") } else { Ok(()) }
    }
}
