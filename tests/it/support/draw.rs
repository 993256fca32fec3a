//! Numbers that look drawn, the same for the same seed (xorshift64*).

/// A row of numbers.
pub(crate) struct Draw(u64);

impl Draw {
    /// The row of a seed.
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next number below `limit`, which is not 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}

/// A stream in which each frame has two behind it that are nearly the same.
pub(crate) fn with_neighbours(stream: &str, seed: u64) -> Vec<u8> {
    let mut draw = Draw::seeded(seed);
    let mut repeated = Vec::new();
    for frame in stream.split_inclusive("\n\n") {
        repeated.extend_from_slice(frame.as_bytes());
        for _ in 0..2 {
            let mut changed = frame.as_bytes().to_vec();
            let at = draw.below(changed.len());
            match draw.below(4) {
                0 => changed[at] = b"x\"\\ \t\xff{}0"[draw.below(9)],
                1 => changed.insert(at, b'x'),
                2 => drop(changed.splice(at..at, *b"xyz")),
                _ => drop(changed.remove(at)),
            }
            repeated.extend(changed);
        }
    }
    repeated
}
