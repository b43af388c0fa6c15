//! How fast the local Mastodon sends a slice, and our client reads it over SSE.
//!
//! `cargo bench --profile dev --bench local`

use spar::mastodon::{Incoming, LocalControl, consent, oauth};
use spar::{Config, Mastodon};
use std::time::Instant;

const STATUSES: u32 = 20_000;
const RUNS: usize = 3;

fn main() -> spar::Result<()> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut settings = spar::local::LocalSettings::new(folder.path().join("server"));
    settings.statuses = STATUSES;
    let server = spar::local::start(&settings)?;
    let mut config = Config::from_settings(folder.path(), |_| None)?;
    config.mastodon_url = Some(server.url.clone());
    config.mastodon_control = Some(server.control.clone());
    let app = oauth::register_app(&config, &oauth::App::named("bench"))?;
    oauth::access_token_with(&config, &app, |address| {
        consent(&config, address).expect("the consent page gives a code")
    })?;
    config.access_token = Config::from_settings(folder.path(), |_| None)?.access_token;
    let mastodon = Mastodon::connect(&config)?;
    let control = LocalControl::new(&server.control)?;
    let mut rates: Vec<f64> = (0..RUNS)
        .map(|_| {
            let sent_before = control.slice().map_or(0, |s| if s.is_over() { s.slice } else { 0 });
            let started = Instant::now();
            let (mut events, mut bytes) = (0u64, 0usize);
            for item in mastodon.stream().expect("the stream opens") {
                match item.expect("the stream goes on") {
                    Incoming::Event { data, .. } => {
                        events += 1;
                        bytes += data.len();
                    }
                    Incoming::Quiet => {
                        let slice = control.slice().expect("the control address answers");
                        if slice.is_over() && slice.slice > sent_before && events >= slice.sent {
                            break;
                        }
                    }
                    _ => {}
                }
            }
            let seconds = started.elapsed().as_secs_f64();
            println!("{events} events, {:.1} MB in {seconds:.2} s", bytes as f64 / 1e6);
            f64::from(STATUSES) / seconds
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    println!("median of {RUNS}: {:.0} statuses/s", rates[RUNS / 2]);
    Ok(())
}
