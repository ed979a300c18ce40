//! Any text can be judged, and nothing runs in mode `read-only` but what only looks.
#![no_main]
use agent::action::Action;
use agent::policy::{Mode, Policy, Verdict};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|command: &str| {
    let action = Action::Run { command: command.into(), workdir: ".".into(), timeout_ms: 1, background: false };
    let verdict = Policy::new(Mode::Ask).judge(&action);
    if matches!(verdict, Verdict::Allow(_)) {
        assert!(!command.contains(['`', '\r', '\u{1b}']));
    }
});
