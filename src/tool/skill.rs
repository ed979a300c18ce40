//! `skill`: the body of a skill, or one of its files, on demand. Offered only where there are skills.

use super::args::{self, Args};
use super::{Plan, Tool, ToolError, ToolOutput, World};
use crate::action::Action;
use crate::config::skill::{MAX_SKILL, Skill as Entry};
use crate::message::Spec;
use crate::text::clip;
use crate::workspace::Workspace;
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

/// Bytes shown at most.
const MAX_BYTES: usize = 50 * 1024;
/// Names of other files shown at most.
const MAX_NAMES: usize = 50;

static SPEC: LazyLock<Spec> = LazyLock::new(|| args::spec(include_str!("../../tools/skill.json")));

/// The tool, with the catalogue it reads from.
#[derive(Debug, Clone)]
pub struct Skill {
    skills: Arc<Vec<Entry>>,
}

impl Skill {
    /// Over these skills.
    pub fn new(skills: Vec<Entry>) -> Self {
        Self { skills: Arc::new(skills) }
    }
}

impl Tool for Skill {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, args: &Value, _world: &Arc<World>) -> Result<Plan, ToolError> {
        let args = Args::of(args, &SPEC)?;
        let name = args.text("name")?;
        let file = args.text_opt("file")?.unwrap_or_else(|| "SKILL.md".to_owned());
        let Some(skill) = self.skills.iter().find(|skill| skill.name == name).cloned() else {
            let known: Vec<&str> = self.skills.iter().map(|skill| skill.name.as_str()).collect();
            return Err(ToolError::Failed(format!(
                "there is no skill {name}; there are: {}",
                known.join(", ")
            )));
        };
        let action = Action::Read { paths: vec![format!("skill:{name}/{file}")] };
        Ok(Plan::blocking(action, move |_| read(&skill, &file)))
    }
}

/// The folder is a workspace of its own: nothing outside of it is read, whatever a link or `..` says.
fn read(skill: &Entry, file: &str) -> Result<ToolOutput, ToolError> {
    let folder = Workspace::open(&skill.folder)?;
    let place = folder.place(file)?;
    let content = folder.read(&place)?;
    let Some(text) = content.text().filter(|text| text.len() as u64 <= MAX_SKILL) else {
        return Err(ToolError::Failed(format!("{file} is no text of at most {} KB", MAX_SKILL / 1024)));
    };
    let clipped = clip(text, MAX_BYTES);
    let mut out = clipped.text.to_owned();
    if clipped.left_out > 0 {
        let _ = write!(out, "\n[{} bytes left out]", clipped.left_out);
    }
    if file == "SKILL.md" {
        let others: Vec<String> = folder
            .place(".")
            .and_then(|root| folder.files(&root))
            .unwrap_or_default()
            .iter()
            .map(|place| place.as_str().to_owned())
            .filter(|name| name != "SKILL.md")
            .take(MAX_NAMES)
            .collect();
        if !others.is_empty() {
            let _ = write!(out, "\n\nOther files of this skill: {}", others.join(", "));
        }
    }
    Ok(ToolOutput { text: out, summary: format!("skill {}: {file}", skill.name), ..Default::default() })
}
