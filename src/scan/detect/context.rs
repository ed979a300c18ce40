//! Checks on the surroundings of a sink, named in rule files under `only`.

use super::secret::words;
use crate::scan::ir::{Call, Expr, ExprKind, Function, StmtKind};
use crate::scan::project::{Project, SourceFile};

/// A sink and what stands around it.
pub(super) struct Place<'p> {
    pub(super) project: &'p Project,
    pub(super) file: &'p SourceFile,
    pub(super) expr: &'p Expr,
    pub(super) argument: &'p Expr,
    pub(super) chain: &'p [&'p Function],
}

/// Whether the check holds; one that nobody knows does not.
pub(super) fn holds(name: &str, place: &Place<'_>) -> bool {
    match name {
        "writes-html" => place.around().contains("text/html"),
        "catastrophic-pattern" => place.pattern().is_some_and(|pattern| is_ambiguous(&pattern)),
        "unverified-session" => !place.calls_one_of(VERIFYING),
        "spreads-request" => place.spreads(),
        "hash-matters" => place.hash_matters(),
        "sets-cookie" => place.expr.as_call().is_some_and(sets_cookie),
        "session-cookie" => place.expr.as_call().is_some_and(is_session_cookie),
        "settings-file" => place.is_settings() && !place.is_test(),
        "no-test" => !place.is_test(),
        "html-answer" => !place.answers_text(),
        "runs-code" => !place.evaluates_data(),
        "evaluates-data" => place.evaluates_data(),
        "mongo-call" => !matches!(place.argument.kind, ExprKind::Lambda(_)),
        "text-log" => !matches!(place.argument.kind, ExprKind::Map(_)) && !is_whole_request(place.argument),
        "writes-http" => place.around().contains("HTTP/1."),
        "whole-body" => place.is_whole_body(),
        "pollutes" => place.pollutes(),
        "nowhere-verified" => !place.file.text.contains(".verify("),
        "sets-js-cookie" => place.expr.as_call().is_some_and(sets_js_cookie),
        "keeps-uploads" => {
            let text = place.expr.at.of(&place.file.text);
            text.contains("dest") || text.contains("storage") && !text.contains("memoryStorage")
        }
        // Version 3 of js-yaml, which has a loader that is safe beside the one that is not.
        "old-yaml" => place.project.files.iter().any(|file| file.text.contains(".safeLoad(")),
        "unconditional" => !place.is_conditional(),
        "no-socket" => {
            !["address", "sock", "pipe", "fifo"].iter().any(|word| place.line().to_lowercase().contains(word))
        }
        "plain-log" => !place.shows_with_repr(),
        _ => false,
    }
}

/// Calls that look somebody up or check who it is.
const VERIFYING: &[&str] = &[
    "check_password",
    "check_password_hash",
    "verify",
    "verify_password",
    "authenticate",
    "compare_digest",
    "checkpw",
    "execute",
    "filter",
    "filter_by",
    "find_one",
    "findOne",
    "get_user",
    "login",
    "login_user",
    "validate",
    "validate_on_submit",
    "is_valid",
    "fetchone",
    "compare",
    "compareSync",
];

/// Words of digests that protect nothing, or that others prescribe.
const HARMLESS_DIGESTS: &[&str] = &[
    "etag",
    "cache",
    "cached",
    "gravatar",
    "avatar",
    "identicon",
    "color",
    "colour",
    "bucket",
    "shard",
    "partition",
    "ring",
    "hibp",
    "pwned",
    "git",
    "blob",
    "websocket",
    "dedupe",
    "dedup",
];

impl<'p> Place<'p> {
    /// The text of the innermost function, or of the file.
    fn around(&self) -> &'p str {
        let at = self.chain.last().map(|function| function.at);
        at.map_or(self.file.text.as_str(), |at| at.of(&self.file.text))
    }

    /// The text of the line or statement the sink stands in.
    fn line(&self) -> &'p str {
        let text = &self.file.text;
        let start = text[..self.expr.at.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[self.expr.at.end..].find('\n').map_or(text.len(), |at| self.expr.at.end + at);
        &text[start..end]
    }

    fn calls_one_of(&self, names: &[&str]) -> bool {
        let body = self.chain.last().map_or(&self.file.module.body, |function| &function.body);
        let mut found = false;
        body.walk(&mut |stmt| {
            for expr in stmt.exprs() {
                expr.walk(&mut |inner| {
                    if let ExprKind::Call(call) = &inner.kind
                        && let Some(name) = last_word(&call.callee)
                    {
                        found |= names.contains(&name);
                    }
                });
            }
        });
        found
    }

    /// `**values`, or a whole object where fields are meant.
    fn spreads(&self) -> bool {
        matches!(self.argument.kind, ExprKind::Spread(_))
            || self.expr.as_call().is_some_and(|call| {
                matches!(last_word(&call.callee), Some("update" | "insert_one" | "insertOne" | "assign"))
                    && !matches!(self.argument.kind, ExprKind::Map(_) | ExprKind::Text(_))
            })
    }

    fn hash_matters(&self) -> bool {
        let functions = self.chain.iter().map(|function| function.name.as_str());
        let near = std::iter::once(self.line()).chain(functions);
        let words: Vec<String> = near
            .flat_map(|text| text.split(|c: char| !(c.is_alphanumeric() || c == '_')))
            .flat_map(words)
            .collect();
        let names = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
        // Passwords have a rule of their own.
        !names(HARMLESS_DIGESTS) && !names(&["password", "passwd", "pwd", "passphrase"])
    }

    /// Whether the place lies under an `if`: it was written with a choice in mind.
    fn is_conditional(&self) -> bool {
        let body = self.chain.last().map_or(&self.file.module.body, |function| &function.body);
        let mut under = false;
        body.walk(&mut |stmt| {
            under |= matches!(stmt.kind, StmtKind::If { .. }) && stmt.at.holds(self.expr.at);
        });
        under
    }

    fn is_settings(&self) -> bool {
        let path = self.file.path.to_lowercase();
        let stem = path.rsplit('/').next().unwrap_or("");
        (stem.contains("settings")
            || stem.contains("config")
            || path.contains("settings/")
            || path.contains("config/"))
            && !["dev", "local", "debug", "example"].iter().any(|word| stem.contains(word))
    }

    fn is_test(&self) -> bool {
        let path = self.file.path.to_lowercase();
        path.split(['/', '_', '.', '-']).any(|part| matches!(part, "test" | "tests" | "testing" | "conftest"))
            || self.chain.iter().any(|function| function.name.starts_with("test"))
            || self.chain.iter().any(|function| function.name.to_lowercase().contains("test"))
    }

    /// A log line that shows its values with `%r` only.
    fn shows_with_repr(&self) -> bool {
        let format =
            self.expr.as_call().and_then(|call| call.position(0)).and_then(|arg| arg.value.as_text());
        format.is_some_and(|text| text.contains("%r") && !text.contains("%s"))
    }

    /// Whether the answer is said to be no page.
    fn answers_text(&self) -> bool {
        let text = self.around();
        [
            "text/plain",
            "application/json",
            "text/csv",
            "application/octet-stream",
            "type('text",
            "type(\"text",
            "type('json",
            "type(\"json",
            "type('txt",
        ]
        .iter()
        .any(|word| text.contains(word))
            && !text.contains("text/html")
    }

    /// `eval('(' + x + ')')`, `new Function('return ' + x)`: the text is data that somebody reads by running it.
    fn evaluates_data(&self) -> bool {
        let words = self.line().to_lowercase();
        let lead = match &self.argument.kind {
            ExprKind::Binary { .. } => {
                let mut left = self.argument;
                while let ExprKind::Binary { left: inner, .. } = &left.kind {
                    left = inner;
                }
                left.as_text()
            }
            ExprKind::Text(text) => match text.parts.first() {
                Some(crate::scan::ir::TextPart::Literal { value, .. }) => Some(value.clone()),
                _ => None,
            },
            _ => None,
        };
        match lead.as_deref().map(str::trim) {
            Some("(" | "return (" | "return(") => true,
            Some("return") => {
                !["expr", "formula", "calc", "code", "script", "math"].iter().any(|word| words.contains(word))
            }
            _ => false,
        }
    }

    /// A whole body or query, or an object it is spread into.
    fn is_whole_body(&self) -> bool {
        match &self.argument.kind {
            ExprKind::Map(entries) => {
                entries.iter().any(|entry| entry.key.is_none() && is_whole_request(&entry.value))
            }
            _ => {
                is_whole_request(self.argument)
                    || self.argument.as_name().is_some_and(|name| self.is_bound_whole(name))
            }
        }
    }

    /// Whether a name is bound to a whole body.
    fn is_bound_whole(&self, name: &str) -> bool {
        let Some(function) = self.chain.last() else { return false };
        let mut whole = false;
        function.body.walk(&mut |stmt| {
            if let StmtKind::Assign { targets, value, .. } = &stmt.kind
                && targets.iter().any(|target| target.as_name() == Some(name))
            {
                whole |= is_whole_request(value);
            }
        });
        whole
    }

    fn pollutes(&self) -> bool {
        let Some(call) = self.expr.as_call() else { return false };
        let sets = matches!(last_word(&call.callee), Some("set" | "setWith" | "zipObjectDeep"));
        if sets {
            return call.position(1).is_some_and(|arg| arg.value.at == self.argument.at);
        }
        self.is_whole_body()
    }

    /// The pattern that a text is matched against.
    fn pattern(&self) -> Option<String> {
        let call = self.expr.as_call()?;
        if let Some(text) = call.position(0).and_then(|arg| pattern_of(&arg.value)) {
            return Some(text);
        }
        let ExprKind::Member { object, .. } = &call.callee.kind else { return None };
        if let Some(text) = pattern_of(object) {
            return Some(text);
        }
        let given = call.position(0).and_then(|arg| arg.value.as_name());
        let own = object.as_name().filter(|name| self.argument.as_name() != Some(name));
        let name = own.or(given)?;
        let bodies =
            std::iter::once(&self.file.module.body).chain(self.chain.iter().map(|function| &function.body));
        let mut found = None;
        for body in bodies {
            for stmt in &body.stmts {
                if let StmtKind::Assign { targets, value, .. } = &stmt.kind
                    && targets.iter().any(|target| target.as_name() == Some(name))
                {
                    found = pattern_of(value);
                }
            }
        }
        found
    }
}

/// The last word of what is called.
pub(super) fn last_word(callee: &Expr) -> Option<&str> {
    match &callee.kind {
        ExprKind::Member { name, .. } | ExprKind::Name(name) => Some(name),
        _ => None,
    }
}

/// `req.body`, `request.query`, `ctx.request.body`, `...req.body`.
fn is_whole_request(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Member { object, name, .. } => {
            matches!(
                name.as_str(),
                "body" | "query" | "params" | "headers" | "cookies" | "json" | "form" | "args"
            ) && last_word(object).is_some_and(|of| matches!(of, "req" | "request" | "ctx" | "context"))
        }
        ExprKind::Spread(inner) | ExprKind::Await(inner) => is_whole_request(inner),
        ExprKind::Name(name) => name == "body",
        _ => false,
    }
}

/// Whether a cookie is set with flags that are written out.
fn sets_js_cookie(call: &Call) -> bool {
    let empty = call.position(1).and_then(|arg| arg.value.as_text()).is_some_and(|text| text.is_empty());
    let gone = call.position(2).is_some_and(|arg| match &arg.value.kind {
        ExprKind::Map(entries) => entries.iter().any(|entry| {
            entry.key.as_ref().and_then(Expr::as_text).is_some_and(|key| key == "maxAge")
                && matches!(&entry.value.kind, ExprKind::Number(n) if n == "0")
        }),
        _ => false,
    });
    call.args.len() >= 2 && !empty && !gone
}

fn pattern_of(expr: &Expr) -> Option<String> {
    match &expr.kind {
        ExprKind::Regex(pattern) => Some(pattern.clone()),
        ExprKind::Text(_) => expr.as_text(),
        ExprKind::Call(call) if matches!(last_word(&call.callee), Some("compile" | "RegExp")) => {
            call.position(0).and_then(|arg| arg.value.as_text())
        }
        _ => None,
    }
}

/// Whether a cookie is set, with flags that are written out, and on a client's answer.
fn sets_cookie(call: &Call) -> bool {
    let spread = call.args.iter().any(|arg| arg.is_keyword_spread);
    let on_client = matches!(&call.callee.kind, ExprKind::Member { object, .. }
        if last_word(object).is_some_and(|name| name.contains("client")));
    let gone =
        call.keyword("max_age").is_some_and(|arg| matches!(&arg.value.kind, ExprKind::Number(n) if n == "0"));
    let has_value = call.position(1).is_some() || call.keyword("value").is_some();
    let empty = call.keyword("value").or_else(|| call.position(1)).and_then(|arg| arg.value.as_text());
    !spread && !on_client && !gone && has_value && empty.is_none_or(|text| !text.is_empty())
}

/// Whether what is kept in the cookie is a session or a proof of who it is.
pub(in crate::scan) fn is_session_cookie(call: &Call) -> bool {
    let key = call.keyword("key").or_else(|| call.position(0));
    let Some(key) = key else { return false };
    let name = key.value.as_text().or_else(|| key.value.dotted()).unwrap_or_default();
    words(&name).iter().any(|word| {
        matches!(
            word.as_str(),
            "session"
                | "sessionid"
                | "sid"
                | "token"
                | "auth"
                | "jwt"
                | "remember"
                | "login"
                | "access"
                | "refresh"
                | "secret"
                | "apikey"
                | "credential"
                | "credentials"
        )
    })
}

/// Whether a group that is repeated can match one text in several ways: `(a+)+`, `(\w+\s?)*`.
pub(super) fn is_ambiguous(pattern: &str) -> bool {
    let letters: Vec<char> = pattern.chars().collect();
    let mut open: Vec<usize> = Vec::new();
    let mut in_class = false;
    let mut at = 0;
    while at < letters.len() {
        match letters[at] {
            '\\' => at += 1,
            '[' if !in_class => in_class = true,
            ']' => in_class = false,
            '(' if !in_class => open.push(at),
            ')' if !in_class => {
                let start = open.pop().unwrap_or(0);
                let repeated = matches!(letters.get(at + 1), Some('+' | '*'))
                    || letters.get(at + 1) == Some(&'{')
                        && letters[at..].iter().collect::<String>().contains(",}");
                if repeated && repeats_itself(&letters[start + 1..at]) {
                    return true;
                }
            }
            _ => {}
        }
        at += 1;
    }
    false
}

/// Whether a group's body is one repeated item, everything else in it optional.
fn repeats_itself(body: &[char]) -> bool {
    let text: String = body.iter().collect();
    let text = text.strip_prefix("?:").unwrap_or(&text).to_owned();
    let letters: Vec<char> = text.chars().collect();
    let (mut repeated, mut plain) = (0, 0);
    let mut at = 0;
    while at < letters.len() {
        // One item: an escape, a class, a group, a letter.
        let end = match letters[at] {
            '\\' => at + 2,
            '[' => letters[at..].iter().position(|c| *c == ']').map_or(letters.len(), |found| at + found + 1),
            '(' => letters[at..].iter().position(|c| *c == ')').map_or(letters.len(), |found| at + found + 1),
            '^' | '$' => {
                at += 1;
                continue;
            }
            '|' => return false,
            _ => at + 1,
        };
        match letters.get(end) {
            Some('+' | '*') => {
                repeated += 1;
                at = end + 1;
            }
            Some('?') => at = end + 1,
            Some('{') => {
                plain += 1;
                at = letters[end..]
                    .iter()
                    .position(|c| *c == '}')
                    .map_or(letters.len(), |found| end + found + 1);
            }
            _ => {
                plain += 1;
                at = end;
            }
        }
    }
    repeated >= 1 && plain == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_match_one_text_in_many_ways_are_told_from_others() {
        fn check(pattern: &str, expected: bool) {
            assert_eq!(is_ambiguous(pattern), expected, "{pattern}");
        }
        check("^(a+)+$", true);
        check("^([a-zA-Z0-9]+)*$", true);
        check(r"^(\w+\s?)*$", true);
        check("(?:x*)+", true);
        check(r"^([a-z]+\.)+com$", false);
        check("^[a-z]+$", false);
        check("(ab)+", false);
        check(r"(\d{3})+", false);
    }
}
