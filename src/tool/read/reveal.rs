//! One hidden value, shown to the model in one request after a word from the user.

use super::{ToolError, ToolOutput, World};
use crate::action::Action;
use crate::policy::paths;
use crate::text::hidden::{self, Hidden};
use crate::text::{known, mask, redact};
use crate::tool::Plan;
use crate::workspace::Place;
use std::sync::Arc;

/// Plans to show what is hidden on that line.
pub(super) fn plan(world: &Arc<World>, place: &Place, line: u64) -> Result<Plan, ToolError> {
    let (kind, value) = find(world, place, line)?;
    let action = Action::Reveal {
        path: place.as_str().to_owned(),
        line,
        kind: kind.clone(),
        bytes: value.len() as u64,
    };
    let (world, place) = (Arc::clone(world), place.clone());
    Ok(Plan::blocking(action, move |progress| {
        // The user's word was about what stood there when it was asked for.
        if find(&world, &place, line)? != (kind.clone(), value.clone()) {
            return Err(ToolError::Failed("the line changed meanwhile; nothing was shown".into()));
        }
        // From now on it is hidden by value too: the model may repeat it in any words.
        known::add(&value);
        if !progress.leave.disclose(format!("\nThe value, as it stands there: {value}")) {
            return Err(ToolError::Failed("nobody is there who could show it; nothing was shown".into()));
        }
        Ok(ToolOutput {
            text: format!(
                "The hidden value at {}:{line} ({kind}, {} bytes) is shown to you in this one request; it is kept \
                 nowhere. In files it stands as [redacted:{kind}] to you, before and after.",
                place.as_str(),
                value.len()
            ),
            summary: "one hidden value was shown to the model".into(),
            ..ToolOutput::default()
        })
    }))
}

/// Kind and value of the one thing that is hidden on a line.
fn find(world: &World, place: &Place, line: u64) -> Result<(String, String), ToolError> {
    let content = world.workspace.read(place)?;
    let text = content.text().ok_or_else(|| ToolError::Failed("only text can be shown".into()))?;
    let view = if paths::is_secret(place.as_str()) { mask(text).into() } else { redact(text) };
    let all: Vec<Hidden<'_>> =
        hidden::list(&view, text).into_iter().filter(|hidden| hidden.line == line).collect();
    match all.as_slice() {
        [one] => Ok((one.kind.to_owned(), one.value.to_owned())),
        [] => Err(ToolError::Failed(format!("nothing is hidden on line {line} of {}", place.as_str()))),
        many => Err(ToolError::Failed(format!(
            "{} values are hidden on that line; only a line with one can be shown",
            many.len()
        ))),
    }
}
