//! `patch`: an envelope or a unified diff over several files, all of it or nothing.

use super::args::{self, Args};
use super::{Plan, Tool, ToolError, ToolOutput, World};
use crate::action::{Action, Change};
use crate::diff::ladder::Rung;
use crate::diff::patch::{FilePatch, parse};
use crate::diff::{Line, Tag, stats};
use crate::message::Spec;
use crate::policy::paths::is_secret;
use crate::text::{hidden, redact};
use crate::workspace::{Place, WorkspaceError, hash_of};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

static SPEC: LazyLock<Spec> = LazyLock::new(|| args::spec(include_str!("../../tools/patch.json")));

/// Applies a patch to the workspace.
#[derive(Debug, Clone, Copy, Default)]
pub struct Patch;

impl Tool for Patch {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, args: &Value, world: &Arc<World>) -> Result<Plan, ToolError> {
        let args = Args::of(args, &SPEC)?;
        let patch = parse(&args.text("patchText")?).map_err(|error| refused(&error.to_string()))?;
        let mut drafts = Drafts { world, all: Vec::new(), at: HashMap::new() };
        for file in &patch.files {
            drafts.take(file)?;
        }
        let mut drafts = drafts.all;
        drafts.retain(|draft| draft.from.is_some() || draft.before != draft.after);
        if drafts.is_empty() {
            return Err(refused("the patch changes nothing"));
        }
        let changes = drafts.iter().map(Draft::change).collect();
        let world = Arc::clone(world);
        Ok(Plan::blocking(Action::Write { changes }, move |_| perform(&world, &drafts)))
    }
}

/// A file as the patch leaves it so far.
struct Draft {
    place: Place,
    /// Where it was, when it moves.
    from: Option<Place>,
    before: Option<String>,
    after: Option<String>,
    rung: Rung,
}

impl Draft {
    fn change(&self) -> Change {
        Change {
            path: self.place.as_str().to_owned(),
            before: self.before.clone(),
            after: self.after.clone(),
            moved_from: self.from.as_ref().map(|from| from.as_str().to_owned()),
        }
    }
}

/// All files of the patch, in order of mention; a file mentioned again goes on from where it was left.
struct Drafts<'a> {
    world: &'a World,
    all: Vec<Draft>,
    at: HashMap<String, usize>,
}

impl Drafts<'_> {
    fn take(&mut self, file: &FilePatch) -> Result<(), ToolError> {
        let place = self.place(&file.path)?;
        let target = file.moved_to.as_deref().map(|to| self.place(to)).transpose()?;
        let target = target.filter(|target| *target != place);
        let known = self.at.get(place.as_str()).copied();
        let moves = |at: usize| self.all[at].from.is_some();
        if known.is_some_and(|at| target.is_some() || moves(at)) {
            return Err(refused(&format!(
                "{} is moved and changed in separate sections; put its hunks under the one that moves it",
                place.as_str()
            )));
        }
        let current = match known {
            Some(at) => self.all[at].after.clone(),
            None => self.read(&place)?,
        };
        let revealed = current.as_deref().map_or(Ok(None), |text| reveal(file, text))?;
        let fitted = match &revealed {
            // What is wrong is said in the words of the patch, which hold no secret.
            Some(revealed) => revealed.fit(current.as_deref()).or_else(|_| file.fit(current.as_deref())),
            None => file.fit(current.as_deref()),
        };
        let applied = fitted.map_err(|error| {
            let error = if is_secret(place.as_str()) { error.without_content() } else { error };
            refused(&error.to_string())
        })?;
        if let Some(at) = known {
            let draft = &mut self.all[at];
            draft.after = applied.after;
            draft.rung = draft.rung.max(applied.rung);
            return Ok(());
        }
        let index = self.all.len();
        self.at.insert(place.as_str().to_owned(), index);
        let (place, from) = match target {
            None => (place, None),
            Some(target) => {
                if self.at.contains_key(target.as_str()) || self.world.workspace.kind(&target).is_ok() {
                    return Err(refused(&format!(
                        "{} exists already, so {} cannot move there",
                        target.as_str(),
                        place.as_str()
                    )));
                }
                self.at.insert(target.as_str().to_owned(), index);
                (target, Some(place))
            }
        };
        self.all.push(Draft { place, from, before: current, after: applied.after, rung: applied.rung });
        Ok(())
    }

    fn place(&self, path: &str) -> Result<Place, ToolError> {
        self.world.workspace.place(path).map_err(|error| refused(&error.to_string()))
    }

    /// The text of a file; `None` when there is none.
    fn read(&self, place: &Place) -> Result<Option<String>, ToolError> {
        match self.world.workspace.read(place) {
            Err(WorkspaceError::Missing(_)) => Ok(None),
            Err(error) => Err(refused(&error.to_string())),
            Ok(content) => match content.text() {
                Some(text) => Ok(Some(text.to_owned())),
                None => {
                    Err(refused(&format!("{} is not UTF-8 text; patch changes only text", place.as_str())))
                }
            },
        }
    }
}

/// The patch with the file's own lines in place of those the model was shown with a secret hidden in them; `None`
/// when it holds none. A stand-in in an added line stays the secret it stands for in the same hunk; one that
/// stands for another is refused, lest it be written into the file as it is.
fn reveal(file: &FilePatch, text: &str) -> Result<Option<FilePatch>, ToolError> {
    let hides = |line: &Line| hidden::has_stand_in(&line.text);
    if !file.chunks.iter().flat_map(|chunk| &chunk.lines).any(hides) {
        return Ok(None);
    }
    let view = redact(text);
    let mut real: HashMap<&str, Option<&str>> = HashMap::new();
    for (shown, line) in view.lines().zip(text.lines()).filter(|(shown, line)| shown != line) {
        let same = real.entry(shown.trim_end()).or_insert(Some(line));
        // Two lines that look alike with their secrets hidden cannot be told apart.
        *same = same.filter(|known| *known == line);
    }
    let mut file = file.clone();
    for chunk in &mut file.chunks {
        let (mut shown, mut original) = (Vec::new(), Vec::new());
        for line in chunk.lines.iter_mut().filter(|line| line.tag != Tag::Added) {
            if let Some(Some(real)) = real.get(line.text.trim_end()) {
                shown.push(line.text.trim_end().to_owned());
                original.push((*real).to_owned());
                let carriage = if line.text.ends_with('\r') { "\r" } else { "" };
                line.text = format!("{real}{carriage}");
            }
        }
        let (shown, original) = (shown.join("\n"), original.join("\n"));
        for line in chunk.lines.iter_mut().filter(|line| line.tag == Tag::Added && hides(line)) {
            match hidden::restore(&shown, &original, &line.text) {
                Some(restored) => line.text = restored,
                None if real.is_empty() => {}
                None => {
                    return Err(refused(&format!(
                        "an added line for {} holds a `[redacted:…]` that its hunk does not show on an old line; it \
                         stands for a secret you cannot see, so only the place it was shown at can keep it",
                        file.path
                    )));
                }
            }
        }
    }
    Ok(Some(file))
}

fn refused(why: &str) -> ToolError {
    ToolError::Failed(format!("{}\nNothing was changed.", redact(why)))
}

fn perform(world: &World, drafts: &[Draft]) -> Result<ToolOutput, ToolError> {
    let changes: Vec<Change> = drafts.iter().map(Draft::change).collect();
    world.workspace.apply(&changes)?;
    let mut lines = Vec::new();
    let (mut plus, mut minus) = (0, 0);
    for draft in drafts {
        if let Some(after) = &draft.after {
            world.workspace.note_seen(&draft.place, hash_of(after.as_bytes()));
        }
        let (before, after) = (draft.before.as_deref(), draft.after.as_deref());
        let (added, removed) = stats(before.unwrap_or(""), after.unwrap_or(""));
        plus += added;
        minus += removed;
        let path = draft.place.as_str();
        let (letter, path) = match (&draft.from, before, after) {
            (Some(from), ..) => ('R', format!("{} -> {path}", from.as_str())),
            (None, None, _) => ('A', path.to_owned()),
            (None, _, None) => ('D', path.to_owned()),
            (None, Some(_), Some(_)) => ('M', path.to_owned()),
        };
        let note = draft.rung.overlooked().map(|how| format!(" (not exact: {how})")).unwrap_or_default();
        lines.push(format!("{letter} {path} +{added} -{removed}{note}"));
    }
    let files = if drafts.len() == 1 { "1 file".to_owned() } else { format!("{} files", drafts.len()) };
    let summary = format!("{files} +{plus} -{minus}");
    Ok(ToolOutput { text: lines.join("\n"), summary, ..ToolOutput::default() })
}
