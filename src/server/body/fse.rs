//! Finite state entropy tables, as far as lengths are to be read by them (RFC 8878, 4.1).

/// A decoding table; its states are places in it.
pub(super) struct Table {
    cells: Vec<Cell>,
    /// It has two to the power of this many cells.
    log: u8,
}

/// What one state means and where it leads.
#[derive(Clone, Copy, Default)]
struct Cell {
    code: u8,
    /// The next state is `base` and so many bits more.
    bits: u8,
    base: u64,
}

/// Bits from the end of some bytes to their beginning (RFC 8878, 3.1.1.3.2.1.2).
pub(super) struct Backward<'a> {
    bytes: &'a [u8],
    /// Bits not yet read.
    left: usize,
}

impl Table {
    /// The table of a distribution over codes from 0 on: a share of cells for each, -1 for less
    /// than one cell (4.1.1). `None` when the shares do not fill the table.
    pub(super) fn of(shares: &[i16], log: u8) -> Option<Self> {
        let size = 1_usize << log;
        let mut cells = vec![Cell::default(); size];
        let codes = || (0_u8..=u8::MAX).zip(shares);
        let mut high = size;
        for (code, _) in codes().filter(|(_, share)| **share == -1) {
            high = high.checked_sub(1)?;
            cells.get_mut(high)?.code = code;
        }
        let step = (size >> 1) + (size >> 3) + 3;
        let mut at = 0;
        for (code, share) in codes() {
            for _ in 0..(*share).max(0) {
                cells.get_mut(at).filter(|_| at < high)?.code = code;
                at = (at + step) & (size - 1);
                while at >= high && at != 0 {
                    at = (at + step) & (size - 1);
                }
            }
        }
        let mut next: Vec<u64> = shares.iter().map(|share| u64::from(share.unsigned_abs())).collect();
        for cell in &mut cells {
            let state = next.get_mut(usize::from(cell.code))?;
            let top = u8::try_from(state.checked_ilog2()?).ok()?;
            cell.bits = log.checked_sub(top)?;
            cell.base = (*state << cell.bits).checked_sub(1 << log)?;
            *state += 1;
        }
        Some(Self { cells, log })
    }

    /// The table of one code only; it takes no bits.
    pub(super) fn of_one(code: u8) -> Self {
        let cell = Cell { code, ..Cell::default() };
        Self { cells: vec![cell], log: 0 }
    }

    /// Reads the description of a table (4.1.1); returns what follows it.
    pub(super) fn read(bytes: &[u8], max_log: u8, max_code: u8) -> Option<(Self, &[u8])> {
        let mut at = 0;
        let log = u8::try_from(forward(bytes, &mut at, 4)? + 5).ok()?;
        if log > max_log {
            return None;
        }
        let mut left = 1_u64 << log;
        let mut shares: Vec<i16> = Vec::new();
        while left > 0 {
            let share = share(bytes, &mut at, left)?;
            left = left.checked_sub(u64::from(share.unsigned_abs()))?;
            shares.push(share);
            if share == 0 {
                skip(bytes, &mut at, &mut shares)?;
            }
            if shares.len() > usize::from(max_code) + 1 {
                return None;
            }
        }
        Some((Self::of(&shares, log)?, bytes.get(at.div_ceil(8)..)?))
    }

    /// The first state.
    pub(super) fn begin(&self, bits: &mut Backward<'_>) -> Option<u64> {
        bits.read(self.log)
    }

    /// What a state means.
    pub(super) fn code(&self, state: u64) -> Option<u8> {
        Some(self.cell(state)?.code)
    }

    /// The state after a state.
    pub(super) fn next(&self, state: u64, bits: &mut Backward<'_>) -> Option<u64> {
        let cell = self.cell(state)?;
        Some(cell.base + bits.read(cell.bits)?)
    }

    fn cell(&self, state: u64) -> Option<&Cell> {
        self.cells.get(usize::try_from(state).ok()?)
    }
}

/// Reads how many codes more have no share: in threes, as long as a three is said.
fn skip(bytes: &[u8], at: &mut usize, shares: &mut Vec<i16>) -> Option<()> {
    loop {
        let more = forward(bytes, at, 2)?;
        shares.extend((0..more).map(|_| 0));
        if more < 3 {
            return Some(());
        }
    }
}

/// Reads one share, in as few bits as the rest of the table allows.
fn share(bytes: &[u8], at: &mut usize, left: u64) -> Option<i16> {
    let bits = u8::try_from((left + 1).checked_ilog2()? + 1).ok()?;
    let low = 1_u64 << (bits - 1);
    let short = (1_u64 << bits) - 1 - (left + 1);
    let start = *at;
    // The last bits may lie behind the end; then only the short form is there.
    let value = forward(bytes, at, bits)?;
    let value = if value & (low - 1) < short {
        *at = start + usize::from(bits) - 1;
        value & (low - 1)
    } else if value >= low {
        value - short
    } else {
        value
    };
    i16::try_from(value).ok()?.checked_sub(1)
}

/// Reads bits from the beginning on; behind the end they are 0.
fn forward(bytes: &[u8], at: &mut usize, count: u8) -> Option<u64> {
    if *at > bytes.len() * 8 {
        return None;
    }
    let value = window(bytes, *at, count);
    *at += usize::from(count);
    Some(value)
}

impl<'a> Backward<'a> {
    /// The highest bit that is set in the last byte marks the end; `None` when there is none.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mark = usize::try_from(bytes.last()?.checked_ilog2()?).ok()?;
        let left = (bytes.len() - 1) * 8 + mark;
        Some(Self { bytes, left })
    }

    /// The next bits, at most 32; `None` when there are not so many.
    pub(super) fn read(&mut self, count: u8) -> Option<u64> {
        self.left = self.left.checked_sub(usize::from(count))?;
        Some(window(self.bytes, self.left, count))
    }
}

/// Some bits from a place on, lowest first; behind the end they are 0.
fn window(bytes: &[u8], at: usize, count: u8) -> u64 {
    let rest = bytes.get(at / 8..).unwrap_or_default();
    let word = rest.first_chunk().copied().unwrap_or_else(|| {
        let mut few = [0; 8];
        few.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        few
    });
    (u64::from_le_bytes(word) >> (at % 8)) & ((1 << count) - 1)
}
