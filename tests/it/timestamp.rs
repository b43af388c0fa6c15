use proptest::prelude::*;
use spar::Timestamp;

fn micros(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_micros()
}

#[test]
fn every_form_of_the_contract_is_the_same_instant() {
    let expected = micros("2024-10-10T11:17:26Z");
    for form in ["2024-10-10T11:17:26+00:00", "2024-10-10T13:17:26+02:00", "2024-10-10T11:17:26.000000000Z"] {
        assert_eq!(micros(form), expected, "{form}");
    }
    for digits in 1..=9 {
        let text = format!("2024-10-10T11:17:26.{}Z", &"123456789"[..digits]);
        let kept = &"123456789"[..digits.min(6)];
        let fraction: i64 = format!("{kept:0<6}").parse().unwrap();
        assert_eq!(micros(&text), expected + fraction, "{text}");
    }
}

#[test]
fn impossible_dates_are_refused() {
    for text in [
        "",
        "2024-02-30T00:00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-01-01T24:30:00Z",
        "yesterday",
        "2024-10-10T11:17:26.Z",
    ] {
        assert!(text.parse::<Timestamp>().is_err(), "{text}");
    }
}

#[test]
fn the_first_and_the_last_moments_of_the_calendar_print_right() {
    for text in ["0001-01-01T00:00:00Z", "9999-12-30T22:00:01Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z"]
    {
        assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
    }
    for micros in [i64::MIN, i64::MAX] {
        assert!(!Timestamp::from_micros(micros).to_string().is_empty());
    }
    let long = "2024".repeat(100_000).parse::<Timestamp>().unwrap_err().to_string();
    assert!(long.len() < 10_000 && long.ends_with("write it as 2024-10-10T11:17:26Z"), "{}", long.len());
}

proptest! {
    #[test]
    fn printing_and_reading_gives_the_same_instant(micros in -62_135_596_800_000_000i64..253_402_207_200_000_000) {
        let at = Timestamp::from_micros(micros);
        prop_assert_eq!(at.to_string().parse::<Timestamp>().unwrap(), at);
        prop_assert_eq!(at.to_offset_form().parse::<Timestamp>().unwrap(), at);
        prop_assert_eq!(Timestamp::from_postgres_micros(at.as_postgres_micros()), at);
    }
}
