//! Fixes in Python.

mod command;
mod driver;
mod sql;
mod sql_grow;
mod sql_text;
mod template;

use super::Fixer;

/// The fixer of a name in a Python rule file.
pub(super) fn named(name: &str) -> Option<Fixer> {
    match name {
        "python-command" => Some(command::fix),
        "python-sql" => Some(sql::fix),
        _ => None,
    }
}
