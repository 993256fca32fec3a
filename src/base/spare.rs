//! Blocks of memory that go round: a block of some KiB is slow to get and to clear, and whoever
//! waits for long should hold none.

use parking_lot::Mutex;

/// Blocks of one size that nobody uses.
pub struct Spares {
    size: usize,
    most: usize,
    blocks: Mutex<Vec<Vec<u8>>>,
}

impl Spares {
    /// None yet. Each has `size` bytes; at most `most` are kept.
    pub const fn new(size: usize, most: usize) -> Self {
        Self { size, most, blocks: Mutex::new(Vec::new()) }
    }

    /// A block. What is in it is of no meaning.
    pub fn take(&self) -> Vec<u8> {
        let spare = self.blocks.lock().pop();
        spare.unwrap_or_else(|| vec![0; self.size])
    }

    /// Keeps a block for others, unless it has another size by now or enough are kept.
    pub fn give(&self, block: Vec<u8>) {
        if block.len() != self.size {
            return;
        }
        let mut blocks = self.blocks.lock();
        if blocks.len() < self.most {
            blocks.push(block);
        }
    }
}

/// Makes a block that long, if it is shorter; what is new is zero. `Vec::resize` writes the zeros byte by
/// byte where code is to be small.
pub fn lengthen(block: &mut Vec<u8>, length: usize) {
    const ZEROS: [u8; 256] = [0; 256];
    block.reserve_exact(length.saturating_sub(block.len()));
    while block.len() < length {
        let missing = ZEROS.get(..length - block.len()).unwrap_or(&ZEROS);
        block.extend_from_slice(missing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_made_longer_and_never_shorter() {
        let mut block = vec![1, 2];
        for length in [4, 3] {
            lengthen(&mut block, length);
            assert_eq!(block, [1, 2, 0, 0]);
        }
        lengthen(&mut block, 1000);
        assert!(block.len() == 1000 && block.iter().skip(2).all(|byte| *byte == 0));
    }

    #[test]
    fn a_block_that_was_given_is_taken_again() {
        let spares = Spares::new(4, 1);
        let mut block = spares.take();
        assert_eq!(block, [0; 4]);
        block.fill(7);
        spares.give(block);
        assert_eq!(spares.take(), [7; 4]);
        assert_eq!(spares.take(), [0; 4]);
    }

    #[test]
    fn neither_many_nor_others_are_kept() {
        let spares = Spares::new(4, 1);
        spares.give(vec![1; 5]);
        spares.give(vec![2; 4]);
        spares.give(vec![3; 4]);
        assert_eq!(spares.take(), [2; 4]);
        assert_eq!(spares.take(), [0; 4]);
    }
}
