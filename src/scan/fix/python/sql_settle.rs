//! What is left once the values are out of an SQL text: prefixes, doubled braces, percent signs, what handed them over.

use super::driver::Style;
use super::sql_text::Walk;
use super::template::{Form, Piece, Seg};
use crate::finding::TextEdit;
use crate::scan::fix::replace;
use crate::scan::ir::At;

impl Walk<'_, '_> {
    /// What is left to do for the literals themselves: prefixes, doubled braces, percent signs, tails.
    pub(super) fn settle(&mut self, had_params: bool) -> Result<(), String> {
        self.out.existing = self.count_marks();
        if self.out.bound.is_empty() {
            return Err("no value in the text can be bound".to_owned());
        }
        let text = &self.site.file.text;
        let kept_tail = self
            .template
            .holes()
            .any(|hole| matches!(hole.form, Form::Percent | Form::Format) && self.kept.contains(&hole.span));
        if kept_tail {
            return Err(
                "some values of the text stay and some are bound; write the text as an f-string first"
                    .to_owned(),
            );
        }
        let mut pieces: Vec<&Piece> = Vec::new();
        for seg in &self.template.segs {
            if let Seg::Lit { piece, .. } = seg
                && !pieces.contains(&piece)
            {
                pieces.push(piece);
            }
        }
        let mut edits: Vec<TextEdit> = Vec::new();
        for piece in pieces {
            let stays = self.kept.iter().any(|kept| piece.at.holds(*kept));
            let plain = piece.form == Some(Form::Brace) && !stays;
            if plain {
                let prefix: String =
                    piece.prefix.chars().filter(|letter| !letter.eq_ignore_ascii_case(&'f')).collect();
                let at = At::new(piece.at.start, piece.at.start + piece.prefix.len());
                // A literal that was merged away with its prefix is gone already.
                if !self.regions.iter().any(|region| region.start < at.end && at.start < region.end) {
                    edits.push(replace(at, prefix));
                }
            }
            let inside = piece.inside();
            let raw = inside.of(text);
            let mut skip = 0;
            for (offset, letter) in raw.char_indices() {
                let at = inside.start + offset;
                let in_region = self.regions.iter().any(|region| region.start <= at && at < region.end);
                let in_hole = self.template.holes().any(|hole| hole.span.start <= at && at < hole.span.end);
                if offset < skip || in_region || in_hole {
                    continue;
                }
                let doubled = raw[offset + letter.len_utf8()..].starts_with(letter);
                match letter {
                    '{' | '}' if doubled && (plain || piece.form == Some(Form::Format)) => {
                        edits.push(replace(At::new(at, at + 1), ""));
                        skip = offset + 2;
                    }
                    '%' if piece.form == Some(Form::Percent) => {
                        if doubled && self.style != Style::Format {
                            edits.push(replace(At::new(at, at + 1), ""));
                        }
                        skip = offset + 2;
                    }
                    // The driver reads `%` itself as soon as it is given values.
                    '%' if self.style == Style::Format && !had_params => {
                        if doubled {
                            edits.push(replace(At::new(at, at), "%%"));
                            skip = offset + 2;
                        } else {
                            edits.push(replace(At::new(at, at), "%"));
                        }
                    }
                    _ => {}
                }
            }
        }
        edits.extend(self.template.tails.iter().map(|tail| replace(*tail, "")));
        self.out.edits.extend(edits);
        Ok(())
    }
}
