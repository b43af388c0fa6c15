use crate::contrast::{Rgb, contrast, hex};
use crate::payloads::hostile;
use polars::prelude::*;
use spar::display::{Figure, Table};
use spar::plots;

/// Title, x label, y label and size in pixels of the four charts.
const CHARTS: [(&str, &str, &str, (u32, u32)); 4] = [
    ("Distribution des sentiments", "Sentiment", "Nombre de toots", (800, 600)),
    ("Nombre de toots par jour", "Date", "Nombre de toots", (1200, 600)),
    ("Top 10 des hashtags les plus fréquents", "Nombre de mentions", "Hashtag", (1000, 600)),
    ("Activité des utilisateurs actifs (toots par heure)", "Heure", "ID de l'utilisateur", (1200, 800)),
];

fn sentiment_table(rows: &[(Option<&str>, i64)]) -> Table {
    let (names, counts): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
    Table::new(df!("sentiment" => names, "toots" => counts).unwrap())
}

fn day_table(rows: &[(i32, i64)]) -> Table {
    let (days, counts): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
    let days = Series::new("date".into(), days).cast(&DataType::Date).unwrap();
    Table::new(DataFrame::new(rows.len(), vec![days.into(), Column::new("total_toots".into(), counts)]).unwrap())
}

fn tag_table(rows: &[(&str, i64)]) -> Table {
    let (names, counts): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
    Table::new(df!("hashtag" => names, "hashtag_count" => counts).unwrap())
}

fn user_table(rows: &[(&str, Option<&str>, i64, i64)]) -> Table {
    Table::new(
        df!(
            "user_id" => rows.iter().map(|r| r.0).collect::<Vec<_>>(),
            "username" => rows.iter().map(|r| r.1).collect::<Vec<_>>(),
            "hour" => rows.iter().map(|r| r.2).collect::<Vec<_>>(),
            "total_toots" => rows.iter().map(|r| r.3).collect::<Vec<_>>()
        )
        .unwrap(),
    )
}

/// The four charts of `size` toots or so, in order.
fn charts(size: i64) -> [Figure; 4] {
    let tags: Vec<(String, i64)> = (0..size.min(30)).map(|n| (format!("tag{n}"), 1 + n * n)).collect();
    let tags: Vec<(&str, i64)> = tags.iter().map(|(t, n)| (t.as_str(), *n)).collect();
    let users: Vec<(String, i64, i64)> = (0..size.min(500)).map(|n| (format!("{n}"), n % 24, 1 + n % 13)).collect();
    let users: Vec<_> = users.iter().map(|(id, hour, n)| (id.as_str(), None, *hour, *n)).collect();
    let sentiments: &[(Option<&str>, i64)] = match size {
        0 => &[],
        1 => &[(Some("neutre"), 1)],
        _ => &[(Some("négatif"), 120), (Some("neutre"), 50), (Some("positif"), 340), (None, 7), (Some("inconnu"), 2)],
    };
    let days: Vec<(i32, i64)> = (0..size.min(400) as i32).map(|n| (20_000 + n, i64::from(n % 50))).collect();
    [
        plots::sentiments(&sentiment_table(sentiments), "").unwrap(),
        plots::frequency(&day_table(&if size == 1 { vec![(20_000, 1)] } else { days }), "").unwrap(),
        plots::hashtags(&tag_table(&tags), "").unwrap(),
        plots::users(&user_table(&users), 5, "").unwrap(),
    ]
}

/// Parses the SVG as XML and gives its texts, in order.
fn svg_texts(figure: &Figure) -> Vec<String> {
    let document = roxml(figure.svg());
    document.into_iter().map(|t| t.trim().to_owned()).filter(|t| !t.is_empty()).collect()
}

/// A strict reading of the XML that the charts use: elements, attributes in double quotes, entities; no more.
fn roxml(xml: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = xml.trim();
    while let Some(at) = rest.find('<') {
        // Rules are no words of the chart.
        if open.last().is_none_or(|name| name != "style") {
            texts.push(unescaped(&rest[..at]));
        }
        let end = at + rest[at..].find('>').expect("a tag is closed");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "tags nest");
        } else {
            let name: String = tag.chars().take_while(|c| c.is_ascii_lowercase()).collect();
            assert!(["svg", "title", "style", "text", "rect", "polyline", "circle"].contains(&name.as_str()), "{name}");
            assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
    }
    assert!(open.is_empty() && rest.is_empty(), "{open:?} {rest:?}");
    texts
}

fn unescaped(text: &str) -> String {
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "XML forbids control characters");
    for piece in text.split('&').skip(1) {
        let entity = piece.split(';').next().unwrap();
        assert!(["lt", "gt", "amp", "quot", "apos", "#39", "#95"].contains(&entity), "&{entity}");
    }
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'");
    plain.replace("&#39;", "'").replace("&#95;", "_").replace("&amp;", "&")
}

fn png_size(png: &[u8]) -> (u32, u32) {
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn the_four_charts_are_drawn_for_any_number_of_toots() {
    for size in [0, 1, 2, 10, 100_000] {
        for (figure, (title, x, y, (width, height))) in charts(size).iter().zip(CHARTS) {
            let texts = svg_texts(figure);
            for word in [title, x, y] {
                assert!(texts.iter().any(|t| t == word), "{word} with {size} toots in {texts:?}");
            }
            assert!(figure.svg().contains(&format!("width=\"{width}\" height=\"{height}\"")));
            assert_eq!(png_size(figure.png()), (2 * width, 2 * height));
            assert!(figure.summary().starts_with(title));
            assert!(figure.svg().len() < 1_000_000);
        }
    }
}

#[test]
fn a_chart_without_data_says_so() {
    let sentences = charts(0).map(|figure| svg_texts(&figure).join(" "));
    assert!(sentences[0].contains("Aucun toot n'a encore de sentiment"));
    assert!(sentences[1].contains("Aucun toot enregistré"));
    assert!(sentences[2].contains("Aucun hashtag"));
    assert!(sentences[3].contains("Aucun utilisateur n'a plus de 5 toots."));
}

#[test]
fn the_colours_are_those_of_the_recorded_charts() {
    let [sentiments, _, _, users] = charts(100_000);
    for colour in ["#455681", "#2F837F", "#6CBC6E"] {
        assert!(sentiments.svg().contains(colour), "{colour}");
    }
    let tags: Vec<(String, i64)> = (1..=10).map(|n| (format!("tag{n}"), 100 - n)).collect();
    let tags: Vec<(&str, i64)> = tags.iter().map(|(t, n)| (t.as_str(), *n)).collect();
    let figure = plots::hashtags(&tag_table(&tags), "").unwrap();
    let places: Vec<_> =
        ["#687DCF", "#859FE5", "#A2BBF1", "#BDD0F2", "#D4DBE6", "#E4D7D0", "#ECC5B2", "#E7A891", "#D98672", "#C15D53"]
            .iter()
            .map(|colour| figure.svg().find(colour).unwrap_or_else(|| panic!("{colour} is missing")))
            .collect();
    assert!(places.is_sorted(), "the most frequent tag has the first colour");
    for colour in ["#FFFFCC", "#800026"] {
        assert!(users.svg().contains(colour), "{colour}");
    }
    let [_, line, ..] = charts(10);
    assert!(line.svg().contains("#1F77B4"));
}

#[test]
fn sentiments_keep_their_order_and_their_zeros() {
    let figure =
        plots::sentiments(&sentiment_table(&[(Some("positif"), 3), (None, 5), (Some("inconnu"), 1)]), "").unwrap();
    let texts = svg_texts(&figure);
    let place = |word: &str| texts.iter().position(|t| t == word).unwrap_or_else(|| panic!("{word} in {texts:?}"));
    assert!(place("négatif") < place("neutre") && place("neutre") < place("positif"));
    assert!(figure.summary().contains("négatif 0, neutre 0, positif 3"), "{}", figure.summary());
    assert!(texts.iter().any(|t| t.contains("5 toots sans sentiment") && t.contains("1 toot de sentiment inconnu")));
}

#[test]
fn a_few_very_old_toots_do_not_flatten_the_line() {
    let mut days = vec![(0, 1), (19_400, 11)];
    days.push((19_999, 343));
    let figure = plots::frequency(&day_table(&days), "").unwrap();
    let texts = svg_texts(&figure).join(" | ");
    assert!(texts.contains("12 toots plus anciens, depuis le 01-01-1970"), "{texts}");
    assert!(texts.contains("03-10-2024") && !texts.contains("2023"), "{texts}");
    assert!(figure.summary().contains("343 toots du 27-09-2024 au 03-10-2024"), "{}", figure.summary());
}

#[test]
fn a_day_without_toots_counts_zero() {
    let figure = plots::frequency(&day_table(&[(20_000, 10), (20_009, 10)]), "").unwrap();
    let line = figure.svg().lines().find(|l| l.contains("#1F77B4") && l.starts_with("<polyline")).unwrap();
    let points = line.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
    let heights: Vec<&str> = points.split_whitespace().map(|p| p.split(',').nth(1).unwrap()).collect();
    assert_eq!(heights.len(), 10);
    assert!(heights[1..9].iter().all(|h| *h == heights[1] && *h != heights[0]));
}

#[test]
fn the_heat_map_has_all_hours_and_only_users_above_the_threshold() {
    let rows = [("1", Some("alice"), 3, 6), ("2", None, 23, 7), ("3", Some("bob"), 5, 5), ("4", Some("alice"), 0, 9)];
    let figure = plots::users(&user_table(&rows), 5, "toots générés").unwrap();
    let texts = svg_texts(&figure);
    for hour in 0..24 {
        assert!(texts.contains(&hour.to_string()), "{hour}");
    }
    assert!(texts.contains(&"alice (1)".into()) && texts.contains(&"alice (4)".into()) && texts.contains(&"2".into()));
    assert!(!texts.contains(&"bob".into()));
    let below = texts.iter().find(|t| t.contains("heures UTC")).unwrap();
    assert!(below.contains("plus de 5 toots") && below.contains("toots générés"), "{below}");
}

#[test]
fn ties_between_tags_are_broken_by_name_and_empty_ones_left_out() {
    let figure = plots::hashtags(&tag_table(&[("b", 2), ("", 9), ("a", 2), ("c", 3)]), "").unwrap();
    let texts = svg_texts(&figure);
    let order: Vec<_> = texts.iter().filter(|t| ["a", "b", "c"].contains(&t.as_str())).collect();
    assert_eq!(order, ["c", "a", "b"]);
}

/// What the rules for the dark make of a colour that the drawing gives.
fn in_the_dark(svg: &str, attribute: &str, colour: &str) -> Rgb {
    let rules = svg.split("(prefers-color-scheme:dark){").nth(1).unwrap().split("</style>").next().unwrap();
    let rule = format!(".spar-chart [{attribute}=\"{colour}\"]{{{attribute}:");
    hex(rules.split(rule.as_str()).nth(1).map_or(colour, |rest| rest.split('}').next().unwrap()))
}

#[test]
fn every_word_of_a_chart_is_readable_in_the_light_and_in_the_dark() {
    let mut words = 0;
    for figure in charts(0).iter().chain(&charts(100_000)) {
        let svg = figure.svg();
        let fill = |element: &str| element.split("fill=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let paper = fill(svg.split("<rect").nth(1).unwrap());
        assert_eq!(hex(&paper), [255; 3], "the sheet comes first");
        for text in svg.split("<text").skip(1) {
            let colour = fill(text);
            let light = contrast(hex(&colour), hex(&paper));
            let dark = contrast(in_the_dark(svg, "fill", &colour), in_the_dark(svg, "fill", &paper));
            assert!(light >= 4.5 && dark >= 4.5, "{light} {dark} in {text}");
            words += 1;
        }
        let (line, paper) = (in_the_dark(svg, "stroke", "#000000"), in_the_dark(svg, "fill", &paper));
        assert!(contrast(line, paper) >= 3.0);
    }
    assert!(words > 100, "only {words} words");
}

#[test]
fn the_rules_for_the_dark_touch_no_colour_of_the_data_and_nothing_outside_of_the_chart() {
    for figure in charts(100_000) {
        let (_, rest) = figure.svg().split_once("<style>").unwrap();
        let (rules, drawing) = rest.split_once("</style>").unwrap();
        assert!(figure.svg().contains("class=\"spar-chart\""));
        for rule in rules.split('{').filter(|r| r.contains('[')) {
            assert!(rule.rsplit('}').next().unwrap().starts_with(".spar-chart "), "{rule}");
        }
        // Of the rectangles, the sheet alone has one of the changed colours; a point's rim is of the sheet's colour.
        let changed = ["\"#FFFFFF\"", "\"#000000\"", "\"#666666\""];
        let touched = drawing
            .lines()
            .filter(|l| l.starts_with("<rect"))
            .filter(|l| changed.iter().any(|c| l.contains(&format!("fill={c}"))))
            .count();
        assert_eq!(touched, 1);
    }
}

#[test]
fn the_png_is_drawn_on_white_paper() {
    let pixels = resvg::tiny_skia::Pixmap::decode_png(charts(10)[0].png()).unwrap();
    let corner = pixels.pixel(3, 3).unwrap();
    assert_eq!([corner.red(), corner.green(), corner.blue(), corner.alpha()], [255; 4]);
}

#[test]
fn hostile_labels_stay_labels() {
    let texts: Vec<String> = hostile().into_iter().filter(|t| !t.trim().is_empty()).collect();
    for (at, texts) in texts.chunks(10).enumerate() {
        let tags: Vec<(&str, i64)> = texts.iter().map(|t| (t.as_str(), 3)).collect();
        let ids: Vec<String> = (0..texts.len()).map(|n| format!("{at}{n}")).collect();
        let named = texts.iter().zip(&ids).map(|(text, id)| (id.as_str(), Some(text.as_str()), 3, 9));
        let users: Vec<_> = named.chain(texts.iter().map(|text| (text.as_str(), None, 3, 9))).collect();
        let tags = plots::hashtags(&tag_table(&tags), &texts[0]).unwrap();
        let users = plots::users(&user_table(&users), 5, &texts[0]).unwrap();
        for figure in [tags, users] {
            assert!(svg_texts(&figure).len() > 10);
            assert!(!figure.svg().contains("EVCXR_") && !figure.svg().contains("<script"), "{texts:?}");
            assert!(!figure.to_string().contains(['\n', '\r']));
        }
    }
}

#[test]
fn a_label_in_any_script_is_seen() {
    let with = |tag: &str| plots::hashtags(&tag_table(&[(tag, 3)]), "").unwrap().png().len();
    let blank = with("\u{a0}");
    for tag in ["日本語", "😀", "👩‍👩‍👧‍👦", "العربية", "ᚠᚢᚦ", "\u{10ffff}"] {
        assert!(with(tag) > blank + 20, "{tag} leaves no trace");
    }
}

#[test]
fn a_table_without_the_right_columns_is_refused_by_name() {
    let wrong = tag_table(&[("a", 1)]);
    let error = plots::users(&wrong, 5, "").unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("user_id"), "{error}");
}

fn lag_table(points: &[(i64, i64)]) -> Table {
    let (instants, lags): (Vec<_>, Vec<_>) = points.iter().copied().unzip();
    let unit = DataType::Datetime(TimeUnit::Microseconds, None);
    let instants = Series::new("timestamp".into(), instants).cast(&unit).unwrap();
    Table::new(DataFrame::new(points.len(), vec![instants.into(), Column::new("lag".into(), lags)]).unwrap())
}

#[test]
fn the_chart_of_the_lag_has_round_times_for_any_stretch_of_time() {
    const BEGIN: i64 = 1_728_554_400_000_000;
    let times = |micros: i64| {
        let points: Vec<_> = (0..=1_000).map(|n| (BEGIN + micros / 1_000 * n, 1_000 - n)).collect();
        let figure = plots::lag(&lag_table(&points), "sujet s").unwrap();
        let texts = svg_texts(&figure);
        assert!(texts.iter().any(|t| t == "1000") && texts.iter().any(|t| t.ends_with("sujet s")), "{texts:?}");
        texts.into_iter().filter(|t| t.contains(':') || t.contains("-2024") && !t.contains("20T")).collect::<Vec<_>>()
    };
    assert_eq!(times(1_000_000)[..2], ["10:00:00,0", "10:00:00,2"]);
    assert_eq!(times(60_000_000)[..2], ["10:00:00", "10:00:10"]);
    assert_eq!(times(7_200_000_000)[..2], ["10:00", "10:15"]);
    assert_eq!(times(10 * 86_400_000_000)[..2], ["12-10-2024", "14-10-2024"]);
    for points in [vec![], vec![(BEGIN, 7)], vec![(BEGIN, 0), (BEGIN, 0)]] {
        svg_texts(&plots::lag(&lag_table(&points), "").unwrap());
    }
}

#[test]
fn the_last_time_below_the_chart_of_the_lag_is_not_cut() {
    for micros in [800_000, 1_000_000, 9_000_000, 7_200_000_000] {
        let points: Vec<_> = (0..=10).map(|n| (micros / 10 * n, 10 - n)).collect();
        let figure = plots::lag(&lag_table(&points), "").unwrap();
        let number = |text: &str, name: &str| -> f64 {
            let rest = text.split(&format!(" {name}=\"")).nth(1).unwrap();
            rest.split('"').next().unwrap().parse().unwrap()
        };
        // In the units of the drawing: left, top, width and height.
        let sheet = figure.svg().split("viewBox=\"").nth(1).unwrap().split('"').next().unwrap();
        let width: f64 = sheet.split(' ').nth(2).unwrap().parse().unwrap();
        for label in figure.svg().split("<text").filter(|text| text.contains("middle") && text.contains("00:0")) {
            let text = label.split('>').nth(1).unwrap().split('<').next().unwrap().trim();
            // A digit is 0.636 em wide, the signs between them half of that.
            let half = number(label, "font-size") * 0.5 * text.len() as f64 / 2.0;
            let right = number(label, "x") + half;
            assert!(right < width, "{text} reaches {right} of {width}");
        }
    }
}

#[test]
fn ten_thousand_batches_keep_their_greatest_lag() {
    let points: Vec<_> = (0..10_000).map(|n| (n * 1_000_000, if n == 5_001 { 9_000 } else { 10 })).collect();
    let figure = plots::lag(&lag_table(&points), "").unwrap();
    assert!(figure.svg().len() < 100_000, "{}", figure.svg().len());
    let line = figure.svg().lines().find(|l| l.contains("#FF7F0E") && l.starts_with("<polyline")).unwrap();
    let points = line.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
    let heights = points.split_whitespace().map(|p| p.split(',').nth(1).unwrap().parse::<i64>().unwrap());
    let (highest, lowest) = (heights.clone().min().unwrap(), heights.max().unwrap());
    assert!(lowest - highest > 3_000, "{lowest} {highest}");
}
