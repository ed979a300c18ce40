//! How often the model makes the same call in a row.

use crate::message::ToolCall;

/// How often the same call came in a row.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    last: Option<(String, String)>,
    count: u32,
}

impl Repeats {
    /// Counts a call; gives how often it came in a row.
    pub(super) fn count(&mut self, call: &ToolCall) -> u32 {
        let this = (call.name.clone(), call.arguments.clone());
        if self.last.as_ref() == Some(&this) {
            self.count += 1;
        } else {
            self.last = Some(this);
            self.count = 1;
        }
        self.count
    }
}
