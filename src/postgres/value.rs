//! PostgreSQL's own form of the values that its client has no Rust type for, both ways, and of names.

use crate::error::{Error, Result};
use polars::prelude::{AnyValue, DataType, TimeUnit};
use std::error::Error as StdError;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

type Raw<T> = std::result::Result<T, Box<dyn StdError + Sync + Send>>;

/// Days between 1970 and 2000, PostgreSQL's own epoch.
const EPOCH_DAYS: i32 = 10_957;

/// Days since 1970; none for PostgreSQL's infinities, which are no days.
pub(super) struct Date(pub(super) Option<i32>);

/// Microseconds since 1970, in UTC; none for PostgreSQL's infinities.
pub(super) struct Timestamp(pub(super) Option<i64>);

/// A decimal number, as the nearest float.
pub(super) struct Numeric(pub(super) f64);

impl<'a> FromSql<'a> for Date {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Raw<Self> {
        let days = i32::from_be_bytes(raw.try_into()?);
        Ok(Self((days != i32::MAX && days != i32::MIN).then(|| days.saturating_add(EPOCH_DAYS))))
    }
    fn accepts(kind: &Type) -> bool {
        *kind == Type::DATE
    }
}

impl<'a> FromSql<'a> for Timestamp {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Raw<Self> {
        let micros = i64::from_be_bytes(raw.try_into()?);
        let finite = micros != i64::MAX && micros != i64::MIN;
        Ok(Self(finite.then(|| crate::Timestamp::from_postgres_micros(micros).as_micros())))
    }
    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::TIMESTAMP | Type::TIMESTAMPTZ)
    }
}

impl<'a> FromSql<'a> for Numeric {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Raw<Self> {
        let word = |at: usize| -> Raw<i16> {
            let bytes = raw.get(2 * at..2 * at + 2).ok_or("a decimal number is cut short")?;
            Ok(i16::from_be_bytes(bytes.try_into()?))
        };
        let (digits, weight, sign) = (word(0)?, word(1)?, word(2)? as u16);
        let magnitude = match sign {
            0xc000 => return Ok(Self(f64::NAN)),
            0xd000 | 0xf000 => f64::INFINITY,
            _ => {
                // Written out and read back, the float is the nearest one; summing powers would drift.
                let mut text = String::from("0");
                for at in 0..digits {
                    text.push_str(&format!("{:04}", word(4 + at as usize)?));
                }
                format!("{text}e{}", 4 * (i32::from(weight) + 1 - i32::from(digits))).parse()?
            }
        };
        Ok(Self(if matches!(sign, 0x4000 | 0xf000) { -magnitude } else { magnitude }))
    }
    fn accepts(kind: &Type) -> bool {
        *kind == Type::NUMERIC
    }
}

/// A value of a frame on its way to PostgreSQL.
#[derive(Debug)]
pub(super) struct Value<'a>(pub(super) AnyValue<'a>);

impl ToSql for Value<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Raw<IsNull> {
        let int = || self.0.extract::<i64>().ok_or("a number does not fit");
        match *kind {
            _ if self.0.is_null() => Ok(IsNull::Yes),
            Type::BOOL => matches!(self.0, AnyValue::Boolean(true)).to_sql(kind, out),
            Type::INT4 => i32::try_from(int()?)?.to_sql(kind, out),
            Type::INT8 => int()?.to_sql(kind, out),
            Type::FLOAT8 => self.0.extract::<f64>().ok_or("a number is expected")?.to_sql(kind, out),
            Type::DATE => match self.0 {
                AnyValue::Date(days) => days.saturating_sub(EPOCH_DAYS).to_sql(&Type::INT4, out),
                _ => Err("a date is expected".into()),
            },
            Type::TIMESTAMP => match self.0 {
                AnyValue::Datetime(ticks, unit, _) | AnyValue::DatetimeOwned(ticks, unit, _) => {
                    let micros = match unit {
                        TimeUnit::Nanoseconds => ticks.div_euclid(1000),
                        TimeUnit::Microseconds => ticks,
                        TimeUnit::Milliseconds => ticks.saturating_mul(1000),
                    };
                    crate::Timestamp::from_micros(micros).as_postgres_micros().to_sql(&Type::INT8, out)
                }
                _ => Err("a timestamp is expected".into()),
            },
            _ => match &self.0 {
                AnyValue::String(text) => text.to_sql(kind, out),
                AnyValue::StringOwned(text) => text.as_str().to_sql(kind, out),
                _ => Err("a text is expected".into()),
            },
        }
    }
    fn accepts(_: &Type) -> bool {
        true
    }
    to_sql_checked!();
}

/// The column type that holds values of `dtype`; `None` when there is none.
pub(super) fn column_type(dtype: &DataType) -> Option<(&'static str, Type)> {
    Some(match dtype {
        DataType::Boolean => ("BOOLEAN", Type::BOOL),
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => {
            ("INTEGER", Type::INT4)
        }
        DataType::UInt32 | DataType::Int64 | DataType::UInt64 => ("BIGINT", Type::INT8),
        DataType::Float32 | DataType::Float64 => ("DOUBLE PRECISION", Type::FLOAT8),
        DataType::String => ("TEXT", Type::TEXT),
        DataType::Date => ("DATE", Type::DATE),
        DataType::Datetime(..) => ("TIMESTAMP", Type::TIMESTAMP),
        _ => return None,
    })
}

/// `name` between quotes; only plain names of tables and columns are taken.
pub(super) fn quoted(name: &str) -> Result<String> {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.len() <= 63
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain {
        return Ok(format!("\"{name}\""));
    }
    Err(Error::cannot(format!("use {name:?} as a name in PostgreSQL"), "it is not a plain name")
        .next("take at most 63 of a-z, 0-9 and _, a letter first")
        .invalid())
}
