//! Commands that need their shell: every value is quoted for it.

use super::command::is_text;
use super::template::{Form, Seg, Template};
use crate::scan::fix::{Draft, NewImport, Site, replace};
use crate::scan::ir::At;

/// Wraps every value that reaches the shell in `shlex.quote`.
pub(super) fn fix(site: &Site<'_>, template: &Template<'_>) -> Result<Draft, String> {
    let text = &site.file.text;
    let mut draft = Draft {
        summary: "quotes the values for the shell, since the command needs one".to_owned(),
        by_hand: "a value that begins with `-` may still be read as an option by the program".to_owned(),
        ..Draft::default()
    };
    let mut state: Option<char> = None;
    for (index, seg) in template.segs.iter().enumerate() {
        let hole = match seg {
            Seg::Lit { at, piece } => {
                let mut escaped = false;
                for letter in at.of(text).chars() {
                    if escaped {
                        escaped = false;
                        if !piece.is_raw() && (letter == '\'' || letter == '"') {
                            toggle(&mut state, letter);
                        }
                    } else if letter == '\\' {
                        escaped = true;
                    } else if letter == '\'' || letter == '"' {
                        toggle(&mut state, letter);
                    }
                }
                continue;
            }
            Seg::Hole(hole) => hole,
        };
        let note = site.notes.note(hole.expr.at);
        if note.as_ref().is_some_and(|note| note.constant && !note.tainted) {
            continue;
        }
        if first_word(template, index, text) {
            return Err("which program runs is decided by a value; choose it from a fixed list".to_owned());
        }
        let code = hole.expr.outer.of(text);
        let inner = if is_text(site, hole) { code.to_owned() } else { format!("str({code})") };
        let quoted = format!("shlex.quote({inner})");
        if let Some(open) = state {
            // The quotes around the value go, since `shlex.quote` brings its own.
            let left = lit_before(template, index).filter(|at| at.of(text).ends_with(open));
            let right = lit_after(template, index).filter(|at| at.of(text).starts_with(open));
            let (Some(left), Some(right)) = (left, right) else {
                return Err("a value stands inside quotes with other letters".to_owned());
            };
            draft.edits.push(replace(At::new(left.end - 1, left.end), ""));
            draft.edits.push(replace(At::new(right.start, right.start + 1), ""));
        }
        let at = match hole.form {
            Form::Brace => At::new(hole.span.start + 1, hole.span.end - 1),
            _ => hole.expr.outer,
        };
        if hole.form == Form::Brace
            && quoted.contains(['"', '\''])
            && hole.piece.as_ref().is_some_and(|piece| quoted.contains(&piece.quote))
        {
            return Err("the value's own quotes would end the text".to_owned());
        }
        draft.edits.push(replace(at, quoted));
    }
    if draft.edits.is_empty() {
        return Err("no value could be quoted".to_owned());
    }
    draft.imports.push(NewImport { module: "shlex".to_owned(), member: None });
    Ok(draft)
}

fn toggle(state: &mut Option<char>, letter: char) {
    *state = match *state {
        Some(open) if open == letter => None,
        Some(open) => Some(open),
        None => Some(letter),
    };
}

fn lit_before(template: &Template<'_>, index: usize) -> Option<At> {
    match template.segs.get(index.checked_sub(1)?)? {
        Seg::Lit { at, .. } => Some(*at),
        Seg::Hole(_) => None,
    }
}

fn lit_after(template: &Template<'_>, index: usize) -> Option<At> {
    match template.segs.get(index + 1)? {
        Seg::Lit { at, .. } => Some(*at),
        Seg::Hole(_) => None,
    }
}

/// Whether the value is (part of) a program's name.
fn first_word(template: &Template<'_>, index: usize, text: &str) -> bool {
    let before: String = template.segs[..index]
        .iter()
        .map(|seg| match seg {
            Seg::Lit { at, .. } => at.of(text),
            Seg::Hole(_) => "x",
        })
        .collect();
    let command = before.rsplit(['|', ';', '&']).next().unwrap_or("");
    !command.trim_start().contains([' ', '\t'])
}
