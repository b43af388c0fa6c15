//! What was sent, and how far the timeline has come: written as it happens, so that a restart goes on from there.

use super::generator::Slice;
use super::oracle::SentSlice;
use crate::config::write_private;
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes before the bits: the position, whether the slice is over, the number of steps.
const HEAD: u64 = 12;

/// The ledger of a timeline.
pub(super) struct Ledger {
    folder: PathBuf,
    slices: Mutex<Vec<Arc<SliceLedger>>>,
}

/// The ledger of one slice.
pub(super) struct SliceLedger {
    pub slice: Slice,
    pub steps: u32,
    position: AtomicU32,
    over: AtomicBool,
    failed: AtomicBool,
    sent_count: AtomicU32,
    sent: Mutex<Vec<u8>>,
    file: File,
}

impl Ledger {
    /// Opens the ledger of a folder, or starts one.
    pub fn open(folder: &Path) -> Result<Self> {
        let list = folder.join("slices.json");
        let known: Vec<(Slice, u32)> = match std::fs::read(&list) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                Error::cannot(format!("understand {}", list.display()), e)
                    .next("remove the folder of the local Mastodon to start a new timeline")
            })?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(Error::cannot(format!("read {}", list.display()), e)),
        };
        let mut slices = Vec::with_capacity(known.len());
        for (slice, steps) in known {
            slices.push(Arc::new(SliceLedger::open(folder, slice, steps)?));
        }
        Ok(Self { folder: folder.to_owned(), slices: Mutex::new(slices) })
    }

    /// The slice that began last.
    pub fn last(&self) -> Option<Arc<SliceLedger>> {
        self.slices.lock().unwrap_or_else(PoisonError::into_inner).last().cloned()
    }

    /// All slices that have begun.
    pub fn slices(&self) -> Vec<Arc<SliceLedger>> {
        self.slices.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Writes down that a slice of so many steps begins.
    pub fn begin(&self, slice: Slice, steps: u32) -> Result<Arc<SliceLedger>> {
        let mut slices = self.slices.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = Arc::new(SliceLedger::open(&self.folder, slice, steps)?);
        let mut known: Vec<(Slice, u32)> = slices.iter().map(|s| (s.slice, s.steps)).collect();
        known.push((slice, steps));
        let list = self.folder.join("slices.json");
        let json = serde_json::to_vec(&known).map_err(|e| Error::cannot(format!("write {}", list.display()), e))?;
        write_private(&list, &json)?;
        slices.push(Arc::clone(&begun));
        Ok(begun)
    }
}

impl SliceLedger {
    fn open(folder: &Path, slice: Slice, steps: u32) -> Result<Self> {
        let path = folder.join(format!("slice-{:05}.sent", slice.number));
        let cannot = |e: std::io::Error| Error::cannot(format!("keep {}", path.display()), e);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(cannot)?;
        let mut bits = vec![0; (steps as usize).div_ceil(8)];
        let whole = HEAD + bits.len() as u64;
        // A slice that was never entered in the list may have left a file of another length.
        if file.metadata().map_err(cannot)?.len() != whole {
            file.set_len(0).and_then(|()| file.set_len(whole)).map_err(cannot)?;
        }
        let mut head = [0; HEAD as usize];
        file.read_exact_at(&mut head, 0).and_then(|()| file.read_exact_at(&mut bits, HEAD)).map_err(cannot)?;
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let last_sent = bits.iter().rposition(|byte| *byte != 0);
        let after_sent = last_sent.map_or(0, |at| at as u32 * 8 + 8 - bits[at].leading_zeros());
        Ok(Self {
            slice,
            steps,
            // The bits are written first: after a crash between the two they know better.
            position: AtomicU32::new(number(0).max(after_sent).min(steps)),
            over: AtomicBool::new(number(4) == 1),
            failed: AtomicBool::new(false),
            sent_count: AtomicU32::new(bits.iter().map(|byte| byte.count_ones()).sum()),
            sent: Mutex::new(bits),
            file,
        })
    }

    fn write(&self, bytes: &[u8], at: u64) {
        if let Err(e) = self.file.write_all_at(bytes, at) {
            log::error!("the local Mastodon cannot write its ledger of slice {}: {e}", self.slice.number);
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    /// Writes down that a step was written whole to an open stream.
    pub fn mark_sent(&self, step: u32) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let (byte, bit) = (step as usize / 8, 1u8 << (step % 8));
        if sent[byte] & bit == 0 {
            sent[byte] |= bit;
            self.write(&sent[byte..=byte], HEAD + byte as u64);
            self.sent_count.fetch_add(1, Ordering::Release);
        }
    }

    /// Writes down that all steps before `position` are past.
    pub fn move_to(&self, position: u32) {
        self.position.store(position, Ordering::Release);
        self.write(&position.to_le_bytes(), 0);
    }

    /// Writes down that the slice is over.
    pub fn end(&self) {
        self.write(&1u32.to_le_bytes(), 4);
        self.over.store(true, Ordering::Release);
    }

    /// The first step that is not past.
    pub fn position(&self) -> u32 {
        self.position.load(Ordering::Acquire)
    }

    /// Whether every step is past and was written to the streams that wanted it.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Whether something could not be written down: the books are not to be trusted then.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// How many steps were sent.
    pub fn sent_count(&self) -> u32 {
        self.sent_count.load(Ordering::Acquire)
    }

    /// What was sent so far.
    pub fn sent(&self) -> SentSlice {
        let bits = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let sent = (0..self.steps as usize).map(|step| bits[step / 8] & (1 << (step % 8)) != 0).collect();
        SentSlice { slice: self.slice, sent }
    }
}
