//! Measures zstd blocks before they are decoded (RFC 8878, 3.1.1.2 and 3.1.1.3).
//!
//! A block may expand to 128 KiB, but the decoder does not hold a block to it: 128 KiB of hostile
//! input would make it write 8 GiB before anybody could count. So each block is read whole, its
//! match lengths are summed up, and only then the decoder gets it.

use std::io::{self, Read};

use crate::server::body::fse::{Backward, Table};

/// A block has at most so many bytes, before and after (RFC 8878, 3.1.1.2.4).
const MAX_BLOCK: usize = 128 * 1024;
/// Sequence codes (RFC 8878, 3.1.1.3.2.1.1): extra bits of literal lengths from code 16 on,
const LITERAL_BITS: [u8; 20] = [1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
/// and of match lengths from code 32 on, where the values of the codes before end.
const MATCH_BITS: [u8; 21] = [1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
/// The default distributions (RFC 8878, 3.1.1.3.2.2), 6, 5 and 6 bits.
const LITERAL_SHARES: [i16; 36] = [
    4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1,
    -1, -1,
];
const OFFSET_SHARES: [i16; 29] =
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1];
const MATCH_SHARES: [i16; 53] = [
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
];

/// The blocks of one frame and what follows them, as sent; a block that would expand to more than
/// it may is an error. Stands behind the frame header.
pub(super) struct Blocks<R> {
    source: R,
    /// The block in hand, its header first, and how much of it was handed on.
    block: Vec<u8>,
    at: usize,
    last: bool,
    tables: Tables,
}

/// The tables of the sequences, which a later block may use again.
#[derive(Default)]
struct Tables {
    literals: Option<Table>,
    offsets: Option<Table>,
    matches: Option<Table>,
}

/// What is special about one of the three kinds of code.
struct Kind {
    shares: &'static [i16],
    bits: u8,
    max_bits: u8,
    max_code: u8,
}

const LITERALS: Kind = Kind { shares: &LITERAL_SHARES, bits: 6, max_bits: 9, max_code: 35 };
const OFFSETS: Kind = Kind { shares: &OFFSET_SHARES, bits: 5, max_bits: 8, max_code: 31 };
const MATCHES: Kind = Kind { shares: &MATCH_SHARES, bits: 6, max_bits: 9, max_code: 52 };

impl<R: Read> Blocks<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, block: Vec::new(), at: 0, last: false, tables: Tables::default() }
    }

    fn next_block(&mut self) -> io::Result<()> {
        let mut header = [0; 3];
        self.source.read_exact(&mut header)?;
        let word = little_end(&header);
        let size = usize::try_from(word >> 3).unwrap_or(usize::MAX);
        self.last = word & 1 == 1;
        self.block.clear();
        self.block.extend(header);
        self.at = 0;
        let kind = (word >> 1) & 3;
        let stored = if kind == 1 { 1 } else { size };
        if size > MAX_BLOCK || kind == 3 {
            return Err(io::Error::other("not a block"));
        }
        let stored = u64::try_from(stored).unwrap_or(u64::MAX);
        let count = self.source.by_ref().take(stored).read_to_end(&mut self.block)?;
        if u64::try_from(count).ok() != Some(stored) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if kind == 2 {
            let content = self.block.get(3..).unwrap_or_default();
            let size = expanded(content, &mut self.tables);
            if size.is_none_or(|size| size > MAX_BLOCK) {
                return Err(io::Error::other("a block is broken or too large"));
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for Blocks<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.at == self.block.len() {
            if self.last {
                return self.source.read(out);
            }
            self.next_block()?;
        }
        let count = self.block.get(self.at..).unwrap_or_default().read(out)?;
        self.at += count;
        Ok(count)
    }
}

/// How many bytes a compressed block makes; `None` when it is broken.
fn expanded(block: &[u8], tables: &mut Tables) -> Option<usize> {
    let (literals, rest) = literals(block)?;
    let (count, rest) = match *rest {
        [0, ..] => return Some(literals),
        [few @ 1..=127, ref rest @ ..] => (usize::from(few), rest),
        [high @ 128..=254, low, ref rest @ ..] => ((usize::from(high) - 128) * 256 + usize::from(low), rest),
        [255, low, high, ref rest @ ..] => (usize::from(low) + usize::from(high) * 256 + 0x7f00, rest),
        _ => return None,
    };
    let (modes, rest) = rest.split_first()?;
    let rest = set_table(&mut tables.literals, &LITERALS, modes >> 6, rest)?;
    let rest = set_table(&mut tables.offsets, &OFFSETS, (modes >> 4) & 3, rest)?;
    let rest = set_table(&mut tables.matches, &MATCHES, (modes >> 2) & 3, rest)?;
    Some(literals + match_lengths(tables, count, rest)?)
}

/// How many bytes the literals are, and what follows them (RFC 8878, 3.1.1.3.1.1).
fn literals(block: &[u8]) -> Option<(usize, &[u8])> {
    let first = *block.first()?;
    let (kind, format) = (first & 3, (first >> 2) & 3);
    let (header, size_bits, shift) = match (kind, format) {
        (0 | 1, 0 | 2) => (1, 5, 3),
        (0 | 1, 1) => (2, 12, 4),
        (0 | 1, _) => (3, 20, 4),
        (_, 0 | 1) => (3, 10, 4),
        (_, 2) => (4, 14, 4),
        (_, _) => (5, 18, 4),
    };
    let word = little_end(block.get(..header)?);
    let mask = (1_u64 << size_bits) - 1;
    let size = usize::try_from((word >> shift) & mask).ok()?;
    let stored = match kind {
        0 => size,
        1 => 1,
        _ => usize::try_from((word >> (shift + size_bits)) & mask).ok()?,
    };
    Some((size, block.get(header.checked_add(stored)?..)?))
}

/// Sets one table as its mode says (RFC 8878, 3.1.1.3.2.1); returns what follows its description.
fn set_table<'a>(table: &mut Option<Table>, kind: &Kind, mode: u8, bytes: &'a [u8]) -> Option<&'a [u8]> {
    match mode {
        0 => {
            *table = Some(Table::of(kind.shares, kind.bits)?);
            Some(bytes)
        }
        1 => {
            let (code, rest) = bytes.split_first()?;
            *table = Some(Table::of_one(*code));
            (*code <= kind.max_code).then_some(rest)
        }
        2 => {
            let (made, rest) = Table::read(bytes, kind.max_bits, kind.max_code)?;
            *table = Some(made);
            Some(rest)
        }
        _ => table.is_some().then_some(bytes),
    }
}

/// The sum of all match lengths (RFC 8878, 3.1.1.3.2.1.2); it stops when it is too large already.
fn match_lengths(tables: &Tables, count: usize, bytes: &[u8]) -> Option<usize> {
    let (literals, offsets, matches) =
        (tables.literals.as_ref()?, tables.offsets.as_ref()?, tables.matches.as_ref()?);
    let mut bits = Backward::new(bytes)?;
    let mut literal = literals.begin(&mut bits)?;
    let mut offset = offsets.begin(&mut bits)?;
    let mut matching = matches.begin(&mut bits)?;
    let mut sum: usize = 0;
    for left in (0..count).rev() {
        bits.read(offsets.code(offset)?)?;
        sum += match_length(matches.code(matching)?, &mut bits)?;
        bits.read(literal_bits(literals.code(literal)?)?)?;
        if sum > MAX_BLOCK {
            return Some(sum);
        }
        if left > 0 {
            literal = literals.next(literal, &mut bits)?;
            matching = matches.next(matching, &mut bits)?;
            offset = offsets.next(offset, &mut bits)?;
        }
    }
    Some(sum)
}

fn literal_bits(code: u8) -> Option<u8> {
    match code.checked_sub(16) {
        None => Some(0),
        Some(above) => LITERAL_BITS.get(usize::from(above)).copied(),
    }
}

fn match_length(code: u8, bits: &mut Backward<'_>) -> Option<usize> {
    let Some(above) = code.checked_sub(32) else {
        return Some(usize::from(code) + 3);
    };
    let above = usize::from(above);
    let extra = *MATCH_BITS.get(above)?;
    // Each code begins where the one before it ends.
    let below = MATCH_BITS.get(..above)?.iter();
    let base: usize = 35 + below.map(|bits| 1_usize << bits).sum::<usize>();
    Some(base + usize::try_from(bits.read(extra)?).ok()?)
}

fn little_end(bytes: &[u8]) -> u64 {
    let digits = bytes.iter().rev();
    digits.fold(0, |sum, digit| (sum << 8) | u64::from(*digit))
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    /// Reads the blocks of a frame whose header has so many bytes.
    fn pass(frame: &[u8], header: usize) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        Blocks::new(&frame[header..]).read_to_end(&mut out)?;
        Ok(out)
    }

    /// What the blocks expand to, by our measure.
    fn measure(frame: &[u8], header: usize) -> usize {
        let (mut at, mut sum, mut tables) = (header, 0, Tables::default());
        loop {
            let word = little_end(&frame[at..at + 3]);
            let size = usize::try_from(word >> 3).unwrap();
            let kind = (word >> 1) & 3;
            let stored = if kind == 1 { 1 } else { size };
            let content = &frame[at + 3..at + 3 + stored];
            sum += match kind {
                2 => expanded(content, &mut tables).unwrap(),
                _ => size,
            };
            at += 3 + stored;
            if word & 1 == 1 {
                return sum;
            }
        }
    }

    #[test]
    fn blocks_are_measured_right_and_passed_on_unchanged() {
        let words = include_str!("blocks.rs").repeat(10);
        for length in [0, 1, 100, 5_000, 40_000, words.len()] {
            let frame = compress_to_vec(&words.as_bytes()[..length], CompressionLevel::Fastest);
            let header = frame.len() - pass_through(&frame);
            assert_eq!(measure(&frame, header), length);
            assert_eq!(pass(&frame, header).unwrap(), frame[header..]);
        }
    }

    /// The encoder's frame headers differ in length; the blocks are what fills the frame exactly.
    fn pass_through(frame: &[u8]) -> usize {
        let fits = |header: &usize| {
            let mut at = *header;
            while let Some(bytes) = frame.get(at..at + 3) {
                let word = little_end(bytes);
                let size = usize::try_from(word >> 3).unwrap();
                at += 3 + if (word >> 1) & 3 == 1 { 1 } else { size };
                if word & 1 == 1 {
                    return at == frame.len();
                }
            }
            false
        };
        frame.len() - (5..18).find(fits).unwrap()
    }

    /// A block of `count` sequences, each of one literal and a match of `length` bytes: one repeated
    /// literal, and three tables of one code.
    fn sequences(count: u16, length: u16) -> Vec<u8> {
        let literals = u32::from(count) << 4 | 0b1101;
        let mut block = literals.to_le_bytes()[..3].to_vec();
        block.extend([b'x', 255]);
        block.extend((count - 0x7f00).to_le_bytes());
        // Codes: one literal, the latest offset again, a match of 65539 and 16 bits more.
        block.extend([0b0101_0100, 1, 0, 52]);
        for _ in 0..count {
            block.extend(length.to_le_bytes());
        }
        block.push(1);
        let header = u32::try_from(block.len()).unwrap() << 3 | 0b101;
        [&header.to_le_bytes()[..3], &block].concat()
    }

    #[test]
    fn a_block_that_expands_too_far_never_reaches_the_decoder() {
        let block = sequences(0x7f01, u16::MAX);
        assert!(block.len() < MAX_BLOCK);
        let mut tables = Tables::default();
        assert!(expanded(&block[3..], &mut tables).unwrap() > MAX_BLOCK);
        assert!(pass(&block, 0).is_err());
    }

    #[test]
    fn no_block_makes_it_panic() {
        let text = include_str!("blocks.rs");
        let frame = compress_to_vec(text.as_bytes(), CompressionLevel::Fastest);
        let header = frame.len() - pass_through(&frame);
        for at in header..frame.len().min(header + 400) {
            for flip in [1, 0x10, 0x80, 0xff] {
                let mut frame = frame.clone();
                frame[at] ^= flip;
                let _ = pass(&frame, header);
            }
            let _ = pass(&frame[..at], header);
        }
    }
}
