//! `write`: a whole file, new or in place of one the model has read.

use super::args::{self, Args};
use super::{Plan, Tool, ToolError, ToolOutput, World};
use crate::action::{Action, Change};
use crate::diff;
use crate::message::Spec;
use crate::text;
use crate::workspace::{Content, Kind, MAX_FILE, Place, WorkspaceError, hash_of};
use serde_json::Value;
use std::sync::{Arc, LazyLock};

/// What stands where something was hidden from the model.
const PLACEHOLDER: &str = "[redacted:";

static SPEC: LazyLock<Spec> = LazyLock::new(|| args::spec(include_str!("../../tools/write.json")));

/// The tool.
#[derive(Debug, Clone, Copy, Default)]
pub struct Write;

impl Tool for Write {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, args: &Value, world: &Arc<World>) -> Result<Plan, ToolError> {
        let args = Args::of(args, &SPEC)?;
        let path = args.text("filePath")?;
        let content = args.text("content")?;
        if content.len() as u64 > MAX_FILE {
            let size = content.len();
            return Err(ToolError::Failed(format!(
                "{path}: {size} bytes are more than the limit of {MAX_FILE}"
            )));
        }
        let place = world.workspace.place(&path)?;
        let before = before(world, &path, &place)?;
        let hidden = before.as_ref().map_or(0, |before| before.matches(PLACEHOLDER).count());
        if content.matches(PLACEHOLDER).count() > hidden {
            return Err(ToolError::Failed(format!(
                "the content holds {PLACEHOLDER}…] where a value was hidden from you; writing it would destroy that \
                 value. Use edit on the other lines of {path}"
            )));
        }
        let world = Arc::clone(world);
        if before.as_ref() == Some(&content) {
            let action = Action::Read { paths: vec![place.as_str().to_owned()] };
            return Ok(Plan::blocking(action, move |_| {
                world.workspace.note_seen(&place, hash_of(content.as_bytes()));
                let text = format!("{} already has exactly this content; nothing was written", shown(&place));
                Ok(ToolOutput { text, summary: "unchanged".into(), ..Default::default() })
            }));
        }
        let path = place.as_str().to_owned();
        let changes = vec![Change { path, before, after: Some(content), moved_from: None }];
        let action = Action::Write { changes: changes.clone() };
        Ok(Plan::blocking(action, move |_| write(&world, &place, &changes)))
    }
}

/// What the user approved in place of what a tool planned: exactly these changes. The result tells the model how
/// they differ from the ones it proposed.
pub fn plan_instead(proposed: &Action, changes: Vec<Change>, world: &Arc<World>) -> Plan {
    let after_of = |path: &str| match proposed {
        Action::Write { changes } => changes.iter().find(|change| change.path == path)?.after.clone(),
        _ => None,
    };
    let mut told =
        "The user changed your proposal before accepting it. This is how what was written differs from \
                    what you proposed; read the files again before you change them further:\n"
            .to_owned();
    for change in &changes {
        told += &diff::unified(&change.path, after_of(&change.path).as_deref(), change.after.as_deref());
    }
    if let Action::Write { changes: all } = proposed {
        for left in all.iter().filter(|one| !changes.iter().any(|change| change.path == one.path)) {
            told.push_str(&text::printable_name(&left.path));
            told.push_str(" was not changed.\n");
        }
    }
    let world = Arc::clone(world);
    Plan::blocking(Action::Write { changes: changes.clone() }, move |_| {
        world.workspace.apply(&changes)?;
        Ok(ToolOutput { text: told, summary: "as changed by the user".into(), ..Default::default() })
    })
}

/// The text that is replaced, which the model must know; `None` when the file is new.
fn before(world: &World, path: &str, place: &Place) -> Result<Option<String>, ToolError> {
    match world.workspace.kind(place) {
        Ok(Kind::Directory) => {
            return Err(ToolError::Failed(format!("{path} is a folder; name a file in it")));
        }
        Ok(_) => {}
        Err(WorkspaceError::Missing(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let found: Content = world.workspace.read(place)?;
    match world.workspace.seen(place) {
        Some(seen) if seen == found.hash => {}
        Some(_) => {
            return Err(ToolError::Failed(format!(
                "{path} changed since you read it; read it again, then write it"
            )));
        }
        None => {
            return Err(ToolError::Failed(format!(
                "{path} exists and you have not read it; read it first, so that nothing is lost unseen"
            )));
        }
    }
    match found.text() {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(ToolError::Failed(format!("{path} is no UTF-8 text; it cannot be replaced by text"))),
    }
}

fn write(world: &World, place: &Place, changes: &[Change]) -> Result<ToolOutput, ToolError> {
    world.workspace.apply(changes)?;
    let Some(change) = changes.first() else {
        return Err(ToolError::Failed("nothing was planned; nothing was written".into()));
    };
    let after = change.after.as_deref().unwrap_or_default();
    world.workspace.note_seen(place, hash_of(after.as_bytes()));
    let (added, removed) = diff::stats(change.before.as_deref().unwrap_or_default(), after);
    let text = match &change.before {
        None => format!("created {}: {added} lines", shown(place)),
        Some(_) => format!("wrote {}: +{added} -{removed} lines", shown(place)),
    };
    Ok(ToolOutput { text, summary: format!("+{added} -{removed}"), ..Default::default() })
}

fn shown(place: &Place) -> String {
    text::printable_name(place.as_str()).into_owned()
}
