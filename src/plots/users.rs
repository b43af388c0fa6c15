use super::axis::{count_ticks, whole};
use super::colour::{rgb, yl_or_rd};
use super::sheet::{Frame, LABEL, Sheet, Words, label, room, width};
use super::{counts, figure, note, numbers, texts};
use crate::display::{Figure, Table};
use crate::error::Result;
use std::collections::{BTreeMap, HashMap};

/// More rows would be lower than their names.
const MOST: usize = 40;

/// Steps of the colour bar.
const STEPS: usize = 256;

/// One row of the heat map.
struct User {
    id: String,
    name: Option<String>,
    hours: [u64; 24],
}

impl User {
    fn total(&self) -> u64 {
        self.hours.iter().sum()
    }
}

/// Chart 4: toots per user and hour of the day (UTC, all 24), for users with more than `over` toots, the most active
/// on top.
///
/// `table` has `user_id`, `username`, `hour` (0 to 23) and `total_toots`. A user is shown by name when it is known,
/// by id otherwise. `about` is added below the chart.
///
/// # Errors
///
/// Fails if a column is missing or no number.
pub fn users(table: &Table, over: u32, about: &str) -> Result<Figure> {
    let mut users = gathered(table)?;
    users.retain(|user| user.total() > u64::from(over));
    users.sort_by(|a, b| b.total().cmp(&a.total()).then_with(|| a.id.cmp(&b.id)));
    let active = users.len();
    users.truncate(MOST);
    let who = format!("utilisateurs de plus de {over} toots");
    let shown = if active > MOST { format!("les {MOST} plus actifs de {} {who}", whole(active as u64)) } else { who };
    let below = note(&["heures UTC".into(), shown, about.to_owned()]);
    let words = Words {
        title: "Activité des utilisateurs actifs (toots par heure)",
        x: "Heure",
        y: "ID de l'utilisateur",
        note: &below,
    };
    let toots: u64 = users.iter().map(User::total).sum();
    let told = format!("{} et {}", super::counted(users.len() as u64, "utilisateur"), super::counted(toots, "toot"));
    let summary = format!("{} : {}", words.title, note(&[told, below.clone()]));

    figure("activite-utilisateurs", words.title, (12, 8), summary, |sheet| {
        if users.is_empty() {
            return sheet.blank(&words, &format!("Aucun utilisateur n'a plus de {over} toots."));
        }
        let highest = users.iter().flat_map(|u| u.hours).max().unwrap_or(0).max(1);
        let labels = labels(&users);
        let widest = labels.iter().map(|l| width(l, LABEL)).fold(0.0, f64::max);
        let mut frame = sheet.frame(&words, widest, 16.0);
        let ticks = count_ticks(highest as f64);
        frame.right -= 24.0 + 26.0 + 10.0 + room(&ticks);
        cells(sheet, &frame, &users, highest)?;
        for (at, text) in labels.iter().enumerate() {
            let slot = (frame.bottom - frame.top) / users.len() as f64;
            sheet.y_tick(frame.left, frame.top + slot * (at as f64 + 0.5), text)?;
        }
        for hour in 0..24 {
            let slot = (frame.right - frame.left) / 24.0;
            sheet.x_tick(frame.left + slot * (hour as f64 + 0.5), frame.bottom, &hour.to_string())?;
        }
        colour_bar(sheet, &frame, highest, &ticks)?;
        sheet.words(&frame, &words)
    })
}

fn gathered(table: &Table) -> Result<Vec<User>> {
    let mut users: BTreeMap<String, User> = BTreeMap::new();
    let rows = texts(table, "user_id")?.into_iter().zip(texts(table, "username")?);
    let cells = numbers(table, "hour")?.into_iter().zip(counts(table, "total_toots")?);
    for ((id, name), (hour, n)) in rows.zip(cells) {
        let (Some(id), Some(hour)) = (id, hour.and_then(|h| usize::try_from(h).ok())) else { continue };
        let user = users.entry(id.clone()).or_insert(User { id, name: None, hours: [0; 24] });
        user.name = name.filter(|n| !n.trim().is_empty()).or(user.name.take());
        if let Some(cell) = user.hours.get_mut(hour) {
            *cell += n;
        }
    }
    Ok(users.into_values().collect())
}

/// Names, with the id beside them where two users share one.
fn labels(users: &[User]) -> Vec<String> {
    let mut shared: HashMap<&str, usize> = HashMap::new();
    users.iter().filter_map(|u| u.name.as_deref()).for_each(|name| *shared.entry(name).or_default() += 1);
    let text = |user: &User| match user.name.as_deref() {
        None => user.id.clone(),
        Some(name) if shared[name] > 1 => format!("{} ({})", label(name, LABEL, 110.0), user.id),
        Some(name) => name.to_owned(),
    };
    users.iter().map(|user| label(&text(user), LABEL, 220.0)).collect()
}

fn cells(sheet: &Sheet<'_>, frame: &Frame, users: &[User], highest: u64) -> Result<()> {
    let (wide, high) = ((frame.right - frame.left) / 24.0, (frame.bottom - frame.top) / users.len() as f64);
    for (row, user) in users.iter().enumerate() {
        for (hour, n) in user.hours.iter().enumerate() {
            let (x, y) = (frame.left + wide * hour as f64, frame.top + high * row as f64);
            let colour = rgb(yl_or_rd(*n as f64 / highest as f64));
            // Each cell reaches under the next ones, so that no white line is left between two of them.
            let end = ((x + wide + 1.0).min(frame.right), (y + high + 1.0).min(frame.bottom));
            sheet.rectangle((x, y), end, colour)?;
        }
    }
    Ok(())
}

fn colour_bar(sheet: &Sheet<'_>, frame: &Frame, highest: u64, ticks: &[u64]) -> Result<()> {
    let (left, right) = (frame.right + 24.0, frame.right + 50.0);
    let height = frame.bottom - frame.top;
    let place = |share: f64| frame.bottom - height * share;
    for step in 0..STEPS {
        let colour = rgb(yl_or_rd((step as f64 + 0.5) / STEPS as f64));
        // Each step reaches to the top, so that no white line is left between two of them.
        sheet.rectangle((left, frame.top), (right, place(step as f64 / STEPS as f64)), colour)?;
    }
    for tick in ticks {
        sheet.right_tick(right, place(*tick as f64 / highest as f64), &whole(*tick))?;
    }
    Ok(())
}
