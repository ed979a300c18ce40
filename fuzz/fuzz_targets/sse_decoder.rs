//! The same frames come out however the bytes are cut.
#![no_main]
use agent::model::sse::Decoder;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut whole = Vec::new();
    let fine = Decoder::default().push(bytes, &mut whole).is_ok();
    let (mut pieces, mut decoder) = (Vec::new(), Decoder::default());
    let cut = bytes.iter().all(|byte| decoder.push(&[*byte], &mut pieces).is_ok());
    if fine && cut {
        assert_eq!(whole.len(), pieces.len());
    }
});
