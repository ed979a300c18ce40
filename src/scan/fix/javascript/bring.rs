//! Functions that a fix brings into a JavaScript or TypeScript file.

use super::answer::framed;
use super::imports::{insert, replace};
use super::syntax::{Js, bare, functions_around, named, statement_of};
use crate::finding::TextEdit;
use tree_sitter::Node;

/// Letters that HTML reads become references.
pub(crate) const ESCAPE_HTML: &str = "function escapeHtml(text@any) {
  return String(text).replace(/[&<>\"']/g, (letter) => `&#${letter.charCodeAt(0)};`)@
}";

/// Letters that a filter reads become escapes.
pub(crate) const ESCAPE_LDAP: &str = "function escapeLdap(text@any) {
  return String(text).replace(/[\\\\*()\\0]/g, (letter) => `\\\\${letter.charCodeAt(0).toString(16).padStart(2, '0')}`)@
}";

const LOCAL_URL: &str = "function localUrl(target@any) {
  const text = String(target || '/')@
  try {
    const here = new URL('http://localhost')@
    return new URL(text, here).origin === here.origin && !text.toLowerCase().startsWith('http') ? text : '/'@
  } catch {
    return '/'@
  }
}";

const PUBLIC_URL: &str = "async function isPublicUrl(url@any) {
  try {
    const { protocol, hostname } = new URL(url)@
    if (!['http:', 'https:'].includes(protocol)) return false@
    const found = await DNS.promises.lookup(hostname.replace(/^\\[|\\]$/g, ''), { all: true })@
    const refused = new NET.BlockList()@
    for (const [start, bits] of [['0.0.0.0', 8], ['10.0.0.0', 8], ['100.64.0.0', 10], ['127.0.0.0', 8], ['169.254.0.0', 16],
      ['172.16.0.0', 12], ['192.0.0.0', 24], ['192.168.0.0', 16], ['198.18.0.0', 15], ['224.0.0.0', 3]]@pairs) {
      refused.addSubnet(start, bits, 'ipv4')@
    }
    for (const [start, bits] of [['::', 127], ['64:ff9b::', 96], ['fc00::', 7], ['fe80::', 10], ['ff00::', 8]]@pairs) {
      refused.addSubnet(start, bits, 'ipv6')@
    }
    return found.every(({ address, family }) => !refused.check(address, family === 6 ? 'ipv6' : 'ipv4'))@
  } catch {
    return false@
  }
}";

const EVALUATE: &str = "function evaluate(expression@any) {
  const text = String(expression).replace(/\\s+/g, '')@
  const tokens@list = text.match(/\\d+\\.?\\d*(?:e[+-]?\\d+)?|\\.\\d+|\\*\\*|[-+*/%()]/gi) || []@
  const refuse = ()@never => { throw new SyntaxError('not an arithmetic expression')@ }@
  if (tokens.length === 0 || tokens.join('') !== text) refuse()@
  let at = 0@
  const single = ()@number => {
    const token = tokens[at++]@
    if (token === '-') return -single()@
    if (token === '+') return single()@
    if (token === '(') {
      const inner = sum()@
      return tokens[at++] === ')' ? inner : refuse()@
    }
    return token !== undefined && /^[\\d.]/.test(token) ? Number(token) : refuse()@
  }@
  const power = ()@number => {
    const base = single()@
    return tokens[at] === '**' ? (at++, base ** power()) : base@
  }@
  const product = ()@number => {
    let value = power()@
    while (['*', '/', '%'].includes(tokens[at])) {
      const sign = tokens[at++]@
      const next = power()@
      value = sign === '*' ? value * next : sign === '/' ? value / next : value % next@
    }
    return value@
  }@
  const sum = ()@number => {
    let value = product()@
    while (['+', '-'].includes(tokens[at])) {
      value = tokens[at++] === '+' ? value + product() : value - product()@
    }
    return value@
  }@
  const value = sum()@
  return at === tokens.length ? value : refuse()@
}";

/// The name of a function that is in the file afterwards, and the edit that puts it there where it is not.
pub(crate) fn helper<'t>(
    js: &Js<'t>,
    place: Node<'t>,
    name: &str,
    source: &str,
) -> Result<(String, Vec<TextEdit>), String> {
    let mut body = source.to_owned();
    for (mark, typed) in [
        ("@any", ": any"),
        ("@number", ": number"),
        ("@never", ": never"),
        ("@list", ": string[]"),
        ("@pairs", " as [string, number][]"),
    ] {
        body = body.replace(mark, if js.typescript { typed } else { "" });
    }
    body = body.replace('@', js.semi());
    if js.quote() == '"' {
        body = requoted(&body);
    }
    if js.unit() != "  " {
        let lines = body.lines().map(|line| {
            let text = line.trim_start_matches(' ');
            let depth = (line.len() - text.len()) / 2;
            format!("{}{text}", js.unit().repeat(depth))
        });
        body = lines.collect::<Vec<_>>().join("\n");
    }
    if js.src.contains(&body) {
        return Ok((name.to_owned(), Vec::new()));
    }
    if js.has_name(name) {
        return Err(format!("the name `{name}` is taken"));
    }
    let mut statement = place;
    while let Some(parent) = statement.parent() {
        if parent.kind() == "program" {
            break;
        }
        statement = parent;
    }
    let newline = if js.src.contains("\r\n") { "\r\n" } else { "\n" };
    let body = body.replace('\n', newline);
    let before = js.src.get(..statement.start_byte()).unwrap_or("");
    let gap = if before.is_empty() || before.ends_with(&newline.repeat(2)) { "" } else { newline };
    Ok((name.to_owned(), vec![insert(statement.start_byte(), format!("{gap}{body}{newline}{newline}"))]))
}

/// Single quotes as double ones, where nothing inside minds.
fn requoted(body: &str) -> String {
    body.lines()
        .map(|line| {
            if line.contains('"') || line.contains('`') { line.to_owned() } else { line.replace('\'', "\"") }
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// A redirect that stays on this site.
pub(crate) fn redirect<'t>(js: &Js<'t>, argument: Node<'t>) -> Result<Vec<TextEdit>, String> {
    if js.text(argument).contains("://") {
        return Err("a client chooses the host; compare it with a list of those that are meant".to_owned());
    }
    let (name, mut edits) = helper(js, argument, "localUrl", LOCAL_URL)?;
    edits.push(replace(argument, format!("{name}({})", js.text(argument))));
    Ok(edits)
}

const SAFE_EQUAL: &str = "function safeEqual(one@any, other@any) {
  const digest = (text@any) => CRYPTO.createHash('sha256').update(String(text)).digest()@
  return CRYPTO.timingSafeEqual(digest(one), digest(other))@
}";

/// A comparison that takes as long for every value.
pub(crate) fn compare<'t>(js: &Js<'t>, whole: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let node = bare(whole);
    let side = |name: &str| node.child_by_field_name(name).map(|side| js.text(side));
    let (Some(left), Some(op), Some(right)) = (side("left"), side("operator"), side("right")) else {
        return Err("the comparison is not found in the tree".to_owned());
    };
    let crypto = js.reach_module("crypto");
    let (name, brought) = helper(js, node, "safeEqual", &SAFE_EQUAL.replace("CRYPTO", &crypto.name))?;
    let mut edits = crypto.edits;
    edits.extend(brought);
    let not = if op.starts_with('!') { "!" } else { "" };
    edits.push(replace(node, format!("{not}{name}({left}, {right})")));
    Ok(merged(edits))
}

/// `eval` of arithmetic.
pub(crate) fn evaluate<'t>(js: &Js<'t>, call: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let code =
        "the text is run as code; take a data format and its parser, or a fixed table of operations, instead";
    let [argument] = js.arguments(call)[..] else { return Err(code.to_owned()) };
    if js.is_building(argument) {
        return Err(code.to_owned());
    }
    let line = statement_of(call).map_or("", |statement| js.text(statement).lines().next().unwrap_or(""));
    let around: Vec<&str> = functions_around(call).into_iter().map(|function| js.text(function)).collect();
    let words = format!("{line} {}", around.first().copied().unwrap_or("")).to_lowercase();
    // `const amount = eval(x); if (isNaN(amount)) …`: a number is meant.
    let bound = call
        .parent()
        .filter(|at| at.kind() == "variable_declarator")
        .and_then(|at| at.child_by_field_name("name"));
    if bound.is_some_and(|name| js.src.contains(&format!("isNaN({})", js.text(name)))) {
        return Ok(vec![replace(call, format!("Number({})", js.text(argument)))]);
    }
    let counts = ["calc", "expr", "formula", "math", "equation", "comput", "arith"]
        .iter()
        .any(|word| words.contains(word));
    if !counts {
        return Err(code.to_owned());
    }
    let (name, mut edits) = helper(js, call, "evaluate", EVALUATE)?;
    edits.push(replace(call, format!("{name}({})", js.text(argument))));
    Ok(edits)
}

/// A request that goes to public addresses only.
pub(crate) fn request<'t>(js: &Js<'t>, call: Node<'t>, argument: Node<'t>) -> Result<Vec<TextEdit>, String> {
    let function = functions_around(call).first().copied().ok_or("the request is made at the top level")?;
    let head = js.text(function).split("=>").next().unwrap_or("");
    if !head.trim_start().starts_with("async") {
        return Err(
            "the check needs an async function: make this one async, or compare the host with a list"
                .to_owned(),
        );
    }
    let url = bare(argument);
    if url.kind() == "object" {
        return Err("the URL stands inside an object; check its host before the request".to_owned());
    }
    let dns = js.reach_module("dns");
    let net = js.reach_module("net");
    let source = PUBLIC_URL.replace("DNS", &dns.name).replace("NET", &net.name);
    let (name, brought) = helper(js, call, "isPublicUrl", &source)?;
    let mut edits = dns.edits;
    edits.extend(net.edits);
    edits.extend(brought);
    let statement = statement_of(call).ok_or("the request is not in a statement")?;
    if !matches!(
        statement.kind(),
        "lexical_declaration" | "expression_statement" | "return_statement" | "variable_declaration"
    ) {
        return Err("the request is made inside another statement; check its host before".to_owned());
    }
    let indent = js.indent(statement).to_owned();
    let newline = if js.src.contains("\r\n") { "\r\n" } else { "\n" };
    let (ways, more) = js.refuse(call, 400, "bad request");
    edits.extend(more);
    let mut lines = vec![format!("if (!(await {name}({}))) {{", js.text(url))];
    lines.extend(ways.into_iter().map(|way| format!("{}{way}", js.unit())));
    lines.push("}".to_owned());
    let text = framed(&lines, &indent, newline);
    edits.push(insert(statement.start_byte(), format!("{}{indent}", text.trim_start_matches(&indent[..]))));
    let _ = named(statement);
    Ok(merged(edits))
}

/// Insertions at one place as one edit, in their order.
pub(crate) fn merged(edits: Vec<TextEdit>) -> Vec<TextEdit> {
    let mut out: Vec<TextEdit> = Vec::new();
    for edit in edits {
        let same = out
            .iter_mut()
            .find(|known| known.start == known.end && edit.start == edit.end && known.start == edit.start);
        match same {
            Some(known) => known.text.push_str(&edit.text),
            None => out.push(edit),
        }
    }
    out
}
