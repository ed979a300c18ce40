//! Cookies: the flag is set before the cookie is sent.

use super::edit::replace;
use super::syntax::{bare, field};
use super::{Case, draft};
use crate::finding::Tier;
use crate::scan::fix::Draft;

/// The fixer; the parameter `flag` says which setter.
pub(super) fn flag(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let setter = case.site.spec.with.get("flag").map_or("setSecure", String::as_str);
    let argument = bare(
        case.argument.or_else(|| java.arguments(case.call).first().copied()).ok_or("no cookie is sent")?,
    );
    if argument.kind() != "identifier" {
        return Err("the cookie has no name of its own here".into());
    }
    let name = java.text(argument);
    let off = java.uses(name, argument).into_iter().find_map(|node| {
        let call = node.parent().filter(|call| call.kind() == "method_invocation")?;
        let sets = field(call, "object") == Some(node) && java.name_of(call) == setter;
        let value = java.arguments(call).first().copied()?;
        (sets && call.start_byte() < case.call.start_byte()).then_some(value)
    });
    let edits = match off {
        Some(value) if java.text(value) == "false" => vec![replace(value, "true")],
        Some(_) => return Err("whether the flag is set is decided elsewhere".into()),
        None => vec![java.before(case.call, &[format!("{name}.{setter}(true);")])?],
    };
    Ok(draft(Tier::A, "Set the flag of the cookie.", edits))
}
