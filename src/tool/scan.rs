//! `scan`: the embedded rules over the workspace; findings with their proposed fixes as diffs.

use super::args::{self, Args};
use super::{Plan, Progress, Tool, ToolError, ToolOutput, World};
use crate::action::Action;
use crate::finding::{FAMILIES, Family, Finding, Severity, listing};
use crate::message::Spec;
use crate::scan::{Filter, Scan as Seen};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

static SPEC: LazyLock<Spec> = LazyLock::new(|| args::spec(include_str!("../../tools/scan.json")));

/// Bytes of findings shown at most; what does not fit is counted.
const MAX_SHOWN: usize = 40 * 1024;
/// Skipped files named at most.
const MAX_SKIPPED: usize = 10;

/// Looks for known weaknesses.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scan;

impl Tool for Scan {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, args: &Value, world: &Arc<World>) -> Result<Plan, ToolError> {
        let args = Args::of(args, &SPEC)?;
        let place = world.workspace.place(&args.text_opt("path")?.unwrap_or_else(|| ".".to_owned()))?;
        world.workspace.kind(&place)?;
        let families = args.text_opt("family")?.map(|name| family(&name)).transpose()?;
        let severity = args.text_opt("severity")?.map(|name| severity(&name)).transpose()?;
        let action = Action::Read { paths: vec![place.as_str().to_owned()] };
        let families = families.into_iter().collect();
        let filter = Filter { beneath: Some(place), families, severity, rules: Vec::new() };
        let world = Arc::clone(world);
        Ok(Plan::blocking(action, move |_: Progress| {
            let seen = world.scanner.scan(&world.workspace, &filter);
            Ok(told(&seen, &world))
        }))
    }
}

fn family(name: &str) -> Result<Family, ToolError> {
    let names = || FAMILIES.iter().map(|facts| facts.name).collect::<Vec<_>>().join(", ");
    Family::named(name).ok_or_else(|| ToolError::Arguments(format!("`family` must be one of {}", names())))
}

fn severity(name: &str) -> Result<Severity, ToolError> {
    Severity::named(name)
        .ok_or_else(|| ToolError::Arguments("`severity` must be low, medium, high or critical".into()))
}

/// The first line counts; then a block per finding, as [`listing`] writes them.
fn told(seen: &Seen, world: &World) -> ToolOutput {
    let files: BTreeSet<&str> = seen.findings.iter().map(|finding| finding.path.as_str()).collect();
    let summary =
        format!("{} findings in {} files ({} files scanned)", seen.findings.len(), files.len(), seen.files);
    let mut text = format!("{summary}\n");
    for (at, finding) in seen.findings.iter().enumerate() {
        let block = listing::render(finding, &text_of(finding, world));
        // One finding always fits: with nothing shown there would be no way on.
        if at > 0 && text.len() + block.len() > MAX_SHOWN {
            let more = seen.findings.len() - at;
            let _ = writeln!(text, "\n{more} more; narrow with `path`, `family` or `severity`");
            break;
        }
        let _ = write!(text, "\n{block}");
    }
    for (path, reason) in seen.skipped.iter().take(MAX_SKIPPED) {
        let _ = write!(text, "\nskipped {path}: {reason}");
    }
    let unnamed = seen.skipped.len().saturating_sub(MAX_SKIPPED);
    if unnamed > 0 {
        let _ = write!(text, "\nskipped {unnamed} more");
    }
    ToolOutput { text, summary, ..ToolOutput::default() }
}

fn text_of(finding: &Finding, world: &World) -> String {
    let content = world.workspace.place(&finding.path).and_then(|place| world.workspace.read(&place));
    content.ok().and_then(|content| content.text().map(ToOwned::to_owned)).unwrap_or_default()
}
