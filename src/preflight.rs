//! What a notebook needs, asked before it starts: one real round trip to every service.

use crate::config::Config;
use crate::display::{Table, say};
use crate::error::{Error, Result};
use crate::kafka::probe as kafka;
use crate::mastodon::{TokenState, greet};
use crate::postgres::probe as postgres;
use crate::runtime::block_on;
use std::time::Duration;

/// The instance's line of the table.
const MASTODON: &str = "Mastodon";
/// How long a service may take to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// The state of a service that does not answer.
const AWAY: &str = "not reached";

/// One line of the table.
struct Line {
    service: &'static str,
    address: String,
    state: Words,
    next: Words,
    failure: Option<Error>,
}

/// The same words for the notebooks, which are in French, and for the command, which is in English.
struct Words {
    french: String,
    english: String,
}

fn words(french: impl Into<String>, english: impl Into<String>) -> Words {
    Words { french: french.into(), english: english.into() }
}

/// Asks Mastodon, Kafka and PostgreSQL, and shows for each its address, its state and the next step, in French.
///
/// A service that is away is shown, not an error: the table says how to start it, and a line before it what it said.
///
/// # Errors
///
/// Fails if the table cannot be built.
pub fn check(config: &Config) -> Result<Table> {
    let lines = ask(config);
    if config.is_local() && lines.iter().any(|line| line.service == MASTODON && line.failure.is_none()) {
        say("Les toots viennent du Mastodon local : ils sont générés, personne ne les a écrits.");
    }
    // What cannot be used says why in the table, and of what does not run there is no more to say.
    for line in lines.iter().filter(|line| line.state.english == AWAY) {
        line.failure.iter().for_each(|e| say(e.to_string()));
    }
    table(&lines, ["service", "adresse", "état", "suite"], |words| &words.french)
}

/// Asks the same, in English, and gives beside the table what each service has to say that cannot be used.
///
/// # Errors
///
/// Fails if the table cannot be built.
pub fn survey(config: &Config) -> Result<(Table, Vec<Error>)> {
    let lines = ask(config);
    let table = table(&lines, ["service", "address", "state", "next step"], |words| &words.english)?;
    Ok((table, lines.into_iter().filter_map(|line| line.failure).collect()))
}

/// Asks the same and fails at the first service that is away or refuses.
///
/// # Errors
///
/// Fails if a service does not answer, or does not know the token, and says what to do.
pub fn require(config: &Config) -> Result<()> {
    ask(config).into_iter().find_map(|line| line.failure).map_or(Ok(()), Err)
}

fn table(lines: &[Line], names: [&str; 4], said: fn(&Words) -> &str) -> Result<Table> {
    let row = |line: &Line| {
        vec![line.service.to_owned(), line.address.clone(), said(&line.state).to_owned(), said(&line.next).to_owned()]
    };
    Table::of_text(&names, &lines.iter().map(row).collect::<Vec<_>>())
}

/// All at once: a service that is away takes its whole time limit to say so.
fn ask(config: &Config) -> Vec<Line> {
    let questions: [fn(&Config) -> Line; 3] = [ask_mastodon, ask_kafka, ask_postgres];
    std::thread::scope(|scope| {
        let asked: Vec<_> = questions.map(|question| scope.spawn(move || question(config))).into();
        asked.into_iter().filter_map(|line| line.join().ok()).collect()
    })
}

impl Line {
    fn ready(service: &'static str, address: &str, state: Words, next: Words) -> Self {
        let state = words(format!("prêt : {}", state.french), format!("ready: {}", state.english));
        Self { service, address: address.to_owned(), state, next, failure: None }
    }

    fn away(service: &'static str, address: &str, embedded: bool, key: &str, e: Error) -> Self {
        let (state, tried_again) = match address {
            "" if !e.is_invalid() => (words("arrêté", "stopped"), true),
            _ if e.is_transient() => (words("injoignable", AWAY), true),
            // It answers, or would: what it says, or what is wrong with the setting, is what helps.
            _ => (words("inutilisable", "unusable"), false),
        };
        let next = if !tried_again {
            words(e.to_string(), e.to_string())
        } else if embedded {
            words("lancer `./spar services up`, puis relancer la cellule d'ouverture", "`./spar services up` starts it")
        } else {
            words(
                format!("démarrer ce service, ou corriger {key} dans .env"),
                format!("start it, or correct {key} in .env"),
            )
        };
        Self { service, address: address.to_owned(), state, next, failure: Some(e) }
    }
}

fn ask_kafka(config: &Config) -> Line {
    const NAME: &str = "Kafka";
    let address = config.kafka.as_deref().unwrap_or_default();
    let topic = &config.topic;
    let answer = config.kafka().and_then(|servers| kafka::cluster(servers, Some(topic), LIMIT));
    match answer {
        Err(e) => Line::away(NAME, address, config.embedded.kafka, "KAFKA_BOOTSTRAP_SERVERS", e),
        Ok(cluster) => {
            let (courtiers, brokers) =
                (counted(cluster.brokers.len(), "courtier"), counted(cluster.brokers.len(), "broker"));
            match cluster.partitions.map(|n| counted(n, "partition")) {
                Some(n) => {
                    let state =
                        words(format!("{courtiers}, sujet {topic} ({n})"), format!("{brokers}, topic {topic} ({n})"));
                    Line::ready(NAME, address, state, words("", ""))
                }
                None => {
                    let state =
                        words(format!("{courtiers}, sujet {topic} absent"), format!("{brokers}, no topic {topic} yet"));
                    Line::ready(NAME, address, state, words("partie1 crée le sujet", "partie1 creates the topic"))
                }
            }
        }
    }
}

fn ask_postgres(config: &Config) -> Line {
    const NAME: &str = "PostgreSQL";
    let url = match config.database_url() {
        Ok(url) => url,
        Err(e) => return Line::away(NAME, "", config.embedded.postgres, "DATABASE_URL", e),
    };
    let address = crate::postgres::connect::address(url).unwrap_or_default();
    let database = crate::postgres::connect::database_name(url).unwrap_or_default();
    match block_on(postgres::look(url)) {
        Ok(found) if found.database => {
            let version = found.version;
            let state =
                words(format!("version {version}, base {database}"), format!("version {version}, database {database}"));
            Line::ready(NAME, &address, state, words("", ""))
        }
        Ok(found) => {
            let version = found.version;
            let state = words(
                format!("version {version}, base {database} absente"),
                format!("version {version}, no database {database} yet"),
            );
            Line::ready(NAME, &address, state, words("partie2 crée la base", "partie2 creates the database"))
        }
        Err(e) => Line::away(NAME, &address, config.embedded.postgres, "DATABASE_URL", e),
    }
}

fn ask_mastodon(config: &Config) -> Line {
    let address = config.mastodon_url.as_deref().unwrap_or_default();
    let greeting = match greet(config) {
        Ok(greeting) => greeting,
        Err(e) => {
            let key = if config.local_url.is_some() { "SPAR_LOCAL_URL" } else { "MASTODON_URL" };
            return Line::away(MASTODON, address, config.embedded.mastodon, key, e);
        }
    };
    let (token, next, failure) = match greeting.token {
        TokenState::Absent => (
            words("sans jeton d'accès", "no access token"),
            words("create_app, puis jeton_access", "create_app, then jeton_access"),
            None,
        ),
        TokenState::Of(account) => (
            words(format!("compte {account}"), format!("account {account}")),
            if greeting.by_hashtag {
                words(
                    "partie1 suit des hashtags, non le flux public",
                    "partie1 follows hashtags, not the public stream",
                )
            } else {
                words("", "")
            },
            None,
        ),
        TokenState::Unknown(e) => (
            words("jeton refusé", "token refused"),
            words("jeton_access donne un nouveau jeton", "jeton_access gets a new token"),
            Some(e),
        ),
        TokenState::Unusable(e) => {
            (words("jeton inutilisable", "unusable token"), words(e.to_string(), e.to_string()), Some(e))
        }
    };
    let version = greeting.version;
    let state = words(format!("version {version}, {}", token.french), format!("version {version}, {}", token.english));
    Line { failure, ..Line::ready(MASTODON, address, state, next) }
}

fn counted(n: usize, what: &str) -> String {
    let plural = if n > 1 { "s" } else { "" };
    format!("{n} {what}{plural}")
}
