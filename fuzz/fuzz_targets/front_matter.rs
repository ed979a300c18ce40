//! Any text is a definition or an error that names its place.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = agent::config::definition::Definition::parse("fuzz.md", text);
});
