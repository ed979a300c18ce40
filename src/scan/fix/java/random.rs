//! Weak randomness: a generator whose numbers cannot be computed.

use super::edit::replace;
use super::syntax::{bare, field, simple};
use super::{Case, draft};
use crate::finding::Tier;
use crate::scan::fix::Draft;

const SECURE: &str = "java.security.SecureRandom";

/// The fixer.
pub(super) fn secure(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let mut edits = Vec::new();
    let object = bare(field(case.call, "object").ok_or("the generator is not seen here")?);
    let written = java.text(object);
    let kind = if written.contains("java.util") || written.contains("java.lang.Math") {
        SECURE.to_owned()
    } else {
        java.type_name(SECURE, &mut edits)
    };
    match (simple(written), java.name_of(case.call)) {
        ("Math", "random") => edits.push(replace(case.call, format!("new {kind}().nextDouble()"))),
        ("RandomStringUtils", _) => return Err("the text has to be made from SecureRandom by hand".into()),
        ("ThreadLocalRandom", "current") => edits.push(replace(case.call, format!("new {kind}()"))),
        _ => {
            let made = match object.kind() {
                "object_creation_expression" => object,
                "identifier" => {
                    let name = java.text(object);
                    let value = java.value_of(name, object).or_else(|| {
                        java.field_of(name, object).and_then(|declared| field(declared, "value"))
                    });
                    value.map(bare).ok_or("where the generator is made is not seen here")?
                }
                _ => return Err("where the generator is made is not seen here".into()),
            };
            if made.kind() != "object_creation_expression" || java.name_of(made) != "Random" {
                return Err("where the generator is made is not seen here".into());
            }
            let qualified = field(made, "type").is_some_and(|kind| java.text(kind).contains('.'));
            let kind = if qualified {
                edits.clear();
                SECURE.to_owned()
            } else {
                kind
            };
            edits.push(replace(made, format!("new {kind}()")));
        }
    }
    Ok(draft(Tier::A, "Take the numbers from SecureRandom.", edits))
}
