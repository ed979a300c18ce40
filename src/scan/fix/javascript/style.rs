//! How a JavaScript or TypeScript file is written: indentation, quotes, semicolons, names that are free.

use super::syntax::{Js, functions_around, walk};
use tree_sitter::Node;

impl<'t> Js<'t> {
    /// The blanks before the first character of the node's line.
    pub(crate) fn indent(&self, node: Node<'_>) -> &'t str {
        let start =
            self.src.get(..node.start_byte()).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
        let line = self.src.get(start..).unwrap_or("");
        let end = line.find(|c: char| c != ' ' && c != '\t').unwrap_or(0);
        line.get(..end).unwrap_or("")
    }

    /// One step of indentation, as the file has it.
    pub(crate) fn unit(&self) -> &'static str {
        let mut found = "  ";
        for line in self.src.lines() {
            if line.starts_with('\t') {
                return "\t";
            }
            let blanks = line.len() - line.trim_start_matches(' ').len();
            if blanks == line.len() || line.trim_start().starts_with('*') {
                continue;
            }
            match blanks {
                2 | 6 => return "  ",
                4 => found = "    ",
                _ => {}
            }
            if blanks == 4 {
                return found;
            }
        }
        found
    }

    /// The quote most strings of the file use.
    pub(crate) fn quote(&self) -> char {
        let (mut single, mut double) = (0, 0);
        walk(self.root, &mut |node| {
            if node.kind() == "string" {
                if self.text(node).starts_with('"') {
                    double += 1;
                } else {
                    single += 1;
                }
            }
        });
        if double > single { '"' } else { '\'' }
    }

    /// `;` or nothing, as the file ends its statements.
    pub(crate) fn semi(&self) -> &'static str {
        let (mut with, mut without) = (0, 0);
        walk(self.root, &mut |node| {
            if matches!(
                node.kind(),
                "expression_statement"
                    | "lexical_declaration"
                    | "variable_declaration"
                    | "return_statement"
                    | "import_statement"
            ) {
                if self.text(node).ends_with(';') {
                    with += 1;
                } else {
                    without += 1;
                }
            }
        });
        if without > with { "" } else { ";" }
    }

    /// `const`, or `var` in a file that declares with nothing else.
    pub(crate) fn declare(&self) -> &'static str {
        let (mut lexical, mut var) = (false, false);
        walk(self.root, &mut |node| match node.kind() {
            "lexical_declaration" | "arrow_function" | "import_statement" => lexical = true,
            "variable_declaration" => var = true,
            _ => {}
        });
        if var && !lexical { "var" } else { "const" }
    }

    /// Whether any identifier of the file has this name.
    pub(crate) fn has_name(&self, name: &str) -> bool {
        let mut found = false;
        walk(self.root, &mut |node| {
            found |= matches!(
                node.kind(),
                "identifier" | "shorthand_property_identifier" | "shorthand_property_identifier_pattern"
            ) && self.text(node) == name;
        });
        found
    }

    /// `wish`, or `wish` with a number behind it when the functions around `place` or the file's top level have it.
    pub(crate) fn fresh_at(&self, wish: &str, place: Node<'t>) -> String {
        let outer = functions_around(place).last().copied().unwrap_or(self.root);
        let taken = |name: &str| {
            let mut used = self.binding(name, place).is_some();
            walk(outer, &mut |node| {
                used |= matches!(
                    node.kind(),
                    "identifier" | "shorthand_property_identifier" | "shorthand_property_identifier_pattern"
                ) && self.text(node) == name;
            });
            used
        };
        if !taken(wish) {
            return wish.to_owned();
        }
        (2..1000).map(|n| format!("{wish}{n}")).find(|name| !taken(name)).unwrap_or_else(|| wish.to_owned())
    }

    /// `wish`, or `wish` with a number behind it when the file has the name already.
    pub(crate) fn fresh(&self, wish: &str) -> String {
        if !self.has_name(wish) {
            return wish.to_owned();
        }
        (2..1000)
            .map(|n| format!("{wish}{n}"))
            .find(|name| !self.has_name(name))
            .unwrap_or_else(|| wish.to_owned())
    }
}
