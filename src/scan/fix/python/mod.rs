//! Fixes in Python.

mod command;
mod command_quote;
mod data;
mod debug;
mod disclose;
mod disclose_carry;
mod disclose_log;
mod driver;
mod password;
mod password_lookup;
mod password_project;
mod password_role;
mod password_text;
mod password_write;
mod path;
mod place;
mod secret;
mod sql;
mod sql_grow;
mod sql_settle;
mod sql_text;
mod template;

use super::Fixer;

/// The fixer of a name in a Python rule file.
pub(super) fn named(name: &str) -> Option<Fixer> {
    match name {
        "python-command" => Some(command::fix),
        "python-path" => Some(path::fix),
        "python-pickle" => Some(data::fix_pickle),
        "python-yaml" => Some(data::fix_yaml),
        "python-secret" => Some(secret::fix),
        "python-disclosure" => Some(disclose::fix),
        "python-debug" => Some(debug::fix),
        "python-password" => Some(password::fix),
        "python-sql" => Some(sql::fix),
        _ => None,
    }
}
