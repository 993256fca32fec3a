#![no_main]

use libfuzzer_sys::fuzz_target;
use llmgate_fuzz::laws;

fuzz_target!(|bytes: &[u8]| laws::state::check(bytes));
