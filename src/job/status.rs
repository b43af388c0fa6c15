use super::control::{Control, Record};
use crate::display::{Report, Table, show};
use polars::prelude::{Column, DataFrame};
use std::fmt;

/// How a [`super::Job`] goes: a line, and its latest records of progress as a table.
#[derive(Clone, Debug)]
pub struct JobStatus {
    report: Report,
    records: Option<Table>,
}

impl JobStatus {
    /// From the line that says how the work stands, and what the work itself told.
    pub(super) fn new(line: String, control: &Control) -> Self {
        let lines = control.lines();
        let latest: Vec<_> = lines.iter().rev().take(5).rev().map(|l| format!("\n  {l}")).collect();
        Self { report: Report::new(line + &latest.concat()), records: table(&control.records()) }
    }

    /// The line, and below it the last lines that the work told.
    pub fn text(&self) -> &str {
        self.report.text()
    }

    /// The latest records of progress, oldest first, if the work keeps any.
    pub fn records(&self) -> Option<&Table> {
        self.records.as_ref()
    }

    /// The status as HTML.
    pub fn to_html(&self) -> String {
        match &self.records {
            None => self.report.to_html(),
            Some(table) => {
                // The table says what the lines say, but for the last one: a warning or a failure.
                let mut lines = self.text().lines();
                let (first, last) = (lines.next().unwrap_or_default(), lines.next_back().unwrap_or_default());
                let line = Report::new(format!("{first}\n{}", last.trim())).to_html();
                format!("{line}\n{}", table.to_html())
            }
        }
    }

    /// Shows the status in a notebook.
    pub fn evcxr_display(&self) {
        show(&[("text/html", &self.to_html()), ("text/plain", &self.to_string())]);
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.report.fmt(f)?;
        match &self.records {
            None => Ok(()),
            Some(table) => write!(f, "\n{table}"),
        }
    }
}

/// One row a record: the time of day, then its numbers; a name that a record lacks is null.
fn table(records: &[Record]) -> Option<Table> {
    let names: Vec<&str> = records.last()?.values.iter().map(|(name, _)| *name).collect();
    // The day is today; the table has to fit beside the others of its page.
    let time = |r: &Record| r.at.to_string().get(11..19).unwrap_or_default().to_owned();
    let at = Column::new("heure (UTC)".into(), records.iter().map(time).collect::<Vec<_>>());
    let numbers = names.iter().map(|name| {
        let value = |r: &Record| r.values.iter().find(|(n, _)| n == name).map(|(_, value)| *value);
        Column::new((*name).into(), records.iter().map(value).collect::<Vec<_>>())
    });
    let columns = std::iter::once(at).chain(numbers).collect();
    DataFrame::new(records.len(), columns).ok().map(Table::new)
}
