//! How an end counts: what the model claims of itself, what a fault of the model comes to.

use crate::event::Outcome;
use crate::model::ModelError;

/// What the model's final message claims in its first line, `Status: blocked`. Only claims of less are
/// believed: that something was fixed is for the gates to say.
pub fn claimed(text: &str) -> Option<Outcome> {
    let line = text.trim_start().lines().next()?.to_lowercase();
    let status = line.trim_start_matches(['*', '#', ' ']).strip_prefix("status:")?;
    let word =
        status.trim_start_matches(['*', ' ']).split(|c: char| !(c.is_alphanumeric() || c == '_')).next()?;
    match word {
        "blocked" => Some(Outcome::Blocked),
        "no_change" => Some(Outcome::NoChange),
        "fixed" => Some(Outcome::Fixed),
        "not_fixed" => Some(Outcome::NotFixed),
        "done" => Some(Outcome::Done),
        _ => None,
    }
}

/// What a model that gives no answer comes to.
pub(super) fn outcome_of(error: &ModelError) -> Outcome {
    match error {
        ModelError::Auth(_)
        | ModelError::Unreachable { .. }
        | ModelError::Quota(_)
        | ModelError::Busy { .. } => Outcome::ModelUnavailable,
        _ => Outcome::Error,
    }
}
