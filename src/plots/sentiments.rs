use super::axis::{count_ticks, whole};
use super::colour::three_of_viridis;
use super::sheet::{Frame, Sheet, Words, room};
use super::{counted, counts, figure, note, texts};
use crate::display::{Figure, Table};
use crate::error::Result;

/// The three sentiments, in the order of the bars, whatever the data hold.
pub const SENTIMENTS: [&str; 3] = ["négatif", "neutre", "positif"];

/// Chart 1: toots per sentiment, in a fixed order, zeros too.
///
/// `table` has `sentiment` and `toots`; toots without sentiment or with another one are told in words. `about` is
/// added below the chart.
///
/// # Errors
///
/// Fails if a column is missing or no number.
pub fn sentiments(table: &Table, about: &str) -> Result<Figure> {
    let rows: Vec<_> = texts(table, "sentiment")?.into_iter().zip(counts(table, "toots")?).collect();
    let sum = |wanted: &dyn Fn(Option<&str>) -> bool| -> u64 {
        rows.iter().filter(|(s, _)| wanted(s.as_deref())).map(|(_, n)| *n).sum()
    };
    let bars: Vec<u64> = SENTIMENTS.iter().map(|name| sum(&|s| s == Some(*name))).collect();
    let unscored = sum(&|s| s.is_none());
    let unknown = sum(&|s| s.is_some_and(|s| !SENTIMENTS.contains(&s)));
    let rest = |n: u64, what: &str| if n > 0 { counted(n, "toot") + what } else { String::new() };
    let left_out = [rest(unscored, " sans sentiment"), rest(unknown, " de sentiment inconnu")];
    let below = note(&[left_out[0].clone(), left_out[1].clone(), about.to_owned()]);
    let words = Words { title: "Distribution des sentiments", x: "Sentiment", y: "Nombre de toots", note: &below };
    let told: Vec<_> = SENTIMENTS.iter().zip(&bars).map(|(name, n)| format!("{name} {}", whole(*n))).collect();
    let summary = format!("{} : {}", words.title, note(&[told.join(", "), below.clone()]));

    figure("sentiments", words.title, (8, 6), summary, |sheet| {
        if bars.iter().all(|n| *n == 0) {
            return sheet.blank(&words, "Aucun toot n'a encore de sentiment : exécutez partie4.");
        }
        let top = bars.iter().max().copied().unwrap_or(0) as f64 * 1.05;
        let ticks = count_ticks(top);
        let frame = sheet.frame(&words, room(&ticks), 16.0);
        draw(sheet, &frame, &bars, top)?;
        let height = frame.bottom - frame.top;
        for tick in ticks {
            sheet.y_tick(frame.left, frame.bottom - height * tick as f64 / top, &whole(tick))?;
        }
        sheet.border(&frame)?;
        sheet.words(&frame, &words)
    })
}

fn draw(sheet: &Sheet<'_>, frame: &Frame, bars: &[u64], top: f64) -> Result<()> {
    let slot = (frame.right - frame.left) / bars.len() as f64;
    for (at, (bar, colour)) in bars.iter().zip(three_of_viridis()).enumerate() {
        let centre = frame.left + slot * (at as f64 + 0.5);
        let high = frame.bottom - (frame.bottom - frame.top) * *bar as f64 / top;
        sheet.rectangle((centre - 0.4 * slot, high), (centre + 0.4 * slot, frame.bottom), colour)?;
        sheet.x_tick(centre, frame.bottom, SENTIMENTS[at])?;
    }
    Ok(())
}
