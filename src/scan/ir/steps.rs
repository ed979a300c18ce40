//! Small steps over the tree: children, walks, what a node is when it is simple.

use super::{Arg, At, Block, Call, Expr, ExprKind, Stmt, StmtKind, Text, TextPart};

impl At {
    /// From two offsets.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// The bytes in `text`; empty when they lie outside.
    pub fn of(self, text: &str) -> &str {
        text.get(self.start..self.end).unwrap_or("")
    }

    /// Whether `other` lies inside.
    pub fn holds(self, other: At) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

impl Text {
    /// The value, when there is no hole.
    pub fn constant(&self) -> Option<String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                TextPart::Literal { value, .. } => out.push_str(value),
                TextPart::Hole { .. } => return None,
            }
        }
        Some(out)
    }

    /// Whether any part is a hole.
    pub fn has_holes(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, TextPart::Hole { .. }))
    }
}

impl Call {
    /// The argument at a position, keyword ones not counted; `None` from a spread on.
    pub fn position(&self, at: usize) -> Option<&Arg> {
        let mut seen = 0;
        for arg in &self.args {
            if matches!(arg.value.kind, ExprKind::Spread(_)) {
                if arg.is_keyword_spread {
                    continue;
                }
                return None;
            }
            if arg.name.is_some() {
                continue;
            }
            if seen == at {
                return Some(arg);
            }
            seen += 1;
        }
        None
    }

    /// The argument of a keyword.
    pub fn keyword(&self, name: &str) -> Option<&Arg> {
        self.args.iter().find(|arg| arg.name.as_deref() == Some(name))
    }
}

impl Expr {
    /// A new expression without parentheses.
    pub fn new(at: At, kind: ExprKind) -> Self {
        Self { at, outer: at, kind }
    }

    /// The call, when it is one (an `await` in front is looked through).
    pub fn as_call(&self) -> Option<&Call> {
        match &self.kind {
            ExprKind::Call(call) => Some(call),
            ExprKind::Await(inner) => inner.as_call(),
            _ => None,
        }
    }

    /// The name, when it is one.
    pub fn as_name(&self) -> Option<&str> {
        match &self.kind {
            ExprKind::Name(name) => Some(name),
            _ => None,
        }
    }

    /// The text value, when it is a literal without holes.
    pub fn as_text(&self) -> Option<String> {
        match &self.kind {
            ExprKind::Text(text) if !text.is_bytes => text.constant(),
            _ => None,
        }
    }

    /// `a.b.c` as text for a chain of names and members; `None` for anything else.
    pub fn dotted(&self) -> Option<String> {
        match &self.kind {
            ExprKind::Name(name) => Some(name.clone()),
            ExprKind::Member { object, name, .. } => Some(format!("{}.{name}", object.dotted()?)),
            _ => None,
        }
    }

    /// Direct children, in order. The body of a lambda or class is not among them.
    pub fn children(&self) -> Vec<&Expr> {
        match &self.kind {
            ExprKind::Name(_)
            | ExprKind::Number(_)
            | ExprKind::Regex(_)
            | ExprKind::Bool(_)
            | ExprKind::Null
            | ExprKind::Lambda(_)
            | ExprKind::Class(_) => Vec::new(),
            ExprKind::Member { object, .. } => vec![object],
            ExprKind::Index { object, index } => vec![object, index],
            ExprKind::Slice { object, bounds } => {
                std::iter::once(&**object).chain(bounds.iter().flatten()).collect()
            }
            ExprKind::Call(call) => {
                std::iter::once(&call.callee).chain(call.args.iter().map(|arg| &arg.value)).collect()
            }
            ExprKind::Text(text) => text
                .parts
                .iter()
                .filter_map(|part| match part {
                    TextPart::Hole { expr, .. } => Some(&**expr),
                    TextPart::Literal { .. } => None,
                })
                .collect(),
            ExprKind::Binary { left, right, .. } => vec![left, right],
            ExprKind::Unary { operand, .. } => vec![operand],
            ExprKind::List { items, .. } | ExprKind::Other(items) => items.iter().collect(),
            ExprKind::Map(entries) => {
                entries.iter().flat_map(|entry| entry.key.iter().chain([&entry.value])).collect()
            }
            ExprKind::Spread(inner) | ExprKind::Await(inner) => vec![inner],
            ExprKind::Conditional { test, then, other } => vec![test, then, other],
            ExprKind::Assign { target, value } => vec![target, value],
            ExprKind::Comprehension { items, loops, tests } => items
                .iter()
                .chain(loops.iter().flat_map(|(target, over)| [target, over]))
                .chain(tests)
                .collect(),
        }
    }

    /// This expression and everything in it, outermost first; lambda bodies not entered.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        visit(self);
        for child in self.children() {
            child.walk(visit);
        }
    }
}

impl Stmt {
    /// The blocks directly in it; function and class bodies not among them.
    pub fn blocks(&self) -> Vec<&Block> {
        match &self.kind {
            StmtKind::If { then, other, .. } => vec![then, other],
            StmtKind::Loop { body, other, .. } => vec![body, other],
            StmtKind::Try { body, handlers, other, finally } => std::iter::once(body)
                .chain(handlers.iter().map(|catch| &catch.body))
                .chain([other, finally])
                .collect(),
            StmtKind::With { body, .. } | StmtKind::Block(body) => vec![body],
            StmtKind::Switch { cases, .. } => cases.iter().map(|case| &case.body).collect(),
            _ => Vec::new(),
        }
    }

    /// The expressions directly in it, in order of evaluation; those of nested blocks not among them.
    pub fn exprs(&self) -> Vec<&Expr> {
        match &self.kind {
            StmtKind::Assign { targets, value, .. } => std::iter::once(value).chain(targets).collect(),
            StmtKind::Augment { target, value, .. } => vec![target, value],
            StmtKind::Expr(expr) => vec![expr],
            StmtKind::If { test, .. } => vec![test],
            StmtKind::Loop { target, over, test, .. } => {
                [over, target, test].into_iter().filter_map(|part| part.as_deref()).collect()
            }
            StmtKind::Return(value) | StmtKind::Raise(value) => value.iter().collect(),
            StmtKind::With { items, .. } => {
                items.iter().flat_map(|(expr, target)| std::iter::once(expr).chain(target)).collect()
            }
            StmtKind::Switch { subject, cases, .. } => {
                std::iter::once(subject).chain(cases.iter().flat_map(|case| &case.values)).collect()
            }
            StmtKind::Delete(exprs) | StmtKind::Other(exprs) => exprs.iter().collect(),
            StmtKind::Try { handlers, .. } => handlers.iter().flat_map(|catch| &catch.types).collect(),
            StmtKind::Break
            | StmtKind::Continue
            | StmtKind::Function(_)
            | StmtKind::Class(_)
            | StmtKind::Import(_)
            | StmtKind::Block(_) => Vec::new(),
        }
    }
}

impl Block {
    /// Every statement in it, nested blocks included, in order; function and class bodies not entered.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Stmt)) {
        for stmt in &self.stmts {
            visit(stmt);
            for block in stmt.blocks() {
                block.walk(visit);
            }
        }
    }
}
