//! Arguments of a call set, dropped or replaced, as a rule file says.

use super::place::resolved;
use crate::finding::{TextEdit, Tier};
use crate::scan::fix::{Draft, NewImport, Site, replace};
use crate::scan::ir::{Arg, At, Call, Expr, ExprKind};

/// Words of a rule's parameters that are no keywords of the call.
const WORDS: &[&str] = &["position", "tier", "summary", "by_hand", "only"];

/// A draft with the words that a rule file gives: `summary`, `by_hand`, `tier`.
pub(super) fn drafted(site: &Site<'_>, summary: &str) -> Draft {
    let with = &site.spec.with;
    Draft {
        tier: (with.get("tier").map(String::as_str) == Some("B")).then_some(Tier::B),
        summary: with.get("summary").cloned().unwrap_or_else(|| summary.to_owned()),
        by_hand: with.get("by_hand").cloned().unwrap_or_default(),
        ..Draft::default()
    }
}

pub(super) fn call_of<'a>(site: &Site<'a>) -> Result<&'a Call, String> {
    site.expr.as_call().ok_or_else(|| "the sink is not a call".to_owned())
}

/// Sets keywords to the values the rule file gives.
pub(super) fn set(site: &Site<'_>) -> Result<Draft, String> {
    let call = call_of(site)?;
    let mut draft = drafted(site, "gives the safe value");
    let position = site.spec.with.get("position").and_then(|at| at.parse().ok());
    for (name, value) in site.spec.with.iter().filter(|(name, _)| !WORDS.contains(&name.as_str())) {
        let serves = ["server_side", "load_cert_chain"].iter().any(|word| site.file.text.contains(word));
        let value = match value.as_str() {
            "ssl.PROTOCOL_TLS_CLIENT" if serves => "ssl.PROTOCOL_TLS_SERVER",
            value => value,
        };
        draft.imports.extend(module_of(value));
        draft.edits.extend(set_one(call, name, position, value)?);
    }
    Ok(draft)
}

/// The edits that give a call a keyword argument, or change the one it has.
pub(super) fn set_one(
    call: &Call,
    name: &str,
    position: Option<usize>,
    value: &str,
) -> Result<Vec<TextEdit>, String> {
    if let Some(arg) = call.keyword(name) {
        return Ok(vec![replace(arg.value.outer, value)]);
    }
    if let Some(arg) = position.and_then(|at| call.position(at)) {
        return Ok(vec![replace(arg.value.outer, value)]);
    }
    if call.args.iter().any(|arg| arg.is_keyword_spread) {
        return Err("the call takes its options from `**`".to_owned());
    }
    Ok(vec![added(call, &format!("{name}={value}"))])
}

/// An edit that adds an argument behind the last one.
pub(super) fn added(call: &Call, text: &str) -> TextEdit {
    match call.args.last() {
        Some(last) => replace(At::new(last.at.end, last.at.end), format!(", {text}")),
        None => replace(At::new(call.args_at.end - 1, call.args_at.end - 1), text),
    }
}

/// An edit that takes an argument out, its comma too.
pub(super) fn dropped(call: &Call, arg: &Arg) -> Option<TextEdit> {
    let at = call.args.iter().position(|other| other.at == arg.at)?;
    let place = match (at.checked_sub(1).and_then(|before| call.args.get(before)), call.args.get(at + 1)) {
        (Some(before), _) => At::new(before.at.end, arg.at.end),
        (None, Some(next)) => At::new(arg.at.start, next.at.start),
        (None, None) => arg.at,
    };
    Some(replace(place, ""))
}

/// Takes keywords out.
pub(super) fn drop(site: &Site<'_>) -> Result<Draft, String> {
    let call = call_of(site)?;
    let mut draft = drafted(site, "leaves the default");
    for name in site.spec.with.keys().filter(|name| !WORDS.contains(&name.as_str())) {
        if let Some(edit) = call.keyword(name).and_then(|arg| dropped(call, arg)) {
            draft.edits.push(edit);
        }
    }
    Ok(draft)
}

/// Puts the rule's text in place of the dangerous value.
pub(super) fn value(site: &Site<'_>) -> Result<Draft, String> {
    let text = site.spec.with.get("text").ok_or("the rule gives no text")?;
    let mut draft = drafted(site, "gives the safe value");
    draft.imports.extend(module_of(text));
    draft.edits.push(replace(site.argument.outer, text.clone()));
    Ok(draft)
}

/// The module that `ssl.CERT_REQUIRED` needs.
fn module_of(value: &str) -> Option<NewImport> {
    let (module, _) = value.split_once('.')?;
    let plain = !module.is_empty() && module.chars().all(|letter| letter.is_ascii_lowercase());
    plain.then(|| NewImport { module: module.to_owned(), member: None })
}

/// Calls another function with the same arguments.
pub(super) fn callee(site: &Site<'_>) -> Result<Draft, String> {
    let to = site.spec.with.get("to").ok_or("the rule names no function")?;
    let mut draft = drafted(site, "calls the safe function");
    // A function that is only named, not called.
    let callee = site.expr.as_call().map_or(site.argument, |call| &call.callee);
    rename(site, callee, to, &mut draft)?;
    Ok(draft)
}

/// Writes `module.member` in place of what is called, in the file's own way of importing.
pub(super) fn rename(site: &Site<'_>, callee: &Expr, to: &str, draft: &mut Draft) -> Result<(), String> {
    let (module, member) = to.rsplit_once('.').ok_or("the rule names no module")?;
    match &callee.kind {
        ExprKind::Member { object, name_at, .. } if resolved(site, object).as_deref() == Some(module) => {
            draft.edits.push(replace(*name_at, member));
        }
        ExprKind::Name(_) => {
            draft.imports.push(NewImport { module: module.to_owned(), member: Some(member.to_owned()) });
            draft.edits.push(replace(callee.outer, member));
        }
        _ => {
            draft.imports.push(NewImport { module: module.to_owned(), member: None });
            draft.edits.push(replace(callee.outer, to));
        }
    }
    Ok(())
}

/// `mktemp(…)` as a file that is made.
pub(super) fn temporary(site: &Site<'_>) -> Result<Draft, String> {
    let call = call_of(site)?;
    if !site.callee.ends_with("mktemp") {
        return Err(
            "this function is gone from Python; take one of `tempfile` that makes the file".to_owned()
        );
    }
    let text = &site.file.text;
    let mut parts = Vec::new();
    for (at, name) in ["suffix", "prefix", "dir"].iter().enumerate() {
        if let Some(arg) = call.keyword(name).or_else(|| call.position(at)) {
            parts.push(format!("{name}={}", arg.value.outer.of(text)));
        }
    }
    if parts.len() != call.args.len() {
        return Err("the arguments are handed over in a way that is not followed".to_owned());
    }
    parts.push("delete=False".to_owned());
    let mut draft = drafted(site, "makes the file, so that nobody else can before");
    let function = if let ExprKind::Member { object, .. } = &call.callee.kind {
        format!("{}.NamedTemporaryFile", object.outer.of(text))
    } else {
        let member = Some("NamedTemporaryFile".to_owned());
        draft.imports.push(NewImport { module: "tempfile".to_owned(), member });
        "NamedTemporaryFile".to_owned()
    };
    draft.edits.push(replace(site.expr.at, format!("{function}({}).name", parts.join(", "))));
    Ok(draft)
}

/// Rights for the owner only.
pub(super) fn mode(site: &Site<'_>) -> Result<Draft, String> {
    let ExprKind::Number(written) = &site.argument.kind else {
        return Err("the rights are computed elsewhere; leave out those of others there".to_owned());
    };
    let digits = written.trim_start_matches("0o").trim_start_matches("0O");
    let bits = match written.strip_prefix("0o").or_else(|| written.strip_prefix("0O")) {
        Some(octal) => i64::from_str_radix(octal, 8),
        None => digits.parse(),
    };
    let bits = bits.map_err(|_| "the rights are not a plain number".to_owned())?;
    let folder = site.callee.ends_with("dirs") || site.callee.ends_with("mkdir");
    let rights = match site.callee.as_str() {
        callee if callee.ends_with("umask") => "0o077",
        _ if folder || bits & 0o111 != 0 => "0o700",
        _ => "0o600",
    };
    let mut draft = drafted(site, "gives rights to the owner only");
    draft.by_hand = "other accounts that read the file need its group, or a right of their own".into();
    draft.edits.push(replace(site.argument.outer, rights));
    Ok(draft)
}

/// SHA-256 in place of a broken hash.
pub(super) fn hash(site: &Site<'_>) -> Result<Draft, String> {
    let call = call_of(site)?;
    let mut draft = drafted(site, "takes SHA-256");
    draft.tier = Some(Tier::B);
    draft.by_hand =
        "digests that are stored or compared elsewhere were made with the old function: make them anew, and \
                     give their column 64 letters"
            .into();
    let text = &site.file.text;
    if site.callee.ends_with("hashlib.new") || site.callee == "new" {
        let arg = call.keyword("name").or_else(|| call.position(0)).ok_or("the name is not written here")?;
        let quote = if arg.value.outer.of(text).starts_with('\'') { '\'' } else { '"' };
        draft.edits.push(replace(arg.value.outer, format!("{quote}sha256{quote}")));
        return Ok(draft);
    }
    let is_class =
        site.callee.rsplit('.').next().is_some_and(|name| name.starts_with(|c: char| c.is_uppercase()));
    let name = if is_class { "SHA256" } else { "sha256" };
    match &call.callee.kind {
        ExprKind::Member { name_at, .. } => draft.edits.push(replace(*name_at, name)),
        ExprKind::Name(local) => {
            let import = site.file.import_of(local).ok_or("the function is not imported by its name")?;
            draft.imports.push(NewImport { module: import.module.clone(), member: Some(name.to_owned()) });
            draft.edits.push(replace(call.callee.at, name));
        }
        _ => return Err("the function is reached in a way that is not followed".to_owned()),
    }
    Ok(draft)
}

/// HMAC with SHA-256.
pub(super) fn keyed_hash(site: &Site<'_>) -> Result<Draft, String> {
    let call = call_of(site)?;
    let arg = call.keyword("digestmod").or_else(|| call.position(2)).ok_or("the hash is not written here")?;
    let mut draft = drafted(site, "takes SHA-256");
    draft.tier = Some(Tier::B);
    draft.by_hand = "both sides must sign with the same function: change the other one too".into();
    match &arg.value.kind {
        ExprKind::Member { name_at, .. } => draft.edits.push(replace(*name_at, "sha256")),
        ExprKind::Text(_) => {
            let quote = if arg.value.outer.of(&site.file.text).starts_with('\'') { '\'' } else { '"' };
            draft.edits.push(replace(arg.value.outer, format!("{quote}sha256{quote}")));
        }
        _ => return Err("the hash is chosen elsewhere".to_owned()),
    }
    Ok(draft)
}

/// The flags of a cookie.
pub(super) fn cookie(site: &Site<'_>) -> Result<Draft, String> {
    let call = call_of(site)?;
    let mut draft = drafted(site, "sends the cookie over HTTPS only, and keeps session cookies from scripts");
    draft.by_hand = "browsers send it over HTTPS only: behind a proxy, tell the framework so".into();
    let is_true = |name: &str| call.keyword(name).is_some_and(|arg| !is_off(&arg.value));
    let session = crate::scan::detect::is_session_cookie(call);
    let mut new = Vec::new();
    let mut wish = |name: &str, value: &str| {
        if is_true(name) {
            return;
        }
        match call.keyword(name) {
            Some(arg) => draft.edits.push(replace(arg.value.outer, value)),
            None => new.push(format!("{name}={value}")),
        }
    };
    wish("secure", "True");
    if session {
        wish("httponly", "True");
        if call.keyword("samesite").is_none() {
            wish("samesite", "\"Lax\"");
        }
    }
    if !new.is_empty() {
        draft.edits.push(added(call, &new.join(", ")));
    }
    Ok(draft)
}

fn is_off(expr: &Expr) -> bool {
    matches!(expr.kind, ExprKind::Bool(false) | ExprKind::Null)
}

/// The allowed origins from the environment.
pub(super) fn origins(site: &Site<'_>) -> Result<Draft, String> {
    let call = call_of(site)?;
    let keyword = site.spec.with.get("keyword").ok_or("the rule names no keyword")?;
    let mut draft = drafted(site, "allows the origins that the environment variable ALLOWED_ORIGINS lists");
    draft.tier = Some(Tier::B);
    draft.by_hand =
        "set ALLOWED_ORIGINS to the addresses of your front ends, with commas between them".into();
    draft.imports.push(NewImport { module: "os".to_owned(), member: None });
    draft.edits.extend(set_one(
        call,
        keyword,
        None,
        "os.environ.get(\"ALLOWED_ORIGINS\", \"\").split(\",\")",
    )?);
    Ok(draft)
}

/// Unknown host keys are refused, known ones loaded.
pub(super) fn host_key(site: &Site<'_>) -> Result<Draft, String> {
    let call = call_of(site)?;
    let policy =
        call.keyword("policy").or_else(|| call.position(0)).ok_or("the policy is not written here")?;
    let ExprKind::Member { object, .. } = &call.callee.kind else {
        return Err("the client is not followed".to_owned());
    };
    let text = &site.file.text;
    let written = policy.value.as_call().map_or(&policy.value, |made| &made.callee);
    let mut draft = drafted(site, "refuses hosts whose key is not known");
    draft.tier = Some(Tier::B);
    draft.by_hand =
        "put the keys of your hosts into the known_hosts file of the account that runs this".into();
    match &written.kind {
        ExprKind::Member { name_at, .. } => draft.edits.push(replace(*name_at, "RejectPolicy")),
        ExprKind::Name(_) => {
            draft
                .imports
                .push(NewImport { module: "paramiko".to_owned(), member: Some("RejectPolicy".to_owned()) });
            draft.edits.push(replace(written.at, "RejectPolicy"));
        }
        _ => return Err("the policy is chosen elsewhere".to_owned()),
    }
    let client = object.outer.of(text);
    if !text.contains(&format!("{client}.load_system_host_keys"))
        && !text.contains(&format!("{client}.load_host_keys"))
    {
        let stmt = super::place::statement(site, site.expr.at)?;
        draft.edits.push(super::place::before(site, stmt, &[format!("{client}.load_system_host_keys()")])?);
    }
    Ok(draft)
}
