//! How fast answers are decoded: bytes to events.

use agent::model::sse::Decoder;
use divan::Bencher;
use divan::counter::BytesCount;

fn main() {
    divan::main();
}

/// One megabyte of text in 16-byte deltas, framed as Chat Completions does.
fn answer() -> Vec<u8> {
    let event = "data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"created\":1,\
        \"model\":\"scripted\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"sixteen bytes.. \"},\
        \"finish_reason\":null}]}\n\n";
    event.repeat(1024 * 1024 / 16).into_bytes()
}

#[divan::bench(args = [16, 190, 4096, 65536])]
fn decodes_an_answer_in_pieces_of(bencher: Bencher, size: usize) {
    let answer = answer();
    bencher.counter(BytesCount::new(answer.len())).bench(|| {
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        let mut events = 0;
        for piece in answer.chunks(size) {
            if decoder.push(piece, &mut frames).is_ok() {
                events += frames.len();
            }
            frames.clear();
        }
        events
    });
}
