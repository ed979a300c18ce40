//! What goes with a fast password hash beside the hash: a pepper or a fixed salt, and that it is told.

use crate::scan::fix::{Draft, Site};
use crate::scan::ir::ExprKind;

/// The fix of a password hash, which says when something that was mixed in is no longer used.
pub(super) fn fix(site: &Site<'_>) -> Result<Draft, String> {
    let mut draft = super::password::fix(site)?;
    let mut mixed = false;
    site.expr.walk(&mut |inner| {
        mixed |= match &inner.kind {
            ExprKind::Binary { op, .. } => op == "+" || op == "%",
            ExprKind::Text(text) => text.has_holes() && text.parts.len() > 1,
            _ => false,
        };
    });
    if mixed {
        draft.by_hand.push_str("; the pepper or salt that was mixed into the password is no longer used");
    }
    Ok(draft)
}
