//! Texts as numbers, before anything is learnt: hashed words and pairs of words, and the shape of the text. `[pure]`

use super::corpus::{Corpus, count};
use super::label::Sentiment;
use super::text::{NEGATED, Tokens, tokens_into};
use rayon::prelude::*;
use std::sync::Arc;

/// Buckets for words, and as many again for pairs.
pub(crate) const WORDS: usize = 1 << 20;

/// Columns that describe the shape of a text.
pub(crate) const SHAPE: usize = 11;

/// Texts per piece: the unit of parallel work, whatever the number of threads.
const PIECE: usize = 4096;

/// One text as numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vector {
    /// The same for texts with the same tokens.
    pub(crate) key: u64,
    /// Sorted, each once: words below [`WORDS`], pairs from there on.
    pub(crate) buckets: Vec<u32>,
    pub(crate) shape: [f32; SHAPE],
}

/// The numbers of one raw text: the only way from a text to a model, in training and in scoring.
pub fn vector(text: &str) -> Vector {
    let mut tokens = Tokens::default();
    vector_into(text, &mut tokens)
}

fn vector_into(text: &str, tokens: &mut Tokens) -> Vector {
    tokens_into(text, tokens);
    let mut buckets = Vec::with_capacity(2 * tokens.len() + 1);
    let mut key = SEED;
    let mut before = EDGE;
    for token in tokens.iter() {
        let hash = hash(token);
        key = join(key, hash);
        buckets.push(bucket(hash));
        buckets.push(WORDS as u32 + bucket(join(before, hash)));
        before = hash;
    }
    if !tokens.is_empty() {
        buckets.push(WORDS as u32 + bucket(join(before, EDGE)));
    }
    buckets.sort_unstable();
    buckets.dedup();
    Vector { key, buckets, shape: shape(tokens) }
}

const SEED: u64 = 0xcbf2_9ce4_8422_2325;
/// The neighbour of the first and of the last word.
const EDGE: u64 = 0x9e37_79b9_7f4a_7c15;

/// FNV-1a, whose constants are fixed: the same word has the same bucket in every run and on every machine.
fn hash(token: &str) -> u64 {
    token.bytes().fold(SEED, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

fn join(left: u64, right: u64) -> u64 {
    mix(left.rotate_left(23) ^ right)
}

/// Spreads the bits of a hash (the finaliser of splitmix64).
pub(crate) fn mix(h: u64) -> u64 {
    let h = (h ^ (h >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let h = (h ^ (h >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    h ^ (h >> 31)
}

fn bucket(hash: u64) -> u32 {
    (mix(hash) & (WORDS as u64 - 1)) as u32
}

fn shape(tokens: &Tokens) -> [f32; SHAPE] {
    let mut shape = [0.0; SHAPE];
    for token in tokens.iter() {
        match token {
            "<url>" => shape[1] = 1.0,
            "<user>" => shape[2] = 1.0,
            "!" => shape[3] += 1.0,
            "!!" => shape[3] += 2.0,
            "?" | "??" => shape[4] += 1.0,
            "<num>" => shape[5] = 1.0,
            "i" | "i'm" | "im" | "my" | "me" | "je" | "moi" => shape[8] = 1.0,
            // Sentiment140 was cleared of emoticons, so what they mean is told, not learnt.
            ":)" | ";)" | ":d" | "<3" | ":*" => shape[9] += 1.0,
            ":(" | ":'(" | ":/" | "</3" => shape[9] -= 1.0,
            "..." => shape[10] = 1.0,
            word if word.starts_with(NEGATED) => shape[7] += 1.0,
            _ => {}
        }
    }
    shape[0] = (tokens.len() as f32).ln_1p();
    shape[3] = shape[3].ln_1p();
    shape[4] = shape[4].ln_1p();
    shape[6] = (tokens.shouted as f32).ln_1p();
    shape[7] = shape[7].ln_1p();
    shape[9] = shape[9].clamp(-2.0, 2.0);
    shape
}

/// The rows of one piece, their buckets end to end.
struct Piece {
    ends: Vec<u32>,
    buckets: Vec<u32>,
    shapes: Vec<[f32; SHAPE]>,
    keys: Vec<u64>,
}

/// A corpus as numbers, each text once.
pub struct Vectors {
    corpus: Arc<Corpus>,
    pieces: Vec<Piece>,
    /// The rows that stay, in the order of the file.
    pub(crate) kept: Vec<u32>,
    /// Rows that repeat an earlier text.
    pub duplicates: usize,
    /// Rows of texts that occur as often with one label as with another.
    pub contradictory: usize,
    /// Rows without a single token.
    pub empty: usize,
}

impl Vectors {
    /// Turns every text of the corpus into numbers and drops the copies.
    ///
    /// Two texts are copies when their tokens are the same. The label that most copies have is kept; when two labels
    /// are equally frequent, none is.
    pub fn new(corpus: Arc<Corpus>) -> Self {
        let rows: Vec<usize> = (0..corpus.len()).collect();
        let pieces: Vec<Piece> = rows.par_chunks(PIECE).map(|rows| piece(&corpus, rows)).collect();
        let mut vectors = Self { corpus, pieces, kept: Vec::new(), duplicates: 0, contradictory: 0, empty: 0 };
        vectors.drop_copies();
        vectors
    }

    fn drop_copies(&mut self) {
        let mut order: Vec<u32> = Vec::with_capacity(self.corpus.len());
        for row in 0..self.corpus.len() {
            if self.row(row).0.is_empty() {
                self.empty += 1;
            } else {
                order.push(row as u32);
            }
        }
        order.par_sort_unstable_by_key(|row| (self.key(*row as usize), *row));
        let mut kept = Vec::with_capacity(order.len());
        let (mut duplicates, mut contradictory) = (0, 0);
        for copies in order.chunk_by(|a, b| self.key(*a as usize) == self.key(*b as usize)) {
            let labels: Vec<Sentiment> = copies.iter().map(|row| self.corpus.label(*row as usize)).collect();
            let counts = count(&labels);
            let most = *counts.iter().max().expect("there are three classes");
            if counts.iter().filter(|c| **c == most).count() > 1 {
                contradictory += copies.len();
                continue;
            }
            let winner = labels.iter().position(|l| counts[l.index()] == most).expect("the most frequent label occurs");
            kept.push(copies[winner]);
            duplicates += copies.len() - 1;
        }
        kept.par_sort_unstable();
        (self.kept, self.duplicates, self.contradictory) = (kept, duplicates, contradictory);
    }

    /// The corpus that the rows come from.
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// How many kept rows each sentiment has.
    pub fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for row in &self.kept {
            counts[self.corpus.label(*row as usize).index()] += 1;
        }
        counts
    }

    /// The numbers of row `row` of the corpus.
    pub fn vector(&self, row: usize) -> Vector {
        let (buckets, shape) = self.row(row);
        Vector { key: self.key(row), buckets: buckets.to_vec(), shape: *shape }
    }

    pub(crate) fn label(&self, row: u32) -> Sentiment {
        self.corpus.label(row as usize)
    }

    pub(crate) fn key(&self, row: usize) -> u64 {
        self.pieces[row / PIECE].keys[row % PIECE]
    }

    pub(crate) fn row(&self, row: usize) -> (&[u32], &[f32; SHAPE]) {
        let (piece, at) = (&self.pieces[row / PIECE], row % PIECE);
        let start = if at == 0 { 0 } else { piece.ends[at - 1] as usize };
        (&piece.buckets[start..piece.ends[at] as usize], &piece.shapes[at])
    }
}

fn piece(corpus: &Corpus, rows: &[usize]) -> Piece {
    let mut piece = Piece {
        ends: Vec::with_capacity(rows.len()),
        buckets: Vec::new(),
        shapes: Vec::with_capacity(rows.len()),
        keys: Vec::with_capacity(rows.len()),
    };
    let mut tokens = Tokens::default();
    for row in rows {
        let vector = vector_into(corpus.text(*row), &mut tokens);
        piece.buckets.extend_from_slice(&vector.buckets);
        piece.ends.push(piece.buckets.len() as u32);
        piece.shapes.push(vector.shape);
        piece.keys.push(vector.key);
    }
    piece.buckets.shrink_to_fit();
    piece
}
