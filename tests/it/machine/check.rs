//! `spar check`: one language, no contradiction, and an exit code that a script can use.

use super::ground::{Ground, told};
use crate::support;

/// Words of the notebooks' own pre-flight, which is in French.
const FRENCH: [&str; 9] = ["lignes", "adresse", "état", "suite", "arrêté", "injoignable", "prêt", "générés", "lancer"];

fn is_english(said: &str) {
    for word in FRENCH {
        assert!(!said.contains(word), "{word:?} is in: {said}");
    }
}

#[test]
fn check_speaks_one_language_and_fails_until_everything_answers() {
    let ground = Ground::new();
    let (said, code) = told(&ground.spar(&["check"]));
    assert_eq!(code, Some(1), "{said}");
    is_english(&said);
    for sentence in
        ["spar: cannot reach Mastodon", "spar: cannot reach Kafka at 127.0.0.1:9", "spar: cannot reach PostgreSQL"]
    {
        assert_eq!(said.matches(sentence).count(), 1, "{said}");
    }
    assert!(said.contains("stopped") && said.contains("not reached"), "{said}");
    assert!(!said.contains("generated"), "nothing comes from a server that is stopped: {said}");

    let running = support::config();
    let settings = [
        ("KAFKA_BOOTSTRAP_SERVERS", running.kafka().unwrap()),
        ("DATABASE_URL", running.database_url().unwrap().expose()),
    ];
    let up = ground.command(&["services", "up"]).envs(settings).output().unwrap();
    assert_eq!(told(&up).1, Some(0), "{}", told(&up).0);
    let (said, code) = told(&ground.command(&["check"]).envs(settings).output().unwrap());
    assert_eq!(code, Some(0), "{said}");
    is_english(&said);
    assert_eq!(said.matches("ready: ").count(), 3, "{said}");
    assert!(said.contains("no access token") && said.contains("create_app, then jeton_access"), "{said}");
    assert!(said.contains("are generated"), "{said}");
}
