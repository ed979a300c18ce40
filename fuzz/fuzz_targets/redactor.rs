//! Redacting keeps lines and is stable; a stream cut anywhere gives text that can be shown.
#![no_main]
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let once = agent::text::redact(text).into_owned();
    assert_eq!(once.matches('\n').count(), text.matches('\n').count());
    assert_eq!(agent::text::redact(&once), once);
    let mut stream = agent::text::stream::Stream::default();
    for character in text.chars() {
        stream.push(character.encode_utf8(&mut [0; 4]));
    }
    stream.finish();
    let _ = agent::text::printable(text);
});
