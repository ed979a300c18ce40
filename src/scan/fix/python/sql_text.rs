//! SQL text with values in it: which holes are bound, what becomes of the bytes.

use super::driver::Style;
use super::template::{Form, Hole, Seg, Template};
use crate::finding::TextEdit;
use crate::scan::fix::javascript::sql_place::{Place, judge_place, opens_value};
use crate::scan::fix::{Site, replace};
use crate::scan::ir::{At, Expr};

/// A value to bind.
#[derive(Debug, Clone)]
pub(super) struct Bound {
    /// The expression, as source text.
    pub(super) code: String,
    /// Its name where parameters are named.
    pub(super) name: String,
    /// How many parameters the text had before it.
    pub(super) before: usize,
}

/// The text with its values taken out.
#[derive(Debug, Default)]
pub(super) struct Rewrite {
    pub(super) edits: Vec<TextEdit>,
    pub(super) bound: Vec<Bound>,
    /// Parameters the text had already.
    pub(super) existing: usize,
}

/// What the scan of the text goes through.
pub(super) struct Walk<'s, 'a> {
    pub(super) site: &'s Site<'a>,
    pub(super) style: Style,
    pub(super) template: &'s Template<'a>,
    /// Numbers and names already given to parameters.
    taken: &'s mut Vec<String>,
    /// SQL so far, `\u{1}` for every value.
    before: String,
    pub(super) out: Rewrite,
    /// Bytes that are replaced as a whole.
    pub(super) regions: Vec<At>,
    /// Holes that stay.
    pub(super) kept: Vec<At>,
}

/// Takes the values out of a text. `taken` holds the parameter names (or numbers) used before.
pub(super) fn rewrite<'a>(
    site: &Site<'a>,
    template: &Template<'a>,
    style: Style,
    before: &str,
    had_params: bool,
    taken: &mut Vec<String>,
) -> Result<(Rewrite, String), String> {
    let mut walk = Walk {
        site,
        style,
        template,
        taken,
        before: before.to_owned(),
        out: Rewrite::default(),
        regions: Vec::new(),
        kept: Vec::new(),
    };
    walk.run()?;
    walk.settle(had_params)?;
    Ok((walk.out, walk.before))
}

impl<'a> Walk<'_, 'a> {
    fn run(&mut self) -> Result<(), String> {
        let segs = &self.template.segs;
        let mut at = 0;
        // The open quote: its letter, its byte, and the SQL before it.
        let mut quote: Option<(char, usize, usize)> = None;
        let mut group: Vec<usize> = Vec::new();
        while at < segs.len() {
            match &segs[at] {
                Seg::Lit { at: place, piece } => {
                    let raw = place.of(&self.site.file.text);
                    let mut skip = false;
                    for (offset, letter) in raw.char_indices() {
                        let byte = place.start + offset;
                        if skip {
                            skip = false;
                            self.before.push(letter);
                            continue;
                        }
                        if letter == '\\' && !piece.is_raw() {
                            // An escaped quote is a quote of SQL all the same.
                            let next = raw[offset + 1..].chars().next();
                            if next.is_some_and(|next| next == '\'' || next == '"') {
                                if !group.is_empty() {
                                    return Err("a quote is escaped inside the text".to_owned());
                                }
                                continue;
                            }
                            skip = true;
                        }
                        match quote {
                            Some((open, start, sql)) if letter == open => {
                                if group.is_empty() {
                                    self.before.push(letter);
                                } else {
                                    self.quoted(&group, start, byte + 1, sql)?;
                                    group.clear();
                                    self.before.truncate(sql);
                                    self.before.push('\u{1}');
                                }
                                quote = None;
                            }
                            None if matches!(letter, '\'' | '"' | '`') => {
                                quote = Some((letter, byte, self.before.len()));
                                self.before.push(letter);
                            }
                            _ => self.before.push(letter),
                        }
                    }
                }
                Seg::Hole(hole) => {
                    if let Some((open, _, sql)) = quote {
                        let bindable = open != '`' && opens_value(&self.before[..sql]);
                        if bindable {
                            group.push(at);
                        } else {
                            self.keep(hole)?;
                        }
                        self.before.push('\u{1}');
                    } else {
                        self.unquoted(at, hole)?;
                    }
                }
            }
            at += 1;
        }
        if !group.is_empty() {
            return Err("a quote around a value is not closed in the same text".to_owned());
        }
        Ok(())
    }

    /// A hole that is left where it is: only when nothing from outside is in it.
    fn keep(&mut self, hole: &Hole<'a>) -> Result<(), String> {
        let note = self.site.notes.note(hole.expr.at);
        if note.is_none_or(|note| note.tainted) {
            let text = short(hole.expr.outer.of(&self.site.file.text));
            return Err(format!(
                "`{text}` stands where a table, column or piece of SQL stands, which cannot be bound; choose it from a \
                 fixed list"
            ));
        }
        self.kept.push(hole.span);
        Ok(())
    }

    fn is_constant(&self, expr: &Expr) -> bool {
        self.site.notes.note(expr.at).is_some_and(|note| note.constant && !note.tainted)
    }

    fn unquoted(&mut self, index: usize, hole: &Hole<'a>) -> Result<(), String> {
        let place = judge_place(&self.before);
        let next = self.template.segs.get(index + 1..).unwrap_or_default().iter().find_map(|seg| match seg {
            Seg::Lit { at, .. } => at.of(&self.site.file.text).chars().next(),
            Seg::Hole(_) => Some('\u{1}'),
        });
        let glued = next
            .is_some_and(|letter| letter.is_alphanumeric() || matches!(letter, '_' | '.' | '\u{1}' | '`'));
        let bindable = matches!(place, Ok(Place::Value { .. })) && !glued;
        if !bindable {
            if matches!(place, Ok(Place::List))
                && self.site.notes.note(hole.expr.at).is_none_or(|note| note.tainted)
            {
                return Err(
                    "a list inside `IN (…)` needs one placeholder per value; bind them one by one".to_owned()
                );
            }
            self.keep(hole)?;
            self.before.push('\u{1}');
            return Ok(());
        }
        // With `%` and `.format` all values are handed over in one place, so all of them are bound.
        if matches!(hole.form, Form::Brace | Form::Joined) && self.is_constant(hole.expr) {
            self.kept.push(hole.span);
            self.before.push('\u{1}');
            return Ok(());
        }
        let value = unwrap_str(hole.expr);
        let code = value.outer.of(&self.site.file.text).to_owned();
        let mark = self.bind(code, value);
        let region = if hole.form == Form::Joined {
            self.joined(index, index, None, None, mark)?
        } else {
            (hole.span, mark)
        };
        self.push(region);
        self.before.push('\u{1}');
        Ok(())
    }

    /// Holes inside one pair of quotes: the quotes go, what stood between them is bound as one value.
    fn quoted(&mut self, group: &[usize], start: usize, end: usize, sql: usize) -> Result<(), String> {
        let (first, last) = (group[0], group[group.len() - 1]);
        let mut parts: Vec<Result<&'a Expr, String>> = Vec::new();
        let segs = &self.template.segs;
        let from = segs[..first].iter().rposition(|seg| lit_holds(seg, start)).unwrap_or(first);
        let to = segs.iter().position(|seg| lit_holds(seg, end - 1)).unwrap_or(last);
        for seg in &segs[from..=to] {
            match seg {
                Seg::Lit { at, piece } => {
                    let piece_from =
                        at.start.max(if at.start <= start && start < at.end { start + 1 } else { at.start });
                    let piece_to = if at.start < end && end <= at.end { end - 1 } else { at.end };
                    let raw = At::new(piece_from, piece_to.max(piece_from)).of(&self.site.file.text);
                    if raw.contains(['\\', '\'', '"']) || (raw.contains(['{', '}'])) {
                        return Err(
                            "the letters beside the value inside the quotes cannot be kept as they are"
                                .to_owned(),
                        );
                    }
                    let raw = if piece.form == Some(Form::Percent) {
                        raw.replace("%%", "%")
                    } else {
                        raw.to_owned()
                    };
                    if !raw.is_empty() {
                        parts.push(Err(raw));
                    }
                }
                Seg::Hole(hole) => parts.push(Ok(hole.expr)),
            }
        }
        let handed =
            matches!(&segs[first], Seg::Hole(hole) if matches!(hole.form, Form::Percent | Form::Format));
        if !handed
            && parts.iter().all(|part| matches!(part, Ok(expr) if self.is_constant(expr)) || part.is_err())
        {
            for index in group {
                if let Seg::Hole(hole) = &segs[*index] {
                    self.kept.push(hole.span);
                }
            }
            return Ok(());
        }
        let joined = matches!(&segs[first], Seg::Hole(hole) if hole.form == Form::Joined);
        let code = self.value_code(&parts, joined);
        let named = parts.iter().find_map(|part| part.as_ref().ok().copied());
        let _ = sql;
        let mark = match named {
            Some(expr) => self.bind(code, expr),
            None => return Err("nothing to bind inside the quotes".to_owned()),
        };
        let region = if from == to || same_piece(&segs[from], &segs[to]) {
            (At::new(start, end), mark)
        } else {
            self.joined(first, last, Some(start), Some(end), mark)?
        };
        self.push(region);
        Ok(())
    }

    /// The code of a bound value made of letters and holes.
    fn value_code(&self, parts: &[Result<&'a Expr, String>], joined: bool) -> String {
        let text = &self.site.file.text;
        if let [Ok(expr)] = parts {
            return expr.outer.of(text).to_owned();
        }
        let codes: Vec<String> = parts
            .iter()
            .map(|part| match part {
                Ok(expr) => expr.outer.of(text).to_owned(),
                Err(letters) => letters.clone(),
            })
            .collect();
        let holes =
            || parts.iter().zip(&codes).filter(|(part, _)| part.is_ok()).map(|(_, code)| code.as_str());
        let free = ['"', '\''].into_iter().find(|quote| !holes().any(|code| code.contains(*quote)));
        let plain = holes().all(|code| !code.contains(['\\', '\n', '{', '}']));
        match free {
            Some(quote) if plain && !joined => {
                let inside: String = parts
                    .iter()
                    .zip(&codes)
                    .map(|(part, code)| if part.is_ok() { format!("{{{code}}}") } else { code.clone() })
                    .collect();
                format!("f{quote}{inside}{quote}")
            }
            _ => {
                let pieces: Vec<String> = parts
                    .iter()
                    .zip(&codes)
                    .map(|(part, code)| match part {
                        Ok(_) if joined => code.clone(),
                        Ok(_) => format!("str({code})"),
                        Err(letters) => format!("\"{letters}\""),
                    })
                    .collect();
                pieces.join(" + ")
            }
        }
    }

    /// The bytes to replace where operands of `+` are taken out between two literals.
    fn joined(
        &self,
        first: usize,
        last: usize,
        start: Option<usize>,
        end: Option<usize>,
        mark: String,
    ) -> Result<(At, String), String> {
        let segs = &self.template.segs;
        let left = first.checked_sub(1).and_then(|index| segs.get(index));
        let Some(Seg::Lit { at: left_at, piece: left_piece }) = left else {
            return Err("the value stands where a piece of SQL stands, which cannot be bound".to_owned());
        };
        let start = start.unwrap_or(left_at.end);
        let region = match segs.get(last + 1) {
            Some(Seg::Lit { at, piece }) => {
                let end = end.unwrap_or(at.start);
                if piece.quote == left_piece.quote && piece.is_formatted() == left_piece.is_formatted() {
                    (At::new(start, end), mark)
                } else {
                    let open = format!("{}{}", piece.prefix, piece.quote);
                    (At::new(start, end), format!("{mark}{} + {open}", left_piece.quote))
                }
            }
            Some(Seg::Hole(_)) => return Err("two values stand side by side in the text".to_owned()),
            None => {
                let Some(Seg::Hole(hole)) = segs.get(last) else {
                    return Err("the text ends too soon".to_owned());
                };
                (At::new(start, hole.span.end), format!("{mark}{}", left_piece.quote))
            }
        };
        if region.0.of(&self.site.file.text).contains('#') {
            return Err("a comment stands between the pieces of the text".to_owned());
        }
        Ok(region)
    }

    fn push(&mut self, (region, text): (At, String)) {
        self.regions.push(region);
        self.out.edits.push(replace(region, text));
    }

    /// Takes a value over and gives its placeholder.
    fn bind(&mut self, code: String, expr: &Expr) -> String {
        let before = self.count_marks();
        let mut name = name_for(expr, &self.site.file.text);
        let mark = match self.style {
            Style::Question => "?".to_owned(),
            Style::Format => "%s".to_owned(),
            Style::Dollar => format!("${}", self.taken.len() + 1),
            Style::Named => {
                let plain = name.clone();
                let mut nth = 2;
                while self.taken.contains(&name) {
                    name = format!("{plain}_{nth}");
                    nth += 1;
                }
                format!(":{name}")
            }
        };
        self.taken.push(name.clone());
        self.out.bound.push(Bound { code, name, before });
        mark
    }

    /// Parameters that stand in the SQL so far as the driver writes them.
    pub(super) fn count_marks(&self) -> usize {
        match self.style {
            Style::Question => outside_quotes(&self.before).matches('?').count(),
            Style::Format => outside_quotes(&self.before).matches("%s").count(),
            Style::Dollar | Style::Named => 0,
        }
    }
}

fn lit_holds(seg: &Seg<'_>, byte: usize) -> bool {
    matches!(seg, Seg::Lit { at, .. } if at.start <= byte && byte < at.end)
}

fn same_piece(left: &Seg<'_>, right: &Seg<'_>) -> bool {
    matches!((left, right), (Seg::Lit { piece: one, .. }, Seg::Lit { piece: two, .. }) if one.at == two.at)
}

fn unwrap_str(expr: &Expr) -> &Expr {
    match expr.as_call() {
        Some(call) if call.callee.as_name() == Some("str") && call.args.len() == 1 => &call.args[0].value,
        _ => expr,
    }
}

/// A name for a parameter: the last word of the expression.
fn name_for(expr: &Expr, text: &str) -> String {
    let code = expr.at.of(text);
    let word = code.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_')).rfind(|word| {
        !word.is_empty() && !word.starts_with(|letter: char| letter.is_ascii_digit()) && *word != "str"
    });
    word.map_or_else(|| "value".to_owned(), str::to_lowercase)
}

fn outside_quotes(sql: &str) -> String {
    let mut quote = None;
    sql.chars()
        .filter(|letter| match quote {
            Some(open) if *letter == open => {
                quote = None;
                false
            }
            Some(_) => false,
            None if *letter == '\'' || *letter == '"' => {
                quote = Some(*letter);
                false
            }
            None => true,
        })
        .collect()
}

pub(super) fn short(text: &str) -> String {
    let line = text.lines().next().unwrap_or("");
    if line.chars().count() > 40 { line.chars().take(40).chain(['…']).collect() } else { line.to_owned() }
}
