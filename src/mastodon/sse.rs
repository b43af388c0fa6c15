//! Bytes of a server-sent event stream → frames, however the bytes are cut. `[pure]`

use std::mem::take;

/// The longest line, and the most data of one event, in bytes.
pub const LONGEST: usize = 1 << 20;

/// What one block of the stream gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// An event with its name (`message` if the server gave none) and its data.
    Event {
        /// The last `event:` of the block.
        name: String,
        /// Its `data:` lines, joined by line feeds.
        data: String,
    },
    /// A block that cannot be read: its bytes, cut to [`LONGEST`], and the cause.
    Unreadable {
        /// The bytes.
        body: Vec<u8>,
        /// Why it cannot be read.
        cause: &'static str,
    },
}

/// The reader of one connection's bytes.
#[derive(Debug, Default)]
pub struct Parser {
    /// The line that is not whole yet.
    line: Vec<u8>,
    /// The line passed [`LONGEST`]; its rest is skipped.
    cut: bool,
    /// The last byte was CR: a LF that follows belongs to it.
    after_cr: bool,
    /// The first line was read; a byte order mark can no longer come.
    begun: bool,
    name: String,
    data: String,
    has_data: bool,
    /// Why the block is unreadable, once it is.
    broken: Option<&'static str>,
    body: Vec<u8>,
}

impl Parser {
    /// Reads the next bytes and hands each whole block to `each`.
    pub fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Frame)) {
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = memchr::memchr2(b'\r', b'\n', bytes) {
            let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
            let line_end = bytes[end];
            self.keep(line);
            self.line_done(&mut each);
            bytes = rest;
            if line_end == b'\r' {
                match rest.first() {
                    Some(b'\n') => bytes = &rest[1..],
                    Some(_) => {}
                    None => self.after_cr = true,
                }
            }
        }
        self.keep(bytes);
    }

    /// True when the bytes so far end in the middle of a block: it is lost with the connection.
    pub fn is_unfinished(&self) -> bool {
        let in_field = self.line.first().is_some_and(|first| *first != b':');
        self.has_data || !self.name.is_empty() || self.broken.is_some() || in_field
    }

    fn keep(&mut self, part: &[u8]) {
        let room = LONGEST.saturating_sub(self.line.len());
        self.cut |= part.len() > room;
        self.line.extend_from_slice(&part[..part.len().min(room)]);
    }

    fn line_done(&mut self, each: &mut impl FnMut(Frame)) {
        let mut line = take(&mut self.line);
        let cut = take(&mut self.cut);
        if !self.begun && line.starts_with(b"\xef\xbb\xbf") {
            line.drain(..3);
        }
        self.begun = true;
        if line.is_empty() && !cut {
            self.block_done(each);
        } else if line.first() != Some(&b':') {
            self.field(&line, cut);
        }
        line.clear();
        self.line = line;
    }

    fn field(&mut self, line: &[u8], cut: bool) {
        if cut {
            self.broken.get_or_insert("a line is longer than 1 MiB");
        }
        let text = match std::str::from_utf8(line) {
            Ok(text) if self.broken.is_none() => text,
            Ok(_) => return self.keep_body(line),
            Err(_) => {
                self.broken.get_or_insert("a line is not UTF-8");
                return self.keep_body(line);
            }
        };
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" if self.data.len() + value.len() >= LONGEST => {
                self.broken = Some("an event is longer than 1 MiB");
                self.keep_body(line);
            }
            "data" => {
                if self.has_data {
                    self.data.push('\n');
                }
                self.has_data = true;
                self.data.push_str(value);
            }
            _ => {}
        }
    }

    fn keep_body(&mut self, line: &[u8]) {
        if self.has_data {
            self.has_data = false;
            self.body = take(&mut self.data).into_bytes();
        }
        if !self.body.is_empty() && self.body.len() < LONGEST {
            self.body.push(b'\n');
        }
        let room = LONGEST.saturating_sub(self.body.len());
        self.body.extend_from_slice(&line[..line.len().min(room)]);
    }

    fn block_done(&mut self, each: &mut impl FnMut(Frame)) {
        let name = take(&mut self.name);
        let data = take(&mut self.data);
        let body = take(&mut self.body);
        self.has_data = false;
        if let Some(cause) = self.broken.take() {
            each(Frame::Unreadable { body, cause });
        } else if !data.is_empty() {
            each(Frame::Event { name: if name.is_empty() { "message".into() } else { name }, data });
        }
    }
}
