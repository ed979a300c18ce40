//! Fast hashes of passwords in JavaScript and TypeScript, told from other hashes by the names around them.

use super::syntax::{Js, field, is_function, walk};
use tree_sitter::Node;

/// A fast hash of a password.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hash<'t> {
    /// The whole expression, `digest('hex')` included.
    pub(crate) node: Node<'t>,
    /// What is hashed.
    pub(crate) password: Node<'t>,
}

/// Fast algorithms.
const FAST: &[&str] = &["md5", "sha1", "sha", "sha256", "sha224", "sha384", "sha512", "ripemd160", "md4"];

/// The hash an expression is, when it is a fast one: `createHash('md5').update(p).digest('hex')`, `md5(p)`,
/// `CryptoJS.MD5(p).toString()`.
pub(crate) fn hash_at<'t>(js: &Js<'t>, node: Node<'t>) -> Option<Hash<'t>> {
    if node.kind() != "call_expression" {
        return None;
    }
    let method = js.callee_name(node);
    match method {
        "digest" => {
            let update = js.receiver(node).filter(|r| js.callee_name(*r) == "update")?;
            let create = js.receiver(update).filter(|r| js.callee_name(*r) == "createHash")?;
            let algorithm = js.arguments(create).first().and_then(|a| js.string(*a))?;
            let fast = FAST.contains(&algorithm.to_ascii_lowercase().replace('-', "").as_str());
            let password = js.arguments(update).first().copied().filter(|_| fast)?;
            Some(Hash { node, password })
        }
        "toString" => {
            let inner = js.receiver(node).filter(|r| r.kind() == "call_expression")?;
            let library = js.receiver(inner).map_or("", |r| js.text(r));
            let fast = matches!(js.callee_name(inner), "MD5" | "SHA1" | "SHA256" | "SHA512")
                && library.contains("rypto");
            let password = js.arguments(inner).first().copied().filter(|_| fast)?;
            Some(Hash { node, password })
        }
        "md5" | "sha1" | "sha256" | "sha512" => {
            let module =
                [method, "js-sha256", "js-sha512", "js-md5", "js-sha1", "blueimp-md5", "crypto-hash"];
            let known = module.iter().any(|module| {
                let import = js.import(module);
                import.whole == Some(method) || import.members.iter().any(|(_, local)| *local == method)
            });
            let plain = field(node, "function").is_some_and(|f| f.kind() == "identifier");
            let password = js.arguments(node).first().copied().filter(|_| known && plain)?;
            Some(Hash { node, password })
        }
        _ => None,
    }
}

/// Whether a hash is one of a password, by the names around it.
pub(crate) fn is_of_password<'t>(js: &Js<'t>, hash: Hash<'t>) -> bool {
    if speaks_of_passwords(js.text(hash.password)) {
        return true;
    }
    let mut at = hash.node;
    while let Some(parent) = at.parent() {
        match parent.kind() {
            "variable_declarator" | "assignment_expression" | "pair" => {
                let name =
                    field(parent, "name").or_else(|| field(parent, "left")).or_else(|| field(parent, "key"));
                if name.is_some_and(|name| speaks_of_passwords(js.text(name))) {
                    return true;
                }
            }
            _ if is_function(parent) => {
                let name = function_name(js, parent);
                return name.is_some_and(|name| speaks_of_passwords(name) || is_given_passwords(js, name));
            }
            _ => {}
        }
        at = parent;
    }
    false
}

fn speaks_of_passwords(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["password", "passwd", "passphrase", "pwd"].iter().any(|word| text.contains(word))
        || text.split(|c: char| !c.is_alphanumeric()).any(|word| word == "pass")
}

/// Whether a function of the file is called with a password.
fn is_given_passwords(js: &Js<'_>, name: &str) -> bool {
    let mut given = false;
    walk(js.root, &mut |node| {
        given |= node.kind() == "call_expression"
            && field(node, "function").is_some_and(|f| js.text(f) == name)
            && js.arguments(node).first().is_some_and(|first| speaks_of_passwords(js.text(*first)));
    });
    given
}

pub(crate) fn function_name<'t>(js: &Js<'t>, function: Node<'t>) -> Option<&'t str> {
    let name = field(function, "name").or_else(|| {
        let parent = function.parent()?;
        field(parent, "name").or_else(|| field(parent, "left")).or_else(|| field(parent, "key"))
    });
    name.map(|name| js.text(name))
}
