//! The three sentiments and the one function that names them. `[pure]`

/// A sentiment: the class that a model learns and predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sentiment {
    /// `négatif`, 0.0.
    Negative,
    /// `neutre`, 2.0.
    Neutral,
    /// `positif`, 4.0.
    Positive,
}

impl Sentiment {
    /// The three, from negative to positive.
    pub const ALL: [Self; 3] = [Self::Negative, Self::Neutral, Self::Positive];

    /// The value kept in the tables: 0.0, 2.0 or 4.0.
    pub fn prediction(self) -> f64 {
        self.index() as f64 * 2.0
    }

    /// The French label.
    pub fn name(self) -> &'static str {
        label(self.prediction())
    }

    /// 0, 1 or 2.
    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// The sentiment of a training label; `None` when the label is not 0, 2 or 4.
    pub(crate) fn from_target(target: &str) -> Option<Self> {
        match target {
            "0" | "0.0" => Some(Self::Negative),
            "2" | "2.0" => Some(Self::Neutral),
            "4" | "4.0" => Some(Self::Positive),
            _ => None,
        }
    }

    /// The sentiment of a mean rating between −4 and 4: within half a point of 0 is neutral.
    pub(crate) fn from_rating(mean: f64) -> Self {
        match mean {
            m if m > 0.5 => Self::Positive,
            m if m < -0.5 => Self::Negative,
            _ => Self::Neutral,
        }
    }
}

/// The French label of a stored prediction; what is not 0.0, 2.0 or 4.0 is `inconnu`.
///
/// ```
/// assert_eq!(spar::sentiment::label(2.0), "neutre");
/// assert_eq!(spar::sentiment::label(1.0), "inconnu");
/// ```
pub fn label(prediction: f64) -> &'static str {
    match prediction {
        0.0 => "négatif",
        2.0 => "neutre",
        4.0 => "positif",
        _ => "inconnu",
    }
}
