//! Which database driver a statement goes to, and how it writes its parameters.

use crate::scan::fix::Site;
use crate::scan::ir::{Block, Expr, StmtKind};
use crate::scan::project::SourceFile;

/// How parameters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `?`
    Question,
    /// `%s`
    Format,
    /// `$1`
    Dollar,
    /// `:name`, values in a dict.
    Named,
}

/// Modules and their styles, from the drivers' own documentation (PEP 249 `paramstyle`).
const DRIVERS: &[(&str, Style)] = &[
    ("sqlite3", Style::Question),
    ("aiosqlite", Style::Question),
    ("pysqlite2", Style::Question),
    ("pysqlcipher3", Style::Question),
    ("pyodbc", Style::Question),
    ("mariadb", Style::Question),
    ("duckdb", Style::Question),
    ("psycopg2", Style::Format),
    ("psycopg", Style::Format),
    ("aiopg", Style::Format),
    ("pymysql", Style::Format),
    ("MySQLdb", Style::Format),
    ("mysql", Style::Format),
    ("aiomysql", Style::Format),
    ("flask_mysqldb", Style::Format),
    ("flaskext.mysql", Style::Format),
    ("pymssql", Style::Format),
    ("pg8000", Style::Format),
    ("django", Style::Format),
    ("asyncpg", Style::Dollar),
    ("sqlalchemy", Style::Named),
    ("flask_sqlalchemy", Style::Named),
    ("databases", Style::Named),
];

/// The style of the statement of a site, when it is certain.
pub(super) fn style_of(site: &Site<'_>) -> Option<Style> {
    let root = site.callee.split('.').next().unwrap_or("");
    let direct = DRIVERS.iter().find(|(module, _)| {
        site.callee.strip_prefix(module).is_some_and(|rest| rest.starts_with('.')) || root == *module
    });
    if let Some((_, style)) = direct {
        return Some(*style);
    }
    // A cursor is the driver's own, never SQLAlchemy's.
    let cursor = site.callee.contains("cursor") || site.callee.contains("cur.");
    let of_files = |files: &mut dyn Iterator<Item = &SourceFile>| {
        let mut styles: Vec<Style> = Vec::new();
        for file in files {
            for (module, style) in DRIVERS {
                if file.imports(module) && !styles.contains(style) && !(cursor && *style == Style::Named) {
                    styles.push(*style);
                }
            }
        }
        styles
    };
    if let [only] = of_files(&mut std::iter::once(site.file)).as_slice() {
        return Some(*only);
    }
    if let [only] = shown_in(site.file).as_slice() {
        return Some(*only);
    }
    if let [only] = of_files(&mut site.project.files.iter().map(|file| &**file)).as_slice() {
        return Some(*only);
    }
    let mut packages: Vec<Style> = Vec::new();
    for (module, style) in DRIVERS {
        let named = site.project.dependencies.iter().any(|package| {
            let package = package.replace('-', "_");
            package == module.to_lowercase() || package.strip_suffix("_binary") == Some(module)
        });
        if named && !packages.contains(style) && !(cursor && *style == Style::Named) {
            packages.push(*style);
        }
    }
    match packages.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

/// The styles that other statements of the file use.
fn shown_in(file: &SourceFile) -> Vec<Style> {
    let mut styles = Vec::new();
    visit(&file.module.body, &mut |expr| {
        let Some(call) = expr.as_call() else { return };
        let is_execute = call.callee.dotted().is_some_and(|name| name.ends_with(".execute"));
        if !is_execute || call.args.len() < 2 {
            return;
        }
        let Some(text) = call.position(0).and_then(|arg| arg.value.as_text()) else { return };
        let style = if text.contains("%s") {
            Style::Format
        } else if text.contains('?') {
            Style::Question
        } else {
            return;
        };
        if !styles.contains(&style) {
            styles.push(style);
        }
    });
    styles
}

/// Every expression of a file, functions and classes included.
pub(super) fn visit<'a>(block: &'a Block, look: &mut dyn FnMut(&'a Expr)) {
    block.walk(&mut |stmt| {
        for expr in stmt.exprs() {
            expr.walk(look);
        }
        match &stmt.kind {
            StmtKind::Function(function) => visit(&function.body, look),
            StmtKind::Class(class) => visit(&class.body, look),
            _ => {}
        }
    });
}
