#![no_main]

#[path = "../../tests/fuzz/strangers.rs"]
mod strangers;

libfuzzer_sys::fuzz_target!(|input: &[u8]| strangers::check(input));
