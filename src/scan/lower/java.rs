//! Java to the small tree: the file and its imports.
//!
//! Bare names are settled here: a field becomes `this.name` or `Class.name`, a method `this.name(…)`, a type
//! its last segment, so that nothing behind this knows Java's rules of visibility.

mod declare;
mod expr;
mod scope;
mod stmt;
mod switch;
mod text;

use super::tree::{at, child as field, children as named, errors_and_comments, parse, text_of};
use crate::scan::ir::{At, Block, Import, Language, Module, Stmt, StmtKind};
use scope::Scopes;
use std::cell::{Cell, RefCell};
use tree_sitter::Node;

/// Deeper nesting than this is not entered: no program people write has it.
const DEEPEST: usize = 300;

/// Lowers a text.
pub(super) fn lower(text: &str) -> Option<Module> {
    let tree = parse(Language::Java, text)?;
    let root = tree.root_node();
    let lowering = Lowering {
        text,
        imports: RefCell::new(Vec::new()),
        scopes: RefCell::new(Scopes::default()),
        depth: Cell::new(0),
    };
    let mut stmts = Vec::new();
    for node in named(root) {
        match node.kind() {
            "import_declaration" => {
                let kind = StmtKind::Import(lowering.import(node).into_iter().collect());
                stmts.push(Stmt { at: at(node), kind });
            }
            "package_declaration" => {}
            _ => lowering.statement(node, &mut stmts),
        }
    }
    let body = Block { at: at(root), stmts };
    let (errors, comments) = errors_and_comments(root, text);
    Some(Module { language: Language::Java, body, imports: lowering.imports.into_inner(), comments, errors })
}

/// What a lowering carries along.
struct Lowering<'s> {
    text: &'s str,
    imports: RefCell<Vec<Import>>,
    scopes: RefCell<Scopes>,
    depth: Cell<usize>,
}

impl<'s> Lowering<'s> {
    fn str(&self, node: Node<'_>) -> &'s str {
        text_of(node, self.text)
    }

    /// Runs a step one level deeper, or gives up with `fallback`.
    fn deeper<T>(&self, fallback: impl FnOnce() -> T, step: impl FnOnce() -> T) -> T {
        if self.depth.get() >= DEEPEST {
            return fallback();
        }
        self.depth.set(self.depth.get() + 1);
        let out = step();
        self.depth.set(self.depth.get() - 1);
        out
    }

    /// `import a.b.C;`, `import a.b.*;`, `import static a.b.C.d;`
    fn import(&self, node: Node<'_>) -> Option<Import> {
        let name = named(node).find(|child| child.kind() != "asterisk")?;
        let dotted = self.str(name).to_owned();
        let star = named(node).any(|child| child.kind() == "asterisk");
        let import = if star {
            Import { at: at(node), local: "*".to_owned(), module: dotted, member: None }
        } else {
            let (module, member) = dotted.rsplit_once('.').unwrap_or(("", &dotted));
            Import {
                at: at(node),
                local: member.to_owned(),
                module: module.to_owned(),
                member: Some(member.to_owned()),
            }
        };
        self.imports.borrow_mut().push(import.clone());
        Some(import)
    }

    /// A package that is named in place (`java.util.Random`) counts as imported, without a name of its own.
    fn mention(&self, place: At, package: &str) {
        let mut imports = self.imports.borrow_mut();
        if !imports.iter().any(|import| import.module == package) {
            imports.push(Import {
                at: place,
                local: String::new(),
                module: package.to_owned(),
                member: None,
            });
        }
    }

    /// The last segment of a type, without its arguments and brackets; array marks are kept.
    fn type_name(&self, node: Node<'_>) -> String {
        match node.kind() {
            "generic_type" | "annotated_type" => {
                let inner = named(node)
                    .find(|child| matches!(child.kind(), "type_identifier" | "scoped_type_identifier"));
                inner.map_or_else(|| self.str(node).to_owned(), |inner| self.type_name(inner))
            }
            "scoped_type_identifier" => {
                let written = self.str(node);
                if let Some((package, _)) = written.rsplit_once('.')
                    && package.starts_with(|first: char| first.is_lowercase())
                {
                    self.mention(at(node), package);
                }
                let last = named(node).filter(|child| child.kind() == "type_identifier").last();
                last.map_or_else(|| written.to_owned(), |last| self.str(last).to_owned())
            }
            "array_type" => {
                let inner = field(node, "element").map_or_else(String::new, |inner| self.type_name(inner));
                format!("{inner}[]")
            }
            _ => self.str(node).to_owned(),
        }
    }
}
