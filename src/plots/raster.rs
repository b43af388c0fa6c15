//! SVG to PNG with fonts of our own, the machine's as a fallback for scripts that they lack.

use crate::error::{Error, Result};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{self, fontdb};
use std::sync::{Arc, OnceLock};

/// Pixels of the PNG for one of the SVG: crisp on dense screens.
const SCALE: f32 = 2.0;

/// The PNG of an SVG document, twice its size.
pub(super) fn png(svg: &str) -> Result<Vec<u8>> {
    let failed = |cause: String| Error::cannot("turn a chart into a PNG", cause);
    let options = usvg::Options { fontdb: fonts(), font_family: super::sheet::FONT.into(), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(svg, &options).map_err(|e| failed(e.to_string()))?;
    let size = tree.size().to_int_size().scale_by(SCALE).ok_or_else(|| failed("it has no size".into()))?;
    let mut pixels = Pixmap::new(size.width(), size.height()).ok_or_else(|| failed("it is too large".into()))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut pixels.as_mut());
    let mut png = pixels.encode_png().map_err(|e| failed(e.to_string()))?;
    add_density(&mut png);
    Ok(png)
}

fn fonts() -> Arc<fontdb::Database> {
    static FONTS: OnceLock<Arc<fontdb::Database>> = OnceLock::new();
    FONTS
        .get_or_init(|| {
            let mut fonts = fontdb::Database::new();
            fonts.load_font_data(dejavu::sans::regular().to_vec());
            fonts.load_system_fonts();
            // Glyphs of a colour font are pictures that are not drawn here: a label would vanish instead of showing a box.
            let coloured: Vec<_> = fonts
                .faces()
                .filter(|face| face.families.iter().any(|(name, _)| name.contains("Emoji")))
                .map(|face| face.id)
                .collect();
            coloured.into_iter().for_each(|id| fonts.remove_face(id));
            Arc::new(fonts)
        })
        .clone()
}

/// Says that an inch has 200 pixels, so that programs show the file at the chart's size.
fn add_density(png: &mut Vec<u8>) {
    let per_metre = (100.0 * f64::from(SCALE) / 0.0254).round() as u32;
    let mut chunk = Vec::from(*b"pHYs");
    chunk.extend(per_metre.to_be_bytes());
    chunk.extend(per_metre.to_be_bytes());
    chunk.push(1);
    let mut crc = flate2::Crc::new();
    crc.update(&chunk);
    let mut whole = Vec::from(9u32.to_be_bytes());
    whole.extend(chunk);
    whole.extend(crc.sum().to_be_bytes());
    // The header chunk always comes first and always has 33 bytes with the signature.
    let header = 33.min(png.len());
    png.splice(header..header, whole);
}
