//! `list`: a folder as a tree with sizes, fair to every level when there is too much.

use super::args::{self, Args};
use super::glob::{below, matcher};
use super::{Plan, Tool, ToolError, ToolOutput, World};
use crate::action::Action;
use crate::message::Spec;
use crate::text;
use crate::workspace::{Entry, Kind, Place};
use globset::GlobSet;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

/// Levels shown when none are asked for.
const DEPTH: u64 = 3;
/// Levels shown at most.
const MAX_DEPTH: u64 = 20;
/// Entries shown at most.
const MAX_ENTRIES: usize = 1_000;
/// Entries looked at at most, shown or counted.
const MAX_SEEN: usize = 100_000;

static SPEC: LazyLock<Spec> = LazyLock::new(|| args::spec(include_str!("../../tools/list.json")));

/// The tool.
#[derive(Debug, Clone, Copy, Default)]
pub struct List;

impl Tool for List {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, args: &Value, world: &Arc<World>) -> Result<Plan, ToolError> {
        let args = Args::of(args, &SPEC)?;
        let place = world.workspace.place(&args.text_opt("path")?.unwrap_or_default())?;
        let ignore = matcher("ignore", &args.list_opt("ignore")?.unwrap_or_default())?;
        let depth = args.count_opt("depth")?.unwrap_or(DEPTH).clamp(1, MAX_DEPTH);
        match world.workspace.kind(&place)? {
            Kind::Directory => {}
            _ => {
                return Err(ToolError::Failed(format!(
                    "{} is no folder; use read for a file",
                    place.as_str()
                )));
            }
        }
        let world = Arc::clone(world);
        let action = Action::Read { paths: vec![place.as_str().to_owned()] };
        Ok(Plan::blocking(action, move |_| list(&world, &place, &ignore, depth)))
    }
}

fn list(world: &World, place: &Place, ignore: &GlobSet, depth: u64) -> Result<ToolOutput, ToolError> {
    let levels = usize::try_from(depth).unwrap_or(usize::MAX);
    let mut left_out: HashSet<String> = HashSet::new();
    let mut entries: Vec<Entry> = Vec::new();
    let mut cut_short = false;
    for entry in world.workspace.walk(place, Some(levels))? {
        if entries.len() >= MAX_SEEN {
            cut_short = true;
            break;
        }
        let path = entry.place.as_str();
        // What lies in a folder that is left out is left out with it.
        if left_out.contains(parent(path)) || ignore.is_match(below(&entry.place, place)) {
            left_out.insert(path.to_owned());
            continue;
        }
        entries.push(entry);
    }
    let tree = Tree::of(&entries);
    let mut out = String::new();
    let _ = writeln!(out, "{}/", text::printable_name(place.as_str()));
    tree.draw(&mut out, place.as_str(), 1);
    let folders = entries.iter().filter(|entry| entry.kind == Kind::Directory).count();
    let files = entries.len() - folders;
    let _ = if entries.is_empty() {
        write!(out, "(nothing here but what is ignored)")
    } else {
        write!(out, "({folders} folders, {files} files, {depth} levels deep")
    };
    if entries.len() > tree.shown.len() {
        let _ = write!(out, "; {} entries left out, list their folder", entries.len() - tree.shown.len());
    }
    if cut_short {
        let _ = write!(out, "; not all was looked at, there are more than {MAX_SEEN} entries");
    }
    if !entries.is_empty() {
        out.push(')');
    }
    Ok(ToolOutput { text: out, summary: format!("{folders} folders, {files} files"), ..Default::default() })
}

/// Which entries are shown: upper levels before lower ones, and within a level each folder's first ones.
fn choose(entries: &[Entry]) -> HashSet<usize> {
    let mut rank: Vec<(usize, usize, usize)> = Vec::with_capacity(entries.len());
    let mut nth: HashMap<&str, usize> = HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let count = nth.entry(parent(entry.place.as_str())).or_default();
        rank.push((entry.depth, *count, at));
        *count += 1;
    }
    rank.sort_unstable();
    rank.into_iter().take(MAX_ENTRIES).map(|(_, _, at)| at).collect()
}

/// A tree to draw: all entries, which of them are shown, and which lie in which folder.
struct Tree<'a> {
    entries: &'a [Entry],
    shown: HashSet<usize>,
    children: HashMap<&'a str, Vec<usize>>,
}

impl<'a> Tree<'a> {
    fn of(entries: &'a [Entry]) -> Self {
        let mut children: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            children.entry(parent(entry.place.as_str())).or_default().push(at);
        }
        Self { entries, shown: choose(entries), children }
    }

    /// Draws what is in a folder, and how many of its own entries are not shown.
    fn draw(&self, out: &mut String, folder: &str, indent: usize) {
        let blank = "  ".repeat(indent);
        let mut more = 0;
        for at in self.children.get(folder).into_iter().flatten() {
            if !self.shown.contains(at) {
                more += 1;
                continue;
            }
            let entry = &self.entries[*at];
            let path = entry.place.as_str();
            let name = text::printable_name(path.rsplit('/').next().unwrap_or(path));
            let _ = match entry.kind {
                Kind::Directory => writeln!(out, "{blank}{name}/"),
                Kind::File(size) => writeln!(out, "{blank}{name}  {}", sized(size)),
                Kind::Special if entry.is_link => writeln!(out, "{blank}{name}  (link)"),
                Kind::Special => writeln!(out, "{blank}{name}  (no regular file)"),
            };
            if entry.kind == Kind::Directory {
                self.draw(out, path, indent + 1);
            }
        }
        if more > 0 {
            let _ = writeln!(out, "{blank}… {more} more");
        }
    }
}

/// The folder a relative path lies in, as a relative path.
fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(folder, _)| folder)
}

fn sized(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1_024 {
        return format!("{bytes} B");
    }
    let (mut tenths, mut unit) = (bytes * 10 / 1_024, 0);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths /= 1_024;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}
