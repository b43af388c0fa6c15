//! How well letters stand out from their paper, as WCAG 2 counts it.

pub type Rgb = [u8; 3];

/// `#RRGGBB`.
pub fn hex(colour: &str) -> Rgb {
    let part = |at: usize| u8::from_str_radix(&colour[at..at + 2], 16).unwrap_or_else(|e| panic!("{colour}: {e}"));
    assert!(colour.starts_with('#') && colour.len() == 7, "{colour}");
    [part(1), part(3), part(5)]
}

/// From 1 (unseen) to 21 (black on white); letters want 4.5.
pub fn contrast(one: Rgb, other: Rgb) -> f64 {
    let (a, b) = (luminance(one) + 0.05, luminance(other) + 0.05);
    if a > b { a / b } else { b / a }
}

/// Letters of an opacity over a paper.
pub fn mixed(text: Rgb, paper: Rgb, opacity: f64) -> Rgb {
    [0, 1, 2].map(|i| (f64::from(text[i]) * opacity + f64::from(paper[i]) * (1.0 - opacity)).round() as u8)
}

fn luminance(colour: Rgb) -> f64 {
    let [r, g, b] = colour.map(|c| {
        let c = f64::from(c) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

#[test]
fn contrast_is_counted_as_the_standard_counts_it() {
    assert!((contrast([0, 0, 0], [255, 255, 255]) - 21.0).abs() < 0.01);
    assert!((contrast(hex("#767676"), [255, 255, 255]) - 4.54).abs() < 0.01);
}
