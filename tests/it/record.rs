use spar::Timestamp;
use spar::stream::{Event, Reason, parse};

const ORIGINAL: &str = r#"{"id": 113279894522012345, "created_at": "2024-10-10T13:17:26.123456789+02:00",
    "content": "Hello #AI", "user_id": 109999999999999999, "username": "ann", "acct": "ann@example.org",
    "display_name": "Ann", "visibility": "public", "reblogs_count": 0, "favourites_count": 1, "tags": ["AI"],
    "language": "en", "replies_count": 2, "followers_count": 3, "following_count": 4, "statuses_count": 5}"#;

fn at(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

fn reason(value: &[u8]) -> Reason {
    parse(value).expect_err("a dead letter").reason
}

#[test]
fn a_message_of_the_original_is_read_right() {
    let message = parse(ORIGINAL.as_bytes()).unwrap();
    assert_eq!(message.id, "113279894522012345");
    assert_eq!(message.user_id.as_deref(), Some("109999999999999999"));
    assert_eq!(message.created_at, at("2024-10-10T11:17:26.123456Z"));
    assert_eq!(message.event, Event::Update);
    assert_eq!(message.counts, [Some(0), Some(1), Some(2)]);
    assert_eq!(message.tags, ["AI"]);
    assert_eq!((message.edited_at, message.source), (None, None));
}

#[test]
fn ids_as_strings_and_as_numbers_are_the_same_text() {
    for id in ["1", "9007199254740993", "113279894522012345", "18446744073709551615", "123456789012345678901234567890"]
    {
        let string = format!(r#"{{"id": "{id}", "created_at": "2024-10-10T11:17:26Z", "user_id": "{id}"}}"#);
        let number = format!(r#"{{"id": {id}, "created_at": "2024-10-10T11:17:26Z", "user_id": {id}}}"#);
        let (string, number) = (parse(string.as_bytes()).unwrap(), parse(number.as_bytes()).unwrap());
        assert_eq!((&*string.id, string.user_id.as_deref()), (id, Some(id)));
        assert_eq!((&*number.id, number.user_id.as_deref()), (id, Some(id)));
    }
    assert_eq!(reason(br#"{"id": 1.1e17, "created_at": "2024-10-10T11:17:26Z"}"#), Reason::NoId);
}

#[test]
fn unknown_fields_are_ignored_and_nulls_accepted() {
    let text = r#"{"poll": {"deep": [1, {"x": "\u0000"}]}, "id": "1", "created_at": "2024-10-10T11:17:26Z", "content": null,
        "tags": null, "reblogs_count": null, "language": null}"#;
    let message = parse(text.as_bytes()).unwrap();
    assert_eq!((message.content, message.language, message.counts[0]), (None, None, None));
    assert!(message.tags.is_empty());
}

#[test]
fn counts_are_clamped_to_32_bits() {
    let text = r#"{"id": "1", "created_at": "2024-10-10T11:17:26Z", "reblogs_count": 99999999999,
        "favourites_count": -99999999999, "replies_count": 1e30}"#;
    assert_eq!(parse(text.as_bytes()).unwrap().counts, [Some(i32::MAX), Some(i32::MIN), Some(i32::MAX)]);
}

#[test]
fn every_unreadable_record_has_its_reason() {
    let with = |field: &str| format!(r#"{{"id": "7", "created_at": "2024-10-10T11:17:26Z", {field}}}"#);
    let long = "9".repeat(256);
    let cases: Vec<(Vec<u8>, Reason)> = vec![
        (b"\xff\xfe".to_vec(), Reason::NotUtf8),
        (b"{\"id\": \"1\"".to_vec(), Reason::NotJson),
        (b"[\"1\", \"2024-10-10T11:17:26Z\"]".to_vec(), Reason::NotJson),
        (b"null".to_vec(), Reason::NotJson),
        (b"".to_vec(), Reason::NotJson),
        (with(r#""content": 5"#).into(), Reason::NotJson),
        (with(r#""tags": "AI""#).into(), Reason::NotJson),
        (with(r#""content": "\ud800""#).into(), Reason::NotJson),
        (br#"{"created_at": "2024-10-10T11:17:26Z"}"#.to_vec(), Reason::NoId),
        (br#"{"id": null, "created_at": "2024-10-10T11:17:26Z"}"#.to_vec(), Reason::NoId),
        (br#"{"id": "", "created_at": "2024-10-10T11:17:26Z"}"#.to_vec(), Reason::NoId),
        (format!(r#"{{"id": "{long}", "created_at": "2024-10-10T11:17:26Z"}}"#).into(), Reason::IdTooLong),
        (with(&format!(r#""user_id": {long}"#)).into(), Reason::IdTooLong),
        (br#"{"id": "7", "created_at": null}"#.to_vec(), Reason::NoDate),
        (br#"{"id": "7"}"#.to_vec(), Reason::NoDate),
        (br#"{"id": "7", "created_at": "2024-02-30T00:00:00Z"}"#.to_vec(), Reason::BadDate),
        (br#"{"id": "7", "created_at": "-004800-01-01T00:00:00Z"}"#.to_vec(), Reason::BadDate),
        (with(r#""edited_at": "soon""#).into(), Reason::BadDate),
        (with(r#""content": "a\u0000b""#).into(), Reason::NullByte),
        (with(r#""tags": ["a\u0000b"]"#).into(), Reason::NullByte),
        (vec![b' '; 1_048_577], Reason::TooLong),
    ];
    for (value, expected) in cases {
        assert_eq!(reason(&value), expected, "{}", String::from_utf8_lossy(&value[..value.len().min(90)]));
    }
}

#[test]
fn a_key_that_stands_twice_is_told_apart_from_a_wrong_type() {
    let error = |value: &str| parse(value.as_bytes()).unwrap_err().error;
    let twice = error(r#"{"id": "7", "created_at": "2024-10-10T11:17:26Z", "content": "private", "content": "words"}"#);
    assert!(twice.starts_with("a key stands twice, at line 1 column ") && !twice.contains("private"), "{twice}");
    // The same words in a value are no key.
    let wrong = error(r#"{"id": "7", "created_at": "2024-10-10T11:17:26Z", "tags": "duplicate field `id`"}"#);
    assert!(wrong.starts_with("a field has another type than the contract's"), "{wrong}");
}

#[test]
fn a_dead_letter_never_quotes_the_toot() {
    let dead = parse(br#"{"id": "7", "created_at": "2024-10-10T11:17:26Z", "tags": "my private words"}"#).unwrap_err();
    assert!(!dead.error.contains("private"), "{}", dead.error);
    let dead = parse(br#"{"id": "7", "created_at": "my private words"}"#).unwrap_err();
    assert!(!dead.error.contains("private"), "{}", dead.error);
    assert_eq!(dead.id.as_deref(), Some("7"));
}

#[test]
fn deletes_and_retracts_need_nothing_but_their_id() {
    for (event, expected) in [("delete", Event::Delete), ("retract", Event::Retract), ("poll", Event::Unknown)] {
        let text = format!(r#"{{"id": "1", "created_at": null, "content": null, "event": "{event}"}}"#);
        assert_eq!(parse(text.as_bytes()).unwrap().event, expected);
    }
}
