//! XML parsers: no document types and no outer entities, set on the parser in use.

use super::edit::replace;
use super::syntax::{bare, field};
use super::{Case, draft};
use crate::finding::Tier;
use crate::scan::fix::Draft;
use tree_sitter::Node;

const NO_DOCTYPE: &str = "setFeature(\"http://apache.org/xml/features/disallow-doctype-decl\", true);";

/// The fixer.
pub(super) fn harden(case: &Case<'_, '_>) -> Result<Draft, String> {
    let java = &case.java;
    let object = bare(field(case.call, "object").ok_or("the parser is not seen here")?);
    let mut edits = Vec::new();
    let callee = case.site.callee.as_str();
    let parser = callee.split('.').next().unwrap_or("");
    // What the feature is set on, and the statement before which it has to be set.
    let (name, at): (&str, Node<'_>) = match parser {
        "DocumentBuilder" | "SAXParser" => {
            let made = made_by(case, object).ok_or("where the parser is made is not seen here")?;
            let factory = bare(field(made, "object").ok_or("the factory is not seen here")?);
            if factory.kind() != "identifier" {
                return Err("the factory has no name of its own; give it one and set its features".into());
            }
            (java.text(factory), made)
        }
        _ if object.kind() == "identifier" => (java.text(object), case.call),
        _ => return Err("the parser has no name of its own; give it one and set its features".into()),
    };
    // A feature that is set the wrong way round.
    let wrong = java.uses(name, at).into_iter().find_map(|node| {
        let call = node.parent().filter(|call| call.kind() == "method_invocation")?;
        let arguments = java.arguments(call);
        let [key, value] = arguments.as_slice() else { return None };
        let about = java.constant(*key).or_else(|| Some(java.text(*key).to_owned()))?;
        (about.ends_with("disallow-doctype-decl") && java.text(*value) == "false").then_some(*value)
    });
    if let Some(value) = wrong {
        edits.push(replace(value, "true"));
        return Ok(draft(Tier::B, "Refuse document types.", edits));
    }
    let lines = match parser {
        "DocumentBuilder" | "SAXParser" | "XMLReader" | "SAXReader" | "SAXBuilder" => {
            vec![format!("{name}.{NO_DOCTYPE}")]
        }
        "XMLInputFactory" => {
            let factory = java.type_name("javax.xml.stream.XMLInputFactory", &mut edits);
            vec![
                format!("{name}.setProperty({factory}.SUPPORT_DTD, false);"),
                format!("{name}.setProperty({factory}.IS_SUPPORTING_EXTERNAL_ENTITIES, false);"),
            ]
        }
        "TransformerFactory" => {
            let constants = java.type_name("javax.xml.XMLConstants", &mut edits);
            vec![
                format!("{name}.setAttribute({constants}.ACCESS_EXTERNAL_DTD, \"\");"),
                format!("{name}.setAttribute({constants}.ACCESS_EXTERNAL_STYLESHEET, \"\");"),
            ]
        }
        "SchemaFactory" => {
            let constants = java.type_name("javax.xml.XMLConstants", &mut edits);
            vec![
                format!("{name}.setProperty({constants}.ACCESS_EXTERNAL_DTD, \"\");"),
                format!("{name}.setProperty({constants}.ACCESS_EXTERNAL_SCHEMA, \"\");"),
            ]
        }
        _ => return Err("which feature this parser takes is not known here".into()),
    };
    edits.push(java.before(at, &lines)?);
    Ok(draft(Tier::B, "Refuse document types and outer entities.", edits))
}

/// The call that makes a parser.
fn made_by<'t>(case: &Case<'t, '_>, object: Node<'t>) -> Option<Node<'t>> {
    let made = match object.kind() {
        "identifier" => case.java.value_of(case.java.text(object), object).map(bare)?,
        _ => object,
    };
    matches!(case.java.name_of(made), "newDocumentBuilder" | "newSAXParser").then_some(made)
}
