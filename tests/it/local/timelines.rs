//! The past over REST.

use super::client::{Answer, Stream, get, get_as, over, server, token};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};

fn played(statuses: u32) -> (spar::local::LocalServer, tempfile::TempDir, String) {
    let (server, folder) = server(statuses);
    let token = token(&server.url);
    let mut stream = Stream::open(&server.url, "/api/v1/streaming/public", &token);
    let total = get(&server.control, "/control/slice").json()["total"].as_u64().unwrap();
    stream.events(total as usize);
    over(&server.control, 1);
    (server, folder, token)
}

fn ids(answer: &Answer) -> Vec<u64> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json().as_array().unwrap().iter().map(|status| status["id"].as_str().unwrap().parse().unwrap()).collect()
}

/// The value of a parameter in the link with this relation.
fn linked(answer: &Answer, relation: &str, name: &str) -> String {
    let links = &answer.headers["link"];
    let link = links.split(", ").find(|link| link.ends_with(&format!("rel=\"{relation}\""))).unwrap();
    let url = url::Url::parse(link[1..].split('>').next().unwrap()).unwrap();
    url.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned()
}

#[test]
fn paging_forward_and_backward_meets_every_status_once() {
    let (server, _folder, token) = played(700);
    let (mut rising, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let page = get_as(&server.url, &token, &format!("/api/v1/timelines/public?limit=40&min_id={cursor}"));
        let found = ids(&page);
        if found.is_empty() {
            assert!(!page.headers.contains_key("link"), "an empty page has no links");
            break;
        }
        assert!(found.is_sorted_by(|a, b| a > b), "newest first inside a page");
        assert!(rising.iter().all(|id| *id < found[found.len() - 1]));
        cursor = linked(&page, "prev", "min_id");
        rising.extend(found.into_iter().rev());
    }
    let (mut falling, mut path) = (Vec::new(), "/api/v1/timelines/public?limit=40".to_owned());
    loop {
        let page = get_as(&server.url, &token, &path);
        falling.extend(ids(&page));
        if !page.headers.contains_key("link") {
            break;
        }
        path = format!("/api/v1/timelines/public?limit=40&max_id={}", linked(&page, "next", "max_id"));
    }
    falling.reverse();
    assert_eq!(rising, falling);
    assert_eq!(rising.iter().collect::<HashSet<_>>().len(), rising.len());
    // Deleted ones and those that are not public are missing, and nothing else.
    let told = get(&server.control, "/control/expected").json();
    let out = &told["left_out"];
    let gone = out["deleted"].as_u64().unwrap() + out["not_public"].as_u64().unwrap();
    assert_eq!(rising.len() as u64, told["sent"].as_u64().unwrap() - gone);
    let kept: BTreeSet<u64> =
        told["toots"].as_array().unwrap().iter().map(|t| t["toot_id"].as_str().unwrap().parse().unwrap()).collect();
    assert!(kept.is_subset(&rising.iter().copied().collect()));
    let since = format!("/api/v1/timelines/public?since_id={}&limit=5", rising[100]);
    assert_eq!(ids(&get(&server.url, &since)), rising.iter().rev().take(5).copied().collect::<Vec<_>>());
    let both = format!("/api/v1/timelines/public?max_id={}&limit=2", rising[1]);
    assert_eq!(ids(&get(&server.url, &both)), [rising[0]]);
}

#[test]
fn a_timeline_shows_the_last_version() {
    let (server, _folder, _) = played(1500);
    let told = get(&server.control, "/control/expected").json();
    let edited = |toot: &&Value| toot["edited_at"].is_string();
    let toots: Vec<&Value> = told["toots"].as_array().unwrap().iter().filter(edited).take(20).collect();
    assert!(toots.len() > 3);
    let query: Vec<String> = toots.iter().map(|toot| format!("id[]={}", toot["toot_id"].as_str().unwrap())).collect();
    let found = get(&server.url, &format!("/api/v1/statuses?{}&id[]=1", query.join("&"))).json();
    let found = found.as_array().unwrap();
    assert_eq!(found.len(), toots.len());
    for (status, toot) in found.iter().zip(&toots) {
        assert_eq!((&status["id"], &status["edited_at"]), (&toot["toot_id"], &toot["edited_at"]));
    }
    let one = format!("/api/v1/statuses/{}", toots[0]["toot_id"].as_str().unwrap());
    assert_eq!(get(&server.url, &one).json()["id"], toots[0]["toot_id"]);
    assert_eq!(get(&server.url, "/api/v1/statuses/1").status, 404);
}

#[test]
fn timelines_filter_by_side_media_and_tag() {
    let (server, _folder, _) = played(900);
    let page = |query: &str| get(&server.url, &format!("/api/v1/timelines/{query}"));
    let statuses = |answer: &Answer| answer.json().as_array().unwrap().clone();
    let acct = |status: &Value| status["account"]["acct"].as_str().unwrap().to_owned();
    assert!(statuses(&page("public?local=true")).iter().all(|status| !acct(status).contains('@')));
    assert!(statuses(&page("public?remote=true")).iter().all(|status| acct(status).contains('@')));
    let media = statuses(&page("public?only_media=1&limit=99"));
    assert!(media.len() > 20 && media.iter().all(|s| !s["media_attachments"].as_array().unwrap().is_empty()));
    let names = |status: &Value| -> Vec<String> {
        let tags = status["tags"].as_array().unwrap().iter();
        tags.map(|tag| tag["name"].as_str().unwrap().to_lowercase()).collect()
    };
    let tagged = statuses(&page("tag/Ai?none[]=news&limit=40"));
    assert!(tagged.len() > 3);
    assert!(tagged.iter().all(|s| names(s).contains(&"ai".into()) && !names(s).contains(&"news".into())));
    assert_eq!(statuses(&page("tag/nobodywritesthis")).len(), 0);
    // Other spellings of the same tag: full width, an accent, capitals.
    for spelling in ["%EF%BC%A1%EF%BC%A9", "a%C3%AF", "AI"] {
        assert_eq!(
            statuses(&page(&format!("tag/{spelling}?limit=40"))),
            statuses(&page("tag/ai?limit=40")),
            "{spelling}"
        );
    }
    // Four more tags, not five.
    let any =
        |last: &str| page(&format!("tag/none1?any[]=none2&any[]=none3&any[]=none4&any[]={last}&any[]=ai&limit=40"));
    assert_eq!((statuses(&any("none5")).len(), statuses(&any("ai")).len()), (0, 40));
}

#[test]
fn every_answer_tells_the_limit_and_too_many_are_refused() {
    let (server, _folder) = server(10);
    let first = get(&server.url, "/api/v1/timelines/public?min_id=0");
    assert_eq!(first.headers["x-ratelimit-limit"], "300");
    assert_eq!(first.headers["x-ratelimit-remaining"], "299");
    let reset = &first.headers["x-ratelimit-reset"];
    assert!(reset.len() == 27 && reset.ends_with(".000000Z"), "{reset}");
    assert!(reset.parse::<spar::Timestamp>().is_ok());
    let refused = (0..700).map(|_| get(&server.url, "/api/v2/instance")).find(|answer| answer.status != 200).unwrap();
    assert_eq!(refused.status, 429);
    assert!(refused.json()["error"].is_string());
    assert_eq!(refused.headers["x-ratelimit-remaining"], "0");
}
