//! A file's text to the small tree, by the grammar of its language.

mod java;
mod javascript;
mod python;
mod python_expr;
mod tree;

use super::ir::{Language, Module};

/// Lowers a text. `None` when the grammar gives no tree at all (never for a text that is UTF-8).
///
/// A text with syntax errors still gives a module: `errors` counts them, and what stands around them is
/// lowered as far as it goes.
pub fn lower(language: Language, text: &str) -> Option<Module> {
    match language {
        Language::Python => python::lower(text),
        Language::Java => java::lower(text),
        Language::JavaScript | Language::TypeScript | Language::Tsx => javascript::lower(language, text),
    }
}

/// The language of a path, by its ending.
pub fn language_of(path: &str) -> Option<Language> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let (_, ending) = name.rsplit_once('.')?;
    match ending {
        "py" | "pyw" | "wsgi" => Some(Language::Python),
        "js" | "mjs" | "cjs" | "jsx" => Some(Language::JavaScript),
        "ts" | "mts" | "cts" => Some(Language::TypeScript),
        "tsx" => Some(Language::Tsx),
        "java" => Some(Language::Java),
        _ => None,
    }
}
