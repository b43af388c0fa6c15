//! What the columns of a table hold, in figures.

use super::cell::{alone, type_name};
use polars::prelude::{AnyValue, Column, DataFrame, PolarsResult};

/// Characters of a least or greatest value.
const VALUE: usize = 40;

/// See [`super::Table::describe`].
pub(super) fn describe(frame: &DataFrame) -> PolarsResult<DataFrame> {
    let columns = frame.columns();
    let text = |of: &dyn Fn(&Column) -> PolarsResult<Option<String>>| -> PolarsResult<Vec<Option<String>>> {
        columns.iter().map(of).collect()
    };
    let distinct = |c: &Column| {
        // polars counts null as one more.
        Ok(if c.dtype().is_nested() { None } else { Some(c.n_unique()? as i64 - i64::from(c.null_count() > 0)) })
    };
    let distinct: PolarsResult<Vec<Option<i64>>> = columns.iter().map(distinct).collect();
    let number = |of: &dyn Fn(&Column) -> PolarsResult<Option<f64>>| -> PolarsResult<Vec<Option<f64>>> {
        columns.iter().map(|c| if c.dtype().is_primitive_numeric() { of(c) } else { Ok(None) }).collect()
    };
    let of_type = |c: &Column| Ok(Some(type_name(c.dtype())));
    let least = |c: &Column| end(c, Column::min_reduce);
    let greatest = |c: &Column| end(c, Column::max_reduce);
    let mean = |c: &Column| Ok(c.mean_reduce()?.value().extract::<f64>());
    let median = |c: &Column| Ok(c.median_reduce()?.value().extract::<f64>());
    DataFrame::new(
        columns.len(),
        vec![
            Column::new("column".into(), columns.iter().map(|c| c.name().to_string()).collect::<Vec<_>>()),
            Column::new("type".into(), text(&of_type)?),
            Column::new("values".into(), columns.iter().map(|c| (c.len() - c.null_count()) as i64).collect::<Vec<_>>()),
            Column::new("nulls".into(), columns.iter().map(|c| c.null_count() as i64).collect::<Vec<_>>()),
            Column::new("distinct".into(), distinct?),
            Column::new("min".into(), text(&least)?),
            Column::new("mean".into(), number(&mean)?),
            Column::new("median".into(), number(&median)?),
            Column::new("max".into(), text(&greatest)?),
        ],
    )
}

/// The least or greatest value as it is shown; none of a column that has no order, or no value.
fn end(column: &Column, of: impl Fn(&Column) -> PolarsResult<polars::prelude::Scalar>) -> PolarsResult<Option<String>> {
    if column.dtype().is_nested() || column.null_count() == column.len() {
        return Ok(None);
    }
    let value = of(column)?;
    Ok(match value.value() {
        AnyValue::Null => None,
        value => alone(value, VALUE),
    })
}
