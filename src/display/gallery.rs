use super::{Figure, NO_FORMULA, escape_html, neutralise, show, visible};
use base64::Engine;
use std::fmt;

/// Figures side by side in one output: of two drawings in the same output a notebook shows the last one only.
#[derive(Clone, Debug)]
pub struct Gallery(Vec<Figure>);

impl Gallery {
    /// Of these figures, in this order.
    pub fn new(figures: impl IntoIterator<Item = Figure>) -> Self {
        Self(figures.into_iter().collect())
    }

    /// The gallery as HTML: pictures, two beside each other, each above its sentence. No style or script of a drawing
    /// acts outside of its picture, so a notebook that is not trusted shows them too.
    pub fn to_html(&self) -> String {
        if self.0.is_empty() {
            return format!("<p {NO_FORMULA}>{self}</p>");
        }
        let pictures = self.0.iter().map(|figure| {
            let svg = base64::engine::general_purpose::STANDARD.encode(figure.svg());
            let sentence = escape_html(&visible(figure.summary()));
            // Without its style, it is a column of pictures.
            format!(
                "<figure style=\"display:inline-block;width:49%;min-width:300px;margin:0 0 1em;vertical-align:top\">\
                 <img src=\"data:image/svg+xml;base64,{svg}\" alt=\"{sentence}\" width=\"100%\">\
                 <figcaption {NO_FORMULA} style=\"padding:0 8px;font-size:90%\">{sentence}</figcaption></figure>\n"
            )
        });
        format!("<div>\n{}</div>", pictures.collect::<String>())
    }

    /// Shows the figures in a notebook.
    pub fn evcxr_display(&self) {
        show(&[("text/html", &self.to_html()), ("text/plain", &self.to_string())]);
    }
}

impl fmt::Display for Gallery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("Aucune figure.");
        }
        let sentences: Vec<_> = self.0.iter().map(|figure| neutralise(figure.summary())).collect();
        f.write_str(&sentences.join("\n"))
    }
}
