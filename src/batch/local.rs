//! The questions answered by polars, in process: each is a lazy plan over the toots in memory. `[pure]`

use super::{Engine, Question, Scope};
use crate::display::Table;
use crate::error::{Error, Result};
use polars::prelude::{
    DataFrame, DataType, ExplodeOptions, Expr, IntoLazy, JoinArgs, JoinType, LazyFrame, NULL, SortMultipleOptions,
    TimeUnit, UniqueKeepStrategy, by_name, col, len, lit,
};

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;

/// What the questions need to know of a toot.
const COLUMNS: [&str; 6] = ["toot_id", "timestamp", "user_id", "username", "hashtags", "text_length"];

/// Toots in memory: `toot_id`, `timestamp`, `user_id`, `username`, `hashtags`, `text_length`.
pub(crate) struct Local {
    toots: DataFrame,
}

impl Local {
    /// Over the toots of `table`, each id once.
    pub(crate) fn new(table: &Table) -> Self {
        Self { toots: table.frame().clone() }
    }

    fn plan(&self, question: Question) -> LazyFrame {
        let toots = self.toots.clone().lazy();
        match question {
            Question::Toots(scope) => {
                sorted(of(toots, scope).select(COLUMNS.map(col)), &[("timestamp", false), ("toot_id", false)])
            }
            Question::DatesAndTags(scope) => {
                sorted(tags(of(toots, scope)), &[("timestamp", false), ("toot_id", false), ("hashtag", false)])
            }
            Question::ActiveUsers(x) => sorted(active_users(toots, x), &[("toot_count", true), ("user_id", false)]),
            Question::HashtagsPerDay(scope) => tags_per(of(toots, scope), date(), "date"),
            Question::HashtagsPerHour(scope) => tags_per(of(toots, scope), hour_start(), "hour"),
            Question::Hashtags(scope) => hashtags(of(toots, scope)),
            Question::TopHashtag(scope) => hashtags(of(toots, scope)).limit(1),
            Question::TootsPerDay => {
                let days = dated(toots).group_by([date()]).agg([count("total_toots")]);
                sorted(days, &[("date", false)])
            }
            Question::AverageLength => toots.select([average()]),
            Question::AverageLengthPerUser => {
                let users = toots.filter(col("user_id").is_not_null()).group_by([col("user_id")]);
                sorted(users.agg([average(), count("toot_count")]), &[("user_id", false)])
            }
            Question::AverageLengthPerDay => {
                let days = dated(toots).group_by([date()]).agg([average(), count("toot_count")]);
                sorted(days, &[("date", false)])
            }
            Question::UserHours => user_hours(toots),
        }
    }
}

impl Engine for Local {
    fn answer(&self, question: Question) -> Result<Table> {
        self.plan(question).collect().map(Table::new).map_err(|e| Error::cannot(format!("answer {question:?}"), e))
    }

    fn explain(&self, question: Question) -> Result<String> {
        self.plan(question).explain(true).map_err(|e| Error::cannot(format!("explain {question:?}"), e))
    }
}

fn of(toots: LazyFrame, scope: Scope) -> LazyFrame {
    match scope {
        Scope::All => toots,
        Scope::ActiveOver(x) => {
            let users = active_users(toots.clone(), x).select([col("user_id")]);
            toots.join(users, [col("user_id")], [col("user_id")], JoinArgs::new(JoinType::Inner))
        }
    }
}

fn active_users(toots: LazyFrame, over: u32) -> LazyFrame {
    toots
        .filter(col("user_id").is_not_null())
        .group_by([col("user_id")])
        .agg([count("toot_count")])
        .filter(col("toot_count").gt(lit(i64::from(over))))
}

/// One row for each tag of each toot, in lower case, each once; a toot without tags has none.
fn tags(toots: LazyFrame) -> LazyFrame {
    let spread = ExplodeOptions { empty_as_null: true, keep_nulls: false };
    toots
        .with_columns([date(), col("hashtags").str().to_lowercase().str().split(lit(",")).alias("hashtag")])
        .drop(by_name(["hashtags"], true, false))
        .explode(by_name(["hashtag"], true, false), spread)
        .with_columns([col("hashtag").str().strip_chars(lit(NULL))])
        .filter(col("hashtag").is_not_null().and(col("hashtag").neq(lit(""))))
        .unique(Some(by_name(["toot_id", "hashtag"], true, false)), UniqueKeepStrategy::Any)
}

fn hashtags(toots: LazyFrame) -> LazyFrame {
    let counted = tags(toots).group_by([col("hashtag")]).agg([count("hashtag_count")]);
    sorted(counted, &[("hashtag_count", true), ("hashtag", false)])
}

fn tags_per(toots: LazyFrame, when: Expr, name: &'static str) -> LazyFrame {
    let counted = tags(dated(toots)).group_by([when, col("hashtag")]).agg([count("total_toots")]);
    sorted(counted, &[("total_toots", true), (name, false), ("hashtag", false)])
}

fn user_hours(toots: LazyFrame) -> LazyFrame {
    let toots = dated(toots).filter(col("user_id").is_not_null());
    // An account may change its name; one name stands for all its hours.
    let names = toots.clone().group_by([col("user_id")]).agg([col("username").max()]);
    let hours = toots.group_by([col("user_id"), hour_of_day()]).agg([count("total_toots")]);
    let named = hours.join(names, [col("user_id")], [col("user_id")], JoinArgs::new(JoinType::Left)).select([
        col("user_id"),
        col("username"),
        col("hour"),
        col("total_toots"),
    ]);
    sorted(named, &[("user_id", false), ("hour", false)])
}

/// Toots of the original may lack a date; they are counted where none is asked for.
fn dated(toots: LazyFrame) -> LazyFrame {
    toots.filter(col("timestamp").is_not_null())
}

fn date() -> Expr {
    col("timestamp").cast(DataType::Date).alias("date")
}

/// By arithmetic, so that no date is out of a calendar's range.
fn hours() -> Expr {
    col("timestamp").cast(DataType::Int64).floor_div(lit(HOUR))
}

fn hour_start() -> Expr {
    (hours() * lit(HOUR)).cast(DataType::Datetime(TimeUnit::Microseconds, None)).alias("hour")
}

fn hour_of_day() -> Expr {
    let day = lit(24i64);
    (((hours() % day.clone()) + day.clone()) % day).alias("hour")
}

fn count(name: &str) -> Expr {
    len().cast(DataType::Int64).alias(name)
}

fn average() -> Expr {
    col("text_length").mean().alias("average_toot_length")
}

fn sorted(plan: LazyFrame, by: &[(&str, bool)]) -> LazyFrame {
    let columns: Vec<Expr> = by.iter().map(|(name, _)| col(*name)).collect();
    let descending: Vec<bool> = by.iter().map(|(_, descending)| *descending).collect();
    plan.sort_by_exprs(columns, SortMultipleOptions::default().with_order_descending_multi(descending))
}
