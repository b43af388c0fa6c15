//! What becomes of a toot when several records concern it, whatever their order. `[pure]`
//!
//! The newest version wins, a retract takes back its version and every older one, a delete is final. So any order of
//! the same records leaves the same rows.

use super::aggregate::{Counted, Delta};
use super::batch::{Batch, Books, ChangeKind};
use crate::timestamp::Timestamp;
use std::collections::BTreeMap;

/// The version of a toot: the time of its edit, absent for the first, which is the oldest.
pub type Version = Option<Timestamp>;

/// A toot as the tables hold it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Event time.
    pub at: Option<Timestamp>,
    /// The author.
    pub user_id: Option<String>,
    /// Primary language.
    pub language: Option<String>,
    /// Characters of its text.
    pub text_length: i32,
    /// Tags joined with commas.
    pub hashtags: String,
    /// Its version.
    pub version: Version,
    /// True when it is listed as late.
    pub late: bool,
}

impl Stored {
    /// What windows and averages look at.
    pub fn counted(&self) -> Counted<'_> {
        Counted {
            at: self.at,
            user_id: self.user_id.as_deref(),
            language: self.language.as_deref(),
            text_length: self.text_length,
            hashtags: &self.hashtags,
            late: self.late,
        }
    }
}

/// Where a toot stands.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// In one of the toot tables.
    Stored(Stored),
    /// In quarantine.
    Quarantined(Version),
    /// Kept out up to this version.
    Retracted(Version),
    /// Kept out for good.
    Deleted,
}

/// What the special changes of a batch write.
#[derive(Clone, Debug)]
pub struct Written<'a> {
    /// Changes whose toot is written to `filtered_toots`.
    pub put: Vec<u32>,
    /// Changes whose toot is listed as late.
    pub late: Vec<u32>,
    /// Changes whose toot goes to quarantine.
    pub quarantine: Vec<u32>,
    /// Ids whose rows leave both toot tables and the sentiments.
    pub clear: Vec<&'a str>,
    /// Ids that leave the list of late toots.
    pub unlist: Vec<&'a str>,
    /// Ids that leave quarantine.
    pub release: Vec<&'a str>,
    /// Tombstones to set: id, whether for good, version.
    pub bury: Vec<(&'a str, bool, Version)>,
    /// Tombstones to lift.
    pub lift: Vec<&'a str>,
    /// Ids whose dead letters go too.
    pub forget: Vec<&'a str>,
    /// What windows and averages change by.
    pub delta: Delta,
    /// What the changes came to.
    pub books: Books,
}

/// Where a toot stands while the batch is merged.
#[derive(Clone, Debug, PartialEq)]
enum Now<'s> {
    Absent,
    Stored(&'s Stored),
    /// Written by this batch: the change that holds its newest version, the one that created the row (none for an
    /// edit of a stored row), and whether it counts as late.
    Put {
        change: u32,
        born: Option<u32>,
        late: bool,
    },
    Quarantined(Version),
    SetAside(u32),
    Retracted(Version),
    Deleted,
}

/// Applies the changes at the indices of `special`, in order, to what the tables hold.
pub fn merge<'a>(batch: &'a Batch, special: &[u32], fates: &'a BTreeMap<String, Fate>) -> Written<'a> {
    let mut books = Books::default();
    let mut now: BTreeMap<&'a str, Now<'a>> = BTreeMap::new();
    for &index in special {
        let id = batch.id(index);
        let entry = now.entry(id).or_insert_with(|| before(fates.get(id)));
        *entry = step(batch, index, entry, &mut books);
    }
    let mut out = Written {
        put: Vec::new(),
        late: Vec::new(),
        quarantine: Vec::new(),
        clear: Vec::new(),
        unlist: Vec::new(),
        release: Vec::new(),
        bury: Vec::new(),
        lift: Vec::new(),
        forget: Vec::new(),
        delta: batch.delta.blank(),
        books,
    };
    for (id, after) in now {
        out.settle(batch, id, fates.get(id), after);
    }
    out
}

fn before(fate: Option<&Fate>) -> Now<'_> {
    match fate {
        None => Now::Absent,
        Some(Fate::Stored(stored)) => Now::Stored(stored),
        Some(Fate::Quarantined(version)) => Now::Quarantined(*version),
        Some(Fate::Retracted(version)) => Now::Retracted(*version),
        Some(Fate::Deleted) => Now::Deleted,
    }
}

/// The version that counts now, of a toot that is stored or set aside.
fn version(batch: &Batch, now: &Now<'_>) -> Option<Version> {
    match now {
        Now::Stored(stored) => Some(stored.version),
        Now::Quarantined(version) => Some(*version),
        Now::Put { change, .. } | Now::SetAside(change) => match batch.changes[*change as usize].kind {
            ChangeKind::Put { toot, .. } => Some(batch.toots.get(toot).edited_at),
            _ => None,
        },
        Now::Absent | Now::Retracted(_) | Now::Deleted => None,
    }
}

fn step<'s>(batch: &Batch, index: u32, now: &Now<'s>, books: &mut Books) -> Now<'s> {
    match &batch.changes[index as usize].kind {
        ChangeKind::Delete { .. } => Now::Deleted,
        ChangeKind::Leave { version: left, .. } => match (now, version(batch, now)) {
            (Now::Deleted, _) => Now::Deleted,
            (Now::Retracted(earlier), _) => Now::Retracted(*left.max(earlier)),
            (_, Some(kept)) if *left < kept => now.clone(),
            _ => Now::Retracted(*left),
        },
        ChangeKind::Put { toot, late, future, .. } => {
            let mine = batch.toots.get(*toot).edited_at;
            match (now, version(batch, now)) {
                (Now::Deleted, _) => books.tombstoned += 1,
                (Now::Retracted(left), _) if mine <= *left => books.tombstoned += 1,
                (_, Some(kept)) if mine == kept => books.duplicates += 1,
                (_, Some(kept)) if mine < kept => books.stale += 1,
                (Now::Stored(_) | Now::Put { .. }, _) if !future => {
                    books.edits += 1;
                    let (born, late) = match now {
                        Now::Put { born, late, .. } => (*born, *late),
                        Now::Stored(stored) => (None, stored.late),
                        _ => (None, false),
                    };
                    return Now::Put { change: index, born, late };
                }
                _ if *future => {
                    books.quarantined += 1;
                    return Now::SetAside(index);
                }
                _ => {
                    *(if late.is_some() { &mut books.late } else { &mut books.on_time }) += 1;
                    return Now::Put { change: index, born: Some(index), late: late.is_some() };
                }
            }
            now.clone()
        }
    }
}

impl<'a> Written<'a> {
    /// Writes down the difference between what the tables hold of a toot and where it stands now.
    fn settle(&mut self, batch: &'a Batch, id: &'a str, fate: Option<&'a Fate>, after: Now<'a>) {
        if after == Now::Deleted {
            // Also when nothing was stored: a sentiment or a dead letter may be all there is.
            self.clear.push(id);
            self.unlist.push(id);
            self.release.push(id);
            self.forget.push(id);
        }
        if after == before(fate) {
            return;
        }
        let stored = match fate {
            Some(Fate::Stored(stored)) => Some(stored),
            _ => None,
        };
        if let Some(old) = stored {
            self.delta.remove(old.counted());
        }
        match fate {
            Some(Fate::Quarantined(_)) if after != Now::Deleted => self.release.push(id),
            Some(Fate::Retracted(_)) if !matches!(after, Now::Deleted | Now::Retracted(_)) => self.lift.push(id),
            _ => {}
        }
        match after {
            Now::Put { change, born, late } => {
                if let ChangeKind::Put { toot, .. } = batch.changes[change as usize].kind {
                    let counted = batch.toots.get(toot).counted(late);
                    if born.is_some() { self.delta.add(counted) } else { self.delta.replace(counted) }
                }
                if stored.is_some() {
                    self.clear.push(id);
                    if born.is_some() {
                        self.unlist.push(id);
                    }
                }
                self.put.push(change);
                self.late.extend(born.filter(|_| late));
            }
            Now::SetAside(change) => {
                self.quarantine.push(change);
                if stored.is_some() {
                    self.clear.push(id);
                    self.unlist.push(id);
                }
            }
            Now::Retracted(version) => {
                self.bury.push((id, false, version));
                if stored.is_some() {
                    self.clear.push(id);
                    self.unlist.push(id);
                }
            }
            Now::Deleted => self.bury.push((id, true, None)),
            Now::Absent | Now::Stored(_) | Now::Quarantined(_) => {}
        }
    }
}
