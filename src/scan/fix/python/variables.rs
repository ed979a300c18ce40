//! Values that become variables of a template or of an `XPath`, whose text stays constant.

use super::argument::{added, drafted};
use super::template::{Form, Seg, Template, bindings, count_word};
use crate::finding::{TextEdit, Tier};
use crate::scan::fix::{Draft, Site, replace};
use crate::scan::ir::{At, Call, Expr, ExprKind};

/// A template's text made constant.
pub(super) fn template(site: &Site<'_>) -> Result<Draft, String> {
    let call = super::argument::call_of(site)?;
    let text = built(site, site.argument).ok_or(
        "the whole template comes from outside; keep templates in files, or give those who write them a sandbox \
         (`jinja2.sandbox.SandboxedEnvironment`)",
    )?;
    let parts = Template::of(site, text)?;
    let escapes = site.callee.ends_with("render_template_string");
    let jinja = escapes || site.file.imports("jinja2");
    if !jinja {
        return Err("take a constant template and hand the values over as variables".to_owned());
    }
    // The call that is given the variables.
    let render = if escapes { call } else { render_of(site)? };
    if render.args.iter().any(|arg| arg.is_keyword_spread) {
        return Err("the template takes its variables from `**`".to_owned());
    }
    let mut draft = drafted(site, "keeps the template constant and hands the value over as a variable");
    let mut given = Given {
        site,
        taken: render.args.iter().filter_map(|arg| arg.name.clone()).collect(),
        new: Vec::new(),
    };
    let mark = |name: &str| if escapes { format!("{{{{ {name} }}}}") } else { format!("{{{{ {name}|e }}}}") };
    draft.edits = constant(site, &parts, text, &mut given, &mark, true)?;
    let values: Vec<String> = given.new.iter().map(|(name, code)| format!("{name}={code}")).collect();
    draft.edits.push(added(render, &values.join(", ")));
    Ok(draft)
}

/// `Template(…).render(…)`, or the render call on the name the template is bound to.
fn render_of<'a>(site: &Site<'a>) -> Result<&'a Call, String> {
    let mut name = None;
    site.scope().walk(&mut |stmt| {
        if let crate::scan::ir::StmtKind::Assign { targets, value, .. } = &stmt.kind
            && value.at == site.expr.at
        {
            name = targets.first().and_then(Expr::as_name);
        }
    });
    let mut found = None;
    super::driver::visit(&site.file.module.body, &mut |expr| {
        if let ExprKind::Call(call) = &expr.kind
            && let ExprKind::Member { object, name: method, .. } = &call.callee.kind
            && method == "render"
            && (object.at == site.expr.at || (name.is_some() && object.as_name() == name))
        {
            found = Some(&**call);
        }
    });
    found.ok_or_else(|| "the template is rendered elsewhere".to_owned())
}

/// The expression that puts the text together: the argument itself, or what its name is bound to once.
fn built<'a>(site: &Site<'a>, argument: &'a Expr) -> Option<&'a Expr> {
    let expr = match argument.as_name() {
        Some(name) => match bindings(site.scope(), name) {
            (values, 0) if values.len() == 1 => values[0],
            _ => return None,
        },
        None => argument,
    };
    let is_built = match &expr.kind {
        ExprKind::Text(text) => text.has_holes(),
        ExprKind::Binary { op, .. } => matches!(op.as_str(), "+" | "%"),
        ExprKind::Call(call) => {
            matches!(&call.callee.kind, ExprKind::Member { name, .. } if name == "format")
        }
        _ => false,
    };
    is_built.then_some(expr)
}

/// The variables that a text is given.
struct Given<'s, 'a> {
    site: &'s Site<'a>,
    taken: Vec<String>,
    new: Vec<(String, String)>,
}

impl Given<'_, '_> {
    /// The variable that stands for a value.
    fn name_for(&mut self, expr: &Expr) -> String {
        let code = expr.outer.of(&self.site.file.text).to_owned();
        if let Some((name, _)) = self.new.iter().find(|(_, known)| *known == code) {
            return name.clone();
        }
        let wish = match &expr.kind {
            ExprKind::Name(name) | ExprKind::Member { name, .. } => name.clone(),
            ExprKind::Index { index, .. } => index.as_text().unwrap_or_default(),
            ExprKind::Call(call) => call.position(0).and_then(|arg| arg.value.as_text()).unwrap_or_default(),
            _ => String::new(),
        };
        let plain = !wish.is_empty()
            && wish.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
            && !wish.starts_with(|letter: char| letter.is_ascii_digit())
            && !matches!(
                wish.as_str(),
                "from" | "in" | "is" | "if" | "for" | "class" | "def" | "and" | "or" | "not" | "_path"
            );
        let base = if plain { wish } else { "value".to_owned() };
        let mut name = base.clone();
        let mut count = 2;
        while self.taken.contains(&name) {
            name = format!("{base}{count}");
            count += 1;
        }
        self.taken.push(name.clone());
        self.new.push((name.clone(), code));
        name
    }
}

/// The text as one literal: every value from outside becomes a variable, quotes around it go when asked.
fn constant(
    site: &Site<'_>,
    parts: &Template<'_>,
    whole: &Expr,
    given: &mut Given<'_, '_>,
    mark: &dyn Fn(&str) -> String,
    is_template: bool,
) -> Result<Vec<TextEdit>, String> {
    let source = &site.file.text;
    let mut letters: Vec<String> = vec![String::new()];
    let mut holes: Vec<String> = Vec::new();
    let mut quote: Option<String> = None;
    for seg in &parts.segs {
        match seg {
            Seg::Lit { at, piece } => {
                let raw = at.of(source);
                if piece.is_raw() || quote.as_ref().is_some_and(|known| *known != piece.quote) {
                    return Err("the text is written in pieces of different kinds".to_owned());
                }
                if !raw.is_empty() || quote.is_none() {
                    quote = Some(piece.quote.clone());
                }
                let plain = match piece.form {
                    Some(Form::Brace | Form::Format) => raw.replace("{{", "{").replace("}}", "}"),
                    Some(Form::Percent) => raw.replace("%%", "%"),
                    _ => raw.to_owned(),
                };
                if let Some(last) = letters.last_mut() {
                    last.push_str(&plain);
                }
            }
            Seg::Hole(hole) => {
                let note = site.notes.note(hole.expr.at);
                if let Some(text) = note.as_ref().and_then(|note| note.text.clone())
                    && text.chars().all(|letter| letter.is_alphanumeric() || " ._-/@[]=<>".contains(letter))
                {
                    if let Some(last) = letters.last_mut() {
                        last.push_str(&text);
                    }
                    continue;
                }
                if note.is_some_and(|note| !note.tainted) && is_template {
                    return Err("a part that is put in may be template text of the project's own".to_owned());
                }
                holes.push(given.name_for(hole.expr));
                letters.push(String::new());
            }
        }
    }
    let quote = quote.ok_or("the text has no letters of its own")?;
    let mut out = String::new();
    for (at, part) in letters.iter().enumerate() {
        let mut part = part.as_str();
        if !is_template {
            // `'…'` around a value goes: a variable needs no quotes.
            if at > 0 && part.starts_with(['\'', '"']) {
                part = &part[1..];
            } else if at > 0 && part.starts_with("\\\"") {
                part = &part[2..];
            }
            if at < holes.len() {
                let next = &letters[at + 1];
                if !next.starts_with(['\'', '"', '\\']) {
                    return Err(
                        "a value stands outside quotes in the expression; check it against what is allowed"
                            .to_owned(),
                    );
                }
                part = part.strip_suffix("\\\"").or_else(|| part.strip_suffix(['\'', '"'])).ok_or(
                    "a value is only a part of a text in the expression; check it against what is allowed",
                )?;
            }
        }
        out.push_str(part);
        if let Some(name) = holes.get(at) {
            out.push_str(&mark(name));
        }
    }
    Ok(vec![replace(whole.at, format!("{quote}{out}{quote}"))])
}

/// An `XPath` with variables.
pub(super) fn xpath(site: &Site<'_>) -> Result<Draft, String> {
    let call = super::argument::call_of(site)?;
    let text = built(site, site.argument)
        .ok_or("the whole expression comes from outside; choose from fixed ones")?;
    let parts = Template::of(site, text)?;
    let mut draft = drafted(site, "hands the value over as a variable of the XPath");
    let mut given =
        Given { site, taken: call.args.iter().filter_map(|arg| arg.name.clone()).collect(), new: Vec::new() };
    if let Some(name) = site.argument.as_name()
        && count_word(&site.file.text, name) > 2
        && bindings(site.scope(), name).0.len() != 1
    {
        return Err("the expression is used in several places".to_owned());
    }
    draft.edits = constant(site, &parts, text, &mut given, &|name| format!("${name}"), false)?;
    draft.tier = Some(Tier::A);
    if site.callee.starts_with("elementpath.") {
        if call.keyword("variables").is_some() {
            return Err("the call has variables of its own already".to_owned());
        }
        let values: Vec<String> =
            given.new.iter().map(|(name, code)| format!("\"{name}\": {code}")).collect();
        draft.edits.push(added(call, &format!("variables={{{}}}", values.join(", "))));
        return Ok(draft);
    }
    let values: Vec<String> = given.new.iter().map(|(name, code)| format!("{name}={code}")).collect();
    if site.callee.ends_with("XPath") {
        // `etree.XPath(q)(tree)`: the variables go where it is called.
        let at = At::new(site.expr.at.end, site.expr.at.end + 1);
        if at.of(&site.file.text) != "(" {
            return Err("the compiled expression is called elsewhere".to_owned());
        }
        return Err("hand the value over as a variable where the compiled expression is called".to_owned());
    }
    draft.edits.push(added(call, &values.join(", ")));
    Ok(draft)
}
