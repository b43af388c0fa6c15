//! Windows of other kinds: the arithmetic, without a server.

use crate::support::home;
use proptest::prelude::*;
use spar::stream::{By, Counted, Delta, MAX_TAGS, Width, WindowChange, WindowKind, WindowKinds};
use spar::{Config, Timestamp};
use std::collections::BTreeMap;
use std::time::Duration;

fn hour() -> Width {
    Width::new(Duration::from_secs(3600)).unwrap()
}

fn kinds() -> impl Strategy<Value = WindowKind> {
    // A slide and how often it goes into the width.
    (1i64..20_000, 1i64..=100, 0usize..3).prop_map(|(slide, overlap, by)| {
        format!("{}s / {slide}s{}", slide * overlap, ["", " by language", " BY Hashtag"][by]).parse().unwrap()
    })
}

/// A toot as windows see it: time, language, tags, length, late.
type Drawn = (i64, Option<&'static str>, &'static str, i32, bool);

fn toots() -> impl Strategy<Value = Vec<Drawn>> {
    let toot = (
        1_728_000_000i64..1_728_200_000,
        prop::sample::select(vec![Some("en"), Some("fr"), None]),
        prop::sample::select(vec!["", "AI", "ai,AI,Rust", "Été,ML"]),
        0..500i32,
        any::<bool>(),
    );
    prop::collection::vec(toot, 1..40)
}

fn counted(drawn: &Drawn) -> Counted<'_> {
    Counted {
        at: Some(Timestamp::from_micros(drawn.0 * 1_000_000)),
        user_id: None,
        language: drawn.1,
        text_length: drawn.3,
        hashtags: drawn.2,
        late: drawn.4,
    }
}

/// What a delta leaves in an empty table: kind, start and key, and the change of those that change something.
fn table(delta: &Delta) -> BTreeMap<(usize, Timestamp, String), WindowChange> {
    let rows = delta.by_kind.iter().flat_map(|((kind, start), changes)| {
        changes.iter().map(move |(key, change)| ((*kind, *start, key.to_string()), *change))
    });
    rows.filter(|(_, change)| *change != WindowChange::default()).collect()
}

proptest! {
    #[test]
    fn a_toot_is_in_exactly_width_over_slide_windows_and_each_holds_it(
        kind in kinds(),
        micros in -60_000_000_000_000_000i64..250_000_000_000_000_000,
    ) {
        let at = Timestamp::from_micros(micros);
        let starts: Vec<Timestamp> = kind.starts(at).collect();
        let (first, slide) = (starts[0], kind.end(starts[0]).as_micros() - starts[0].as_micros());
        let slide = slide / kind.overlap();
        prop_assert_eq!(starts.len() as i64, kind.overlap());
        for (n, start) in starts.iter().enumerate() {
            prop_assert_eq!(start.as_micros(), first.as_micros() - n as i64 * slide);
            prop_assert!(*start <= at && at < kind.end(*start), "{} is not in {}", at, start);
            prop_assert_eq!(start.as_micros().rem_euclid(slide), 0);
        }
        // No other window holds it: the next one begins later, the one before the last ends earlier.
        prop_assert!(Timestamp::from_micros(first.as_micros() + slide) > at);
        let before = Timestamp::from_micros(starts[starts.len() - 1].as_micros() - slide);
        prop_assert!(kind.end(before) <= at);
    }

    #[test]
    fn a_kind_is_read_back_as_it_is_written(kind in kinds()) {
        prop_assert_eq!(kind.to_string().parse::<WindowKind>().unwrap(), kind);
    }

    #[test]
    fn windows_that_do_not_overlap_sum_up_to_the_toots(toots in toots(), seconds in 1i64..100_000) {
        let kinds: WindowKinds = format!("{seconds}s, {seconds}s by language, {}s/{seconds}s", seconds * 4).parse().unwrap();
        let mut delta = Delta::new(hour(), kinds.clone());
        toots.iter().for_each(|toot| delta.add(counted(toot)));
        for (number, kind) in kinds.iter().enumerate() {
            let mine = || table(&delta).into_iter().filter(move |((n, _, _), _)| *n == number).map(|(_, change)| change);
            let of = |wanted: &dyn Fn(&Drawn) -> bool| {
                let counts = |toot: &&Drawn| kind.by() == By::All || toot.1.is_some();
                toots.iter().filter(counts).filter(|toot| wanted(toot)).count() as i64 * kind.overlap()
            };
            prop_assert_eq!(mine().map(|c| c.toots).sum::<i64>(), of(&|_| true));
            prop_assert_eq!(mine().map(|c| c.late).sum::<i64>(), of(&|toot| toot.4));
            prop_assert_eq!(mine().map(|c| c.on_time).sum::<i64>(), of(&|toot| !toot.4));
        }
    }

    #[test]
    fn what_is_added_and_taken_away_again_leaves_nothing(toots in toots(), kind in kinds()) {
        let mut delta = Delta::new(hour(), WindowKinds::from_iter([kind]));
        toots.iter().for_each(|toot| delta.add(counted(toot)));
        toots.iter().rev().for_each(|toot| delta.undo(counted(toot)));
        prop_assert_eq!(table(&delta), BTreeMap::new());
        // A stored toot that leaves takes its counts along, but opened a window once.
        toots.iter().for_each(|toot| delta.replace(counted(toot)));
        toots.iter().for_each(|toot| delta.remove(counted(toot)));
        prop_assert_eq!(table(&delta), BTreeMap::new());
    }

    #[test]
    fn any_order_and_any_cut_of_the_same_changes_gives_the_same_windows(
        (first, second) in toots().prop_flat_map(|toots| (Just(toots.clone()), Just(toots).prop_shuffle())),
        cut in 1usize..10,
    ) {
        let kinds: WindowKinds = "5min, 1h/15min, 1h by language, 1d by hashtag".parse().unwrap();
        let mut whole = Delta::new(hour(), kinds);
        let mut pieces = whole.blank();
        first.iter().for_each(|toot| whole.add(counted(toot)));
        for some in second.chunks(cut) {
            let mut piece = pieces.blank();
            some.iter().for_each(|toot| piece.add(counted(toot)));
            pieces.merge(&piece);
        }
        prop_assert_eq!(table(&whole), table(&pieces));
        prop_assert_eq!(whole.windows, pieces.windows);
    }
}

#[test]
fn windows_per_hashtag_count_each_tag_of_a_toot_once_and_no_more_than_a_bound() {
    let mut delta = Delta::new(hour(), "1h by hashtag".parse().unwrap());
    let tags: Vec<String> = (0..MAX_TAGS + 7).map(|n| format!("t{n},T{n}")).collect();
    let (tags, drawn) = (tags.join(","), (1_728_000_000, Some("en"), "", 3, false));
    delta.add(Counted { hashtags: &tags, ..counted(&drawn) });
    assert_eq!(table(&delta).len(), MAX_TAGS);
    assert!(table(&delta).values().all(|change| change.toots == 1 && change.length == 3));
    assert_eq!(delta.tags.len(), MAX_TAGS + 7, "averages count them all");
}

#[test]
fn kinds_of_windows_have_one_spelling_and_one_order() {
    let read = |text: &str| text.parse::<WindowKinds>().map(|kinds| kinds.to_string());
    assert_eq!(
        read(" 24h BY hashtag,60min , 1h/900s by language, 3600s,, 90 s / 30 s,").unwrap(),
        "90s/30s, 1h, 1h/15min by language, 1d by hashtag"
    );
    assert_eq!((read("none").unwrap(), read("  ").unwrap()), ("none".into(), "none".into()));
    assert_eq!(read("1h/36s").unwrap(), "1h/36s", "a hundred windows for each toot are allowed");
    let setting = |value: &str| Config::from_settings(home(), |key| (key == "SPAR_WINDOWS").then(|| value.to_owned()));
    assert_eq!(setting("").unwrap().windows, None);
    assert_eq!(setting("none").unwrap().windows, Some(WindowKinds::default()));
    for (wrong, why) in [
        ("1 hour", "no kind of windows"),
        ("1m", "no kind of windows"),
        ("h", "no kind of windows"),
        ("1h by user", "no kind of windows"),
        ("1h/", "no kind of windows"),
        ("99999999999999999999s", "no kind of windows"),
        ("9223372036854775807d", "no kind of windows"),
        ("-1h", "no kind of windows"),
        ("5min, 0s", "1s to 31d"),
        ("32d", "1s to 31d"),
        ("1h/0s", "1s to 31d"),
        ("15min/1h", "no whole part of its width"),
        ("1h/25min", "no whole part of its width"),
        ("1h/30s", "in 120 windows, and 100 are allowed"),
        ("50min/1min, 51min/1min by language", "in 101 windows"),
    ] {
        let told = setting(wrong).map(|_| ()).expect_err(wrong).to_string();
        assert!(told.contains("SPAR_WINDOWS") && told.contains(why) && told.contains("; change it"), "{wrong}: {told}");
        assert_eq!(told.trim_end().lines().count(), 1, "{told}");
    }
}
