//! Token counts as they are read. Anthropic counts cached input apart from the rest: the sum is the
//! input (SPEC 8.10).

use crate::base::tree::Tree;
use crate::ir::response::Usage;

const COUNTS: [&str; 5] = [
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details.thinking_tokens",
];

/// What a later report says replaces what it repeats; one that is no such object says nothing.
pub(super) fn take(known: &mut Usage, usage: &Tree<'_>) {
    usage.counts(COUNTS).into_iter().for_each(|later| update(known, later));
}

fn update(known: &mut Usage, [fresh, write, read, output, thinking]: [Option<u64>; 5]) {
    let known_fresh = known.input.map(|sum| sum.saturating_sub(apart(known)));
    known.cached = read.or(known.cached);
    known.cache_write = write.or(known.cache_write);
    known.input = fresh.or(known_fresh).map(|fresh| fresh.saturating_add(apart(known)));
    known.output = output.or(known.output);
    known.reasoning = thinking.or(known.reasoning);
}

/// The input that is counted apart.
fn apart(usage: &Usage) -> u64 {
    usage.cached.unwrap_or(0).saturating_add(usage.cache_write.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_report_replaces_what_it_repeats() {
        let mut usage = Usage::default();
        let take = |usage: &mut Usage, text| take(usage, &Tree::read(text).unwrap());
        take(&mut usage, r#"{"input_tokens":5,"cache_read_input_tokens":40,"output_tokens":1}"#);
        assert_eq!((usage.input, usage.cached, usage.output), (Some(45), Some(40), Some(1)));
        for odd in ["null", "[]", r#"{"output_tokens":"7"}"#, r#"{"input_tokens":-1}"#] {
            let before = usage;
            take(&mut usage, odd);
            assert_eq!(usage, before, "{odd}");
        }
        let later = r#"{"cache_creation_input_tokens":3,"output_tokens":7,"output_tokens_details":{"thinking_tokens":2}}"#;
        take(&mut usage, later);
        let expected = Usage {
            input: Some(48),
            cached: Some(40),
            cache_write: Some(3),
            output: Some(7),
            reasoning: Some(2),
        };
        assert_eq!(usage, expected);
    }
}
