//! A model as bytes and back: a first line that names it, then the numbers, little-endian. `[pure]`

use super::features::{COLUMNS, FEATURES, Ratios};
use super::model::{HEAD, Model, Neutral};
use super::regression::{Binary, Scale, Softmax};
use super::text::TOKENISER;
use super::vectors::WORDS;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The first line: what must agree before the numbers mean anything.
#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    tokeniser: u32,
    features: u32,
    neutral_learnt: bool,
    buckets: usize,
    sha256: String,
}

const FORMAT: &str = "spar sentiment model 1";

impl Model {
    /// The model as bytes: the same model gives the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let mut floats = |values: &[f64]| values.iter().for_each(|v| body.extend_from_slice(&v.to_le_bytes()));
        floats(&self.poles.scale.mean);
        floats(&self.poles.scale.spread);
        floats(&self.poles.weights);
        floats(&[self.poles.intercept]);
        if let Neutral::Learnt(head) = &self.neutral {
            floats(&head.scale.mean);
            floats(&head.scale.spread);
            head.weights.iter().for_each(|w| floats(w));
            floats(&head.intercepts);
        }
        let mut buckets = 0;
        for (bucket, (value, group)) in self.ratios.value.iter().zip(&self.ratios.group).enumerate() {
            if *group > 0 {
                body.extend_from_slice(&(bucket as u32).to_le_bytes());
                body.extend_from_slice(&value.to_le_bytes());
                body.push(*group);
                buckets += 1;
            }
        }
        let header = Header {
            format: FORMAT.into(),
            tokeniser: TOKENISER,
            features: FEATURES,
            neutral_learnt: matches!(self.neutral, Neutral::Learnt(_)),
            buckets,
            sha256: sha256(&body),
        };
        let mut bytes = serde_json::to_vec(&header).expect("numbers and short texts are JSON");
        bytes.push(b'\n');
        bytes.extend_from_slice(&body);
        bytes
    }

    /// The model from its bytes.
    ///
    /// # Errors
    ///
    /// Fails if the bytes are damaged, or come from another version of the tokeniser or of the features.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged = |cause: &str| {
            Error::cannot("read the sentiment model", cause).next("remove the file; partie4 trains a new one").invalid()
        };
        let end = bytes.iter().take(4096).position(|b| *b == b'\n').ok_or_else(|| damaged("it has no first line"))?;
        let header: Header = serde_json::from_slice(&bytes[..end]).map_err(|e| damaged(&e.to_string()))?;
        if header.format != FORMAT || header.tokeniser != TOKENISER || header.features != FEATURES {
            return Err(damaged("it was written by another version"));
        }
        let body = &bytes[end + 1..];
        if header.sha256 != sha256(body) {
            return Err(damaged("its checksum is wrong"));
        }
        let mut read = Reader { rest: body };
        let model = read.model(&header).ok_or_else(|| damaged("it is too short"))?;
        if !read.rest.is_empty() {
            return Err(damaged("it is too long"));
        }
        Ok(model)
    }
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn model(&mut self, header: &Header) -> Option<Model> {
        let poles = Binary { scale: self.scale(COLUMNS)?, weights: self.floats(COLUMNS)?, intercept: self.float()? };
        let neutral = if header.neutral_learnt {
            let scale = self.scale(HEAD)?;
            let weights = [self.floats(HEAD)?, self.floats(HEAD)?, self.floats(HEAD)?];
            Neutral::Learnt(Softmax { scale, weights, intercepts: [self.float()?, self.float()?, self.float()?] })
        } else {
            Neutral::Band
        };
        let mut ratios = Ratios::empty();
        for _ in 0..header.buckets.min(2 * WORDS) {
            let bucket = u32::from_le_bytes(self.take()?) as usize;
            *ratios.value.get_mut(bucket)? = f32::from_le_bytes(self.take()?);
            let [group] = self.take()?;
            ratios.group[bucket] = Ratios::checked(group)?;
        }
        Some(Model { ratios, poles, neutral })
    }

    fn scale(&mut self, columns: usize) -> Option<Scale> {
        Some(Scale { mean: self.floats(columns)?, spread: self.floats(columns)? })
    }

    fn floats(&mut self, count: usize) -> Option<Vec<f64>> {
        (0..count).map(|_| self.float()).collect()
    }

    fn float(&mut self) -> Option<f64> {
        self.take().map(f64::from_le_bytes).filter(|v| v.is_finite())
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*first)
    }
}

/// The SHA-256 of some bytes, in hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}
