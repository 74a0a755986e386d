#![no_main]

#[path = "../../tests/fuzz/envelopes.rs"]
mod envelopes;

libfuzzer_sys::fuzz_target!(|input: &[u8]| envelopes::check(input));
