//! A conversation cut to fit: the task stays word for word, the latest turns too; older results go first, then
//! whole turns, in whose place the harness's account stands. Pure: nothing here asks or writes.

use super::ledger::Ledger;
use crate::message::{Message, Part, Role, map_strings};
use crate::prompt::{NOTES, untrusted};
use serde_json::Value;

/// What an image weighs, in bytes of text: providers count about 1,600 tokens.
const IMAGE: usize = 5_760;
/// What a part weighs beyond its text.
const FRAME: usize = 48;
/// A result this short is not worth a stub, in bytes.
const SHORT: usize = 300;
/// The least that is left of a text in the last turn, in bytes.
const LEAST: usize = 400;

/// What the harness itself says to the model: no words of the user's.
pub(super) const NUDGES: [&str; 2] = [
    "Your answer was empty. Go on, or say what is missing.",
    "Your answer was cut at the output limit. Go on where it ended.",
];

/// How much a conversation weighs on the window, in bytes of text.
pub(super) fn weigh(history: &[Message]) -> usize {
    history.iter().flat_map(|message| &message.parts).map(weight).sum()
}

fn weight(part: &Part) -> usize {
    FRAME
        + match part {
            Part::Text { text } => text.len(),
            Part::Reasoning { text, raw } => raw.as_ref().map_or(text.len(), strings),
            Part::Call(call) => call.name.len() + call.arguments.len(),
            Part::Result(result) => result.text.len() + result.images.len() * IMAGE,
        }
}

/// Bytes of all strings in a value.
fn strings(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(strings).sum(),
        Value::Object(fields) => fields.values().map(strings).sum(),
        _ => 1,
    }
}

/// Whether a text of a user's message is the user's own.
pub(super) fn is_asked(text: &str) -> bool {
    !text.starts_with(NOTES) && !NUDGES.contains(&text)
}

/// The same conversation without older results; `None` when that does not bring it to `target`.
pub(super) fn thin(history: &[Message], target: usize) -> Option<Vec<Message>> {
    let tail = tail(history, target / 2);
    let mut out = history.to_vec();
    for part in out[..tail].iter_mut().flat_map(|message| &mut message.parts) {
        let Part::Result(result) = part else { continue };
        result.images.clear();
        if result.text.len() > SHORT {
            result.text = format!(
                "[{} bytes left out to save room; call it again if you need them]",
                result.text.len()
            );
        }
    }
    (weigh(&out) <= target).then_some(out)
}

/// The task, the account and the latest turns; `None` when even that does not come to `target`, or when there
/// is nothing to leave out.
pub(super) fn fold(history: &[Message], ledger: &Ledger, target: usize) -> Option<Vec<Message>> {
    let opening = history.first()?.parts.iter().find_map(|part| match part {
        Part::Text { text } => Some(text),
        _ => None,
    })?;
    let mut first = vec![text(middle(opening, target * 2 / 5))];
    first.push(text(notes(ledger, target / 5)));
    let start = tail(history, (target / 2).min(target.saturating_sub(weigh_parts(&first))));
    let recent = &history[start..];
    // The latest words of the user must not be lost between the task and the latest turns.
    if !recent.iter().any(|message| asked(message).next().is_some())
        && let Some(latest) = history[..start].iter().rev().find_map(|message| asked(message).last())
        && latest != opening
    {
        first.push(text(middle(latest, target / 10)));
    }
    let mut recent = recent.to_vec();
    let room = target.saturating_sub(weigh_parts(&first));
    if !shrink(&mut recent, room) {
        return None;
    }
    let mut out = vec![Message { role: Role::User, parts: first }];
    for message in recent {
        match out.last_mut() {
            Some(last) if last.role == message.role => last.parts.extend(message.parts),
            _ => out.push(message),
        }
    }
    (weigh(&out) <= target && weigh(&out) < weigh(history)).then_some(out)
}

fn text(text: String) -> Part {
    Part::Text { text }
}

fn weigh_parts(parts: &[Part]) -> usize {
    parts.iter().map(weight).sum()
}

/// The user's own words in a message.
pub(super) fn asked(message: &Message) -> impl DoubleEndedIterator<Item = &String> {
    let of_user = message.role == Role::User;
    message.parts.iter().filter_map(move |part| match part {
        Part::Text { text } if of_user && is_asked(text) => Some(text),
        _ => None,
    })
}

fn notes(ledger: &Ledger, room: usize) -> String {
    let account = ledger.render(room / 2);
    let mut out = format!(
        "{NOTES}\nThe conversation before this was cut to fit your window; the task above stands as it was given. \
         Files may have changed since you saw them: read again what you need.\n{account}"
    );
    if let Some(words) = &ledger.words {
        out.push_str("What you noted yourself before the cut:\n");
        out.push_str(&untrusted("notes", &middle(words, room / 2)));
    }
    out
}

/// Where the latest turns begin that weigh at most `room` together; the last one counts whatever it weighs. A
/// turn begins with the model's message, or with the user's when it holds no results.
fn tail(history: &[Message], room: usize) -> usize {
    let mut start = history.len();
    let mut weight = 0;
    for (at, message) in history.iter().enumerate().rev() {
        weight += weigh(std::slice::from_ref(message));
        let begins = message.role == Role::Assistant || message.results().next().is_none();
        if start < history.len() && weight > room {
            break;
        }
        if begins && at > 0 {
            start = at;
        }
    }
    start
}

/// Brings the latest turns to `room` by cutting long texts in their middle; false when they stay too heavy.
fn shrink(recent: &mut [Message], room: usize) -> bool {
    let mut limit = 64 * 1024;
    while weigh(recent) > room {
        if limit < LEAST {
            return false;
        }
        for part in recent.iter_mut().flat_map(|message| &mut message.parts) {
            match part {
                Part::Result(result) => {
                    result.images.clear();
                    result.text = middle(&result.text, limit);
                }
                Part::Text { text } | Part::Reasoning { text, raw: None } => *text = middle(text, limit),
                Part::Call(call) => {
                    if call.arguments.len() > limit
                        && let Ok(mut value) = serde_json::from_str::<Value>(&call.arguments)
                        && map_strings(&mut value, &|text| middle(text, limit / 2))
                    {
                        call.arguments = value.to_string();
                    }
                }
                Part::Reasoning { .. } => {}
            }
        }
        limit /= 2;
    }
    true
}

/// A text of at most about `most` bytes: its beginning, its end, and how much is missing between them.
fn middle(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let head = text.floor_char_boundary(most * 2 / 3);
    let tail = text.ceil_char_boundary(text.len() - most / 4);
    format!("{}\n[{} bytes left out to save room]\n{}", &text[..head], tail - head, &text[tail..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{ToolCall, ToolResult, repair};
    use proptest::prelude::*;

    fn result(id: usize, bytes: usize) -> Part {
        Part::Result(ToolResult {
            call_id: format!("c{id}"),
            name: "read".into(),
            text: "r".repeat(bytes),
            is_error: false,
            images: Vec::new(),
        })
    }

    fn call(id: usize, bytes: usize) -> Part {
        let arguments = serde_json::json!({"filePath": "a".repeat(bytes)}).to_string();
        Part::Call(ToolCall { id: format!("c{id}"), name: "read".into(), arguments })
    }

    /// A task, then turns of one call each: what the model says, what it calls with, what comes back.
    fn history(opening: usize, turns: &[(usize, usize, usize)]) -> Vec<Message> {
        let mut out = vec![Message::user("T".repeat(opening))];
        for (id, (said, argument, given)) in turns.iter().enumerate() {
            out.push(Message {
                role: Role::Assistant,
                parts: vec![text("s".repeat(*said)), call(id, *argument)],
            });
            out.push(Message { role: Role::User, parts: vec![result(id, *given)] });
        }
        out
    }

    #[test]
    fn older_results_go_first_and_calls_stay() {
        let history = history(1_000, &[(10, 10, 9_000); 6]);
        let out = thin(&history, 30_000).unwrap();
        assert_eq!(out.len(), history.len());
        assert_eq!(repair(&out), out);
        assert_eq!(out[0], history[0]);
        assert_eq!(out[12], history[12], "the latest turn is whole");
        assert!(out[2].results().next().unwrap().text.starts_with("[9000 bytes left out"));
        assert_eq!(out[1], history[1]);
        assert!(thin(&history, 3_000).is_none());
    }

    #[test]
    fn the_task_and_the_latest_turns_stay_word_for_word() {
        let mut history = history(1_000, &[(300, 100, 2_000); 50]);
        let Part::Result(_) = &history[60].parts[0] else { panic!() };
        history[60].parts.push(text("Mind the tests.".into()));
        let mut ledger = Ledger::default();
        ledger.words = Some("I had fixed the login.".into());
        let out = fold(&history, &ledger, 20_000).unwrap();
        assert!(weigh(&out) <= 20_000);
        assert_eq!(out[0].parts[0], history[0].parts[0]);
        let first = out[0].text();
        assert!(first.contains("I had fixed the login.") && first.ends_with("Mind the tests."), "{first}");
        let kept = out.len() - 1;
        assert!(kept >= 4, "{kept}");
        assert_eq!(out[1..], history[history.len() - kept..]);
        // Again, from there: the account is written anew, not piled up.
        let again = fold(&out, &ledger, 12_000).unwrap();
        assert_eq!(again[0].text().matches(NOTES).count(), 1);
        assert!(again[0].text().contains("Mind the tests."));
    }

    #[test]
    fn a_last_turn_that_is_too_heavy_is_cut_in_its_middle() {
        let history = history(500, &[(10, 10, 100), (10, 10, 400_000)]);
        let out = fold(&history, &Ledger::default(), 16_000).unwrap();
        let text = &out.last().unwrap().results().next().unwrap().text;
        assert!(text.starts_with("rrr") && text.ends_with("rrr") && text.contains("bytes left out"));
        assert!(fold(&history, &Ledger::default(), 700).is_none(), "there is a floor");
        assert!(fold(&history[..1], &Ledger::default(), 100_000).is_none(), "nothing to leave out");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_cut_conversation_is_valid_smaller_and_begins_with_the_task(
            opening in 1..4_000_usize,
            turns in proptest::collection::vec((0..2_000_usize, 0..4_000_usize, 0..20_000_usize), 1..30),
            target in 2_000..40_000_usize,
        ) {
            let history = history(opening, &turns);
            for out in [thin(&history, target), fold(&history, &Ledger::default(), target)].into_iter().flatten() {
                prop_assert_eq!(&repair(&out), &out);
                prop_assert!(weigh(&out) <= target);
                if opening <= target * 2 / 5 {
                    prop_assert_eq!(&out[0].parts[0], &history[0].parts[0]);
                }
                prop_assert_eq!(out.last().unwrap().results().count(), 1);
            }
        }
    }
}
