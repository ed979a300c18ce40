//! Any text is a patch or an error.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = agent::diff::patch::parse(text);
});
