//! Hostile text in every field that the network fills, through everything that shows it: nothing of it acts.

use crate::desk::Desk;
use crate::local::client;
use crate::payloads::{assert_inert, assert_plain, elements, hostile};
use crate::stand_in::{Request, StandIn, Step, healthy, json, reply};
use crate::support;
use polars::prelude::*;
use serde_json::{Value, json};
use spar::config::Secret;
use spar::display::{Report, Table, escape_html, neutralise};
use spar::job::Job;
use spar::kafka::create_topic;
use spar::mastodon::{Incoming, Mastodon, Origin};
use spar::{Charts, Config, History, Ingest, Producer, Scope, Store, Timestamp, preflight};
use std::time::Duration;

/// Asserts both faces of a table.
#[track_caller]
fn table_is_inert(table: &Table, what: &str) {
    assert_inert(&table.to_html(), what);
    assert_plain(&table.to_string(), what);
}

#[track_caller]
fn report_is_inert(report: &Report, what: &str) {
    assert_inert(&report.to_html(), what);
    assert_plain(&report.to_string(), what);
}

#[test]
fn a_payload_is_only_text_wherever_a_value_shows_itself() {
    let payloads = hostile();
    assert!(payloads.len() >= 100, "{}", payloads.len());
    for text in &payloads {
        let what = format!("{:.60?}", text);
        let one = Table::of_text(&["texte", text], &[vec![text.clone(), text.clone()]]).unwrap();
        table_is_inert(&one, &what);
        table_is_inert(&one.schema(), &what);
        report_is_inert(&Report::new(text.clone()), &what);
        report_is_inert(&Report::new(format!("une phrase : {text}\n  {text}")), &what);
        assert_plain(&neutralise(text), &what);
        assert!(!neutralise(text).contains('\n'), "{what}");
        assert_eq!(elements(&escape_html(text)), [], "{what}");
    }
    println!("{} payloads × 9 places of display", payloads.len());
}

#[test]
fn prices_in_a_table_or_a_report_are_no_formula() {
    let text = "from $5 to $6, \\(x\\) and \\begin{equation}y\\end{equation}".to_owned();
    let table = Table::of_text(&["texte"], &[vec![text.clone()]]).unwrap();
    // MathJax leaves out what is inside of these classes: the first is that of version 2, in exported pages, the second
    // that of version 3, in JupyterLab.
    for html in [table.to_html(), Report::new(text.clone()).to_html(), Report::new(format!("  {text}")).to_html()] {
        let (open, rest) = html.split_once(['$', '\\']).expect("the text is there");
        let ignored = elements(open).iter().any(|(_, attributes)| {
            attributes.iter().any(|(name, value)| name == "class" && value == "tex2jax_ignore mathjax_ignore")
        });
        assert!(ignored && rest.contains("$6"), "{html}");
        assert!(!open.contains("</table>") && !open.contains("</p>") && !open.contains("</pre>"), "{html}");
    }
}

#[test]
fn an_error_that_repeats_a_payload_is_one_plain_sentence() {
    let payloads = hostile();
    for text in payloads.iter().filter(|text| !text.trim().is_empty()) {
        let what = format!("{text:.60?}");
        let table = Table::of_text(&["a"], &[]).unwrap();
        let project = tempfile::tempdir().unwrap();
        let with = |key: &'static str| {
            Config::from_settings(project.path(), |k| (k == key).then(|| text.clone())).map(|_| ()).unwrap_err()
        };
        let errors = [
            table.query(|t| t.select([col(format!("x{text}").as_str())])).map(|_| ()).unwrap_err(),
            text.parse::<Timestamp>().map(|_| ()).unwrap_err(),
            with("SPAR_WINDOW_SECONDS"),
            with("MASTODON_URL"),
            Table::of_text(&[text, text], &[]).map(|_| ()).unwrap_err(),
        ];
        for error in errors {
            for told in [error.to_string(), format!("{error:?}")] {
                assert_plain(&told, &what);
                assert!(told.starts_with("cannot ") && !told.contains('\n') && told.chars().count() < 5_000, "{told}");
            }
        }
        let mut job = Job::start("essai", {
            let text = text.clone();
            move |control| {
                control.say(&text);
                Ok(Report::new(text))
            }
        })
        .unwrap();
        support::eventually("the job ends", Duration::from_secs(10), || !job.is_running());
        report_is_inert(&Report::new(job.status().text()), &what);
        report_is_inert(&Report::new(job.status().to_string()), &what);
        assert_inert(&job.status().to_html(), &what);
        report_is_inert(&job.stop().unwrap(), &what);
    }
    println!("{} payloads × 5 errors and a job", payloads.len());
}

/// A status whose every text field is a payload; it matches and may be kept.
fn status(id: usize, author: usize, text: &str) -> Value {
    json!({
        "id": id.to_string(), "created_at": "2024-10-10T11:17:26Z", "content": format!("<p>#AI</p>{text}"),
        "visibility": "public", "language": "en", "spoiler_text": text, "url": text, "uri": text,
        "in_reply_to_id": text, "tags": [{"name": "ai", "url": text}, {"name": text.replace('\0', "")}],
        "account": {
            "id": format!("u{author}"), "username": text.replace('\0', ""), "acct": text, "display_name": text, "note": text,
            "fields": [{"name": text, "value": text}]
        }
    })
}

#[test]
fn a_payload_in_every_field_of_a_status_is_only_text_in_every_table_and_chart() {
    let payloads = hostile();
    let desk = Desk::new();
    let config = desk.config.clone();
    create_topic(&config).unwrap();
    let producer = Producer::connect(&config).unwrap();
    let ingest = Ingest::without_stream(&config, &producer);
    let mut items = Vec::new();
    for (n, text) in payloads.iter().enumerate() {
        // More toots than the threshold of the heat map, so that each author stands on it.
        for copy in 0..7 {
            let data = status(n * 10 + copy, n, text).to_string();
            items.push(Ok(Incoming::Event { origin: Origin::Stream, name: "update".into(), data }));
        }
        let what = format!("{text:.60?}");
        table_is_inert(&ingest.message_of(&status(n, n, text).to_string()).unwrap(), &what);
        table_is_inert(&ingest.keywords_in(&[text]).unwrap(), &what);
    }
    let total = items.len() as u64;
    let report = ingest.consume(items).unwrap();
    assert_eq!((report.kept, report.acknowledged), (total, total));
    let books = desk.run().books;
    assert_eq!((books.on_time, books.dead), (total, 0), "{books:?}");

    let sample = desk.pipeline().sample(usize::MAX).unwrap();
    let tables = [
        sample.parsed(),
        sample.cleaned(),
        sample.hashtags(),
        sample.languages(),
        sample.rows(),
        sample.windows(),
        sample.user_lengths(),
        sample.hashtag_lengths(),
    ];
    for table in tables {
        table_is_inert(&table.unwrap().showing(1_000), "sample");
    }
    let store = Store::connect(&config).unwrap();
    for name in ["filtered_toots", "all_toots", "hashtag_avg_length", "user_avg_length"] {
        table_is_inert(&store.table(name).unwrap().showing(1_000), name);
    }
    let history = History::load(&config).unwrap();
    for table in [history.hashtags_per_day(Scope::All), history.top_hashtag(Scope::All), history.active_users(1)] {
        table_is_inert(&table.unwrap().showing(1_000), "history");
    }
    let charts = Charts::load(&config).unwrap();
    let (tags, users) = (charts.hashtags().unwrap(), charts.users().unwrap());
    // Ten tags and forty users stand on a chart: every one has its turn.
    for first in (0..tags.height()).step_by(10) {
        let ten = tags.query(|t| t.slice(first as i64, 10)).unwrap();
        drawing_is_inert(&charts.draw_hashtags(&ten).unwrap());
    }
    for first in (0..users.height()).step_by(40) {
        let forty = users.query(|t| t.slice(first as i64, 40)).unwrap();
        drawing_is_inert(&charts.draw_users(&forty).unwrap());
    }
    println!("{} payloads × 14 fields of a status, in 17 tables and {} tags on charts", payloads.len(), tags.height());
}

/// Asserts that a drawing holds nothing but shapes, texts and our own rules for the dark.
#[track_caller]
fn drawing_is_inert(figure: &spar::Figure) {
    let (before, rules) = figure.svg().split_once("<style>").unwrap();
    let (rules, after) = rules.split_once("</style>").unwrap();
    assert!(rules.starts_with("@media (prefers-color-scheme:dark)") && !rules.contains("url"), "{rules}");
    assert!(!before.contains("<style") && !after.contains("<style"), "a second <style> came out");
    for (name, attributes) in elements(figure.svg()) {
        let known = ["svg", "title", "style", "text", "rect", "polyline", "circle"];
        assert!(known.contains(&name.as_str()), "<{name}> came out");
        for (attribute, _) in attributes {
            assert!(!attribute.starts_with("on") && !attribute.contains("href"), "<{name} {attribute}=…> came out");
        }
    }
    assert_plain(figure.svg(), "a drawing");
    assert_plain(&figure.to_string(), "a drawing's sentence");
}

#[test]
fn a_payload_in_what_an_instance_tells_is_only_text() {
    let payloads: Vec<String> = hostile().into_iter().filter(|text| text.len() < 1_000).collect();
    for text in &payloads {
        let what = format!("{text:.60?}");
        let words = text.clone();
        let server = StandIn::start(move |request: &Request| match request.path.as_str() {
            "/api/v2/instance" => json(
                200,
                json!({
                    "title": words, "version": words, "description": words,
                    "configuration": {"urls": {"terms_of_service": words}}
                }),
            ),
            "/api/v1/accounts/verify_credentials" => json(200, json!({"id": "1", "acct": words})),
            _ => healthy(request).unwrap_or_else(|| reply(404, "text/plain", "")),
        });
        let mastodon = Mastodon::connect(&config_for(&server)).unwrap();
        table_is_inert(&preflight::check(&config_for(&server)).unwrap(), &what);
        report_is_inert(&mastodon.report(), &what);
        assert!(mastodon.report().text().lines().count() <= 6, "{what}: a payload makes lines of its own");

        let words = text.clone();
        let server = StandIn::start(move |_: &Request| -> Vec<Step> { reply(500, "text/html", &words) });
        let error = Mastodon::connect(&config_for(&server)).map(|_| ()).unwrap_err();
        assert_plain(&error.to_string(), &what);
        assert!(error.to_string().contains("try again in a moment"), "{error}");
    }
    println!("{} payloads × 4 fields of an instance, and its error page", payloads.len());
}

#[test]
fn a_payload_in_what_an_application_says_is_only_text_on_the_consent_page() {
    const OOB: &str = "urn:ietf:wg:oauth:2.0:oob";
    let (server, _folder) = client::server(100);
    let page = |text: &str| -> Option<String> {
        let fields = [("client_name", text), ("redirect_uris", OOB), ("scopes", "read profile"), ("website", text)];
        let answer = client::post(&server.url, "/api/v1/apps", &fields);
        if answer.status != 200 {
            assert_eq!(answer.status, 422, "{}", answer.body);
            return None;
        }
        let id = answer.json()["client_id"].as_str().unwrap().to_owned();
        let asked =
            [("response_type", "code"), ("client_id", &id), ("redirect_uri", OOB), ("scope", "read"), ("state", text)];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(asked).finish();
        Some(client::get(&server.url, &format!("/oauth/authorize?{query}")).body)
    };
    let skeleton = |page: &str| -> Vec<(String, Vec<String>)> {
        let names = |attributes: Vec<(String, String)>| attributes.into_iter().map(|(name, _)| name).collect();
        elements(page).into_iter().map(|(name, attributes)| (name, names(attributes))).collect()
    };
    let plain = skeleton(&page("an application").expect("its page"));
    assert!(plain.iter().any(|(name, _)| name == "form"));
    let mut shown = 0;
    for text in hostile().iter().filter(|text| text.len() < 1_000) {
        if let Some(page) = page(text) {
            assert_eq!(skeleton(&page), plain, "{text:.60?}");
            shown += 1;
        }
    }
    assert!(shown > 100, "only {shown} names were accepted");
    println!("{shown} payloads × 3 fields of an application, on the consent page");
}

fn config_for(server: &StandIn) -> Config {
    let project = support::home();
    let config = Config::from_settings(project, |key| match key {
        "SPAR_STATE" => Some(std::env::temp_dir().join("spar-no-state").display().to_string()),
        "MASTODON_URL" => Some(server.url.clone()),
        _ => None,
    });
    Config { access_token: Some(Secret::new("an invented token")), ..config.unwrap() }
}
