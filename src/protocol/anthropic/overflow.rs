//! The words for an exceeded context that Messages clients read to shorten a conversation, or to ask
//! for less output (SPEC 9.2), with the numbers that another protocol's provider told in its own.

use crate::protocol::fault::Overflow;

/// Those words; `None` where the text has them already.
pub(super) fn words(said: &str, known: Overflow) -> Option<String> {
    if said.contains("prompt is too long: ") || said.contains("exceed context limit: ") {
        return None;
    }
    let numbers = numbers(said);
    if let Some((input, output, limit)) = parts(&numbers) {
        return Some(format!(
            "input length and `max_tokens` exceed context limit: {input} + {output} > {limit}"
        ));
    }
    let told = match numbers.as_slice() {
        [one, other] => Some((*one.max(other), *one.min(other))),
        _ => known.context.map(|most| (known.input.unwrap_or(0).max(most.saturating_add(1)), most)),
    };
    Some(told.map_or_else(
        || "prompt is too long".to_owned(),
        |(tokens, most)| format!("prompt is too long: {tokens} tokens > {most} maximum"),
    ))
}

/// The numbers of a text, each once; what is part of a name or an id is none.
fn numbers(said: &str) -> Vec<u64> {
    let is_inside = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ',');
    let mut numbers = Vec::new();
    for word in said.split(|c: char| !is_inside(c)) {
        let digits = word.trim_matches(['.', ',']).replace(',', "");
        if let Some(number) = digits.parse().ok().filter(|number| *number > 0 && !numbers.contains(number)) {
            numbers.push(number);
        }
    }
    numbers
}

/// Input, output and limit, where the sum of the first two is told, too.
fn parts(numbers: &[u64]) -> Option<(u64, u64, u64)> {
    let [limit, sum, input, output] = *numbers else { return None };
    (input.checked_add(output) == Some(sum) && sum > limit).then_some((input, output, limit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(said: &str, expected: Option<&str>) {
        let known = Overflow { input: Some(900), context: Some(1000) };
        assert_eq!(words(said, known).as_deref(), expected, "{said}");
    }

    #[test]
    fn the_providers_numbers_are_told() {
        for (said, tokens, most) in [
            (
                "This model's maximum context length is 128000 tokens. However, your messages resulted in 130051 tokens. Please reduce the length of the messages.",
                130_051,
                128_000,
            ),
            (
                "The input token count (1,200,000) exceeds the maximum number of tokens allowed (1,048,576).",
                1_200_000,
                1_048_576,
            ),
            (
                "request (4390 tokens) exceeds the available context size (4096 tokens), try increasing it",
                4390,
                4096,
            ),
            (
                "This model's maximum prompt length is 131072 but the request contains 136973 tokens.",
                136_973,
                131_072,
            ),
            ("prompt token count of 514673 exceeds the limit of 128000", 514_673, 128_000),
            (
                "Prompt of gpt-4-0613 contains 40000 tokens and 0 draft tokens, too large for a context of 32768",
                40_000,
                32_768,
            ),
        ] {
            check(said, Some(&format!("prompt is too long: {tokens} tokens > {most} maximum")));
        }
        check(
            "This model's maximum context length is 65536 tokens. However, you requested 70000 tokens (62000 in the messages, 8000 in the completion).",
            Some("input length and `max_tokens` exceed context limit: 62000 + 8000 > 65536"),
        );
    }

    #[test]
    fn without_numbers_ours_are_told() {
        let ours = Some("prompt is too long: 1001 tokens > 1000 maximum");
        check("Your input exceeds the context window of this model.", ours);
        check(
            "prompt too long; exceeded max context length by 1119046 tokens (ref: 96164522-08b2-4cbf)",
            ours,
        );
        let unknown = Overflow { input: Some(5000), context: None };
        assert_eq!(words("too long", unknown).as_deref(), Some("prompt is too long"));
    }

    #[test]
    fn its_own_words_stay() {
        check("prompt is too long: 210194 tokens > 200000 maximum", None);
        check("input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000", None);
    }
}
