//! Uploaded files that are kept whatever they are, in Python.

use super::Found;
use super::compare::is_test;
use super::context::last_word;
use crate::scan::ir::{Block, ExprKind, StmtKind};
use crate::scan::project::{Project, SourceFile};
use crate::scan::rules::Rule;

/// Words by which a function shows that it looks at what is sent.
const LOOKING: &[&str] = &[
    "splitext",
    "allowed",
    "ALLOWED",
    "endswith",
    "content_type",
    "mimetype",
    "imghdr",
    "filetype",
    "magic",
    "suffix",
    "rsplit",
    "extension",
    "validate",
    "is_valid",
    "Image.open",
    "uuid",
];

/// `file.save(…)` of an upload in a function that never looks at its kind.
pub(super) fn find<'a>(project: &'a Project, file: usize, _rule: &'static Rule) -> Vec<Found<'a>> {
    let Some(source) = project.files.get(file).filter(|source| !is_test(&source.path)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    look(source, &source.module.body, &mut found);
    found
}

fn look<'a>(source: &'a SourceFile, block: &'a Block, out: &mut Vec<Found<'a>>) {
    for stmt in &block.stmts {
        match &stmt.kind {
            StmtKind::Function(function) => {
                let text = function.at.of(&source.text);
                let takes = text.contains("request.files") || text.contains("request.FILES");
                if !takes || LOOKING.iter().any(|word| text.contains(word)) {
                    continue;
                }
                function.body.walk(&mut |stmt| {
                    for expr in stmt.exprs() {
                        expr.walk(&mut |inner| {
                            if let ExprKind::Call(call) = &inner.kind
                                && last_word(&call.callee) == Some("save")
                                && call.args.len() == 1
                            {
                                out.push(Found {
                                    expr: inner,
                                    argument: inner,
                                    functions: vec![function],
                                    note: "an upload is kept whatever it is".to_owned(),
                                    callee: "save".to_owned(),
                                });
                            }
                        });
                    }
                });
            }
            StmtKind::Class(class) => look(source, &class.body, out),
            _ => {}
        }
    }
}
