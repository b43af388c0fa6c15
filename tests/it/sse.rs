use proptest::prelude::*;
use spar::mastodon::sse::{Frame, LONGEST, Parser};

fn parse(pieces: &[&[u8]]) -> Vec<Frame> {
    let mut parser = Parser::default();
    let mut frames = Vec::new();
    for piece in pieces {
        parser.feed(piece, |frame| frames.push(frame));
    }
    frames
}

fn event(name: &str, data: &str) -> Frame {
    Frame::Event { name: name.into(), data: data.into() }
}

#[test]
fn a_block_that_never_ends_keeps_a_bounded_body() {
    let mut parser = Parser::default();
    let mut seen = Vec::new();
    parser.feed(b"data: \xff\n", |frame| seen.push(frame));
    let line = vec![b'x'; LONGEST - 1];
    parser.feed(&[&line[..], b"\n"].concat(), |frame| seen.push(frame));
    parser.feed(&b"y\n".repeat(1000), |frame| seen.push(frame));
    parser.feed(b"\n", |frame| seen.push(frame));
    assert!(matches!(&seen[..], [Frame::Unreadable { body, .. }] if body.len() == LONGEST), "{}", seen.len());
}

#[test]
fn the_bytes_of_a_mastodon_stream_give_its_events() {
    // Both forms of the heartbeat: with a blank line since 4.6, without one before.
    for thump in [":thump\n\n", ":thump\n"] {
        let bytes = format!(
            ":)\n{thump}event: update\ndata: {{\"id\":\"1\"}}\n\n{thump}event: delete\ndata: 117024236332527350\n\n{thump}"
        );
        let expected = [event("update", r#"{"id":"1"}"#), event("delete", "117024236332527350")];
        assert_eq!(parse(&[bytes.as_bytes()]), expected);
    }
}

#[test]
fn the_rules_of_event_streams_hold() {
    assert_eq!(parse(&["\u{feff}event:a\ndata:x\n\n".as_bytes()]), [event("a", "x")]);
    assert_eq!(parse(&[b"event: a\nevent: b\ndata: x\n\n"]), [event("b", "x")]);
    assert_eq!(parse(&[b"data: x\ndata: y\n\n"]), [event("message", "x\ny")]);
    assert_eq!(parse(&[b"event: a\n\ndata\n\ndata: \n\n"]), []);
    assert_eq!(parse(&[b"id: 1\nretry: 5\nnonsense\ndata:  x\n\n"]), [event("message", " x")]);
    assert_eq!(parse(&["data: a\u{2028}b\u{85}c\n\n".as_bytes()]), [event("message", "a\u{2028}b\u{85}c")]);
    assert_eq!(parse(&[b"event: filters_changed\ndata: undefined\n\n"]), [event("filters_changed", "undefined")]);
}

#[test]
fn a_carriage_return_and_its_line_feed_may_come_apart() {
    assert_eq!(parse(&[b"data: x\r", b"\n\r", b"\ndata: y\r\r"]), [event("message", "x"), event("message", "y")]);
}

#[test]
fn an_unfinished_event_is_never_given_and_is_noticed() {
    for (bytes, unfinished) in [
        (&b":)\n:thump\n"[..], false),
        (b":)\n:", false),
        (b"event: update\n", true),
        (b"event: update\ndata: {", true),
        (b"data: x\n\n", false),
        (b"da", true),
    ] {
        let mut parser = Parser::default();
        let mut frames = 0;
        parser.feed(bytes, |_| frames += 1);
        assert_eq!(parser.is_unfinished(), unfinished, "{:?}", String::from_utf8_lossy(bytes));
        assert_eq!(frames, usize::from(bytes.ends_with(b"\n\n")));
    }
}

#[test]
fn what_cannot_be_read_is_kept_with_its_cause_and_the_stream_goes_on() {
    let mut bytes = b"event: update\ndata: \xff\xfe{\n\ndata: next\n\n".to_vec();
    let frames = parse(&[&bytes]);
    assert!(matches!(&frames[0], Frame::Unreadable { body, .. } if body.starts_with(b"data: \xff\xfe")));
    assert_eq!(frames[1], event("message", "next"));

    bytes = [b"event: update\ndata: ", vec![b'x'; 3 * LONGEST].as_slice(), b"\n\ndata: next\n\n"].concat();
    let frames = parse(&bytes.chunks(1000).collect::<Vec<_>>());
    assert!(matches!(&frames[0], Frame::Unreadable { body, .. } if body.len() <= LONGEST));
    assert_eq!(frames[1..], [event("message", "next")]);

    bytes = [vec![b"data: xxxxxxxxxxxxxxxx\n".as_slice(); 200_000].concat().as_slice(), b"\ndata: next\n\n"].concat();
    let frames = parse(&[&bytes]);
    assert!(matches!(&frames[0], Frame::Unreadable { body, .. } if body.len() <= 2 * LONGEST));
    assert_eq!(frames[1..], [event("message", "next")]);
}

/// Lines as servers and faults make them.
fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b":thump".to_vec()),
        Just(b"".to_vec()),
        Just(b"event: update".to_vec()),
        Just("data: {\"é\":\"日本\"}".as_bytes().to_vec()),
        Just(b"data:x".to_vec()),
        Just(b"data: \xff".to_vec()),
        prop::collection::vec(any::<u8>(), 0..12),
    ]
}

fn ending() -> impl Strategy<Value = &'static [u8]> {
    prop_oneof![Just(&b"\n"[..]), Just(&b"\r"[..]), Just(&b"\r\n"[..])]
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_gives_what_the_whole_gives(
        lines in prop::collection::vec((line(), ending()), 0..24),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        bom in any::<bool>(),
    ) {
        let mut bytes = if bom { "\u{feff}".as_bytes().to_vec() } else { Vec::new() };
        for (line, ending) in &lines {
            bytes.extend_from_slice(line);
            bytes.extend_from_slice(ending);
        }
        let whole = parse(&[&bytes]);
        let single: Vec<&[u8]> = bytes.chunks(1).collect();
        prop_assert_eq!(&parse(&single), &whole);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in at {
            pieces.push(&bytes[from..cut]);
            from = cut;
        }
        pieces.push(&bytes[from..]);
        prop_assert_eq!(parse(&pieces), whole);
    }

    #[test]
    fn every_line_ending_gives_the_same_events(texts in prop::collection::vec("[a-z{}\":é ]{1,9}", 1..6)) {
        let with = |end: &str| {
            texts.iter().map(|t| format!("event: update{end}data: {t}{end}{end}")).collect::<String>()
        };
        let frames = parse(&[with("\n").as_bytes()]);
        prop_assert_eq!(&parse(&[with("\r").as_bytes()]), &frames);
        prop_assert_eq!(&parse(&[with("\r\n").as_bytes()]), &frames);
        prop_assert_eq!(frames.len(), texts.len());
    }
}
