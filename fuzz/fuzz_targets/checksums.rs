#![no_main]

#[path = "../../tests/fuzz/checksums.rs"]
mod checksums;

libfuzzer_sys::fuzz_target!(|input: &[u8]| checksums::check(input));
