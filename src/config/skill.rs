//! Skills: a folder with a `SKILL.md` whose name and description stand in the prompt, and whose body is read
//! when it is needed (agentskills.io). Loading is lenient: what is wrong with one is said, the others count.

use super::definition::front::Front;
use super::places::{Candidate, Origin, Places};
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;

/// Largest `SKILL.md`, in bytes.
pub const MAX_SKILL: u64 = 256 * 1024;
/// Most skills in one prompt; each costs some 100 tokens there.
pub const MAX_SKILLS: usize = 50;
/// Longest description that reaches the prompt, in bytes.
const MAX_DESCRIPTION: usize = 1024;

/// A skill that can be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skill {
    /// Its name: lower case, digits, hyphens.
    pub name: String,
    /// When to use it.
    pub description: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Who wrote it.
    pub origin: Origin,
}

/// The skills that count, project (when trusted) before user, and what was wrong with others.
pub fn list(places: &Places) -> (Vec<Skill>, Vec<String>) {
    let mut skills: Vec<Skill> = Vec::new();
    let mut warnings = Vec::new();
    for candidate in places.skills() {
        if candidate.origin == Origin::Project && places.trusted.is_none() {
            continue;
        }
        match read(&candidate, places) {
            Ok(skill) => match skills.iter().find(|other| other.name == skill.name) {
                Some(first) => warnings.push(format!(
                    "skill {}: {} is left out, {} comes first",
                    skill.name,
                    skill.folder.display(),
                    first.folder.display()
                )),
                None => skills.push(skill),
            },
            Err(why) => warnings.push(why),
        }
    }
    if skills.len() > MAX_SKILLS {
        warnings.push(format!("{} skills are left out: {MAX_SKILLS} are read", skills.len() - MAX_SKILLS));
        skills.truncate(MAX_SKILLS);
    }
    (skills, warnings)
}

fn read(candidate: &Candidate, places: &Places) -> Result<Skill, String> {
    let shown = candidate.path.display().to_string();
    let text = places.text(candidate, MAX_SKILL)?;
    let front = Front::split(&shown, &text).map_err(|remark| remark.to_string())?;
    let field = |key: &str| match front.value(key) {
        Some(Value::String(text)) => text.trim().to_owned(),
        _ => String::new(),
    };
    let folder = candidate.path.parent().map(PathBuf::from).unwrap_or_default();
    let holder = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = Some(field("name")).filter(|name| !name.is_empty()).unwrap_or(holder);
    if !is_name(&name) {
        return Err(format!(
            "{shown}: a skill's name has 1 to 64 of a-z, 0-9 and single hyphens; it is left out"
        ));
    }
    let description = field("description");
    if description.is_empty() {
        return Err(format!("{shown}: there is no description, so nobody knows when to use it; left out"));
    }
    let line = description.split_whitespace().collect::<Vec<_>>().join(" ");
    let description = crate::text::clip(&line, MAX_DESCRIPTION).text.to_owned();
    Ok(Skill { name, description, folder, origin: candidate.origin })
}

fn is_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty()
        && name.len() <= 64
        && name.chars().all(plain)
        && !name.starts_with('-')
        && !name.ends_with('-')
        && !name.contains("--")
}
