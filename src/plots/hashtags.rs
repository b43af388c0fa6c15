use super::axis::{count_ticks, whole};
use super::colour::{coolwarm, palette};
use super::sheet::{LABEL, Words, label, width};
use super::{counts, figure, note, texts};
use crate::display::{Figure, Table};
use crate::error::Result;

/// How many tags the chart shows.
const MOST: usize = 10;

/// Chart 3: the ten most frequent tags, the most frequent on top, ties by name.
///
/// `table` has `hashtag` and `hashtag_count`, in any order. `about` is added below the chart.
///
/// # Errors
///
/// Fails if a column is missing or no number.
pub fn hashtags(table: &Table, about: &str) -> Result<Figure> {
    let names = texts(table, "hashtag")?;
    let mut tags: Vec<(String, u64)> = names
        .into_iter()
        .zip(counts(table, "hashtag_count")?)
        .filter_map(|(name, n)| Some((name?, n)))
        .filter(|(name, n)| !name.is_empty() && *n > 0)
        .collect();
    tags.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let distinct = tags.len();
    tags.truncate(MOST);
    let beyond = if distinct > MOST { format!("{} hashtags distincts", whole(distinct as u64)) } else { String::new() };
    let below = note(&[beyond, about.to_owned()]);
    let words =
        Words { title: "Top 10 des hashtags les plus fréquents", x: "Nombre de mentions", y: "Hashtag", note: &below };
    let told: Vec<_> = tags.iter().map(|(name, n)| format!("{} {}", label(name, LABEL, 200.0), whole(*n))).collect();
    let summary = format!("{} : {}", words.title, note(&[told.join(", "), below.clone()]));

    figure("top-hashtags", words.title, (10, 6), summary, |sheet| {
        let Some(most) = tags.first().map(|(_, n)| *n as f64) else {
            return sheet.blank(&words, "Aucun hashtag dans les toots enregistrés.");
        };
        let labels: Vec<_> = tags.iter().map(|(name, _)| label(name, LABEL, 230.0)).collect();
        let widest = labels.iter().map(|l| width(l, LABEL)).fold(0.0, f64::max);
        let frame = sheet.frame(&words, widest, 16.0);
        let slot = (frame.bottom - frame.top) / tags.len() as f64;
        let top = most * 1.05;
        let place = |n: f64| frame.left + (frame.right - frame.left) * n / top;
        for (at, ((_, n), colour)) in tags.iter().zip(palette(tags.len(), coolwarm)).enumerate() {
            let centre = frame.top + slot * (at as f64 + 0.5);
            let bar = ((frame.left, centre - 0.4 * slot), (place(*n as f64), centre + 0.4 * slot));
            sheet.rectangle(bar.0, bar.1, colour)?;
            sheet.y_tick(frame.left, centre, &labels[at])?;
        }
        for tick in count_ticks(top) {
            sheet.x_tick(place(tick as f64), frame.bottom, &whole(tick))?;
        }
        sheet.border(&frame)?;
        sheet.words(&frame, &words)
    })
}
