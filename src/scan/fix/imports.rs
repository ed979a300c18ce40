//! Imports a Python fix needs: put where the file keeps its own, nothing sorted, nothing moved.

use super::NewImport;
use crate::finding::TextEdit;
use crate::scan::ir::{At, ExprKind, Language, StmtKind};
use crate::scan::project::SourceFile;

/// The edits that add what is missing. Fails when a name is taken by something else.
pub(super) fn edits(file: &SourceFile, wanted: &[NewImport]) -> Result<Vec<TextEdit>, String> {
    if file.language() != Language::Python {
        return Err("imports of this language are added by its own fixers".to_owned());
    }
    let mut lines: Vec<String> = Vec::new();
    let mut out: Vec<TextEdit> = Vec::new();
    for import in wanted {
        if is_there(file, import) {
            continue;
        }
        let local = import.member.as_deref().unwrap_or_else(|| import.module.split('.').next().unwrap_or(""));
        if is_taken(file, import, local) {
            return Err(format!("the name `{local}` means something else in this file"));
        }
        // `from flask import Flask` grows by a name when it stands on one line.
        if let Some(member) = &import.member
            && let Some(edit) = grown(file, &import.module, member, &out)
        {
            match out.iter_mut().find(|known| known.start == edit.start) {
                Some(known) => known.text.push_str(&edit.text),
                None => out.push(edit),
            }
            continue;
        }
        let line = match &import.member {
            Some(member) => {
                let head = format!("from {} import ", import.module);
                // Several names of one module share a line.
                if let Some(known) = lines.iter_mut().find(|line| line.starts_with(&head)) {
                    if !known[head.len()..].split(", ").any(|name| name == member) {
                        known.push_str(", ");
                        known.push_str(member);
                    }
                    continue;
                }
                format!("{head}{member}")
            }
            None => format!("import {}", import.module),
        };
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    if !lines.is_empty() {
        out.push(placed(file, &lines));
    }
    Ok(out)
}

/// Whether a module or member can be used under its own name at the top level.
fn is_there(file: &SourceFile, wanted: &NewImport) -> bool {
    top_imports(file).iter().any(|(_, imports)| {
        imports.iter().any(|import| match &wanted.member {
            Some(member) => {
                import.module == wanted.module
                    && import.member.as_deref() == Some(member)
                    && import.local == *member
            }
            None => {
                import.member.is_none()
                    && import.module == wanted.module.split('.').next().unwrap_or("")
                    && import.local == import.module
            }
        })
    })
}

fn is_taken(file: &SourceFile, wanted: &NewImport, local: &str) -> bool {
    let imported = file.module.imports.iter().any(|import| {
        import.local == local && !(import.module == wanted.module && import.member == wanted.member)
    });
    let mut bound = imported;
    let mut check = |name: Option<&str>| bound |= name == Some(local);
    for stmt in &file.module.body.stmts {
        match &stmt.kind {
            StmtKind::Function(function) => check(Some(&function.name)),
            StmtKind::Class(class) => check(Some(&class.name)),
            StmtKind::Assign { targets, .. } => targets.iter().for_each(|target| check(target.as_name())),
            _ => {}
        }
    }
    bound
}

/// Import statements of the top level, those under `try:` and `if:` not among them.
fn top_imports(file: &SourceFile) -> Vec<(At, &[crate::scan::ir::Import])> {
    file.module
        .body
        .stmts
        .iter()
        .filter_map(|stmt| match &stmt.kind {
            StmtKind::Import(imports) => Some((stmt.at, imports.as_slice())),
            _ => None,
        })
        .collect()
}

fn grown(file: &SourceFile, module: &str, member: &str, _so_far: &[TextEdit]) -> Option<TextEdit> {
    let (at, _) = top_imports(file).into_iter().find(|(at, imports)| {
        let text = at.of(&file.text);
        imports.first().is_some_and(|import| import.module == module && import.member.is_some())
            && text.starts_with("from ")
            && !text.contains(['\n', '(', '*', '#'])
            && text.len() < 90
    })?;
    Some(TextEdit { start: at.end, end: at.end, text: format!(", {member}") })
}

/// Behind the last plain import of the first run of imports, or behind the docstring, or at the very top.
fn placed(file: &SourceFile, lines: &[String]) -> TextEdit {
    let newline = if file.text.contains("\r\n") { "\r\n" } else { "\n" };
    let body = lines.join(newline);
    let imports = top_imports(file);
    let is_future = |imports: &[crate::scan::ir::Import]| {
        imports.is_empty() || imports.first().is_some_and(|import| import.module == "__future__")
    };
    // Beside the other `import x` lines of the standard library: the first one that stands there.
    let wants_from = lines[0].starts_with("from ");
    let same: Vec<&(At, &[crate::scan::ir::Import])> = imports
        .iter()
        .filter(|(at, imports)| !is_future(imports) && at.of(&file.text).starts_with("from ") == wants_from)
        .collect();
    if !wants_from && let Some((at, _)) = same.iter().find(|(at, _)| at.of(&file.text) > lines[0].as_str()) {
        return TextEdit { start: at.start, end: at.start, text: format!("{body}{newline}") };
    }
    let last_plain =
        same.last().copied().or_else(|| imports.iter().rfind(|(_, imports)| !is_future(imports)));
    if let Some((at, _)) = last_plain {
        // `import a` goes before the first `from` import when there is no plain one.
        if !wants_from && same.is_empty() {
            let first =
                imports.iter().find(|(_, imports)| !is_future(imports)).map_or(at.start, |(at, _)| at.start);
            return TextEdit { start: first, end: first, text: format!("{body}{newline}") };
        }
        let end = line_end(&file.text, at.end);
        return TextEdit { start: end, end, text: format!("{newline}{body}") };
    }
    if let Some((at, _)) = imports.last() {
        let end = line_end(&file.text, at.end);
        return TextEdit { start: end, end, text: format!("{newline}{body}") };
    }
    let docstring =
        file.module.body.stmts.first().filter(
            |stmt| matches!(&stmt.kind, StmtKind::Expr(expr) if matches!(expr.kind, ExprKind::Text(_))),
        );
    if let Some(stmt) = docstring {
        let end = line_end(&file.text, stmt.at.end);
        return TextEdit { start: end, end, text: format!("{newline}{newline}{body}") };
    }
    let start = head(&file.text);
    TextEdit { start, end: start, text: format!("{body}{newline}{newline}") }
}

fn line_end(text: &str, at: usize) -> usize {
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    if text[..end].ends_with('\r') { end - 1 } else { end }
}

/// Behind the comments a file may begin with (`#!`, coding, licence).
fn head(text: &str) -> usize {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if !line.starts_with('#') {
            break;
        }
        at += line.len();
    }
    at
}
