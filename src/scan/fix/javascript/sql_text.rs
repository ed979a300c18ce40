//! SQL text with values in it, read piece by piece: which holes can be bound, and what the text becomes.

use super::pieces::{Operand, Piece};
use super::sql_place::{Place, judge_place, opens_value};
use super::syntax::{How, Js, bare};
use tree_sitter::Node;

/// What stands in the new text.
#[derive(Debug, Clone)]
pub(crate) enum New<'t> {
    /// Constant text.
    Text(String),
    /// A hole that stays: a constant table name, a fragment built elsewhere.
    Keep(Node<'t>),
    /// The place of the parameter of this index.
    Mark(usize),
}

/// A piece of new text and the operand it stands in.
#[derive(Debug, Clone)]
pub(crate) struct Out<'t> {
    /// Index into `Reading::buildings`.
    pub(crate) building: usize,
    /// Index of the operand in its building.
    pub(crate) operand: usize,
    /// What stands there.
    pub(crate) new: New<'t>,
}

/// A value to bind.
#[derive(Debug, Clone)]
pub(crate) struct Param<'t> {
    /// The expression to bind, as source text.
    pub(crate) code: String,
    /// The holes it is made of.
    pub(crate) holes: Vec<Node<'t>>,
    /// The building its first hole stands in.
    pub(crate) building: usize,
    /// Whether it stands where only a number may (`LIMIT`).
    pub(crate) numeric: bool,
    /// How many `?` the text had before it.
    pub(crate) before: usize,
    /// Whether it is a list to be spread over `IN (…)`.
    pub(crate) list: bool,
}

/// A string expression the text is made of.
#[derive(Debug, Clone)]
pub(crate) struct Building<'t> {
    /// The whole expression.
    pub(crate) node: Node<'t>,
    /// Its operands.
    pub(crate) operands: Vec<Operand<'t>>,
}

/// The text read so far.
pub(crate) struct Reading<'j, 't> {
    js: &'j Js<'t>,
    /// The expressions read, in the order they were entered.
    pub(crate) buildings: Vec<Building<'t>>,
    /// The new text.
    pub(crate) out: Vec<Out<'t>>,
    /// The values to bind.
    pub(crate) params: Vec<Param<'t>>,
    /// Whether `"…"` may hold a value (`MySQL`, `SQLite`).
    double_quotes: bool,
    sql: String,
    marks: usize,
    open: Option<Open<'t>>,
    glued: bool,
}

struct Open<'t> {
    quote: char,
    out: usize,
    cut: usize,
    sql: usize,
    building: usize,
    operand: usize,
    parts: Vec<Piece<'t>>,
    loose: bool,
}

impl<'j, 't> Reading<'j, 't> {
    /// Nothing read yet.
    pub(crate) fn new(js: &'j Js<'t>, double_quotes: bool) -> Self {
        Self {
            js,
            buildings: Vec::new(),
            out: Vec::new(),
            params: Vec::new(),
            double_quotes,
            sql: String::new(),
            marks: 0,
            open: None,
            glued: false,
        }
    }

    /// Reads one string expression to its end; gives its index.
    ///
    /// # Errors
    /// Why a hole cannot be bound.
    pub(crate) fn read(&mut self, node: Node<'t>) -> Result<usize, String> {
        let operands =
            self.js.operands(node).ok_or("the text uses escapes that cannot be kept as they are")?;
        if self.buildings.len() > 24 {
            return Err("the text is built in too many places".into());
        }
        let building = self.buildings.len();
        self.buildings.push(Building { node, operands: operands.clone() });
        for (operand, part) in operands.iter().enumerate() {
            for piece in &part.pieces {
                match piece {
                    Piece::Text(text) => self.read_text(text, building, operand)?,
                    Piece::Hole(hole) => self.read_hole(*hole, building, operand)?,
                }
            }
        }
        Ok(building)
    }

    /// The text is at its end: no string may be open.
    ///
    /// # Errors
    /// When quotes do not match.
    pub(crate) fn close(&self) -> Result<(), String> {
        if self.open.is_some() { Err("the quotes of the SQL text do not match".into()) } else { Ok(()) }
    }

    /// The greatest `$n` the text had.
    pub(crate) fn greatest_dollar(&self) -> usize {
        let mut greatest = 0;
        for (at, _) in self.sql.match_indices('$') {
            let digits: String = self.sql[at + 1..].chars().take_while(char::is_ascii_digit).collect();
            greatest = greatest.max(digits.parse().unwrap_or(0));
        }
        greatest
    }

    /// How many `?` the text had in all.
    pub(crate) fn question_marks(&self) -> usize {
        self.marks
    }

    /// The whole text, `\u{1}` for each value that is now bound.
    pub(crate) fn sql(&self) -> &str {
        &self.sql
    }

    fn push_text(&mut self, text: &str, building: usize, operand: usize) {
        if let Some(Out { building: b, operand: o, new: New::Text(last) }) = self.out.last_mut()
            && (*b, *o) == (building, operand)
        {
            last.push_str(text);
            return;
        }
        self.out.push(Out { building, operand, new: New::Text(text.to_owned()) });
    }

    fn read_text(&mut self, text: &str, building: usize, operand: usize) -> Result<(), String> {
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if let Some(open) = &self.open {
                let quote = open.quote;
                if c == quote && chars.peek() == Some(&quote) {
                    chars.next();
                    self.note(&format!("{c}{c}"), building, operand);
                } else if c == quote {
                    self.finish_string(c, building, operand)?;
                } else {
                    self.note(c.encode_utf8(&mut [0; 4]), building, operand);
                }
                continue;
            }
            if std::mem::take(&mut self.glued)
                && (c.is_alphanumeric() || matches!(c, '_' | '.' | '(' | '\'' | '"' | '`' | '%'))
            {
                return Err("a value is glued to the text behind it, so it cannot be bound".into());
            }
            match c {
                '\'' | '"' | '`' => self.begin_string(c, building, operand),
                '-' if self.sql.ends_with('-') => {
                    return Err("the SQL text has a comment in it".into());
                }
                '*' if self.sql.ends_with('/') => return Err("the SQL text has a comment in it".into()),
                _ => {
                    if c == '?' {
                        self.marks += 1;
                    }
                    self.sql.push(c);
                    self.push_text(c.encode_utf8(&mut [0; 4]), building, operand);
                }
            }
        }
        Ok(())
    }

    /// Text inside an open string.
    fn note(&mut self, text: &str, building: usize, operand: usize) {
        self.sql.push_str(text);
        self.push_text(text, building, operand);
        if let Some(open) = &mut self.open {
            if let Some(Piece::Text(last)) = open.parts.last_mut() {
                last.push_str(text);
            } else {
                open.parts.push(Piece::Text(text.to_owned()));
            }
        }
    }

    fn begin_string(&mut self, quote: char, building: usize, operand: usize) {
        // An empty text keeps the place when the operand has none yet.
        self.push_text("", building, operand);
        let cut = match self.out.last() {
            Some(Out { new: New::Text(text), .. }) => text.len(),
            _ => 0,
        };
        self.open = Some(Open {
            quote,
            out: self.out.len(),
            cut,
            sql: self.sql.len(),
            building,
            operand,
            parts: Vec::new(),
            loose: false,
        });
        self.sql.push(quote);
        self.push_text(quote.encode_utf8(&mut [0; 4]), building, operand);
    }

    fn finish_string(&mut self, quote: char, building: usize, operand: usize) -> Result<(), String> {
        let Some(open) = self.open.take() else { return Ok(()) };
        self.sql.push(quote);
        self.push_text(quote.encode_utf8(&mut [0; 4]), building, operand);
        if !open.loose {
            return Ok(());
        }
        self.sql.truncate(open.sql);
        if quote == '`' || (quote == '"' && !(self.double_quotes && opens_value(&self.sql))) {
            return Err("a table or column name cannot be bound; choose it from a fixed list".into());
        }
        if let Some(reason) = refuse_literal(&self.sql) {
            return Err(reason.into());
        }
        self.out.truncate(open.out);
        if let Some(Out { new: New::Text(text), .. }) = self.out.last_mut() {
            text.truncate(open.cut);
        }
        let holes: Vec<Node<'t>> = open
            .parts
            .iter()
            .filter_map(|part| match part {
                Piece::Hole(node) => Some(*node),
                Piece::Text(_) => None,
            })
            .collect();
        let list = match open.parts.as_slice() {
            [Piece::Hole(hole)] => self.joined(*hole),
            _ => None,
        };
        let (code, list) = match (open.parts.as_slice(), list) {
            (_, Some(items)) => (self.js.text(items).to_owned(), true),
            ([Piece::Hole(hole)], None) => (self.code(*hole), false),
            _ => (self.joined_template(&open.parts), false),
        };
        if list && !self.sql.trim_end().to_ascii_uppercase().ends_with("IN (") {
            return Err("a joined list can only be bound inside IN (…)".into());
        }
        self.bind(
            Param { code, holes, building: open.building, numeric: false, before: self.marks, list },
            open.operand,
        );
        Ok(())
    }

    fn bind(&mut self, param: Param<'t>, operand: usize) {
        self.out.push(Out { building: param.building, operand, new: New::Mark(self.params.len()) });
        self.params.push(param);
        self.sql.push('\u{1}');
        self.glued = true;
    }

    /// The array of `array.join(…)`.
    fn joined(&self, hole: Node<'t>) -> Option<Node<'t>> {
        let hole = bare(hole);
        if hole.kind() != "call_expression" || self.js.callee_name(hole) != "join" {
            return None;
        }
        self.js.receiver(hole).filter(|_| {
            self.js.arguments(hole).first().is_none_or(|by| {
                self.js.string(*by).is_some_and(|by| by.trim_matches(['\'', ' ', '"']) == ",")
            })
        })
    }

    /// The expression as a list element.
    fn code(&self, hole: Node<'t>) -> String {
        let inner = if hole.kind() == "parenthesized_expression" { bare(hole) } else { hole };
        if inner.kind() == "sequence_expression" {
            return self.js.text(hole).to_owned();
        }
        self.js.text(inner).to_owned()
    }

    fn joined_template(&self, parts: &[Piece<'t>]) -> String {
        let mut out = String::from("`");
        for part in parts {
            match part {
                Piece::Text(text) => out.push_str(&escape_template(&text.replace("''", "'"))),
                Piece::Hole(hole) => {
                    out.push_str("${");
                    out.push_str(self.js.text(*hole));
                    out.push('}');
                }
            }
        }
        out.push('`');
        out
    }

    fn keep(&mut self, hole: Node<'t>, building: usize, operand: usize) {
        self.out.push(Out { building, operand, new: New::Keep(hole) });
    }

    fn read_hole(&mut self, hole: Node<'t>, building: usize, operand: usize) -> Result<(), String> {
        if self.glued && self.open.is_none() {
            return Err("two values stand side by side in the text, so they cannot be bound".into());
        }
        let constant = self.js.is_constant(hole);
        if let Some(open) = &mut self.open {
            open.parts.push(Piece::Hole(hole));
            open.loose |= !constant;
            self.sql.push('x');
            self.keep(hole, building, operand);
            return Ok(());
        }
        if constant {
            self.sql.push('x');
            self.keep(hole, building, operand);
            return Ok(());
        }
        let fragment = self.fragment(hole);
        if let Some(node) =
            fragment.filter(|node| self.holds_quotes(*node) || judge_place(&self.sql).is_err())
        {
            self.keep(hole, building, operand);
            self.read(node)?;
            return Ok(());
        }
        let place = match judge_place(&self.sql) {
            Ok(place) => place,
            // A name or fragment the program itself chose may stay.
            Err(_) if self.js.is_clean(hole) => {
                self.sql.push('x');
                self.keep(hole, building, operand);
                return Ok(());
            }
            Err(reason) => return Err(reason.into()),
        };
        match place {
            Place::Value { numeric } => {
                let code = self.code(hole);
                let param =
                    Param { code, holes: vec![hole], building, numeric, before: self.marks, list: false };
                self.bind(param, operand);
            }
            Place::List => {
                let Some(items) = self.joined(hole) else {
                    return Err("a list in IN (…) needs one placeholder for each of its values".into());
                };
                let code = self.js.text(items).to_owned();
                self.bind(
                    Param {
                        code,
                        holes: vec![hole],
                        building,
                        numeric: false,
                        before: self.marks,
                        list: true,
                    },
                    operand,
                );
            }
        }
        Ok(())
    }

    /// The string a hole's name was bound to once, when it is built of text and values.
    fn fragment(&self, hole: Node<'t>) -> Option<Node<'t>> {
        let name = bare(hole);
        if name.kind() != "identifier" {
            return None;
        }
        let binding = self.js.binding(self.js.text(name), name)?;
        let once = binding.how == How::Const
            || (binding.how == How::Let && self.js.writes(self.js.text(name), binding.scope).is_empty());
        binding.value.filter(|value| once && self.js.is_building(*value)).map(bare)
    }

    fn holds_quotes(&self, node: Node<'t>) -> bool {
        self.js.operands(node).is_some_and(|operands| {
            operands
                .iter()
                .flat_map(|operand| &operand.pieces)
                .any(|piece| matches!(piece, Piece::Text(text) if text.contains('\'')))
        })
    }
}

/// Text for the inside of a template literal.
pub(crate) fn escape_template(text: &str) -> String {
    text.replace('\\', "\\\\").replace('`', "\\`").replace("${", "\\${")
}

/// Why a quoted literal behind this text is no plain string.
fn refuse_literal(before: &str) -> Option<&'static str> {
    let trimmed = before.trim_end();
    if trimmed.ends_with("->") || trimmed.ends_with("->>") {
        return Some("a JSON path step cannot be bound without a cast");
    }
    let word: String = trimmed.chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let word: String = word.chars().rev().collect::<String>().to_ascii_uppercase();
    let glued = trimmed.len() == before.len() && !word.is_empty();
    if glued || matches!(word.as_str(), "INTERVAL" | "DATE" | "TIME" | "TIMESTAMP" | "AS") {
        return Some("a typed literal cannot be bound as it stands");
    }
    None
}
