//! The client behind a bad network: what arrives in Kafka, against what the local server sent.

use crate::ingest::records;
use crate::listen::{config, expected, toots};
use crate::local::client::beating;
use crate::proxy::{Fault, Proxy};
use crate::stand_in::{StandIn, healthy, json};
use serde_json::json;
use spar::ingest::IngestReport;
use spar::job::Control;
use spar::kafka::gaps_topic;
use spar::local::LocalServer;
use spar::mastodon::Patience;
use spar::{Config, Ingest, Journal, Mastodon, Producer, Timestamp, Until};
use std::collections::BTreeSet;
use std::time::Duration;

struct World {
    server: LocalServer,
    proxy: Proxy,
    config: Config,
    _front: StandIn,
    _state: tempfile::TempDir,
}

/// A local server whose streams go through a proxy; only who asks the instance learns of it.
fn world(statuses: u32, faults: &[Fault]) -> World {
    let (server, state) = beating(statuses, Duration::from_millis(500));
    let proxy = Proxy::start(&server.url, faults);
    let told = proxy.url.clone();
    let front = StandIn::start(move |request| match request.path.as_str() {
        "/api/v2/instance" => json(200, json!({"version": "4.6.5", "configuration": {"urls": {"streaming": told}}})),
        _ => healthy(request).unwrap(),
    });
    let config = Config { mastodon_url: Some(front.url.clone()), ..config(&server, &state) };
    World { server, proxy, config, _front: front, _state: state }
}

fn listen(config: &Config) -> IngestReport {
    let patience = Patience {
        silence: Duration::from_secs(2),
        first_wait: Duration::from_millis(10),
        longest_wait: Duration::from_millis(50),
        ..Patience::default()
    };
    let mastodon = Mastodon::connect_with(config, patience).unwrap();
    let ingest = Ingest::new(config, &mastodon, &Producer::connect(config).unwrap(), Journal::default());
    ingest.listen(Until::CaughtUp, &Control::quiet()).unwrap()
}

#[test]
fn a_slow_network_and_one_that_carries_single_bytes_change_nothing() {
    for fault in [Fault::Slices, Fault::Delay(Duration::from_millis(500))] {
        let world = world(300, &[fault]);
        let report = listen(&world.config);
        let (found, wanted) = (toots(&world.config), expected(&world.server));
        println!("{fault:?}: {} events, {} toots; lost 0, doubled 0", report.received, wanted.len());
        assert_eq!(found, wanted);
        assert_eq!((report.gaps, report.errors, report.sent), (0, 0, report.acknowledged));
        assert!(wanted.len() > 10, "{}", wanted.len());
    }
}

#[test]
fn what_a_broken_connection_loses_lies_in_a_recorded_gap_and_nothing_comes_twice() {
    for fault in [Fault::Cut(300_000), Fault::Reset(300_000), Fault::HalfOpen(300_000)] {
        // The second break comes inside what the first reconnection gives.
        let world = world(2000, &[fault, Fault::Cut(200_007)]);
        let report = listen(&world.config);
        let (found, wanted) = (toots(&world.config), expected(&world.server));
        let lost = world.proxy.lost();
        let differing: BTreeSet<&String> =
            found.iter().chain(&wanted).filter(|(id, _)| found.get(*id) != wanted.get(*id)).map(|(id, _)| id).collect();
        let outside: Vec<_> = differing.iter().filter(|id| !lost.contains(id.as_str())).collect();
        let all = records(&world.config, &world.config.topic);
        let version = |v: &serde_json::Value| [&v["id"], &v["event"], &v["edited_at"]].map(ToString::to_string);
        let distinct: BTreeSet<_> = all.iter().map(|(.., value)| version(value)).collect();
        println!(
            "{fault:?}: {} events read, {} gaps, {} toots expected, {} of them hurt by the gaps; lost elsewhere {}, doubled {}",
            report.received,
            report.gaps,
            wanted.len(),
            differing.len(),
            outside.len(),
            all.len() - distinct.len()
        );
        assert!(outside.is_empty(), "{outside:?}");
        assert_eq!(all.len(), distinct.len());
        assert!(found.len() > 50 && report.errors == 0, "{report}");
        let gaps = records(&world.config, &gaps_topic(&world.config.topic));
        assert_eq!((gaps.len(), report.gaps), (2, 2), "{gaps:?}");
        for (.., gap) in gaps {
            let at = |key: &str| gap[key].as_str().unwrap().parse::<Timestamp>().unwrap();
            let length = Duration::from_micros((at("to").as_micros() - at("from").as_micros()) as u64);
            let silence = if gap["reason"] == "no byte for 2 s" { Duration::from_secs(2) } else { Duration::ZERO };
            assert!(length >= silence && length < silence + Duration::from_secs(15), "{gap}");
            assert_eq!(gap["filled"], false);
        }
    }
}
