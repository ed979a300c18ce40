//! Names of types a fix needs: imported where the file imports, written out where it does not.

use super::edit::insert;
use super::syntax::{Java, named, simple, walk};
use crate::finding::TextEdit;

impl Java<'_> {
    /// How a type is written here, and the edit that imports it.
    pub(super) fn type_name(&self, full: &str, edits: &mut Vec<TextEdit>) -> String {
        let (package, name) = full.rsplit_once('.').unwrap_or(("", full));
        let imports: Vec<_> =
            named(self.root).into_iter().filter(|node| node.kind() == "import_declaration").collect();
        let written = |node: &tree_sitter::Node<'_>| {
            let text = self.text(*node);
            text.trim_start_matches("import").trim_end_matches(';').trim().to_owned()
        };
        let known: Vec<String> = imports.iter().map(written).collect();
        if package == "java.lang" || known.iter().any(|known| known == full) {
            return name.to_owned();
        }
        let mut taken = known.iter().any(|known| known.rsplit('.').next() == Some(name));
        let mut used = false;
        walk(self.root, &mut |node| {
            let own = match node.kind() {
                "class_declaration" | "interface_declaration" | "enum_declaration" | "record_declaration" => {
                    super::syntax::field(node, "name").map(|name| self.text(name))
                }
                _ => None,
            };
            taken |= own == Some(name);
            used |= node.kind() == "type_identifier"
                && self.text(node) == name
                && node.parent().is_none_or(|parent| parent.kind() != "scoped_type_identifier");
        });
        if known.iter().any(|known| known.strip_suffix(".*") == Some(package)) && !taken {
            return name.to_owned();
        }
        if taken || used || imports.is_empty() {
            return full.to_owned();
        }
        let plain: Vec<_> =
            imports.iter().filter(|node| !self.text(**node).starts_with("import static")).collect();
        let end = self.line_end();
        let line = format!("import {full};");
        let edit = match plain.iter().find(|node| written(node).as_str() > full) {
            Some(next) if self.is_sorted(&plain.iter().map(|node| written(node)).collect::<Vec<_>>()) => {
                insert(next.start_byte(), format!("{line}{end}"))
            }
            _ => match plain.last().or(imports.iter().collect::<Vec<_>>().last()) {
                Some(last) => insert(last.end_byte(), format!("{end}{line}")),
                None => return full.to_owned(),
            },
        };
        match edits.iter_mut().find(|known| known.start == edit.start && known.end == edit.end) {
            Some(known) if known.text.contains(&line) => {}
            Some(known) if known.text.trim() > line.as_str() => known.text.insert_str(0, &edit.text),
            Some(known) => known.text.push_str(&edit.text),
            None => edits.push(edit),
        }
        simple(name).to_owned()
    }

    fn is_sorted(&self, names: &[String]) -> bool {
        names.windows(2).all(|pair| pair[0] <= pair[1])
    }
}
