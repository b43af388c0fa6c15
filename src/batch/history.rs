use super::local::Local;
use super::{Benchmark, Engine, Question, Scope, benchmark};
use crate::config::Config;
use crate::display::{Report, Table, grouped, say};
use crate::error::Result;
use crate::postgres::snapshot::Snapshot;
use crate::postgres::{Store, patiently};
use std::fmt;

/// The name that PostgreSQL shows for the batch's connections.
pub(super) const APPLICATION: &str = "BatchProcessingMastodon";

/// What answers the questions, and where the toots come from.
pub fn engine(config: &Config) -> Report {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    Report::new(format!(
        "Moteur : polars {} dans le processus du notebook, {threads} fils d'exécution, application {APPLICATION}.\n{}",
        polars::VERSION,
        origin(config)
    ))
}

/// Where the toots come from; generated ones are called so.
pub(crate) fn origin(config: &Config) -> String {
    if config.is_local() {
        "Les toots sont générés par le Mastodon local : aucune personne ne les a écrits.".into()
    } else {
        format!("Les toots viennent de {}.", config.source)
    }
}

/// The history of toots, read once from PostgreSQL; each named question prints its message, gives a [`Table`] and
/// stores it as a table `partie3_…`, in place of the answer of an earlier run.
pub struct History {
    engine: Box<dyn Engine>,
    config: Config,
    schema: Table,
    toots: usize,
}

impl History {
    /// Reads every toot, each id once, from `filtered_toots` and `history_toots`, and only the columns needed.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL is away or partie2 has not created the tables.
    pub fn load(config: &Config) -> Result<Self> {
        say("Chargement des données historiques...");
        let columns = "toot_id, \"timestamp\", user_id, username, hashtags, text_length";
        let toots = Snapshot::open(config, APPLICATION)?.toots(columns)?;
        Ok(Self {
            engine: Box::new(Local::new(&toots)),
            config: config.clone(),
            schema: toots.schema(),
            toots: toots.height(),
        })
    }

    /// The columns that were read, and their types.
    pub fn schema(&self) -> Table {
        self.schema.clone()
    }

    /// The first toots by time.
    ///
    /// # Errors
    ///
    /// Fails if the engine fails.
    pub fn head(&self, rows: usize) -> Result<Table> {
        Ok(self.engine.answer(Question::Toots(Scope::All))?.head(rows))
    }

    /// Answers a question without printing or storing anything.
    ///
    /// # Errors
    ///
    /// Fails if the engine fails.
    pub fn answer(&self, question: Question) -> Result<Table> {
        self.engine.answer(question)
    }

    /// Prints the question's message, answers it and stores the answer.
    ///
    /// # Errors
    ///
    /// Fails if the engine fails or PostgreSQL does not take the answer; an earlier answer is then as it was.
    pub fn ask(&self, question: Question) -> Result<Table> {
        question.messages().iter().for_each(say);
        let answer = self.engine.answer(question)?;
        if let Some(name) = question.table_name() {
            self.store(name, &answer)?;
        }
        Ok(answer)
    }

    /// Users with more than `over` toots: `user_id`, `toot_count`.
    ///
    /// # Errors
    ///
    /// As [`History::ask`].
    pub fn active_users(&self, over: u32) -> Result<Table> {
        self.ask(Question::ActiveUsers(over))
    }

    /// The toots of users with more than `over` toots, by time.
    ///
    /// # Errors
    ///
    /// As [`History::ask`].
    pub fn toots_of_active_users(&self, over: u32) -> Result<Table> {
        self.ask(Question::Toots(Scope::ActiveOver(over)))
    }

    /// Each toot with its date (UTC), one row for each of its tags.
    ///
    /// # Errors
    ///
    /// As [`History::ask`].
    pub fn with_dates_and_tags(&self, scope: Scope) -> Result<Table> {
        self.ask(Question::DatesAndTags(scope))
    }

    /// Toots for each day and tag: `date`, `hashtag`, `total_toots`.
    ///
    /// # Errors
    ///
    /// As [`History::ask`].
    pub fn hashtags_per_day(&self, scope: Scope) -> Result<Table> {
        self.ask(Question::HashtagsPerDay(scope))
    }

    /// Toots for each hour and tag: `hour`, `hashtag`, `total_toots`.
    ///
    /// # Errors
    ///
    /// As [`History::ask`].
    pub fn hashtags_per_hour(&self, scope: Scope) -> Result<Table> {
        self.ask(Question::HashtagsPerHour(scope))
    }

    /// The most frequent tag: `hashtag`, `hashtag_count`.
    ///
    /// # Errors
    ///
    /// As [`History::ask`].
    pub fn top_hashtag(&self, scope: Scope) -> Result<Table> {
        self.ask(Question::TopHashtag(scope))
    }

    /// Toots per day: `date`, `total_toots`.
    ///
    /// # Errors
    ///
    /// As [`History::ask`].
    pub fn toots_per_day(&self) -> Result<Table> {
        self.ask(Question::TootsPerDay)
    }

    /// Mean number of characters of a toot's cleaned text: `average_toot_length`.
    ///
    /// # Errors
    ///
    /// As [`History::ask`].
    pub fn average_length(&self) -> Result<Table> {
        self.ask(Question::AverageLength)
    }

    /// The same for each user.
    ///
    /// # Errors
    ///
    /// As [`History::ask`].
    pub fn average_length_per_user(&self) -> Result<Table> {
        self.ask(Question::AverageLengthPerUser)
    }

    /// The same for each day.
    ///
    /// # Errors
    ///
    /// As [`History::ask`].
    pub fn average_length_per_day(&self) -> Result<Table> {
        self.ask(Question::AverageLengthPerDay)
    }

    /// How the engine finds the answer to a question: its plan, after its own optimisation.
    ///
    /// # Errors
    ///
    /// Fails if the engine fails.
    pub fn explain(&self, question: Question) -> Result<Report> {
        self.engine.explain(question).map(Report::new)
    }

    /// Times one question plain, in eight partitions, and over data held in memory; stores the measures.
    ///
    /// # Errors
    ///
    /// Fails if PostgreSQL is away, or the three ways do not give the same answer.
    pub fn benchmark(&self) -> Result<Benchmark> {
        let benchmark = benchmark::run(&self.config)?;
        self.store("partie3_benchmark", &benchmark.table())?;
        Ok(benchmark)
    }

    /// Ends the analysis: says so, and where its results are.
    pub fn finish(&self) -> Report {
        say("Analyse et optimisation terminées.");
        Report::new("Les résultats sont dans les tables partie3_… de PostgreSQL.")
    }

    /// On a connection of its own: a notebook may be left open longer than a server keeps an idle one.
    fn store(&self, name: &str, table: &Table) -> Result<u64> {
        patiently(self.config.away, || Store::connect(&self.config)?.write_table(name, table))
    }

    /// Shows in a notebook how many toots are held.
    pub fn evcxr_display(&self) {
        Report::new(self.to_string()).evcxr_display();
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Historique de {} toots, en mémoire.", grouped(&self.toots.to_string()))
    }
}
