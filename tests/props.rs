//! Any text at all, in the parsers that meet what nobody controls: commands of a model, bytes of a stream.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say so loudly")]

use agent::action::Action;
use agent::model::sse::{Decoder, Frame};
use agent::policy::{Mode, Policy, Verdict};
use proptest::prelude::*;

fn judged(mode: Mode, command: &str) -> Verdict {
    let command = command.to_owned();
    Policy::new(mode).judge(&Action::Run { command, workdir: ".".into(), timeout_ms: 1, background: false })
}

/// Pieces that shells join in surprising ways.
fn shell() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        Just("ls".to_owned()),
        Just("git status".to_owned()),
        Just("rm -rf /".to_owned()),
        Just(" && ".to_owned()),
        Just(" | ".to_owned()),
        Just("; ".to_owned()),
        Just("$(".to_owned()),
        Just(")".to_owned()),
        Just("`".to_owned()),
        Just("'".to_owned()),
        Just("\"".to_owned()),
        Just("\\".to_owned()),
        Just("\n".to_owned()),
        Just("<<E\n".to_owned()),
        Just(" > f".to_owned()),
        Just("${IFS}".to_owned()),
        Just("env ".to_owned()),
        Just("timeout 5 ".to_owned()),
        "\\PC{0,6}",
    ];
    proptest::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_command_is_judged_and_read_only_runs_none(command in shell()) {
        prop_assert!(matches!(judged(Mode::ReadOnly, &command), Verdict::Deny(_)), "{}", command);
        if let Verdict::Allow(_) = judged(Mode::Ask, &command) {
            prop_assert!(!command.contains("rm -rf /"), "{}", command);
            prop_assert!(!command.contains(['`', '\r']), "{}", command);
        }
    }

    #[test]
    fn a_mode_that_asks_nobody_allows_no_more_than_auto(command in shell()) {
        if let Verdict::Allow(_) = judged(Mode::Yes, &command) {
            prop_assert!(matches!(judged(Mode::Auto, &command), Verdict::Allow(_)), "{}", command);
        }
    }

    #[test]
    fn a_stream_says_the_same_however_it_is_cut(
        pieces in proptest::collection::vec(prop_oneof![
            Just(b"data: x".to_vec()), Just(b"event: e".to_vec()), Just(b"\n".to_vec()), Just(b"\r\n".to_vec()),
            Just(b"\r".to_vec()), Just(b": keep-alive".to_vec()), Just("\u{feff}".as_bytes().to_vec()),
            proptest::collection::vec(any::<u8>(), 0..4),
        ], 0..24),
        cut in 1usize..9,
    ) {
        let bytes = pieces.concat();
        let decode = |cut: usize| {
            let (mut frames, mut decoder): (Vec<Frame>, Decoder) = (Vec::new(), Decoder::default());
            for piece in bytes.chunks(cut) {
                decoder.push(piece, &mut frames).unwrap();
            }
            frames.into_iter().map(|frame| (frame.event, frame.data)).collect::<Vec<_>>()
        };
        prop_assert_eq!(decode(cut), decode(bytes.len().max(1)));
    }
}
