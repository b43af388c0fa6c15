//! The statements of partie4.

use crate::sentiment::{ScoredToot, label};
use tokio_postgres::types::ToSql;

/// The scored toots as columns, the form in which one statement takes them all.
#[derive(Default)]
pub(super) struct Columns<'a> {
    ids: Vec<&'a str>,
    versions: Vec<Option<&'a str>>,
    predictions: Vec<f64>,
    labels: Vec<&'static str>,
    negative: Vec<f64>,
    neutral: Vec<f64>,
    positive: Vec<f64>,
    probability: Vec<f64>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(toots: &[&'a ScoredToot]) -> Self {
        let mut columns = Self::default();
        for ScoredToot { toot, prediction } in toots {
            let [negative, neutral, positive] = prediction.probabilities;
            let value = prediction.sentiment().prediction();
            columns.ids.push(&toot.toot_id);
            columns.versions.push(toot.version.as_deref());
            columns.predictions.push(value);
            columns.labels.push(label(value));
            columns.negative.push(negative);
            columns.neutral.push(neutral);
            columns.positive.push(positive);
            columns.probability.push(prediction.probability());
        }
        columns
    }

    pub(super) fn parameters<'b>(&'b self, model: &'b String, now: &'b String) -> [&'b (dyn ToSql + Sync); 10] {
        [
            &self.ids,
            &self.versions,
            &self.predictions,
            &self.labels,
            &self.negative,
            &self.neutral,
            &self.positive,
            &self.probability,
            model,
            now,
        ]
    }
}

/// Toots without a sentiment for their present version: those of `filtered_toots`, then old history rows.
pub(super) const NEW_TOOTS: &str = "
SELECT f.toot_id, coalesce(f.content, f.text, ''), f.edited_at::text, false
FROM filtered_toots f
WHERE NOT EXISTS (SELECT FROM toots_sentiments s
                  WHERE s.toot_id = f.toot_id AND s.edited_at IS NOT DISTINCT FROM f.edited_at)
UNION ALL
SELECT h.toot_id, coalesce(h.content, h.text, ''), h.edited_at::text, true
FROM history_toots h
WHERE NOT EXISTS (SELECT FROM filtered_toots f WHERE f.toot_id = h.toot_id)
  AND NOT EXISTS (SELECT FROM toots_sentiments s
                  WHERE s.toot_id = h.toot_id AND s.edited_at IS NOT DISTINCT FROM h.edited_at)
ORDER BY 1 LIMIT $1";

/// The columns of both toot tables.
const TOOT_COLUMNS: [&str; 13] = [
    "toot_id",
    "timestamp",
    "text",
    "user_id",
    "language",
    "hashtags",
    "reblogs_count",
    "favourites_count",
    "replies_count",
    "content",
    "username",
    "text_length",
    "edited_at",
];

/// Copies toots from `held` into the history.
fn history_insert(from: &str) -> String {
    let columns = TOOT_COLUMNS.join(", ");
    let set: Vec<String> = TOOT_COLUMNS[1..].iter().map(|c| format!("{c} = excluded.{c}")).collect();
    format!(
        "INSERT INTO history_toots ({columns}) SELECT {columns} FROM {from} \
         ON CONFLICT (toot_id) DO UPDATE SET {}",
        set.join(", ")
    )
}

/// Holds the rows that are still as they were scored, then writes sentiments and history from those alone.
pub(super) fn record_statement(table: &str) -> String {
    let toot: Vec<String> = TOOT_COLUMNS.iter().map(|c| format!("t.{c}")).collect();
    let history = if table == "history_toots" { "SELECT 1".to_owned() } else { history_insert("held") };
    format!(
        "WITH held AS MATERIALIZED (
             SELECT {}, s.prediction, s.sentiment, s.p_negative, s.p_neutral, s.p_positive, s.probability
             FROM {table} t
             JOIN unnest($1::text[], $2::text[], $3::float8[], $4::text[], $5::float8[], $6::float8[], $7::float8[],
                         $8::float8[])
                  AS s(toot_id, version, prediction, sentiment, p_negative, p_neutral, p_positive, probability)
               ON s.toot_id = t.toot_id
             WHERE t.edited_at::text IS NOT DISTINCT FROM s.version
             ORDER BY t.toot_id FOR SHARE OF t
         ), copied AS ({history})
         INSERT INTO toots_sentiments AS old (toot_id, text, prediction, sentiment, p_negative, p_neutral, p_positive,
                                              probability, model_version, scored_at, edited_at)
         SELECT toot_id, text, prediction, sentiment, p_negative, p_neutral, p_positive, probability, $9::text,
                $10::text::timestamptz, edited_at
         FROM held
         ON CONFLICT (toot_id) DO UPDATE SET
             text = excluded.text, prediction = excluded.prediction, sentiment = excluded.sentiment,
             p_negative = excluded.p_negative, p_neutral = excluded.p_neutral, p_positive = excluded.p_positive,
             probability = excluded.probability, model_version = excluded.model_version,
             scored_at = excluded.scored_at, edited_at = excluded.edited_at
         WHERE old.edited_at IS DISTINCT FROM excluded.edited_at OR old.scored_at = excluded.scored_at
         RETURNING 1",
        toot.join(", ")
    )
}

/// Adds the history rows that a sentiment of the original lacks.
pub(super) fn complete_statement() -> String {
    let toot: Vec<String> = TOOT_COLUMNS.iter().map(|c| format!("t.{c}")).collect();
    format!(
        "WITH held AS MATERIALIZED (
             SELECT {} FROM filtered_toots t
             WHERE NOT EXISTS (SELECT FROM history_toots h WHERE h.toot_id = t.toot_id)
               AND EXISTS (SELECT FROM toots_sentiments s
                           WHERE s.toot_id = t.toot_id AND s.edited_at IS NOT DISTINCT FROM t.edited_at)
             ORDER BY t.toot_id FOR SHARE OF t
         ) {}",
        toot.join(", "),
        history_insert("held")
    )
}
