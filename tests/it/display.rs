use crate::contrast::{Rgb, contrast, mixed};
use crate::payloads::hostile;
use base64::Engine;
use polars::prelude::*;
use proptest::prelude::*;
use spar::display::{Figure, Gallery, Report, Table, columns, escape_html, neutralise, shorten, visible};

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
    for rows in [0usize, 1, 10, 20, 21, 1000, 10_000_000] {
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
    assert!(html.starts_with("<div style=\"overflow-x:auto\"><table"), "a wide table scrolls by itself");
}

#[test]
fn a_table_of_ten_million_rows_says_how_many_are_left_out() {
    let one = table(vec![Column::new("n".into(), (0..10_000_000i32).collect::<Vec<_>>())]);
    for shown in [one.to_html(), one.to_string()] {
        for word in
            ["9\u{202f}999\u{202f}985 autres lignes", "10\u{202f}000\u{202f}000 lignes", "9\u{202f}999\u{202f}999"]
        {
            assert!(shown.contains(word), "{word} in {shown}");
        }
    }
    let about = one.describe().unwrap().to_string();
    assert!(about.contains("9\u{202f}999\u{202f}999") && about.contains("4\u{202f}999\u{202f}999.5"), "{about}");
}

#[test]
fn a_list_shows_its_first_values_and_its_length() {
    let inner = Series::new("".into(), (0..1000i64).map(|n| n * 100_000).collect::<Vec<_>>());
    let words = Series::new("".into(), hostile());
    let deep = Series::new("".into(), [Series::new("".into(), [inner.clone(), Series::new("".into(), [1i64])])]);
    let one = table(vec![
        Column::new("numbers".into(), [inner, Series::new("".into(), [-1i64])]),
        Column::new("words".into(), [words, Series::new("".into(), ["a, b"])]),
        Series::new("deep".into(), [Series::new("".into(), [deep.clone()]), Series::new("".into(), [deep])]).into(),
    ]);
    let text = one.to_string();
    for word in ["[0, 100\u{202f}000, 200\u{202f}000", "[-1]", "list[i64]", "[\"a, b\"]", "list[list["] {
        assert!(text.contains(word), "{word} in {text}");
    }
    let html = one.to_html();
    assert!(html.contains("… 1000 en tout]"), "the title holds the length: {html}");
    assert!(!html.contains("EVCXR_") && !html.contains("<script") && html.len() < 20_000);
}

#[test]
fn a_text_of_megabytes_costs_no_more_than_a_long_one() {
    let long = texts(&["é".repeat(5_000_000)]);
    assert!(long.to_html().len() < 3000 && long.to_string().len() < 3000);
}

#[test]
fn describe_tells_each_column_whatever_its_type() {
    let at = Series::new("at".into(), [Some(1_728_559_046_500_000i64), None, Some(0)])
        .cast(&DataType::Datetime(TimeUnit::Microseconds, None))
        .unwrap();
    let one = table(vec![
        Column::new("n".into(), [Some(3i64), None, Some(1)]),
        Column::new("x".into(), [2.5f64, f64::NAN, 0.5]),
        Column::new("text".into(), hostile()[..3].to_vec()),
        Column::new("sure".into(), [Some(true), None, None]),
        Column::new("nothing".into(), [None::<i64>, None, None]),
        Column::new("list".into(), vec![Series::new("".into(), [1i64]); 3]),
        at.into(),
    ]);
    let about = one.describe().unwrap();
    assert_eq!(about.names(), ["column", "type", "values", "nulls", "distinct", "min", "mean", "median", "max"]);
    let row = |name: &str| {
        let text = about.to_string();
        let line = text.lines().find(|line| line.split_whitespace().next() == Some(name)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{name} in {text}")).split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("n"), ["n", "i64", "2", "1", "2", "1", "2", "2.0", "3"]);
    assert_eq!(row("nothing"), ["nothing", "i64", "0", "3", "0", "null", "null", "null", "null"]);
    assert_eq!(row("list")[..4], ["list", "list[i64]", "3", "0"]);
    assert!(row("at").join(" ").contains("1970-01-01 00:00:00 null null 2024-10-10 11:17:26.5"), "{:?}", row("at"));
    for empty in [table(vec![]), one.head(0)] {
        assert_eq!(empty.describe().unwrap().height(), empty.names().len());
    }
}

#[test]
fn a_gallery_shows_each_figure_as_a_picture_and_nothing_else() {
    let figures = |summaries: &[String]| {
        Gallery::new(summaries.iter().map(|s| Figure::new("x", s.clone(), "<svg><script/></svg>".into(), vec![])))
    };
    let html = figures(&hostile()).to_html();
    assert_eq!(tags(&html), tags(&figures(&vec!["a".to_owned(); hostile().len()]).to_html()));
    assert!(!html.contains("EVCXR_") && !html.contains("<svg") && !html.contains("<script"));
    let picture = html.split("base64,").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(base64::engine::general_purpose::STANDARD.decode(picture).unwrap(), b"<svg><script/></svg>");
    assert!(!figures(&hostile()).to_string().contains("EVCXR_"));
    assert!(figures(&[]).to_html().contains("Aucune figure."));
}

/// Text and background of JupyterLab's light and dark themes, stripes of tables among them.
const THEMES: [(Rgb, [Rgb; 2]); 2] =
    [([33, 33, 33], [[255, 255, 255], [245, 245, 245]]), ([255, 255, 255], [[17, 17, 17], [33, 33, 33]])];

#[test]
fn what_a_table_says_in_pale_letters_is_readable_in_the_light_and_in_the_dark() {
    let html = table(vec![Column::new("n".into(), [Some(1i64), None])]).to_html();
    let faded: Vec<f64> =
        html.split("opacity:").skip(1).map(|rest| rest.split(';').next().unwrap().parse().unwrap()).collect();
    assert!(faded.len() >= 3, "the type, the null and the size");
    for (text, papers) in THEMES {
        for (paper, opacity) in papers.iter().flat_map(|p| faded.iter().map(move |o| (*p, *o))) {
            let ratio = contrast(mixed(text, paper, opacity), paper);
            assert!(ratio >= 4.5, "{ratio} at {opacity} on {paper:?}");
        }
    }
    assert!(!html.contains("color:") && !html.contains("background"), "the theme chooses the colours");
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
    assert!(html.contains("min-width:16em;overflow-wrap:anywhere\""), "it takes lines: {html}");
    assert!(!texts(&["court".into()]).to_html().contains("overflow-wrap"));
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

#[test]
fn a_query_that_fails_says_which_columns_there_are_and_nothing_of_the_plan() {
    let error = texts(&["x".into()]).query(|t| t.select([col("nope")])).unwrap_err().to_string();
    assert!(error.starts_with("cannot answer the query: ") && error.contains("nope"), "{error}");
    assert!(error.contains("\"text\"") && !error.contains("plan") && !error.contains("-->"), "{error}");
}
