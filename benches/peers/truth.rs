//! What must be in the tables, told by the messages themselves, and what is there.

use super::messages::Messages;
use serde::{Deserialize, Serialize};
use spar::kafka::{Loader, Raw};
use spar::stream::{clean, text_length};
use spar::{Config, Result, Store, Table};
use std::collections::{HashMap, HashSet};

/// Number of toots and sum of their lengths.
type Sums = HashMap<String, (i64, i64)>;

/// What the messages amount to.
#[derive(Default)]
pub struct Truth {
    toots: i64,
    length: i64,
    windows: HashMap<String, i64>,
    users: Sums,
    tags: Sums,
}

/// One of the four outputs: what was expected, what was there, and how much of it is wrong.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Output {
    pub expected: i64,
    pub found: i64,
    /// Windows, users or tags that are missing, too many or of another value; of the toots, characters too many or few.
    pub wrong: i64,
}

/// The four outputs.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Found {
    pub toots: Output,
    /// The sum of the windows.
    pub windows: Output,
    pub users: Output,
    pub tags: Output,
}

impl Truth {
    /// Puts the messages into the topic and keeps the books.
    pub fn produce(loader: &Loader, topic: &str, toots: usize) -> Result<Self> {
        let (mut messages, mut truth) = (Messages::new(), Self::default());
        for n in 0..toots {
            let (id, english) = messages.next(n, toots);
            loader.put(topic, Raw { key: Some(&id), value: Some(messages.text.as_bytes()), ..Raw::default() })?;
            if english {
                truth.add(&messages.text);
            }
        }
        loader.flush()?;
        Ok(truth)
    }

    fn add(&mut self, message: &str) {
        let toot: serde_json::Value = serde_json::from_str(message).expect("a message");
        let text = |key: &str| toot[key].as_str().expect("a text");
        let length = text_length(&clean(text("content"))) as i64;
        self.toots += 1;
        self.length += length;
        *self.windows.entry(text("created_at")[..13].to_owned()).or_default() += 1;
        let tags: HashSet<String> = toot["tags"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|tag| Some(tag.as_str()?.to_lowercase()))
            .collect();
        let add = |sums: &mut Sums, key: String| {
            let (toots, sum) = sums.entry(key).or_default();
            *toots += 1;
            *sum += length;
        };
        add(&mut self.users, text("user_id").to_owned());
        tags.into_iter().for_each(|tag| add(&mut self.tags, tag));
    }

    /// Compares the tables of a database with the truth.
    pub fn compare(&self, config: &Config) -> Result<Found> {
        let store = Store::connect(config)?;
        let toots = store.query(
            "SELECT 'n' AS key, count(*)::float8 AS value FROM filtered_toots
             UNION ALL SELECT 'l', coalesce(sum(char_length(text)), 0)::float8 FROM filtered_toots",
            &[],
        )?;
        let toots = pairs(&toots);
        let windows = store.query(
            "SELECT to_char(window_start, 'YYYY-MM-DD\"T\"HH24') AS key, sum(total_toots)::float8 AS value
             FROM toots_time_window_aggregates GROUP BY 1",
            &[],
        )?;
        let windows = pairs(&windows);
        let wanted = self.windows.iter().map(|(hour, n)| (hour.as_str(), *n as f64));
        let averages = |table: &str, key: &str, sums: &Sums| -> Result<Output> {
            let sql = format!("SELECT {key}::text AS key, average_length AS value FROM {table}");
            let found = pairs(&store.query(&sql, &[])?);
            let wanted = sums.iter().map(|(key, (n, sum))| (key.as_str(), *sum as f64 / *n as f64));
            Ok(Output { expected: sums.len() as i64, found: found.len() as i64, wrong: differing(wanted, &found) })
        };
        Ok(Found {
            toots: Output {
                expected: self.toots,
                found: toots["n"] as i64,
                wrong: (toots["l"] as i64 - self.length).abs(),
            },
            windows: Output {
                expected: self.toots,
                found: windows.values().sum::<f64>() as i64,
                wrong: differing(wanted, &windows),
            },
            users: averages("user_avg_length", "user_id", &self.users)?,
            tags: averages("hashtag_avg_length", "hashtag", &self.tags)?,
        })
    }
}

impl Found {
    /// True when nothing is missing, too many or wrong.
    pub fn is_right(&self) -> bool {
        [self.toots, self.windows, self.users, self.tags].iter().all(|o| o.expected == o.found && o.wrong == 0)
    }
}

fn differing<'a>(wanted: impl Iterator<Item = (&'a str, f64)>, found: &HashMap<String, f64>) -> i64 {
    let (mut known, mut wrong) = (0, 0);
    for (key, value) in wanted {
        match found.get(key) {
            Some(other) => {
                known += 1;
                wrong += i64::from((value - other).abs() > 1e-6);
            }
            None => wrong += 1,
        }
    }
    wrong + found.len() as i64 - known
}

/// Two columns, `key` and `value`.
fn pairs(table: &Table) -> HashMap<String, f64> {
    let column = |name: &str| table.frame().column(name).expect("the column");
    let (keys, values) = (column("key").str().expect("text"), column("value").f64().expect("numbers"));
    keys.iter().zip(values.iter()).map(|(k, v)| (k.unwrap_or_default().to_owned(), v.unwrap_or(f64::NAN))).collect()
}
