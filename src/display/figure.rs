use super::{neutralise, show};
use crate::error::{Error, Result};
use base64::Engine;
use std::fmt;
use std::path::Path;

/// A drawing that shows itself: as SVG, as PNG of twice its size, and as a sentence.
#[derive(Clone)]
pub struct Figure {
    name: String,
    summary: String,
    svg: String,
    png: Vec<u8>,
}

impl Figure {
    /// From its parts; `name` becomes the name of its files, so only ASCII letters, digits, `-` and `_` of it stay.
    pub fn new(name: &str, summary: impl Into<String>, svg: String, png: Vec<u8>) -> Self {
        let name = name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect();
        Self { name, summary: summary.into(), svg: svg.replace("EVCXR_", "EVCXR&#95;"), png }
    }

    /// The name, which its files take.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the drawing shows, in a sentence.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// The drawing as an SVG document.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// The drawing as a PNG file.
    pub fn png(&self) -> &[u8] {
        &self.png
    }

    /// Writes `<name>.svg` and `<name>.png` into `folder`, which is made if missing, and gives the figure back.
    ///
    /// # Errors
    ///
    /// Fails if the folder or the files cannot be written.
    pub fn save(self, folder: impl AsRef<Path>) -> Result<Self> {
        let folder = folder.as_ref();
        let cannot = |e: std::io::Error| {
            Error::cannot(format!("save the figure {} in {}", self.name, folder.display()), e)
                .next("check that the folder may be written and the disk is not full")
        };
        std::fs::create_dir_all(folder).map_err(cannot)?;
        for (ending, bytes) in [("svg", self.svg.as_bytes()), ("png", &self.png)] {
            // A reader never sees half a file.
            let fresh = folder.join(format!(".{}.{ending}.{}", self.name, std::process::id()));
            std::fs::write(&fresh, bytes).map_err(cannot)?;
            std::fs::rename(&fresh, folder.join(format!("{}.{ending}", self.name))).map_err(cannot)?;
        }
        Ok(self)
    }

    /// Shows the figure in a notebook; an untrusted one blocks the SVG and shows the PNG.
    pub fn evcxr_display(&self) {
        let png = base64::engine::general_purpose::STANDARD.encode(&self.png);
        show(&[("image/svg+xml", self.svg.trim_end()), ("image/png", &png), ("text/plain", &self.to_string())]);
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&neutralise(&self.summary))
    }
}

impl fmt::Debug for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
