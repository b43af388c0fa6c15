//! COPY in PostgreSQL's binary format, in large pieces: the client's own writer sends 4 KiB at a time.

use crate::timestamp::Timestamp;
use futures_util::SinkExt;
use std::io::Cursor;
use std::pin::pin;
use tokio_postgres::{Error, Statement, Transaction};

/// How much is gathered before it is sent.
const PIECE: usize = 256 * 1024;

/// Rows in the binary format.
pub(crate) struct Rows {
    buffer: Vec<u8>,
}

impl Rows {
    fn new() -> Self {
        let mut buffer = Vec::with_capacity(PIECE + 8192);
        buffer.extend_from_slice(b"PGCOPY\n\xff\r\n\0");
        // No flags, no header extension.
        buffer.extend_from_slice(&[0; 8]);
        Self { buffer }
    }

    /// Begins a row of so many fields.
    pub fn row(&mut self, fields: i16) {
        self.buffer.extend_from_slice(&fields.to_be_bytes());
    }

    /// A `bytea`, or the bytes of any type.
    pub fn bytes(&mut self, value: Option<&[u8]>) {
        match value {
            None => self.buffer.extend_from_slice(&(-1i32).to_be_bytes()),
            Some(bytes) => {
                self.buffer.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
                self.buffer.extend_from_slice(bytes);
            }
        }
    }

    /// A `text` or `varchar`.
    pub fn text(&mut self, value: Option<&str>) {
        self.bytes(value.map(str::as_bytes));
    }

    /// An `integer`.
    pub fn int(&mut self, value: Option<i32>) {
        self.bytes(value.map(i32::to_be_bytes).as_ref().map(<[u8; 4]>::as_slice));
    }

    /// A `bigint`.
    pub fn bigint(&mut self, value: i64) {
        self.bytes(Some(&value.to_be_bytes()));
    }

    /// A `double precision`.
    pub fn double(&mut self, value: f64) {
        self.bytes(Some(&value.to_be_bytes()));
    }

    /// A `timestamp` or `timestamptz`.
    pub fn time(&mut self, value: Option<Timestamp>) {
        let micros = value.map(|at| at.as_postgres_micros().to_be_bytes());
        self.bytes(micros.as_ref().map(<[u8; 8]>::as_slice));
    }
}

/// Copies every item as `encode` writes it; gives the number of rows.
pub(crate) async fn copy<T>(
    transaction: &Transaction<'_>,
    statement: &Statement,
    items: impl Iterator<Item = T>,
    mut encode: impl FnMut(&mut Rows, T),
) -> Result<u64, Error> {
    let mut sink = pin!(transaction.copy_in::<_, Cursor<Vec<u8>>>(statement).await?);
    let mut rows = Rows::new();
    for item in items {
        encode(&mut rows, item);
        if rows.buffer.len() >= PIECE {
            let full = std::mem::replace(&mut rows.buffer, Vec::with_capacity(PIECE + 8192));
            sink.send(Cursor::new(full)).await?;
        }
    }
    rows.row(-1);
    sink.send(Cursor::new(rows.buffer)).await?;
    sink.finish().await
}
