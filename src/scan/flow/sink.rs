//! Sinks: whether what reaches them is dangerous there.

use super::call::Given;
use super::expr::imports_one;
use super::lexicon::RuleSink;
use super::value::{Known, Shape, Taint, Trail, Value};
use super::{Engine, Frame, Hit};
use crate::scan::ir::{At, Expr, ExprKind, Function, ListKind, StmtKind};
use crate::scan::pattern::{Pattern, word_fits};
use crate::scan::rules::{Condition, Kind, Rule, Sink, Source, Tongue};
use std::rc::Rc;

impl<'a> Engine<'a> {
    /// Checks a call against all sinks.
    pub(super) fn check_call(
        &mut self,
        frame: &Frame<'a>,
        expr: &'a Expr,
        path: &str,
        receiver: Option<(&'a Expr, &Value<'a>)>,
        given: &[Given<'a>],
    ) {
        if self.quiet {
            return;
        }
        let reached = self.lexicon.sinks.matches(path);
        self.check_sinks(frame, expr, path, &reached, receiver, given);
    }

    /// Checks sinks that are reached with these arguments.
    pub(super) fn check_sinks(
        &mut self,
        frame: &Frame<'a>,
        expr: &'a Expr,
        path: &str,
        reached: &[&'static RuleSink],
        receiver: Option<(&'a Expr, &Value<'a>)>,
        given: &[Given<'a>],
    ) {
        for (rule, sink) in reached.iter().copied() {
            if !imports_one(self.source(frame.file), &sink.imports)
                || !sink
                    .when
                    .iter()
                    .all(|condition| holds(condition, receiver.map(|(_, value)| value), given))
            {
                continue;
            }
            let mut dangerous: Vec<(&'a Expr, &Value<'a>)> = Vec::new();
            if sink.receiver {
                dangerous.extend(receiver);
            }
            let all = sink.arguments.is_empty() && sink.keywords.is_empty() && !sink.receiver;
            // Conditions alone decide: also when there are no arguments.
            if all && given.is_empty() && rule.sources.contains(&Source::Always) {
                self.report(frame, rule, Some(sink), expr, expr, Danger::NotConstant, path);
            }
            let mut position = 0;
            for arg in given {
                let chosen = match arg.name {
                    Some(name) => all || sink.keywords.iter().any(|keyword| keyword == name),
                    None => all || sink.arguments.contains(&position),
                };
                if arg.name.is_none() {
                    position += 1;
                }
                if chosen {
                    dangerous.push((arg.expr, &arg.value));
                }
            }
            if sink.at_source {
                // Each origin is a cause of its own.
                for (argument, value) in dangerous {
                    for taint in value.all_taints() {
                        if rule.sources.contains(&taint.source) {
                            self.report(frame, rule, Some(sink), expr, argument, Danger::Taint(taint), path);
                        }
                    }
                }
                continue;
            }
            for (argument, value) in dangerous {
                if let Some(taint) = danger(rule, sink, value)
                    && self.report(frame, rule, Some(sink), expr, argument, taint, path)
                {
                    break;
                }
            }
        }
    }

    /// Checks what a handler returns.
    pub(super) fn check_answer(&mut self, frame: &Frame<'a>, expr: &'a Expr, value: &Value<'a>) {
        if self.quiet {
            return;
        }
        for (rule, sink) in &self.lexicon.returns {
            if !imports_one(self.source(frame.file), &sink.imports) {
                continue;
            }
            let Some((expr, value)) = page_of(rule, expr, value) else { continue };
            if let Some(taint) = danger(rule, sink, &value) {
                self.report(frame, rule, Some(sink), expr, expr, taint, "return");
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "a report is made of exactly these")]
    pub(super) fn report(
        &mut self,
        frame: &Frame<'a>,
        rule: &'static Rule,
        sink: Option<&'static Sink>,
        expr: &'a Expr,
        argument: &'a Expr,
        danger: Danger,
        path: &str,
    ) -> bool {
        let (source, trail, origin) = match danger {
            Danger::Taint(taint) => (taint.source, Some(taint.trail), Some(taint.origin)),
            Danger::NotConstant => (Source::Any, None, None),
        };
        let mut steps = unwind(trail.as_ref());
        steps.push((frame.file, expr.at, format!("reaches `{}`", super::expr::short(path))));
        let mut place = Self::cause(frame, rule, expr, argument, path);
        if let (true, Some((file, at))) = (sink.is_some_and(|sink| sink.at_source), origin)
            && let Some((found, chain)) = super::origin::find(&self.source(file).module.body, at)
        {
            place =
                Cause { file, expr: found, argument: found, chain: Rc::new(chain), callee: path.to_owned() };
        }
        if let Some(sink) = sink
            && !sink.only.iter().all(|name| {
                let source = self.source(place.file);
                crate::scan::detect::holds(
                    name,
                    self.project,
                    source,
                    place.expr,
                    place.argument,
                    &place.chain,
                )
            })
        {
            return false;
        }
        let (expr, argument) = (place.expr, place.argument);
        let hit = Hit {
            rule,
            sink,
            file: place.file,
            entry: self.entry,
            expr,
            argument,
            functions: (*place.chain).clone(),
            source,
            callee: place.callee,
            steps,
            route: frame.route.as_deref().map(str::to_owned),
        };
        match self
            .hits
            .iter_mut()
            .find(|known| known.file == hit.file && known.expr.at == expr.at && known.rule.id == rule.id)
        {
            // The same sink reached again: the worse source stays, then the first way there.
            Some(known) if hit.source < known.source => *known = hit,
            Some(known) => {
                if known.route.is_none() {
                    known.route = hit.route;
                }
            }
            None => self.hits.push(hit),
        }
        true
    }
}

/// Where the cause of a hit stands.
struct Cause<'a> {
    file: usize,
    expr: &'a Expr,
    argument: &'a Expr,
    chain: Rc<Vec<&'a Function>>,
    callee: String,
}

impl<'a> Engine<'a> {
    /// A function that only hands its parameter to the sink is not the cause: the call that put the statement
    /// together is. The callee of such a hit is `through NAME`.
    fn cause(frame: &Frame<'a>, rule: &Rule, expr: &'a Expr, argument: &'a Expr, path: &str) -> Cause<'a> {
        let mut cause = Cause {
            file: frame.file,
            expr,
            argument,
            chain: Rc::clone(&frame.chain),
            callee: path.to_owned(),
        };
        if rule.kind != Some(Kind::Sql) {
            return cause;
        }
        let mut site = frame.site.clone();
        while let (Some(here), Some(name)) = (site, cause.argument.as_name()) {
            let Some((_, given)) = here.args.iter().find(|(param, _)| *param == name) else { break };
            let assigned = cause.chain.last().is_some_and(|function| is_assigned(function, name));
            if assigned {
                break;
            }
            cause = Cause {
                file: here.file,
                expr: here.expr,
                argument: given,
                chain: Rc::clone(&here.chain),
                callee: format!("through {}", here.name),
            };
            site = here.above.as_ref().map(Rc::clone);
        }
        cause
    }
}

/// What of an answer is read as a page: the first of `(body, status)`; nothing of what becomes JSON.
fn page_of<'a, 'v>(
    rule: &Rule,
    expr: &'a Expr,
    value: &'v Value<'a>,
) -> Option<(&'a Expr, std::borrow::Cow<'v, Value<'a>>)> {
    use std::borrow::Cow;
    if rule.kind != Some(Kind::Html) {
        return Some((expr, Cow::Borrowed(value)));
    }
    match (&expr.kind, value.shape.as_deref()) {
        (ExprKind::List { items: written, .. }, Some(Shape::List { items, .. })) => {
            let is_page = matches!(expr.kind, ExprKind::List { kind: ListKind::Tuple, .. });
            let first = items.first().filter(|first| is_page && first.shape.is_none())?;
            Some((written.first()?, Cow::Owned(first.clone())))
        }
        (_, Some(_)) => None,
        _ => Some((expr, Cow::Borrowed(value))),
    }
}

fn is_assigned(function: &Function, name: &str) -> bool {
    let mut found = false;
    function.body.walk(&mut |stmt| match &stmt.kind {
        StmtKind::Assign { targets, .. } => {
            found |= targets.iter().any(|target| target.as_name() == Some(name));
        }
        StmtKind::Augment { target, .. } => found |= target.as_name() == Some(name),
        _ => {}
    });
    found
}

pub(super) enum Danger {
    Taint(Taint),
    NotConstant,
}

/// The taint that makes a value dangerous for a rule.
pub(super) fn danger(rule: &Rule, sink: &Sink, value: &Value<'_>) -> Option<Danger> {
    let kind = rule.kind.unwrap_or(Kind::All);
    // `query({ text: …, values: […] })`: only the text is read as SQL.
    if kind == Kind::Sql
        && let Some(shape @ Shape::Map { .. }) = value.shape.as_deref()
    {
        let text = ["text", "sql", "query"].iter().find_map(|key| shape.entry(key))?;
        return danger(rule, sink, text);
    }
    // What becomes JSON is no page.
    let is_data = matches!(value.shape.as_deref(), Some(Shape::Map { .. } | Shape::List { .. }));
    if kind == Kind::Html && is_data && !rule.languages.contains(&Tongue::Java) {
        return None;
    }
    if sink.built && !value.built {
        return None;
    }
    let taints = match (sink.list_is_safe, value.shape.as_deref()) {
        (true, Some(Shape::List { items, rest })) => program_taints(items, rest.as_deref()),
        _ => value.all_taints(),
    };
    let wanted = |source: Source| {
        if rule.sources.is_empty() { source == Source::Request } else { rule.sources.contains(&source) }
    };
    let found = taints
        .into_iter()
        .filter(|taint| wanted(taint.source) && !taint.cleared.has(kind))
        .filter(|taint| taint.source != Source::Parameter || value.built)
        .min_by_key(|taint| taint.source);
    match found {
        Some(taint) => Some(Danger::Taint(taint)),
        None if rule.sources.contains(&Source::Any) && !value.constant => Some(Danger::NotConstant),
        None if rule.sources.contains(&Source::Always) => Some(Danger::NotConstant),
        None => None,
    }
}

/// In an argument list only the program, and a shell's script, are dangerous.
fn program_taints(items: &[Value<'_>], rest: Option<&Value<'_>>) -> Vec<Taint> {
    let Some(program) = items.first() else { return Vec::new() };
    let name = program.known_text().unwrap_or("");
    let name = name.rsplit('/').next().unwrap_or(name);
    let is_shell = matches!(name, "sh" | "bash" | "dash" | "zsh" | "ksh" | "cmd" | "cmd.exe" | "powershell");
    let mut taints = program.all_taints();
    if is_shell && let Some(script) = items.get(2).or(rest) {
        super::value::merge(&mut taints, &script.all_taints());
    }
    taints
}

/// Whether a condition on the other arguments holds.
pub(super) fn holds(condition: &Condition, receiver: Option<&Value<'_>>, given: &[Given<'_>]) -> bool {
    let by_keyword =
        condition.keyword.as_deref().and_then(|keyword| given.iter().find(|arg| arg.name == Some(keyword)));
    let by_position = || {
        let position = condition.position?;
        given.iter().filter(|arg| arg.name.is_none()).nth(position)
    };
    let found =
        if condition.receiver { receiver } else { by_keyword.or_else(by_position).map(|arg| &arg.value) };
    let Some(mut value) = found else {
        // What stands in `**options` is not known.
        let spread = given.iter().any(|arg| arg.is_keyword_spread);
        return condition.absent && !(spread && condition.keyword.is_some());
    };
    for key in condition.key.iter().flat_map(|key| key.split('.')) {
        let on_object = condition.receiver || condition.keyword.as_deref() == Some("this");
        if value.shape.is_none() && !on_object {
            // Options that are made elsewhere are not known.
            return condition.absent && matches!(value.known, Some(Known::Null));
        }
        match value.shape.as_deref().and_then(|shape| shape.entry(key)) {
            Some(found) => value = found,
            None => return condition.absent,
        }
    }
    let fits = |words: &[String]| words.iter().any(|word| is_word(value, word));
    let number =
        |holds: &dyn Fn(i64) -> bool| matches!(value.known, Some(Known::Int(number)) if holds(number));
    let small = condition.below.is_none_or(|below| number(&|number| number < below))
        && condition.bits.is_none_or(|bits| number(&|number| number & bits != 0));
    small && (condition.is.is_empty() || fits(&condition.is)) && !fits(&condition.not)
}

fn is_word(value: &Value<'_>, word: &str) -> bool {
    if word == "constant" && value.constant {
        return true;
    }
    if let Some(Shape::List { items, .. }) = value.shape.as_deref() {
        return items.iter().any(|item| is_word(item, word));
    }
    match &value.known {
        Some(Known::Text(text)) if word == "*" => **text == *word,
        Some(Known::Text(text)) => word_fits(&word.to_ascii_lowercase(), &text.to_ascii_lowercase()),
        Some(Known::Int(number)) => number.to_string() == word || (word == "true" && *number == 1),
        Some(Known::Bool(flag)) => flag.to_string() == word,
        Some(Known::Null) => word == "null",
        None => {
            word.contains(char::is_alphabetic)
                && value.path.as_deref().is_some_and(|path| Pattern::new(word).matches(path))
        }
    }
}

fn unwind(trail: Option<&Rc<Trail>>) -> Vec<(usize, At, String)> {
    let mut steps = Vec::new();
    let mut here = trail;
    while let Some(step) = here {
        steps.push((step.file, step.at, step.note.clone()));
        here = step.before.as_ref();
    }
    steps.reverse();
    steps
}
