//! A text being put together, taken apart: literals and holes with their bytes, whatever way it is written.

use crate::scan::fix::Site;
use crate::scan::ir::{At, Block, Call, Expr, ExprKind, StmtKind, Text, TextPart};

/// A part of the text, in order.
#[derive(Debug, Clone)]
pub(super) enum Seg<'a> {
    /// Letters inside a literal token.
    Lit {
        /// Their bytes.
        at: At,
        /// The token they stand in.
        piece: Piece,
    },
    /// A value.
    Hole(Hole<'a>),
}

/// A value in the text.
#[derive(Debug, Clone)]
pub(super) struct Hole<'a> {
    /// The bytes that stand for it: `{x}`, `%s`, `{}`, or the operand of `+`.
    pub(super) span: At,
    /// The value.
    pub(super) expr: &'a Expr,
    /// How it is written.
    pub(super) form: Form,
    /// The token it stands in; none for an operand of `+`.
    pub(super) piece: Option<Piece>,
}

/// How a hole is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `{x}` in an f-string.
    Brace,
    /// `%s`.
    Percent,
    /// `{}` of `.format`.
    Format,
    /// `+ x`.
    Joined,
}

/// A literal token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) at: At,
    pub(super) prefix: String,
    pub(super) quote: String,
    /// How its letters are read: `%%` and `{{` stand for one.
    pub(super) form: Option<Form>,
}

/// The text taken apart.
#[derive(Debug, Clone, Default)]
pub(super) struct Template<'a> {
    pub(super) segs: Vec<Seg<'a>>,
    /// What hands the values over and goes when they are bound: ` % (a, b)`, `.format(a, b)`.
    pub(super) tails: Vec<At>,
}

impl Piece {
    /// The bytes between the quotes.
    pub(super) fn inside(&self) -> At {
        At::new(self.at.start + self.prefix.len() + self.quote.len(), self.at.end - self.quote.len())
    }

    pub(super) fn is_formatted(&self) -> bool {
        self.prefix.to_ascii_lowercase().contains('f')
    }

    pub(super) fn is_raw(&self) -> bool {
        self.prefix.to_ascii_lowercase().contains('r')
    }
}

impl<'a> Template<'a> {
    /// Takes an expression apart.
    pub(super) fn of(site: &Site<'a>, expr: &'a Expr) -> Result<Self, String> {
        let mut template = Template::default();
        template.add(site, expr, None)?;
        Ok(template)
    }

    pub(super) fn holes(&self) -> impl Iterator<Item = &Hole<'a>> {
        self.segs.iter().filter_map(|seg| match seg {
            Seg::Hole(hole) => Some(hole),
            Seg::Lit { .. } => None,
        })
    }

    pub(super) fn has_literals(&self) -> bool {
        self.segs.iter().any(|seg| matches!(seg, Seg::Lit { .. }))
    }

    fn add(&mut self, site: &Site<'a>, expr: &'a Expr, form: Option<Form>) -> Result<(), String> {
        match &expr.kind {
            ExprKind::Text(text) => self.add_text(text, form),
            ExprKind::Binary { op, left, right } if op == "+" => {
                self.add(site, left, None)?;
                self.add(site, right, None)
            }
            ExprKind::Binary { op, left, right } if op == "%" => self.add_percent(site, expr, left, right),
            ExprKind::Call(call) => self.add_call(site, expr, call),
            ExprKind::Name(name) => {
                if let Some(text) = only_text(site, name) {
                    self.add(site, text, form)
                } else {
                    self.join(expr, expr.outer);
                    Ok(())
                }
            }
            _ => {
                self.join(expr, expr.outer);
                Ok(())
            }
        }
    }

    fn join(&mut self, expr: &'a Expr, span: At) {
        self.segs.push(Seg::Hole(Hole { span, expr, form: Form::Joined, piece: None }));
    }

    fn add_text(&mut self, text: &'a Text, form: Option<Form>) -> Result<(), String> {
        if text.is_bytes {
            return Err("the text is made of bytes".to_owned());
        }
        let pieces: Vec<Piece> = text
            .pieces
            .iter()
            .map(|piece| {
                let mut piece =
                    Piece { at: piece.at, prefix: piece.prefix.clone(), quote: piece.quote.clone(), form };
                if piece.is_formatted() {
                    piece.form = Some(Form::Brace);
                }
                piece
            })
            .collect();
        for (index, piece) in pieces.iter().enumerate() {
            let mut at = piece.inside().start;
            for part in &text.parts {
                match part {
                    TextPart::Hole { at: span, expr, conversion, format, piece: own } if *own == index => {
                        if conversion.is_some_and(|letter| letter != 's') || format.is_some() {
                            return Err("a value is formatted on its way into the text".to_owned());
                        }
                        self.segs.push(Seg::Lit { at: At::new(at, span.start), piece: piece.clone() });
                        self.segs.push(Seg::Hole(Hole {
                            span: *span,
                            expr,
                            form: Form::Brace,
                            piece: Some(piece.clone()),
                        }));
                        at = span.end;
                    }
                    _ => {}
                }
            }
            self.segs.push(Seg::Lit { at: At::new(at, piece.inside().end), piece: piece.clone() });
        }
        Ok(())
    }

    fn add_percent(
        &mut self,
        site: &Site<'a>,
        whole: &'a Expr,
        left: &'a Expr,
        right: &'a Expr,
    ) -> Result<(), String> {
        let mut inner = Template::default();
        inner.add(site, left, Some(Form::Percent))?;
        if inner.holes().next().is_some() || !inner.has_literals() {
            return Err("the text before `%` is not one literal here".to_owned());
        }
        let values: Vec<&'a Expr> = match &right.kind {
            ExprKind::List { items, .. } => items.iter().collect(),
            _ => vec![right],
        };
        let entries = match &right.kind {
            ExprKind::Map(entries) => Some(entries),
            _ => None,
        };
        let mut next = 0;
        for seg in inner.segs {
            let Seg::Lit { at, piece } = seg else { continue };
            let raw = at.of(&site.file.text);
            let mut from = at.start;
            for field in percent_fields(raw)? {
                let span = At::new(at.start + field.start, at.start + field.end);
                let expr = match (&field.name, entries) {
                    (Some(name), Some(entries)) => entries
                        .iter()
                        .find(|entry| entry.key.as_ref().and_then(Expr::as_text).as_deref() == Some(name))
                        .map(|entry| &entry.value)
                        .ok_or("a `%(name)s` has no value beside it")?,
                    (Some(_), None) => {
                        return Err("the values of `%(name)s` are not written beside it".to_owned());
                    }
                    (None, _) => {
                        let value = values.get(next).copied().ok_or("`%` is given too few values")?;
                        next += 1;
                        value
                    }
                };
                self.segs.push(Seg::Lit { at: At::new(from, span.start), piece: piece.clone() });
                self.segs.push(Seg::Hole(Hole {
                    span,
                    expr,
                    form: Form::Percent,
                    piece: Some(piece.clone()),
                }));
                from = span.end;
            }
            self.segs.push(Seg::Lit { at: At::new(from, at.end), piece });
        }
        if entries.is_none() && next != values.len() {
            return Err("`%` is given more values than the text takes".to_owned());
        }
        self.tails.push(At::new(left.outer.end, whole.at.end));
        Ok(())
    }

    fn add_call(&mut self, site: &Site<'a>, whole: &'a Expr, call: &'a Call) -> Result<(), String> {
        if let ExprKind::Member { object, name, .. } = &call.callee.kind
            && name == "format"
            && (matches!(object.kind, ExprKind::Text(_) | ExprKind::Name(_) | ExprKind::Binary { .. }))
        {
            let mut inner = Template::default();
            inner.add(site, object, Some(Form::Format))?;
            if inner.holes().next().is_some() || !inner.has_literals() {
                return Err("the text before `.format` is not one literal here".to_owned());
            }
            let mut next = 0;
            for seg in inner.segs {
                let Seg::Lit { at, piece } = seg else { continue };
                let raw = at.of(&site.file.text);
                let mut from = at.start;
                for (start, end, name) in brace_fields(raw)? {
                    let arg = if name.is_empty() {
                        next += 1;
                        call.position(next - 1)
                    } else if let Ok(index) = name.parse::<usize>() {
                        call.position(index)
                    } else {
                        call.keyword(&name)
                    };
                    let arg = arg.ok_or("a field of `.format` has no plain argument")?;
                    let span = At::new(at.start + start, at.start + end);
                    self.segs.push(Seg::Lit { at: At::new(from, span.start), piece: piece.clone() });
                    self.segs.push(Seg::Hole(Hole {
                        span,
                        expr: &arg.value,
                        form: Form::Format,
                        piece: Some(piece.clone()),
                    }));
                    from = span.end;
                }
                self.segs.push(Seg::Lit { at: At::new(from, at.end), piece });
            }
            self.tails.push(At::new(object.outer.end, whole.at.end));
            return Ok(());
        }
        if call.callee.as_name() == Some("str") && call.args.len() == 1 {
            self.segs.push(Seg::Hole(Hole {
                span: whole.outer,
                expr: whole,
                form: Form::Joined,
                piece: None,
            }));
            return Ok(());
        }
        self.join(whole, whole.outer);
        Ok(())
    }
}

struct Field {
    start: usize,
    end: usize,
    name: Option<String>,
}

/// `%s`, `%d`, `%(name)s`; `%%` is no field.
fn percent_fields(raw: &str) -> Result<Vec<Field>, String> {
    let bytes = raw.as_bytes();
    let (mut at, mut out) = (0, Vec::new());
    while at < bytes.len() {
        if bytes[at] != b'%' {
            at += 1;
            continue;
        }
        if bytes.get(at + 1) == Some(&b'%') {
            at += 2;
            continue;
        }
        let start = at;
        at += 1;
        let mut name = None;
        if bytes.get(at) == Some(&b'(') {
            let close = raw[at..].find(')').ok_or("a `%(` is not closed")?;
            name = Some(raw[at + 1..at + close].to_owned());
            at += close + 1;
        }
        match bytes.get(at) {
            Some(b's' | b'd' | b'i') => at += 1,
            _ => return Err("a value is formatted on its way into the text".to_owned()),
        }
        out.push(Field { start, end: at, name });
    }
    Ok(out)
}

/// `{}`, `{0}`, `{name}`; `{{` is no field.
fn brace_fields(raw: &str) -> Result<Vec<(usize, usize, String)>, String> {
    let bytes = raw.as_bytes();
    let (mut at, mut out) = (0, Vec::new());
    while at < bytes.len() {
        match bytes[at] {
            letter @ (b'{' | b'}') if bytes.get(at + 1) == Some(&letter) => at += 2,
            b'{' => {
                let close = raw[at..].find('}').ok_or("a `{` is not closed")?;
                let name = &raw[at + 1..at + close];
                if !name.chars().all(|letter| letter.is_alphanumeric() || letter == '_') {
                    return Err("a value is formatted on its way into the text".to_owned());
                }
                out.push((at, at + close + 1, name.to_owned()));
                at += close + 1;
            }
            _ => at += 1,
        }
    }
    Ok(out)
}

/// The text a name stands for, when it is bound once, in this function or at the top level, to a literal, and
/// is used nowhere else.
fn only_text<'a>(site: &Site<'a>, name: &str) -> Option<&'a Expr> {
    let scopes = [site.scope(), &site.file.module.body];
    for scope in scopes {
        let (assigned, others) = bindings(scope, name);
        if others > 0 || assigned.len() > 1 {
            return None;
        }
        if let [value] = assigned.as_slice() {
            let is_text = matches!(value.kind, ExprKind::Text(_));
            let uses = count_word(&site.file.text, name);
            return (is_text && uses == 2).then_some(*value);
        }
    }
    None
}

/// What a name is assigned in a block, and how often it is bound in another way.
pub(super) fn bindings<'a>(scope: &'a Block, name: &str) -> (Vec<&'a Expr>, usize) {
    let (mut assigned, mut others) = (Vec::new(), 0);
    scope.walk(&mut |stmt| match &stmt.kind {
        StmtKind::Assign { targets, value, .. } => {
            for target in targets {
                if target.as_name() == Some(name) {
                    assigned.push(value);
                } else {
                    target.walk(&mut |inner| others += usize::from(is_target(inner, name)));
                }
            }
        }
        StmtKind::Augment { target, .. } if target.as_name() == Some(name) => others += 1,
        StmtKind::Loop { target: Some(target), .. } => {
            target.walk(&mut |inner| others += usize::from(inner.as_name() == Some(name)));
        }
        StmtKind::With { items, .. } => {
            others += items
                .iter()
                .filter_map(|(_, target)| target.as_ref())
                .filter(|target| target.as_name() == Some(name))
                .count();
        }
        _ => {}
    });
    (assigned, others)
}

fn is_target(expr: &Expr, name: &str) -> bool {
    expr.as_name() == Some(name)
}

/// How often a word stands in a text.
pub(super) fn count_word(text: &str, word: &str) -> usize {
    let is_letter =
        |letter: Option<char>| letter.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    text.match_indices(word)
        .filter(|(at, _)| {
            !is_letter(text[..*at].chars().next_back()) && !is_letter(text[at + word.len()..].chars().next())
        })
        .count()
}

/// Whether a word stands nowhere in a text.
pub(super) fn free_word(text: &str, word: &str) -> bool {
    count_word(text, word) == 0
}
