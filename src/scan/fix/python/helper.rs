//! Functions that a fix brings along, and the calls that use them.

use super::argument::drafted;
use super::place::{bad_request, before, free_name, newline, statement, step};
use super::template::count_word;
use crate::finding::{TextEdit, Tier};
use crate::scan::fix::{Draft, NewImport, Site, replace};
use crate::scan::ir::{At, Expr, ExprKind, StmtKind};

/// An edit that puts a function before the top-level statement the site stands in; `None` when it is there already.
fn function(site: &Site<'_>, name: &str, source: &str) -> Result<Option<TextEdit>, String> {
    let text = &site.file.text;
    if text.contains(&format!("def {name}(")) {
        return if text.contains(source.trim()) {
            Ok(None)
        } else {
            Err(format!("the name `{name}` is taken"))
        };
    }
    if count_word(text, name) > 0 {
        return Err(format!("the name `{name}` is taken"));
    }
    let stmt = site.file.module.body.stmts.iter().find(|stmt| stmt.at.holds(site.expr.at));
    let at = stmt.ok_or("the place is not found in the file")?.at.start;
    let newline = newline(site);
    let body = source.trim().lines().collect::<Vec<_>>().join(newline);
    Ok(Some(replace(At::new(at, at), format!("{body}{newline}{newline}{newline}"))))
}

fn import(module: &str, member: Option<&str>) -> NewImport {
    NewImport { module: module.to_owned(), member: member.map(str::to_owned) }
}

const EVALUATE: &str = r#"
OPERATIONS = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.USub: operator.neg, ast.UAdd: operator.pos,
}


def evaluate(expression):
    """The value of an arithmetic expression of plain numbers; anything else is refused."""
    def value_of(node):
        if isinstance(node, ast.Expression):
            return value_of(node.body)
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return node.value
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
            base, power = value_of(node.left), value_of(node.right)
            if abs(power) <= 100 and abs(base) <= 10 ** 9:
                return base ** power
        if isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
            return OPERATIONS[type(node.op)](value_of(node.left), value_of(node.right))
        if isinstance(node, ast.UnaryOp) and type(node.op) in OPERATIONS:
            return OPERATIONS[type(node.op)](value_of(node.operand))
        raise ValueError("not an arithmetic expression")
    return value_of(ast.parse(expression, mode="eval"))
"#;

/// `eval` of data or of arithmetic.
pub(super) fn evaluate(site: &Site<'_>) -> Result<Draft, String> {
    let call = super::argument::call_of(site)?;
    if call.args.len() != 1 {
        return Err("the code is run with names of its own; a fixed table of operations is safer".to_owned());
    }
    let argument = &call.args[0].value;
    let literal = matches!(&argument.kind, ExprKind::Text(text) if text.has_holes())
        || matches!(argument.kind, ExprKind::Binary { .. });
    if literal {
        return Err("code is put together here; choose from a fixed table of operations instead".to_owned());
    }
    let words = format!(
        "{} {} {}",
        site.functions.iter().map(|function| function.name.as_str()).collect::<Vec<_>>().join(" "),
        argument.outer.of(&site.file.text),
        statement(site, site.expr.at).map_or("", |stmt| stmt
            .at
            .of(&site.file.text)
            .lines()
            .next()
            .unwrap_or("")),
    )
    .to_lowercase();
    let counts = ["calc", "expr", "formula", "math", "equation", "comput", "evaluat", "arith", "sum"]
        .iter()
        .any(|word| words.contains(word));
    let mut draft = drafted(site, "reads the text as data instead of running it");
    draft.tier = Some(Tier::B);
    draft.imports.push(import("ast", None));
    if counts {
        draft.summary = "computes arithmetic only instead of running code".into();
        draft.imports.push(import("operator", None));
        if count_word(&site.file.text, "OPERATIONS") > 0 && !site.file.text.contains(EVALUATE.trim()) {
            return Err("the name `OPERATIONS` is taken".to_owned());
        }
        draft.edits.extend(function(site, "evaluate", EVALUATE)?);
        draft.edits.push(replace(call.callee.outer, "evaluate"));
    } else {
        draft.by_hand =
            "literals (numbers, texts, lists, dicts) are read; anything else is refused now".into();
        draft.edits.push(replace(call.callee.outer, "ast.literal_eval"));
    }
    Ok(draft)
}

const LOCAL_URL: &str = r#"
def local_url(target):
    """The target when it is a place on this site, else the start page."""
    try:
        parts = urlsplit(target or "")
    except ValueError:
        return "/"
    is_plain = all(letter > " " and letter != "\\" for letter in target or "")
    if target and is_plain and not target.startswith("//") and not parts.scheme and not parts.netloc:
        return target
    return "/"
"#;

/// A redirect that stays on this site.
pub(super) fn redirect(site: &Site<'_>) -> Result<Draft, String> {
    let mut draft = drafted(site, "goes to places on this site only");
    draft.tier = Some(Tier::B);
    draft.by_hand = "targets on other sites lead to the start page now; list those that are meant".into();
    let code = site.argument.outer.of(&site.file.text);
    if code.contains("://") {
        return Err("a client chooses the host; compare it with a list of those that are meant".to_owned());
    }
    if site.file.imports("django") {
        let request = site
            .functions
            .iter()
            .rev()
            .find_map(|function| function.params.iter().find(|param| param.name == "request"))
            .ok_or("the request is not at hand here")?;
        draft.imports.push(import("django.utils.http", Some("url_has_allowed_host_and_scheme")));
        let name = if let Some(name) = site.argument.as_name() {
            name.to_owned()
        } else {
            let name =
                free_name(site, &["target", "next_url", "destination"]).ok_or("no free name is left")?;
            let stmt = statement(site, site.expr.at)?;
            draft.edits.push(before(site, stmt, &[format!("{name} = {code}")])?);
            name
        };
        let code = name;
        let check = format!(
            "{code} if url_has_allowed_host_and_scheme({code}, allowed_hosts={{{}.get_host()}}) else \"/\"",
            request.name
        );
        draft.edits.push(replace(site.argument.outer, check));
        return Ok(draft);
    }
    draft.imports.push(import("urllib.parse", Some("urlsplit")));
    draft.edits.extend(function(site, "local_url", LOCAL_URL)?);
    draft.edits.push(replace(site.argument.outer, format!("local_url({code})")));
    Ok(draft)
}

const PUBLIC_URL: &str = r#"
def is_public_url(url):
    """Whether the URL is HTTP(S) and its host resolves to public addresses only."""
    try:
        parts = urlsplit(url or "")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return False
        found = socket.getaddrinfo(parts.hostname, parts.port or 80, proto=socket.IPPROTO_TCP)
        return all(ipaddress.ip_address(entry[4][0].split("%")[0]).is_global for entry in found)
    except (ValueError, OSError):
        return False
"#;

/// A request that goes to public addresses only.
pub(super) fn request(site: &Site<'_>) -> Result<Draft, String> {
    let call = super::argument::call_of(site)?;
    let mut draft = drafted(site, "refuses hosts that are not public, and does not follow redirects");
    draft.tier = Some(Tier::B);
    draft.by_hand = "where the hosts are known, compare with a list of them: a name may resolve anew between the check and the \
                     request".into();
    for module in ["ipaddress", "socket"] {
        draft.imports.push(import(module, None));
    }
    draft.imports.push(import("urllib.parse", Some("urlsplit")));
    draft.edits.extend(function(site, "is_public_url", PUBLIC_URL)?);
    let stmt = statement(site, site.expr.at)?;
    let text = &site.file.text;
    let mut lines = Vec::new();
    let name = if let Some(name) = site.argument.as_name() {
        name.to_owned()
    } else {
        let name = free_name(site, &["url", "target_url", "request_url"])
            .ok_or("no free name is left for the URL")?;
        lines.push(format!("{name} = {}", site.argument.outer.of(text)));
        draft.edits.push(replace(site.argument.outer, name.clone()));
        name
    };
    let (refusal, imports) = bad_request(site);
    draft.imports.extend(imports);
    lines.push(format!("if not is_public_url({name}):"));
    let step = step(site);
    lines.extend(refusal.iter().map(|line| format!("{step}{line}")));
    draft.edits.push(before(site, stmt, &lines)?);
    let follows = site.callee.starts_with("requests.") || site.callee.starts_with("aiohttp.");
    if follows
        && call.keyword("allow_redirects").is_none()
        && !call.args.iter().any(|arg| arg.is_keyword_spread)
    {
        draft.edits.push(super::argument::added(call, "allow_redirects=False"));
    }
    Ok(draft)
}

/// Refuses letters that end a text in an `XPath`.
pub(super) fn xpath_letters(site: &Site<'_>) -> Result<Draft, String> {
    let leaves = super::leaves::leaves(site, site.argument)?;
    let [leaf] = leaves.as_slice() else {
        return Err("several values stand in the expression; check each for quotes".to_owned());
    };
    let name =
        leaf.expr.as_name().ok_or("give the value a name first, so that it can be checked for quotes")?;
    let stmt = statement(site, site.expr.at)?;
    if matches!(stmt.kind, StmtKind::Loop { .. }) {
        return Err("the value is used in a loop's head".to_owned());
    }
    let mut draft = drafted(site, "refuses quotes, with which a value could leave its place");
    draft.tier = Some(Tier::B);
    draft.by_hand =
        "names with an apostrophe are refused; a library with variables (lxml) can take them".into();
    let (refusal, imports) = bad_request(site);
    draft.imports.extend(imports);
    let step = step(site);
    let mut lines = vec![format!("if \"'\" in {name} or '\"' in {name}:")];
    lines.extend(refusal.iter().map(|line| format!("{step}{line}")));
    draft.edits.push(before(site, stmt, &lines)?);
    Ok(draft)
}

/// The decorator of a function taken away, its line with it.
pub(super) fn undecorate(site: &Site<'_>) -> Result<Draft, String> {
    let text = &site.file.text;
    let start = text[..site.expr.at.start].rfind('@').ok_or("the decorator is not found")?;
    let line = text[..start].rfind('\n').map_or(0, |at| at + 1);
    if !text[line..start].trim().is_empty() {
        return Err("the decorator does not stand on a line of its own".to_owned());
    }
    let end = text[site.expr.at.end..].find('\n').map_or(text.len(), |at| site.expr.at.end + at + 1);
    let mut draft = drafted(site, "leaves the protection against forged requests on");
    draft.tier = Some(Tier::B);
    draft.by_hand = "the pages and scripts that send to this view need the token: `{% csrf_token %}`, or the header `X-CSRFToken`".into();
    draft.edits.push(replace(At::new(line, end), ""));
    Ok(draft)
}

/// A generator that cannot be guessed.
pub(super) fn random(site: &Site<'_>) -> Result<Draft, String> {
    let call = super::argument::call_of(site)?;
    let mut draft = drafted(site, "takes the system's generator, which cannot be guessed");
    match &call.callee.kind {
        ExprKind::Member { object, name, name_at } => match super::place::resolved(site, object).as_deref() {
            Some("random") => draft
                .edits
                .push(replace(object.outer, format!("{}.SystemRandom()", object.outer.of(&site.file.text)))),
            Some("uuid") if name == "uuid1" => draft.edits.push(replace(*name_at, "uuid4")),
            _ => return Err("make the generator with `random.SystemRandom()`".to_owned()),
        },
        ExprKind::Name(local) => {
            let imported = site.file.import_of(local).filter(|import| import.module == "random");
            let member = imported.and_then(|import| import.member.clone());
            let member = member.ok_or("the generator is reached in a way that is not followed")?;
            draft.imports.push(import("random", Some("SystemRandom")));
            draft.edits.push(replace(call.callee.outer, format!("SystemRandom().{member}")));
        }
        _ => return Err("the generator is reached in a way that is not followed".to_owned()),
    }
    Ok(draft)
}

/// Whether an expression is written out as one of these texts.
pub(super) fn is_text(expr: &Expr, wanted: &[&str]) -> bool {
    expr.as_text().is_some_and(|text| wanted.contains(&text.as_str()))
}
