//! What a notebook needs, asked before it starts: one real round trip to every service.

use crate::config::Config;
use crate::display::{Table, say};
use crate::error::{Error, Result};
use crate::kafka::probe as kafka;
use crate::mastodon::{TokenState, greet};
use crate::postgres::probe as postgres;
use crate::runtime::block_on;
use std::time::Duration;

/// How long a service may take to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// One line of the table.
struct Line {
    service: &'static str,
    address: String,
    state: String,
    next: String,
    failure: Option<Error>,
}

/// Asks Mastodon, Kafka and PostgreSQL, and shows for each its address, its state and the next step.
///
/// A service that is away is shown, not an error: the table says how to start it.
///
/// # Errors
///
/// Fails if the table cannot be built.
pub fn check(config: &Config) -> Result<Table> {
    table(config, &ask(config))
}

/// The same, and the first thing that is wrong.
///
/// # Errors
///
/// Fails if the table cannot be built.
pub fn check_all(config: &Config) -> Result<(Table, Option<Error>)> {
    let lines = ask(config);
    let table = table(config, &lines)?;
    Ok((table, lines.into_iter().find_map(|line| line.failure)))
}

fn table(config: &Config, lines: &[Line]) -> Result<Table> {
    if config.is_local() {
        say("Les toots viennent du Mastodon local : ils sont générés, personne ne les a écrits.");
    }
    let column = |of: fn(&Line) -> &str| lines.iter().map(of).map(str::to_owned).collect::<Vec<_>>();
    polars::df!(
        "service" => column(|l| l.service),
        "adresse" => column(|l| &l.address),
        "état" => column(|l| &l.state),
        "suite" => column(|l| &l.next),
    )
    .map(Table::new)
    .map_err(|e| Error::cannot("tabulate the services", e))
}

/// Asks the same and fails at the first service that is away or refuses.
///
/// # Errors
///
/// Fails if a service does not answer, or does not know the token, and says what to do.
pub fn require(config: &Config) -> Result<()> {
    ask(config).into_iter().find_map(|line| line.failure).map_or(Ok(()), Err)
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
    fn ready(service: &'static str, address: &str, state: String, next: &str) -> Self {
        Self { service, address: address.to_owned(), state, next: next.to_owned(), failure: None }
    }

    fn away(service: &'static str, address: &str, embedded: bool, key: &str, e: Error) -> Self {
        let (state, tried_again) = match address {
            "" => ("arrêté", true),
            _ if e.is_transient() => ("injoignable", true),
            // It answers, or would: what it says, or what is wrong with the setting, is what helps.
            _ => ("inutilisable", false),
        };
        let next = if !tried_again {
            e.to_string()
        } else if embedded {
            "lancer `./spar services up`, puis relancer la cellule d'ouverture".to_owned()
        } else {
            format!("démarrer ce service, ou corriger {key} dans .env")
        };
        Self { service, address: address.to_owned(), state: state.to_owned(), next, failure: Some(e) }
    }
}

fn ask_kafka(config: &Config) -> Line {
    let address = config.kafka.as_deref().unwrap_or_default();
    let answer = config.kafka().and_then(|servers| kafka::cluster(servers, Some(&config.topic), LIMIT));
    match answer {
        Err(e) => Line::away("Kafka", address, config.embedded.kafka, "KAFKA_BOOTSTRAP_SERVERS", e),
        Ok(cluster) => {
            let brokers = counted(cluster.brokers, "courtier");
            match cluster.partitions {
                Some(n) => {
                    let state = format!("prêt : {brokers}, sujet {} ({})", config.topic, counted(n, "partition"));
                    Line::ready("Kafka", address, state, "")
                }
                None => {
                    let state = format!("prêt : {brokers}, sujet {} absent", config.topic);
                    Line::ready("Kafka", address, state, "partie1 crée le sujet")
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
    match block_on(postgres::version(url, None)) {
        Ok(version) => Line::ready(NAME, &address, format!("prêt : version {version}, base {database}"), ""),
        // The only invalid answer of a server is a database that it does not have; `postgres` is always there.
        Err(e) if e.is_invalid() => match block_on(postgres::version(url, Some("postgres"))) {
            Ok(version) => {
                let state = format!("prêt : version {version}, base {database} absente");
                Line::ready(NAME, &address, state, "partie2 crée la base")
            }
            Err(_) => Line::away(NAME, &address, config.embedded.postgres, "DATABASE_URL", e),
        },
        Err(e) => Line::away(NAME, &address, config.embedded.postgres, "DATABASE_URL", e),
    }
}

fn ask_mastodon(config: &Config) -> Line {
    const NAME: &str = "Mastodon";
    let address = config.mastodon_url.as_deref().unwrap_or_default();
    let greeting = match greet(config) {
        Ok(greeting) => greeting,
        Err(e) => {
            let key = if config.local_url.is_some() { "SPAR_LOCAL_URL" } else { "MASTODON_URL" };
            return Line::away(NAME, address, config.embedded.mastodon, key, e);
        }
    };
    let version = greeting.version;
    let (token, next, failure) = match greeting.token {
        TokenState::Absent => ("sans jeton d'accès".to_owned(), "create_app, puis jeton_access".to_owned(), None),
        TokenState::Of(account) => (
            format!("compte {account}"),
            if greeting.by_hashtag { "partie1 suit des hashtags, non le flux public" } else { "" }.to_owned(),
            None,
        ),
        TokenState::Unknown(e) => {
            ("jeton refusé".to_owned(), "jeton_access donne un nouveau jeton".to_owned(), Some(e))
        }
        TokenState::Unusable(e) => ("jeton inutilisable".to_owned(), e.to_string(), Some(e)),
    };
    Line { failure, ..Line::ready(NAME, address, format!("prêt : version {version}, {token}"), &next) }
}

fn counted(n: usize, what: &str) -> String {
    let plural = if n > 1 { "s" } else { "" };
    format!("{n} {what}{plural}")
}
