use super::axis::{count_ticks, time_ticks, whole};
use super::sheet::{Words, overhang, room};
use super::{counted, counts, figure, note, numbers};
use crate::display::{Figure, Table};
use crate::error::Result;
use crate::timestamp::Timestamp;
use plotters::style::RGBColor;

/// matplotlib's second colour.
const ORANGE: RGBColor = RGBColor(0xff, 0x7f, 0x0e);

/// More points than these would only thicken the line.
const POINTS: usize = 600;

/// At most so many times stand under the axis.
const LABELS: i64 = 9;

/// Half the width of the axis when there is one instant only, in microseconds.
const ALONE: i64 = 500_000;

/// The lag of a stream over time, as steps: `table` has `timestamp` (ascending) and `lag`, in records. `about` is added
/// below the chart. Of more than 600 points, each run of neighbours gives its greatest.
///
/// # Errors
///
/// Fails if a column is missing, no instant or no number.
pub fn lag(table: &Table, about: &str) -> Result<Figure> {
    let instants = numbers(table, "timestamp")?.into_iter().zip(counts(table, "lag")?);
    let points: Vec<(i64, u64)> = instants.filter_map(|(at, lag)| at.map(|at| (at, lag))).collect();
    let ends = points.first().zip(points.last()).map(|((first, _), (last, _))| (*first, *last));
    let highest = points.iter().map(|(_, lag)| *lag).max().unwrap_or(0);
    let told = match (ends, points.last()) {
        (Some((first, last)), Some((_, lag))) => format!(
            "au plus {}, {} à la fin, de {} à {}",
            counted(highest, "message"),
            whole(*lag),
            Timestamp::from_micros(first),
            Timestamp::from_micros(last)
        ),
        _ => "aucun batch".into(),
    };
    let below = note(&["heure UTC".into(), about.to_owned()]);
    let words = Words { title: "Messages en attente", x: "Heure", y: "Messages à lire", note: &below };
    let summary = format!("{} : {}", words.title, note(&[told, below.clone()]));

    figure("retard", words.title, (12, 5), summary, |sheet| {
        let Some((first, last)) = ends else {
            return sheet.blank(&words, "Aucun batch enregistré pour l'instant.");
        };
        let (first, last) = if first == last { (first - ALONE, last + ALONE) } else { (first, last) };
        let ticks = count_ticks((highest as f64 * 1.05).max(1.0));
        let times = time_ticks(first, last, LABELS);
        let mut frame = sheet.frame(&words, room(&ticks), 20.0);
        // The last label may stand below the very corner.
        frame.right -= overhang(times.iter().map(|(_, text)| text.as_str()));
        let x = |at: i64| frame.left + (frame.right - frame.left) * (at - first) as f64 / (last - first) as f64;
        let y = |n: u64| frame.bottom - (frame.bottom - frame.top) * n as f64 / (highest.max(1) as f64 * 1.05);
        let mut line: Vec<(f64, f64)> = Vec::new();
        for (at, lag) in thinned(&points) {
            // What was waiting stays so until the next batch is written.
            if let Some((_, before)) = line.last().copied() {
                line.push((x(at), before));
            }
            line.push((x(at), y(lag)));
        }
        if line.len() == 1 {
            sheet.circle(line[0], 4.0, ORANGE)?;
        } else {
            sheet.path(&line, 1.5, ORANGE)?;
        }
        for (at, text) in times {
            sheet.x_tick(x(at), frame.bottom, &text)?;
        }
        for tick in ticks {
            sheet.y_tick(frame.left, y(tick), &whole(tick))?;
        }
        sheet.border(&frame)?;
        sheet.words(&frame, &words)
    })
}

/// At most [`POINTS`] of the points; the last one always.
fn thinned(points: &[(i64, u64)]) -> Vec<(i64, u64)> {
    let Some((last, before)) = points.split_last() else { return Vec::new() };
    let run = before.len().div_ceil(POINTS - 1).max(1);
    let greatest = |run: &[(i64, u64)]| run.iter().copied().max_by_key(|(_, lag)| *lag);
    before.chunks(run).filter_map(greatest).chain([*last]).collect()
}
