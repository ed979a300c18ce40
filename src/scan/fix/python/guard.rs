//! Decorators of sibling routes, comparisons in constant time, secrets kept out of the log.

use super::argument::drafted;
use super::place::newline;
use crate::finding::Tier;
use crate::scan::fix::{Draft, NewImport, Site, replace};
use crate::scan::ir::{At, Expr, ExprKind, TextPart};

/// The siblings' decorator on this route too.
pub(super) fn decorate(site: &Site<'_>) -> Result<Draft, String> {
    if site.callee.is_empty() {
        return Err("the sibling routes do not all have the same check: choose one by hand".to_owned());
    }
    let text = &site.file.text;
    let line = text[..site.expr.at.start].rfind('\n').map_or(0, |at| at + 1);
    let indent: String = text[line..].chars().take_while(|letter| letter.is_whitespace()).collect();
    let end = text[site.expr.at.end..].find('\n').map_or(text.len(), |at| site.expr.at.end + at);
    let mut draft = drafted(site, "gives the route the check that its siblings have");
    draft.tier = Some(Tier::B);
    draft.by_hand =
        "where the route is open on purpose, take the decorator away again and say so beside it".into();
    draft.edits.push(replace(At::new(end, end), format!("{}{indent}@{}", newline(site), site.callee)));
    Ok(draft)
}

/// A comparison that takes as long for every value.
pub(super) fn compare(site: &Site<'_>) -> Result<Draft, String> {
    let ExprKind::Binary { op, left, right } = &site.expr.kind else {
        return Err("the comparison is not found".to_owned());
    };
    let text = &site.file.text;
    let coded = |expr: &Expr| {
        let code = expr.outer.of(text);
        let digest = code.ends_with(".hexdigest()");
        if digest { format!("{code}.encode()") } else { format!("str({code}).encode()") }
    };
    let mut draft = drafted(site, "compares in constant time");
    draft.imports.push(NewImport { module: "hmac".to_owned(), member: None });
    let not = if op.starts_with('!') { "not " } else { "" };
    draft
        .edits
        .push(replace(site.expr.at, format!("{not}hmac.compare_digest({}, {})", coded(left), coded(right))));
    Ok(draft)
}

/// A secret kept out of the log: its place stays.
#[allow(clippy::unnecessary_wraps, reason = "a fixer may decline")]
pub(super) fn redact(site: &Site<'_>) -> Result<Draft, String> {
    let mut draft = drafted(site, "keeps the secret out of the log");
    draft.by_hand = "logs that were written before still hold it: remove them, and change the secret".into();
    // Inside an f-string: the hole becomes letters.
    let mut hole = None;
    super::driver::visit(&site.file.module.body, &mut |expr| {
        if let ExprKind::Text(text) = &expr.kind {
            for part in &text.parts {
                if let TextPart::Hole { at, expr, .. } = part
                    && expr.at == site.expr.at
                {
                    hole = Some(*at);
                }
            }
        }
    });
    match hole {
        Some(at) => draft.edits.push(replace(at, "[redacted]")),
        None => draft.edits.push(replace(site.expr.outer, "\"[redacted]\"")),
    }
    Ok(draft)
}
