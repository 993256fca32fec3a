#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use llmgate::protocol::Protocol;
use llmgate_fuzz::{laws, mutate};

fuzz_target!(|bytes: &[u8]| laws::codec::check(Protocol::OpenaiChat, bytes));

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    mutate::case(data, size, max_size, seed).unwrap_or_else(|| fuzzer_mutate(data, size, max_size))
});
