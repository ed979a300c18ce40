//! Fixes in Python.

mod argument;
mod command;
mod command_quote;
mod data;
mod debug;
mod disclose;
mod disclose_carry;
mod disclose_log;
mod driver;
mod guard;
mod helper;
mod leaves;
mod password;
mod password_lookup;
mod password_project;
mod password_role;
mod password_text;
mod password_write;
mod path;
mod pepper;
mod place;
mod secret;
mod sql;
mod sql_grow;
mod sql_settle;
mod sql_text;
mod template;
mod token;
mod variables;
mod xml;

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
        "python-password" => Some(pepper::fix),
        "python-sql" => Some(sql::fix),
        "python-set" => Some(argument::set),
        "python-drop" => Some(argument::drop),
        "python-value" => Some(argument::value),
        "python-callee" => Some(argument::callee),
        "python-temp" => Some(argument::temporary),
        "python-mode" => Some(argument::mode),
        "python-hash" => Some(argument::hash),
        "python-hmac" => Some(argument::keyed_hash),
        "python-cookie" => Some(argument::cookie),
        "python-origins" => Some(argument::origins),
        "python-host-key" => Some(argument::host_key),
        "python-escape" => Some(leaves::escape),
        "python-wrap" => Some(leaves::wrap),
        "python-escape-ldap" => Some(leaves::ldap),
        "python-text" => Some(leaves::text),
        "python-one-line" => Some(leaves::one_line),
        "python-eval" => Some(helper::evaluate),
        "python-redirect" => Some(helper::redirect),
        "python-ssrf" => Some(helper::request),
        "python-xpath-letters" => Some(helper::xpath_letters),
        "python-csrf" => Some(helper::undecorate),
        "python-random" => Some(helper::random),
        "python-template" => Some(variables::template),
        "python-xpath" => Some(variables::xpath),
        "python-xml" => Some(xml::own_parser),
        "python-xml-parser" => Some(xml::given_parser),
        "python-xml-feature" => Some(xml::feature),
        "python-jwt" => Some(token::verify),
        "python-decorate" => Some(guard::decorate),
        "python-compare" => Some(guard::compare),
        "python-redact" => Some(guard::redact),
        "python-jwt-expiry" => Some(token::expiry),
        _ => None,
    }
}
