#![no_main]

#[path = "../../tests/fuzz/batches.rs"]
mod batches;

libfuzzer_sys::fuzz_target!(|input: &[u8]| batches::check(input));
