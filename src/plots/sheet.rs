//! The theme: a white sheet measured in pixels, and matplotlib's sizes, lines and letters.

use super::axis;
use crate::display::{columns, escape_html, shorten, visible};
use crate::error::{Error, Result};
use plotters::coord::Shift;
use plotters::prelude::{
    Circle, DrawingArea, FontDesc, FontFamily, FontStyle, FontTransform, IntoDrawingArea, IntoTextStyle, PathElement,
    RGBColor, Rectangle, SVGBackend, Text,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{BLACK, Color, IntoFont, WHITE, register_font};
use std::cell::RefCell;
use std::sync::Once;
use unicode_segmentation::UnicodeSegmentation;

/// The font of every letter; matplotlib's own.
pub(super) const FONT: &str = "DejaVu Sans";

/// plotters counts in whole numbers: a pixel is ten of them, so lines of 1.1 pixels and exact places are possible.
const UNIT: f64 = 10.0;

/// Pixels of a typographic point, at 100 to the inch.
pub(super) const POINT: f64 = 100.0 / 72.0;

/// Sizes in points.
pub(super) const TITLE: f64 = 12.0;
pub(super) const LABEL: f64 = 10.0;
pub(super) const NOTE: f64 = 8.0;
const LINE: f64 = 0.8;
const TICK: f64 = 3.5;

/// Space around a chart, in pixels.
const MARGIN: f64 = 15.0;

const GREY: RGBColor = RGBColor(0x66, 0x66, 0x66);

/// The same sheet in the dark: paper, lines and letters change, the colours of the data stay. Whoever shows the sheet
/// as a picture says by `color-scheme` which one it wants. The class keeps the rules from other drawings on a page.
const DARK: &str = "<style>@media (prefers-color-scheme:dark){\
    .spar-chart [fill=\"#FFFFFF\"]{fill:#111111}\
    .spar-chart [fill=\"#000000\"]{fill:#E6E6E6}\
    .spar-chart [stroke=\"#000000\"]{stroke:#B3B3B3}\
    .spar-chart [fill=\"#666666\"]{fill:#B3B3B3}\
    }</style>";

/// What is drawn on.
pub(super) struct Sheet<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
    slanted: RefCell<String>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The part of the sheet that holds the data, in pixels.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

/// The words around a frame.
pub(super) struct Words<'a> {
    pub(super) title: &'a str,
    pub(super) x: &'a str,
    pub(super) y: &'a str,
    pub(super) note: &'a str,
}

/// How a text hangs at its point.
#[derive(Clone, Copy)]
pub(super) enum Hang {
    Centre,
    /// The text ends at the point.
    Left,
    /// The text begins at the point.
    Right,
    /// The text stands below the point.
    Below,
    /// The text stands on the point.
    Above,
    /// The text reads upwards, centred.
    Upwards,
}

/// An SVG document of so many pixels, drawn by `body`.
pub(super) fn draw(
    title: &str,
    (width, height): (u32, u32),
    body: impl FnOnce(&Sheet<'_>) -> Result<()>,
) -> Result<String> {
    register();
    let mut svg = String::new();
    let slanted = {
        let size = (width * UNIT as u32, height * UNIT as u32);
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let sheet = Sheet { area, slanted: RefCell::default(), width: f64::from(width), height: f64::from(height) };
        sheet.area.fill(&WHITE).map_err(failed)?;
        body(&sheet)?;
        sheet.area.present().map_err(failed)?;
        sheet.slanted.into_inner()
    };
    let (_, drawing) = svg.split_once('\n').ok_or_else(|| Error::cannot("draw a chart", "the drawing is empty"))?;
    let drawing = drawing
        .trim_end()
        .trim_end_matches("</svg>")
        // Where the sheet is seen, another font may have to do.
        .replace(&format!("font-family=\"{FONT}\""), &format!("font-family=\"{FONT}, Verdana, sans-serif\""));
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {} {}\" class=\"spar-chart\" style=\"max-width:100%;height:auto\" role=\"img\" stroke-linejoin=\"round\">\n<title>{}</title>\n{DARK}\n{drawing}{slanted}</svg>\n",
        f64::from(width) * UNIT,
        f64::from(height) * UNIT,
        escape_html(title),
    ))
}

/// plotters looks a font up by name when it measures a text; an unknown one fails only then.
fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let registered = register_font(FONT, FontStyle::Normal, dejavu::sans::regular());
        debug_assert!(registered.is_ok(), "the font of the dejavu crate is one");
    });
}

fn failed(cause: impl std::fmt::Display) -> Error {
    Error::cannot("draw a chart", cause)
}

/// The width of `text` in pixels at a size in points.
pub(super) fn width(text: &str, points: f64) -> f64 {
    register();
    let em = points * POINT;
    // plotters measures by the height of a line, which is 1.164 em in this font. What it lacks is as wide as high.
    let font = FontDesc::new(FontFamily::Name(FONT), 100.0 * 1.164, FontStyle::Normal);
    let narrow: String = text.graphemes(true).filter(|g| columns(g) == 1).collect();
    let wide = (columns(text) - columns(&narrow)) as f64 / 2.0;
    let measured = font.layout_box(&narrow).map_or(60 * narrow.chars().count() as i32, |(_, (right, _))| right);
    em * (f64::from(measured) / 100.0 + wide)
}

/// `text` as a label of at most so many pixels: on one line, nothing invisible in it, `…` where it is cut.
pub(super) fn label(text: &str, points: f64, pixels: f64) -> String {
    let text = visible(text);
    (1..=60).rev().map(|n| shorten(&text, n)).find(|t| width(t, points) <= pixels).unwrap_or_else(|| "…".into())
}

fn unit(pixels: f64) -> i32 {
    (pixels * UNIT).round() as i32
}

fn point((x, y): (f64, f64)) -> (i32, i32) {
    (unit(x), unit(y))
}

impl Sheet<'_> {
    /// The frame that leaves room for the words, for y ticks of `y_ticks` pixels and x ticks of `x_ticks` pixels.
    pub(super) fn frame(&self, words: &Words<'_>, y_ticks: f64, x_ticks: f64) -> Frame {
        let line = LABEL * POINT * 1.2;
        let note = if words.note.is_empty() { 0.0 } else { NOTE * POINT * 1.2 };
        Frame {
            left: MARGIN + line + 5.0 + y_ticks + 2.0 * TICK * POINT,
            top: MARGIN + TITLE * POINT * 1.2 + 6.0,
            right: self.width - MARGIN,
            bottom: self.height - MARGIN - note - line - 5.0 - x_ticks - 2.0 * TICK * POINT,
        }
    }

    /// Title, labels and note.
    pub(super) fn words(&self, frame: &Frame, words: &Words<'_>) -> Result<()> {
        let centre = ((frame.left + frame.right) / 2.0, (frame.top + frame.bottom) / 2.0);
        let line = LABEL * POINT * 1.2;
        let note = if words.note.is_empty() { 0.0 } else { NOTE * POINT * 1.2 };
        self.text(words.title, (centre.0, frame.top - 9.0), TITLE, BLACK, Hang::Above)?;
        self.text(words.x, (centre.0, self.height - MARGIN - note - line / 2.0), LABEL, BLACK, Hang::Centre)?;
        self.text(words.y, (MARGIN + line / 2.0, centre.1), LABEL, BLACK, Hang::Upwards)?;
        let note = label_line(words.note, self.width - 2.0 * MARGIN);
        self.text(&note, (self.width - MARGIN, self.height - MARGIN + 4.0), NOTE, GREY, Hang::Left)
    }

    /// The black border.
    pub(super) fn border(&self, f: &Frame) -> Result<()> {
        let corners = [(f.left, f.top), (f.right, f.top), (f.right, f.bottom), (f.left, f.bottom)];
        // The first side is drawn again, so that every corner is a joint.
        let path: Vec<_> = corners.into_iter().chain([corners[0], corners[1]]).collect();
        self.path(&path, LINE, BLACK)
    }

    /// A frame with a sentence in its middle, for a chart without data.
    pub(super) fn blank(&self, words: &Words<'_>, sentence: &str) -> Result<()> {
        let frame = self.frame(words, 0.0, 0.0);
        self.border(&frame)?;
        self.words(&frame, words)?;
        let centre = ((frame.left + frame.right) / 2.0, (frame.top + frame.bottom) / 2.0);
        self.text(sentence, centre, LABEL + 1.0, GREY, Hang::Centre)
    }

    /// A tick below the frame, with its text.
    pub(super) fn x_tick(&self, x: f64, bottom: f64, text: &str) -> Result<()> {
        self.path(&[(x, bottom), (x, bottom + TICK * POINT)], LINE, BLACK)?;
        self.text(text, (x, bottom + 2.0 * TICK * POINT), LABEL, BLACK, Hang::Below)
    }

    /// A tick below the frame, with a text turned by 45°.
    pub(super) fn x_tick_slanted(&self, x: f64, bottom: f64, text: &str) -> Result<()> {
        self.path(&[(x, bottom), (x, bottom + TICK * POINT)], LINE, BLACK)?;
        // plotters turns letters by quarters only: this text is written beside its drawing.
        let (x, y) = (x + 0.3 * LABEL * POINT, bottom + 2.0 * TICK * POINT + 0.4 * LABEL * POINT);
        self.slanted.borrow_mut().push_str(&format!(
            "<text x=\"{0}\" y=\"{1}\" text-anchor=\"end\" font-family=\"{FONT}, Verdana, sans-serif\" \
             font-size=\"{2}\" fill=\"#000000\" transform=\"rotate(-45 {0} {1})\">{3}</text>\n",
            unit(x),
            unit(y),
            unit(LABEL * POINT),
            escape_html(text)
        ));
        Ok(())
    }

    /// A tick left of the frame, with its text.
    pub(super) fn y_tick(&self, left: f64, y: f64, text: &str) -> Result<()> {
        self.path(&[(left - TICK * POINT, y), (left, y)], LINE, BLACK)?;
        self.text(text, (left - 2.0 * TICK * POINT, y), LABEL, BLACK, Hang::Left)
    }

    /// A tick right of a colour bar, with its text.
    pub(super) fn right_tick(&self, right: f64, y: f64, text: &str) -> Result<()> {
        self.path(&[(right, y), (right + TICK * POINT, y)], LINE, BLACK)?;
        self.text(text, (right + 2.0 * TICK * POINT, y), LABEL, BLACK, Hang::Right)
    }

    pub(super) fn text(&self, text: &str, at: (f64, f64), points: f64, colour: RGBColor, hang: Hang) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let (h, v) = match hang {
            Hang::Centre | Hang::Upwards => (HPos::Center, VPos::Center),
            Hang::Left => (HPos::Right, VPos::Center),
            Hang::Right => (HPos::Left, VPos::Center),
            Hang::Below => (HPos::Center, VPos::Top),
            Hang::Above => (HPos::Center, VPos::Bottom),
        };
        let turn = if matches!(hang, Hang::Upwards) { FontTransform::Rotate270 } else { FontTransform::None };
        // plotters centres on half an x-height; half a capital's height is a tenth of the size lower.
        let lower = 0.1 * points * POINT;
        let at = match hang {
            Hang::Centre | Hang::Left | Hang::Right => (at.0, at.1 + lower),
            Hang::Upwards => (at.0 + lower, at.1),
            Hang::Below | Hang::Above => at,
        };
        // plotters divides a size by 1.24 before it writes it.
        let style = (FONT, points * POINT * UNIT * 1.24)
            .into_font()
            .transform(turn)
            .into_text_style(&self.area)
            .color(&colour)
            .pos(Pos::new(h, v));
        self.area.draw(&Text::new(text, point(at), style)).map_err(failed)
    }

    pub(super) fn path(&self, points: &[(f64, f64)], width_points: f64, colour: RGBColor) -> Result<()> {
        let style = colour.stroke_width((width_points * POINT * UNIT).round() as u32);
        let points: Vec<_> = points.iter().copied().map(point).collect();
        self.area.draw(&PathElement::new(points, style)).map_err(failed)
    }

    pub(super) fn rectangle(&self, from: (f64, f64), to: (f64, f64), colour: RGBColor) -> Result<()> {
        self.area.draw(&Rectangle::new([point(from), point(to)], colour.filled())).map_err(failed)
    }

    pub(super) fn circle(&self, at: (f64, f64), radius: f64, colour: RGBColor) -> Result<()> {
        self.area.draw(&Circle::new(point(at), unit(radius), colour.filled())).map_err(failed)
    }
}

fn label_line(text: &str, pixels: f64) -> String {
    let text = visible(text);
    if width(&text, NOTE) <= pixels { text } else { shorten(&text, (pixels / (0.62 * NOTE * POINT)) as usize) }
}

/// The room that tick texts of whole numbers take, in pixels.
pub(super) fn room(ticks: &[u64]) -> f64 {
    ticks.iter().map(|n| width(&axis::whole(*n), LABEL)).fold(0.0, f64::max)
}

/// What half of the widest of these labels of ticks needs beyond the margin.
pub(super) fn overhang<'a>(labels: impl Iterator<Item = &'a str>) -> f64 {
    let half = labels.map(|text| width(text, LABEL) / 2.0).fold(0.0, f64::max);
    (half - MARGIN).max(0.0)
}
