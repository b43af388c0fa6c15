use crate::payloads::hostile;
use polars::prelude::*;
use proptest::prelude::*;
use spar::display::{Figure, Report, Table, columns, escape_html, neutralise, shorten, visible};

fn table(columns: Vec<Column>) -> Table {
    Table::new(DataFrame::new_infer_height(columns).unwrap())
}

fn texts(values: &[String]) -> Table {
    table(vec![Column::new("text".into(), values)])
}

/// Tags of `html`, in order, each checked to be one of ours.
fn tags(html: &str) -> Vec<String> {
    let mut found = Vec::new();
    for piece in html.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("a tag that is opened is closed");
        found.push(tag.split([' ', '\n']).next().unwrap().to_owned());
    }
    found
}

#[test]
fn no_value_breaks_out_of_its_cell() {
    let harmless = texts(&vec!["a".to_owned(); hostile().len()]).showing(1000).to_html();
    let html = texts(&hostile()).showing(1000).to_html();
    assert_eq!(tags(&html), tags(&harmless));
    assert!(!html.contains("EVCXR_"));
    assert!(!html.contains("onerror=alert(1)>"));
    assert!(html.chars().all(|c| c == '\n' || !c.is_control()), "a control character is left");
    for mark in ['\u{202e}', '\u{2067}', '\u{200f}', '\u{2028}', '\u{ffff}'] {
        assert!(!html.contains(mark), "{mark:?} is left");
    }
}

#[test]
fn a_hostile_column_name_is_only_a_name() {
    for name in hostile() {
        let one = table(vec![Column::new(name.as_str().into(), [1i64])]);
        assert_eq!(tags(&one.to_html()), tags(&table(vec![Column::new("a".into(), [1i64])]).to_html()), "{name:?}");
        assert!(!one.to_html().contains("EVCXR_") && !one.to_string().contains("EVCXR_"));
    }
}

#[test]
fn each_row_of_the_plain_text_is_one_line_without_the_kernels_mark() {
    let values = hostile();
    let text = texts(&values).showing(1000).to_string();
    assert_eq!(text.lines().count(), values.len() + 4);
    assert!(!text.contains("EVCXR_"));
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
}

#[test]
fn every_size_of_table_is_shown_in_bounded_space() {
    let mut lengths = Vec::new();
    for rows in [0usize, 1, 10, 20, 21, 1000, 2_000_000] {
        let numbers: Vec<i64> = (0..rows as i64).collect();
        let one = table(vec![Column::new("n".into(), numbers)]);
        let (html, text) = (one.to_html(), one.to_string());
        let shown = if rows <= 20 { rows } else { 15 };
        assert_eq!(tags(&html).iter().filter(|t| *t == "tr").count(), 1 + shown + usize::from(rows > 20));
        assert_eq!(text.lines().count(), 4 + shown + usize::from(rows > 20));
        lengths.push(html.len());
    }
    assert!(lengths.iter().all(|n| *n < 5000), "{lengths:?}");
    let wide: Vec<Column> = (0..500).map(|n| Column::new(format!("column_{n}").into(), [n])).collect();
    let html = table(wide).to_html();
    assert!(html.contains("column_0") && html.contains("column_499") && !html.contains("column_250"));
    assert!(html.contains("500 colonnes"));
}

#[test]
fn an_empty_table_shows_its_columns_and_types() {
    let empty = table(vec![
        Column::new("user_id".into(), Vec::<String>::new()),
        Column::new("toot_count".into(), Vec::<i64>::new()),
    ]);
    for shown in [empty.to_html(), empty.to_string()] {
        for word in ["user_id", "toot_count", "str", "i64", "0 ligne × 2 colonnes"] {
            assert!(shown.contains(word), "{word} in {shown}");
        }
    }
}

#[test]
fn nothing_of_a_small_table_is_left_out() {
    let values: Vec<String> = (0..20).map(|n| format!("value number {n} with a rather long text behind it")).collect();
    let (html, text) = (texts(&values).to_html(), texts(&values).to_string());
    assert!(values.iter().all(|v| html.contains(v) && text.contains(v)));
    assert!(!html.contains('…') && !text.contains('…'));
}

#[test]
fn a_long_text_is_cut_and_stands_whole_in_the_title() {
    let long = "mot ".repeat(60);
    let html = texts(std::slice::from_ref(&long)).to_html();
    assert!(html.contains(&format!("title=\"{long}\"")));
    assert!(html.contains("…</td>"));
}

#[test]
fn values_read_as_a_person_writes_them() {
    let time = Series::new("at".into(), [1_728_559_046_500_000i64, -1])
        .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
        .unwrap();
    let day = Series::new("day".into(), [20_006i32, -1]).cast(&DataType::Date).unwrap();
    let one = table(vec![
        Column::new("n".into(), [Some(1_234_567i64), None]),
        Column::new("year".into(), [2024i64, -12345]),
        Column::new("x".into(), [500.142_857_142_857_17f64, 2.5]),
        Column::new("sure".into(), [true, false]),
        time.into(),
        day.into(),
    ]);
    for shown in [one.to_html(), one.to_string()] {
        for word in [
            "1\u{202f}234\u{202f}567",
            "null",
            "2024",
            "-12\u{202f}345",
            "500.142857",
            "2.500000",
            "true",
            "2024-10-10 11:17:26.5",
            "1969-12-31 23:59:59.999999",
            "datetime (UTC)",
            "2024-10-10",
            "1969-12-31",
        ] {
            assert!(shown.contains(word), "{word} in\n{shown}");
        }
    }
    assert!(one.to_html().contains("text-align:right"));
    assert!(one.to_html().contains("title=\"500.14285714285717\""));
}

#[test]
fn extreme_values_do_not_panic() {
    let ends = [i64::MIN, i64::MAX];
    for unit in [TimeUnit::Nanoseconds, TimeUnit::Microseconds, TimeUnit::Milliseconds] {
        let time = Series::new("at".into(), ends).cast(&DataType::Datetime(unit, None)).unwrap();
        assert!(!table(vec![time.into()]).to_string().is_empty());
    }
    let day = Series::new("day".into(), [i32::MIN, i32::MAX]).cast(&DataType::Date).unwrap();
    let x = Column::new("x".into(), [f64::MAX, f64::MIN_POSITIVE]);
    let y = Column::new("y".into(), [f64::NAN, f64::NEG_INFINITY]);
    let text = table(vec![day.into(), x, y]).to_string();
    assert!(text.contains("NaN") && text.contains("-inf") && text.contains("e308"), "{text}");
}

#[test]
fn a_row_of_another_length_is_refused() {
    assert!(Table::of_text(&["a", "b"], &[vec!["1".into()]]).is_err());
    assert_eq!(Table::of_text(&["a", "b"], &[]).unwrap().names(), ["a", "b"]);
}

#[test]
fn a_report_is_one_paragraph_whatever_it_says() {
    for text in hostile() {
        let report = Report::new(text.clone());
        let html = report.to_html();
        assert!(!html.contains("EVCXR_") && !html.contains("<script"), "{html}");
        assert!(!report.to_string().contains("EVCXR_"));
    }
}

#[test]
fn a_figure_is_saved_as_svg_and_png_under_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let figure = Figure::new("../a name/x", "résumé", "<svg/>".into(), vec![1, 2, 3]);
    assert_eq!(figure.name(), "anamex");
    let inner = folder.path().join("charts");
    for _ in 0..2 {
        figure.clone().save(&inner).unwrap();
    }
    let mut names: Vec<_> = std::fs::read_dir(&inner).unwrap().map(|f| f.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["anamex.png", "anamex.svg"]);
    assert_eq!(std::fs::read(inner.join("anamex.png")).unwrap(), [1, 2, 3]);
}

proptest! {
    #[test]
    fn no_text_keeps_a_line_break_or_the_kernels_mark(text in ".*", mark in "(EVCXR_|_|EVCXR|\n|\r|x){0,6}") {
        let text = format!("{text}{mark}");
        prop_assert!(!neutralise(&text).contains("EVCXR_"));
        prop_assert!(!neutralise(&text).contains(['\n', '\r']));
        prop_assert!(!escape_html(&text).contains("EVCXR_"));
        prop_assert!(!escape_html(&text).contains(['<', '>', '"', '\'']));
        prop_assert!(visible(&text).chars().all(|c| !c.is_control()));
    }

    #[test]
    fn a_shortened_text_is_short_and_begins_alike(text in "\\PC{0,80}", most in 1usize..60) {
        let short = shorten(&text, most);
        prop_assert!(columns(&short) <= 2 * most);
        if let Some(start) = short.strip_suffix('…') {
            let replaced = start.contains('\u{fffd}');
            prop_assert!(replaced || text.starts_with(start));
        }
    }
}
