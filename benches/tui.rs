//! What the terminal UI costs: streaming, one key, a new size.

use agent::event::Event;
use agent::tui::desk::Wire;
use agent::tui::keys::Keys;
use agent::tui::screen::Screen;
use agent::tui::stage::Stage;
use agent::tui::state::{Msg, State};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use divan::Bencher;

fn main() {
    divan::main();
}

const SIZE: (u16, u16) = (120, 40);

fn stage(blocks: usize) -> Stage<Vec<u8>> {
    let (wire, ends) = Wire::loose();
    // The other end stays open for the life of the process.
    std::mem::forget(ends);
    let state = State::new(SIZE, Keys::default());
    let mut whole = Stage::new(state, Screen::new(Vec::new(), SIZE, true), wire);
    for block in 0..blocks {
        let delta = format!("Paragraph {block} with **bold** words and `code`.\n\n- one\n- two\n\n");
        whole.take(Msg::House(Event::Message { delta }));
    }
    let _ = whole.draw();
    whole.screen.out().clear();
    whole
}

/// A second of 5,000 deltas, drawn 60 times.
#[divan::bench(sample_count = 20)]
fn five_thousand_deltas(bencher: Bencher<'_, '_>) {
    bencher.with_inputs(|| stage(0)).bench_local_values(|mut stage| {
        for at in 0..5000 {
            let delta = if at % 40 == 0 { "\n\n".to_owned() } else { format!("word {at} ") };
            stage.take(Msg::House(Event::Message { delta }));
            if at % 83 == 0 {
                let _ = stage.draw();
                stage.screen.out().clear();
            }
        }
        stage.screen.out().len()
    });
}

/// One key and its frame, after a session of so many paragraphs.
#[divan::bench(args = [10, 10_000])]
fn a_key(bencher: Bencher<'_, '_>, blocks: usize) {
    let mut stage = stage(blocks);
    bencher.bench_local(|| {
        stage.take(Msg::Key(KeyEvent::new(KeyCode::Char('x'), KeyModifiers::NONE)));
        let _ = stage.draw();
        stage.take(Msg::Key(KeyEvent::new(KeyCode::Backspace, KeyModifiers::NONE)));
        let _ = stage.draw();
        stage.screen.out().clear();
    });
}

/// A new size, after a session of so many paragraphs.
#[divan::bench(args = [10, 10_000])]
fn a_new_size(bencher: Bencher<'_, '_>, blocks: usize) {
    let mut stage = stage(blocks);
    let mut columns = 80;
    bencher.bench_local(|| {
        columns = if columns == 80 { 120 } else { 80 };
        stage.take(Msg::Resize(columns, 40));
        let _ = stage.draw();
        stage.screen.out().clear();
    });
}
