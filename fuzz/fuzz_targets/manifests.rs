#![no_main]

#[path = "../../tests/fuzz/manifests.rs"]
mod manifests;

libfuzzer_sys::fuzz_target!(|input: &[u8]| manifests::check(input));
