//! Bytes in pieces: which ones, a number decides.

use std::io::{self, Read};

/// The pieces of some bytes, the same for the same number; 0 is one byte each.
pub fn parts(bytes: &[u8], seed: u8) -> Vec<&[u8]> {
    let (mut rest, mut parts) = (bytes, Vec::new());
    let mut draw = Draw::seeded(seed.into());
    while !rest.is_empty() {
        let wanted = 1 + draw.below(1 << (seed % 12));
        let (part, more) = rest.split_at(wanted.min(rest.len()));
        parts.push(part);
        rest = more;
    }
    parts
}

/// Numbers that look drawn, the same for the same seed (xorshift64*).
pub struct Draw(u64);

impl Draw {
    /// The row of a seed.
    pub fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}

/// Gives pieces one by one, as a socket does.
pub struct InParts<'a>(std::vec::IntoIter<&'a [u8]>, &'a [u8]);

impl<'a> InParts<'a> {
    /// The pieces of some bytes.
    pub fn of(bytes: &'a [u8], seed: u8) -> Self {
        Self(parts(bytes, seed).into_iter(), &[])
    }

    /// What nobody has read.
    pub fn left(self) -> Vec<u8> {
        let mut left = self.1.to_vec();
        self.0.for_each(|part| left.extend(part));
        left
    }
}

impl Read for InParts<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.1.is_empty() {
            self.1 = self.0.next().unwrap_or_default();
        }
        let (now, later) = self.1.split_at(out.len().min(self.1.len()));
        out[..now.len()].copy_from_slice(now);
        self.1 = later;
        Ok(now.len())
    }
}
