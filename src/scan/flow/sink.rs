//! Sinks: whether what reaches them is dangerous there.

use super::call::Given;
use super::expr::imports_one;
use super::value::{Known, Shape, Taint, Trail, Value};
use super::{Engine, Frame, Hit};
use crate::scan::ir::{At, Expr, Function, StmtKind};
use crate::scan::pattern::Pattern;
use crate::scan::rules::{Condition, Kind, Rule, Sink, Source};
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
        for (rule, sink) in self.lexicon.sinks.matches(path) {
            if !imports_one(self.source(frame.file), &sink.imports)
                || !sink.when.iter().all(|condition| holds(condition, given))
            {
                continue;
            }
            let mut dangerous: Vec<(&'a Expr, &Value<'a>)> = Vec::new();
            if sink.receiver {
                dangerous.extend(receiver);
            }
            let all = sink.arguments.is_empty() && sink.keywords.is_empty() && !sink.receiver;
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
            for (argument, value) in dangerous {
                if let Some(taint) = danger(rule, sink, value) {
                    self.report(frame, rule, Some(sink), expr, argument, taint, path);
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
            if let Some(taint) = danger(rule, sink, value) {
                self.report(frame, rule, Some(sink), expr, expr, taint, "return");
            }
        }
    }

    #[allow(clippy::too_many_arguments, reason = "a report is made of exactly these")]
    fn report(
        &mut self,
        frame: &Frame<'a>,
        rule: &'static Rule,
        sink: Option<&'static Sink>,
        expr: &'a Expr,
        argument: &'a Expr,
        danger: Danger,
        path: &str,
    ) {
        let (source, trail) = match danger {
            Danger::Taint(taint) => (taint.source, Some(taint.trail)),
            Danger::NotConstant => (Source::Any, None),
        };
        let mut steps = unwind(trail.as_ref());
        steps.push((frame.file, expr.at, format!("reaches `{}`", super::expr::short(path))));
        let place = Self::cause(frame, rule, expr, argument, path);
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

enum Danger {
    Taint(Taint),
    NotConstant,
}

/// The taint that makes a value dangerous for a rule.
fn danger(rule: &Rule, sink: &Sink, value: &Value<'_>) -> Option<Danger> {
    let kind = rule.kind.unwrap_or(Kind::All);
    // `query({ text: …, values: […] })`: only the text is read as SQL.
    if kind == Kind::Sql
        && let Some(shape @ Shape::Map { .. }) = value.shape.as_deref()
    {
        let text = ["text", "sql", "query"].iter().find_map(|key| shape.entry(key))?;
        return danger(rule, sink, text);
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
fn holds(condition: &Condition, given: &[Given<'_>]) -> bool {
    let by_keyword =
        condition.keyword.as_deref().and_then(|keyword| given.iter().find(|arg| arg.name == Some(keyword)));
    let by_position = || {
        let position = condition.position?;
        given.iter().filter(|arg| arg.name.is_none()).nth(position)
    };
    let Some(arg) = by_keyword.or_else(by_position) else {
        return condition.absent;
    };
    let value = match &condition.key {
        None => &arg.value,
        Some(key) => match arg.value.shape.as_deref().and_then(|shape| shape.entry(key)) {
            Some(value) => value,
            None => return condition.absent,
        },
    };
    let fits = |words: &[String]| words.iter().any(|word| is_word(value, word));
    (condition.is.is_empty() || fits(&condition.is)) && !fits(&condition.not)
}

fn is_word(value: &Value<'_>, word: &str) -> bool {
    match &value.known {
        Some(Known::Text(text)) => **text == *word,
        Some(Known::Int(number)) => number.to_string() == word || (word == "true" && *number == 1),
        Some(Known::Bool(flag)) => flag.to_string() == word,
        Some(Known::Null) => word == "null",
        None => value.path.as_deref().is_some_and(|path| Pattern::new(word).matches(path)),
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
