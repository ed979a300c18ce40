//! `glob`: files by the pattern of their path, newest first. Its patterns serve `grep` and `list` too.

use super::args::{self, Args};
use super::{Plan, Tool, ToolError, ToolOutput, World};
use crate::action::Action;
use crate::message::Spec;
use crate::text;
use crate::workspace::{Kind, Place};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

/// Paths given at most.
const MAX_PATHS: usize = 100;

static SPEC: LazyLock<Spec> = LazyLock::new(|| args::spec(include_str!("../../tools/glob.json")));

/// The tool.
#[derive(Debug, Clone, Copy, Default)]
pub struct Glob;

impl Tool for Glob {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, args: &Value, world: &Arc<World>) -> Result<Plan, ToolError> {
        let args = Args::of(args, &SPEC)?;
        let pattern = args.text("pattern")?;
        let (beneath, wanted) = split_root(world, &args, &pattern)?;
        let matcher = matcher("pattern", &[wanted])?;
        if world.workspace.kind(&beneath)? != Kind::Directory {
            return Err(ToolError::Failed(format!(
                "{} is no folder; give its folder as path",
                beneath.as_str()
            )));
        }
        let world = Arc::clone(world);
        let action = Action::Read { paths: vec![beneath.as_str().to_owned()] };
        Ok(Plan::blocking(action, move |_| glob(&world, &beneath, &pattern, &matcher)))
    }
}

/// Where to look and what for. An absolute pattern below the root is taken as relative to it.
fn split_root(world: &World, args: &Args, pattern: &str) -> Result<(Place, String), ToolError> {
    let path = args.text_opt("path")?.unwrap_or_default();
    if !pattern.starts_with('/') {
        return Ok((world.workspace.place(&path)?, pattern.to_owned()));
    }
    let root = world.workspace.root().display().to_string();
    match pattern.strip_prefix(&root).and_then(|rest| rest.strip_prefix('/')) {
        Some(rest) => Ok((world.workspace.place(".")?, rest.to_owned())),
        None => Err(ToolError::Arguments(format!(
            "`pattern` {pattern} is outside the workspace; write it relative to its root"
        ))),
    }
}

fn glob(world: &World, beneath: &Place, pattern: &str, matcher: &GlobSet) -> Result<ToolOutput, ToolError> {
    let mut found: Vec<(i128, Place)> = world
        .workspace
        .files(beneath)?
        .into_iter()
        .filter(|place| matcher.is_match(below(place, beneath)))
        .map(|place| (world.workspace.modified(&place), place))
        .collect();
    let shown_pattern = text::printable_name(pattern).into_owned();
    if found.is_empty() {
        let text = format!(
            "no file matches {shown_pattern} below {}; ignored files (.gitignore) are not looked at",
            beneath.as_str()
        );
        return Ok(ToolOutput { text, summary: "no files".into(), ..Default::default() });
    }
    found.sort_by(|left, right| right.0.cmp(&left.0).then_with(|| left.1.as_str().cmp(right.1.as_str())));
    let total = found.len();
    let mut out = String::new();
    for (_, place) in found.iter().take(MAX_PATHS) {
        let _ = writeln!(out, "{}", text::printable_name(place.as_str()));
    }
    let files = if total == 1 { "file" } else { "files" };
    let _ = if total > MAX_PATHS {
        write!(
            out,
            "({MAX_PATHS} of {total} {files}, newest first; {} left out, narrow the pattern)",
            total - MAX_PATHS
        )
    } else {
        write!(out, "({total} {files}, newest first)")
    };
    Ok(ToolOutput { text: out, summary: format!("{total} {files}"), ..Default::default() })
}

/// The part of a place's path below the folder a search began at.
pub(super) fn below<'a>(place: &'a Place, beneath: &Place) -> &'a str {
    match beneath.as_str() {
        "." => place.as_str(),
        folder => place
            .as_str()
            .strip_prefix(folder)
            .and_then(|rest| rest.strip_prefix('/'))
            // The search began at the file itself: its name is what patterns are about.
            .unwrap_or_else(|| place.as_str().rsplit('/').next().unwrap_or_default()),
    }
}

/// Matches relative paths. A pattern without a slash is about names at any depth; `*` stays within a name.
/// A bad pattern is an error that names the argument it came in.
pub(super) fn matcher(argument: &str, patterns: &[String]) -> Result<GlobSet, ToolError> {
    let mut set = GlobSetBuilder::new();
    for written in patterns {
        let bad =
            |why: &str| ToolError::Arguments(format!("`{argument}` {written:?} is no glob pattern: {why}"));
        let mut pattern = written.as_str();
        while let Some(rest) = pattern.strip_prefix("./") {
            pattern = rest;
        }
        if pattern.is_empty() {
            return Err(bad("it is empty"));
        }
        if pattern.split('/').any(|part| part == "..") {
            return Err(bad("`..` is not followed; give the folder as path"));
        }
        let trimmed = pattern.trim_end_matches('/');
        let anywhere = if trimmed.contains('/') { trimmed.to_owned() } else { format!("**/{trimmed}") };
        let glob = GlobBuilder::new(&anywhere)
            .literal_separator(true)
            .build()
            .map_err(|error| bad(&error.kind().to_string()))?;
        set.add(glob);
    }
    set.build().map_err(|error| ToolError::Arguments(format!("`{argument}`: {}", error.kind())))
}
