//! Colour maps and palettes, computed as matplotlib and seaborn compute them. `[pure]`

use plotters::style::RGBColor;

type Rgb = [f64; 3];

/// viridis at 1/4, 1/2 and 3/4; from rounded colours the bars come out one step off.
const VIRIDIS_QUARTERS: [Rgb; 3] =
    [[0.229739, 0.322361, 0.545706], [0.127568, 0.566949, 0.550556], [0.369214, 0.788888, 0.382914]];

/// ColorBrewer's nine colours of YlOrRd.
const YL_OR_RD: [u32; 9] = [0xffffcc, 0xffeda0, 0xfed976, 0xfeb24c, 0xfd8d3c, 0xfc4e2a, 0xe31a1c, 0xbd0026, 0x800026];

/// The ends of coolwarm, Moreland's diverging map: `#3b4cc0` and `#b40426` before they are rounded.
const COOL: Rgb = [0.2298, 0.2987, 0.7537];
const WARM: Rgb = [0.7057, 0.0156, 0.1502];

/// How many colours of coolwarm are computed; those between are mixed from two neighbours.
const KNOTS: usize = 33;

/// `n` colours of a map for categories: its ends are left out, and the bars are a quarter less saturated.
pub(super) fn palette(n: usize, map: impl Fn(f64) -> Rgb) -> Vec<RGBColor> {
    (1..=n).map(|i| rgb(desaturated(map(i as f64 / (n + 1) as f64), 0.75))).collect()
}

/// The three colours that seaborn takes from viridis.
pub(super) fn three_of_viridis() -> [RGBColor; 3] {
    VIRIDIS_QUARTERS.map(|colour| rgb(desaturated(colour, 0.75)))
}

/// YlOrRd at `t`, from 0 to 1.
pub(super) fn yl_or_rd(t: f64) -> Rgb {
    mixed(step(t), YL_OR_RD.len(), |at| hex(YL_OR_RD[at]))
}

/// coolwarm at `t`, from 0 to 1.
pub(super) fn coolwarm(t: f64) -> Rgb {
    mixed(step(t), KNOTS, |at| diverging(COOL, WARM, at as f64 / (KNOTS - 1) as f64))
}

pub(super) fn rgb(colour: Rgb) -> RGBColor {
    let [r, g, b] = colour.map(|x| (x.clamp(0.0, 1.0) * 255.0).round() as u8);
    RGBColor(r, g, b)
}

fn hex(colour: u32) -> Rgb {
    [colour >> 16, (colour >> 8) & 255, colour & 255].map(|x| f64::from(x) / 255.0)
}

/// A map has 256 steps.
fn step(t: f64) -> f64 {
    (t.clamp(0.0, 1.0) * 256.0).floor().min(255.0) / 255.0
}

fn mixed(t: f64, knots: usize, knot: impl Fn(usize) -> Rgb) -> Rgb {
    let place = t * (knots - 1) as f64;
    let at = (place as usize).min(knots - 2);
    let (a, b) = (knot(at), knot(at + 1));
    [0, 1, 2].map(|i| lerp(a[i], b[i], place - at as f64))
}

fn lerp(a: f64, b: f64, t: f64) -> f64 {
    a + (b - a) * t
}

/// The same hue and lightness, the saturation times `by`.
fn desaturated([r, g, b]: Rgb, by: f64) -> Rgb {
    let (high, low) = (r.max(g).max(b), r.min(g).min(b));
    let lightness = (high + low) / 2.0;
    // At one lightness and hue, the distance from grey is in proportion to the saturation.
    [r, g, b].map(|x| lightness + (x - lightness) * by)
}

/// Moreland's interpolation: in polar coordinates of Lab, through an unsaturated middle.
fn diverging(from: Rgb, to: Rgb, t: f64) -> Rgb {
    let (from, to) = (to_msh(from), to_msh(to));
    let middle = [from[0].max(to[0]).max(88.0), 0.0, 0.0];
    if t < 0.5 {
        let middle = [middle[0], 0.0, spun(from, middle[0])];
        from_msh([0, 1, 2].map(|i| lerp(from[i], middle[i], 2.0 * t)))
    } else {
        let middle = [middle[0], 0.0, spun(to, middle[0])];
        from_msh([0, 1, 2].map(|i| lerp(middle[i], to[i], 2.0 * t - 1.0)))
    }
}

/// The hue of the unsaturated end, turned so that the path looks straight.
fn spun([m, s, h]: Rgb, unsaturated: f64) -> f64 {
    if m >= unsaturated - 0.1 {
        return h;
    }
    let spin = s * (unsaturated * unsaturated - m * m).sqrt() / (m * s.sin());
    if h > -0.3 * std::f64::consts::PI { h + spin } else { h - spin }
}

/// CIE's reference white of D65.
const WHITE: Rgb = [0.9505, 1.0, 1.089];

fn to_msh(colour: Rgb) -> Rgb {
    let [r, g, b] = colour.map(|x| if x > 0.04045 { ((x + 0.055) / 1.055).powf(2.4) } else { x / 12.92 });
    let xyz = [
        0.4124 * r + 0.3576 * g + 0.1805 * b,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        0.0193 * r + 0.1192 * g + 0.9505 * b,
    ];
    let [x, y, z] = [0, 1, 2].map(|i| {
        let t: f64 = xyz[i] / WHITE[i];
        if t > 0.008856 { t.cbrt() } else { 7.787 * t + 16.0 / 116.0 }
    });
    let lab = [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)];
    let m = lab.iter().map(|v| v * v).sum::<f64>().sqrt();
    [m, (lab[0] / m).acos(), lab[2].atan2(lab[1])]
}

fn from_msh([m, s, h]: Rgb) -> Rgb {
    let lab = [m * s.cos(), m * s.sin() * h.cos(), m * s.sin() * h.sin()];
    let y = (lab[0] + 16.0) / 116.0;
    let curved = [y + lab[1] / 500.0, y, y - lab[2] / 200.0];
    let [x, y, z] = [0, 1, 2].map(|i| {
        let t = curved[i];
        WHITE[i] * if t.powi(3) > 0.008856 { t.powi(3) } else { (t - 16.0 / 116.0) / 7.787 }
    });
    [3.2406 * x - 1.5372 * y - 0.4986 * z, -0.9689 * x + 1.8758 * y + 0.0415 * z, 0.0557 * x - 0.2040 * y + 1.0570 * z]
        .map(|x| if x > 0.0031308 { 1.055 * x.powf(1.0 / 2.4) - 0.055 } else { 12.92 * x })
}
