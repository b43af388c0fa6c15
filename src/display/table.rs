use super::cell::{Cell, cells, grouped, type_name};
use super::describe;
use super::{NO_FORMULA, columns, escape_html, neutralise, shorten, show, visible};
use crate::error::{Error, Result};
use polars::prelude::{Column, DataFrame, IntoLazy, LazyFrame};
use std::fmt;

/// A table of at most so many rows is shown whole; a longer one shows its first and last rows.
const WHOLE: usize = 20;
const HEAD: usize = 10;
const TAIL: usize = 5;

/// The same for columns.
const WIDE: usize = 24;

/// So many columns are described one by one.
const WIDEST: usize = 100;

/// Characters of a cell; the rest is in its title.
const CELL: usize = 100;

/// A longer text takes lines, also where it has no space; beside another one it still has some width.
const LONG: usize = 30;
const WRAPPED: &str = ";min-width:16em;overflow-wrap:anywhere";

/// What is said beside the values. Any theme's text colour, faded so little that it stays readable.
const FADED: &str = "opacity:0.75;font-weight:normal";

/// Rows and columns that show themselves; the frame inside is polars'.
#[derive(Clone, Debug)]
pub struct Table {
    frame: DataFrame,
    whole: usize,
}

impl Table {
    /// From a frame.
    pub fn new(frame: DataFrame) -> Self {
        Self { frame, whole: WHOLE }
    }

    /// From named columns of text and rows of as many values.
    ///
    /// # Errors
    ///
    /// Fails if two columns share a name or a row has another number of values.
    pub fn of_text(names: &[&str], rows: &[Vec<String>]) -> Result<Self> {
        let failed = |cause: String| Error::cannot("build a table", cause).invalid();
        if rows.iter().any(|row| row.len() != names.len()) {
            return Err(failed(format!("a row has not {} values", names.len())));
        }
        let columns = names.iter().enumerate().map(|(at, name)| {
            let values: Vec<&str> = rows.iter().map(|row| row[at].as_str()).collect();
            Column::new((*name).into(), values)
        });
        DataFrame::new(rows.len(), columns.collect()).map(Self::new).map_err(|e| failed(e.to_string()))
    }

    /// The frame itself.
    pub fn frame(&self) -> &DataFrame {
        &self.frame
    }

    /// The number of rows.
    pub fn height(&self) -> usize {
        self.frame.height()
    }

    /// The names of the columns.
    pub fn names(&self) -> Vec<String> {
        self.frame.get_column_names().iter().map(|name| name.to_string()).collect()
    }

    /// The columns and their types, as a table: `column`, `type`.
    pub fn schema(&self) -> Table {
        let columns = self.frame.columns();
        let names: Vec<&str> = columns.iter().map(|c| c.name().as_str()).collect();
        let types: Vec<String> = columns.iter().map(|c| type_name(c.dtype())).collect();
        let frame =
            DataFrame::new(columns.len(), vec![Column::new("column".into(), names), Column::new("type".into(), types)]);
        Table::new(frame.unwrap_or_default())
    }

    /// One row per column: `column`, `type`, `values` (that are not null), `nulls`, `distinct` (values), `min`,
    /// `mean`, `median`, `max`. What a type has not is null: a list has no least value, a text no mean.
    ///
    /// # Errors
    ///
    /// Fails as polars fails.
    pub fn describe(&self) -> Result<Table> {
        describe::describe(&self.frame)
            .map(|frame| Table::new(frame).showing(WIDEST))
            .map_err(|e| Error::cannot("describe a table", e).invalid())
    }

    /// The first `rows` rows.
    pub fn head(&self, rows: usize) -> Table {
        Self { frame: self.frame.head(Some(rows)), whole: self.whole.max(rows.min(1000)) }
    }

    /// The same table, shown whole up to `rows` rows (at most 1000).
    pub fn showing(mut self, rows: usize) -> Table {
        self.whole = rows.clamp(WHOLE, 1000);
        self
    }

    /// Asks polars: the closure gets the rows as a lazy frame and gives back another.
    ///
    /// # Errors
    ///
    /// Fails as polars fails, for example on a column that is not there.
    pub fn query(&self, question: impl FnOnce(LazyFrame) -> LazyFrame) -> Result<Table> {
        question(self.frame.clone().lazy()).collect().map(Table::new).map_err(|e| {
            // What follows is polars' plan, in several lines.
            let cause = e.to_string();
            let cause = cause.split("Resolved plan").next().unwrap_or_default().trim_end();
            Error::cannot("answer the query", cause).invalid()
        })
    }

    /// Shows the table in a notebook.
    pub fn evcxr_display(&self) {
        show(&[("text/html", &self.to_html()), ("text/plain", &self.to_string())]);
    }

    /// The table as HTML that stays readable without its styles; no value of it is markup.
    pub fn to_html(&self) -> String {
        let view = self.view();
        // A table wider than the page scrolls by itself, not the page.
        let mut out = format!(
            "<div style=\"overflow-x:auto\"><table {NO_FORMULA} style=\"border-collapse:collapse;margin:0.4em 0\">\n<thead><tr>"
        );
        for column in &view.columns {
            let align = column.align();
            out.push_str(&format!(
                "<th align=\"{align}\" style=\"text-align:{align};padding:2px 10px;vertical-align:bottom;\
                 border-bottom:1px solid #888\">{}<br><span style=\"{FADED}\">{}</span></th>",
                escape_html(&column.name),
                escape_html(&column.dtype)
            ));
        }
        out.push_str("</tr></thead>\n<tbody>\n");
        for row in 0..view.rows.len() {
            if view.gap == Some(row) {
                let hidden = grouped(&(self.height() - view.rows.len()).to_string());
                out.push_str(&format!(
                    "<tr><td align=\"left\" colspan=\"{}\" style=\"text-align:left;padding:2px 10px;{FADED}\">\
                     … {hidden} autres lignes …</td></tr>\n",
                    view.columns.len()
                ));
            }
            out.push_str("<tr>");
            for column in &view.columns {
                out.push_str(&html_cell(&column.cells[row], column.align()));
            }
            out.push_str("</tr>\n");
        }
        out.push_str(&format!("</tbody>\n</table></div>\n<p style=\"margin:0 0 0.6em;{FADED}\">{}</p>", self.size()));
        out
    }

    /// `7 lignes × 2 colonnes`.
    fn size(&self) -> String {
        let count =
            |n: usize, word: &str| format!("{} {word}{}", grouped(&n.to_string()), if n > 1 { "s" } else { "" });
        format!("{} × {}", count(self.height(), "ligne"), count(self.frame.width(), "colonne"))
    }

    fn view(&self) -> View {
        let height = self.height();
        let (rows, gap) = if height <= self.whole {
            ((0..height).collect(), None)
        } else {
            ((0..HEAD).chain(height - TAIL..height).collect::<Vec<_>>(), Some(HEAD))
        };
        let all = self.frame.columns();
        let shown = |column: &Column| ViewColumn {
            name: shorten(&visible(column.name()), CELL),
            dtype: shorten(&visible(&type_name(column.dtype())), CELL / 2),
            number: column.dtype().is_numeric(),
            cells: cells(column, &rows, CELL),
        };
        let columns = if all.len() <= WIDE {
            all.iter().map(shown).collect()
        } else {
            let skipped = ViewColumn {
                name: "…".into(),
                dtype: format!("{} colonnes", all.len() - WIDE + 1),
                number: false,
                cells: rows.iter().map(|_| Cell::Text("…".into(), None)).collect(),
            };
            let (head, tail) = (&all[..WIDE / 2], &all[all.len() - (WIDE / 2 - 1)..]);
            head.iter().map(shown).chain([skipped]).chain(tail.iter().map(shown)).collect()
        };
        View { rows, gap, columns }
    }
}

/// What is shown of a table.
struct View {
    rows: Vec<usize>,
    /// The place in `rows` before which rows are left out.
    gap: Option<usize>,
    columns: Vec<ViewColumn>,
}

struct ViewColumn {
    name: String,
    dtype: String,
    number: bool,
    cells: Vec<Cell>,
}

impl ViewColumn {
    fn align(&self) -> &'static str {
        if self.number { "right" } else { "left" }
    }
}

fn html_cell(cell: &Cell, align: &str) -> String {
    let style = format!("align=\"{align}\" style=\"text-align:{align};padding:2px 10px\"");
    match cell {
        Cell::Null => format!("<td {style}><i style=\"{FADED}\">null</i></td>"),
        Cell::Text(text, whole) | Cell::Number(text, whole) => {
            let title = whole.as_ref().map(|w| format!(" title=\"{}\"", escape_html(w))).unwrap_or_default();
            let style =
                if columns(text) > LONG { format!("{}{WRAPPED}\"", style.trim_end_matches('"')) } else { style };
            format!("<td {style}{title}>{}</td>", escape_html(text))
        }
    }
}

fn plain_cell(cell: &Cell) -> String {
    match cell {
        Cell::Null => "null".into(),
        Cell::Text(text, _) | Cell::Number(text, _) => neutralise(text),
    }
}

/// `{}` is what a notebook shows; `{:#}` has names and rows only, for a command whose language is not the notebooks'.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.view();
        let head = if f.alternate() { 1 } else { 2 };
        let mut lines = vec![String::new(); view.rows.len() + head + 1];
        for column in &view.columns {
            let mut words = vec![neutralise(&column.name), neutralise(&column.dtype)];
            words.truncate(head);
            words.extend(column.cells.iter().map(plain_cell));
            let width = words.iter().map(|w| columns(w)).max().unwrap_or(0);
            words.insert(head, "─".repeat(width));
            for (line, word) in lines.iter_mut().zip(&words) {
                let space = " ".repeat(width.saturating_sub(columns(word)));
                let (before, after) = if column.number { (space.as_str(), "") } else { ("", space.as_str()) };
                line.push_str(&format!(" {before}{word}{after} "));
            }
        }
        for (at, line) in lines.iter().enumerate() {
            if view.gap.is_some_and(|gap| gap + head + 1 == at) {
                writeln!(f, " … {} autres lignes …", grouped(&(self.height() - view.rows.len()).to_string()))?;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        if f.alternate() { Ok(()) } else { write!(f, " {}", self.size()) }
    }
}
