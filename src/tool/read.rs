//! `read`: a text file as numbered lines, a bounded piece at a time; a picture as it is.

mod picture;

mod reveal;

use super::args::{self, Args};
use super::{Plan, Tool, ToolError, ToolOutput, World};
use crate::action::Action;
use crate::message::Spec;
use crate::policy::paths;
use crate::text;
use crate::workspace::{Kind, Line, Place, WorkspaceError};
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Read as _;
use std::sync::{Arc, LazyLock};

/// Lines shown at most.
const MAX_LINES: u64 = 2_000;
/// Bytes of lines shown at most.
const MAX_BYTES: usize = 50 * 1024;
/// Characters of a line shown at most.
const MAX_LINE: usize = 2_000;
/// Bytes of a line that are kept: as many as that number of characters can take.
const KEEP: usize = MAX_LINE * 4;
/// Bytes looked at to tell text from binary.
const SNIFF: u64 = 8 * 1024;
/// Names looked at to find one that was meant.
const MAX_NAMES: usize = 20_000;

static SPEC: LazyLock<Spec> = LazyLock::new(|| args::spec(include_str!("../../tools/read.json")));

/// The tool.
#[derive(Debug, Clone, Copy, Default)]
pub struct Read;

impl Tool for Read {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, args: &Value, world: &Arc<World>) -> Result<Plan, ToolError> {
        let args = Args::of(args, &SPEC)?;
        let path = args.text("filePath")?;
        let window = Window::of(args.count_opt("offset")?, args.count_opt("limit")?)?;
        let place = world.workspace.place(&path)?;
        let revealed = args.count_opt("reveal")?;
        match world.workspace.kind(&place) {
            Ok(Kind::File(_)) => {}
            Ok(Kind::Directory) => {
                return Err(ToolError::Failed(format!("{path} is a folder; use list to see what is in it")));
            }
            // The door words it: a FIFO, a device, a socket.
            Ok(Kind::Special) => world.workspace.stream(&place).map(|_| ())?,
            Err(WorkspaceError::Missing(_)) => return Err(missing(world, &path, &place)),
            Err(error) => return Err(error.into()),
        }
        if let Some(line) = revealed {
            return reveal::plan(world, &place, line);
        }
        let world = Arc::clone(world);
        let action = Action::Read { paths: vec![place.as_str().to_owned()] };
        Ok(Plan::blocking(action, move |progress| {
            read(&world, &place, window, &|| progress.cancel.is_cancelled())
        }))
    }
}

/// Which lines are wanted.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// First line, from 1.
    first: u64,
    count: u64,
}

impl Window {
    fn of(offset: Option<u64>, limit: Option<u64>) -> Result<Self, ToolError> {
        match (offset.unwrap_or(1), limit.unwrap_or(MAX_LINES)) {
            (_, 0) => Err(ToolError::Arguments("`limit` must be 1 or more".into())),
            (first, count) => Ok(Self { first: first.max(1), count: count.min(MAX_LINES) }),
        }
    }
}

/// The lines of a window, before secrets are hidden, and what surrounds them.
#[derive(Default)]
struct Taken {
    /// Raw text of each line and its full length in bytes.
    lines: Vec<(String, u64)>,
    /// Lines in the file.
    total: u64,
    /// Whether the byte budget ended the window early.
    full: bool,
    /// Whether the window begins inside a private key block.
    within_key: bool,
    /// Whether something was not UTF-8.
    lossy: bool,
    /// Whether the file goes on behind what is looked at.
    ended_early: bool,
    hash: Option<[u8; 32]>,
}

fn read(
    world: &World,
    place: &Place,
    window: Window,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<ToolOutput, ToolError> {
    if let Some(picture) = picture::look(world, place)? {
        return Ok(picture);
    }
    refuse_binary(world, place)?;
    let taken = take(world, place, window, is_cancelled)?;
    if let Some(hash) = taken.hash {
        world.workspace.note_seen(place, hash);
    }
    let total = taken.total;
    if total == 0 {
        return Ok(ToolOutput {
            text: "(the file is empty)".into(),
            summary: "empty".into(),
            ..Default::default()
        });
    }
    if taken.lines.is_empty() {
        return Err(ToolError::Failed(format!(
            "offset {} is behind the end: {} has {total} lines",
            window.first,
            place.as_str()
        )));
    }
    let mut out = String::with_capacity(MAX_BYTES);
    let shown = shown(place, &taken);
    for (number, ((line, length), raw)) in (window.first..).zip(shown.iter().zip(&taken.lines)) {
        let _ = write!(out, "{number}: {line}");
        if *length > raw.0.len() as u64 || line.len() < raw.0.len() && raw.0.chars().count() > MAX_LINE {
            let _ = write!(out, "… (cut; the line has {length} bytes)");
        }
        out.push('\n');
    }
    let last = window.first + taken.lines.len() as u64 - 1;
    footer(&mut out, window, &taken, last);
    if paths::is_secret(place.as_str()) {
        out.push_str("\n(this file holds secrets: names are shown, values are hidden)");
    }
    if taken.ended_early {
        out.push_str("\n(the file is larger than 2 GiB: lines are counted up to there)");
    }
    if taken.lossy {
        out.push_str("\n(not UTF-8: what could not be read is shown as \u{fffd})");
    }
    let summary = if window.first == 1 && last == total {
        format!("{total} lines")
    } else {
        format!("lines {}-{last} of {total}", window.first)
    };
    Ok(ToolOutput { text: out, summary, ..Default::default() })
}

fn footer(out: &mut String, window: Window, taken: &Taken, last: u64) {
    let total = taken.total;
    let _ = if last == total && window.first == 1 {
        write!(out, "(end of file, {total} lines)")
    } else if last == total {
        write!(out, "(lines {}-{last} of {total}, end of file)", window.first)
    } else {
        let why = if taken.full { "50 KB shown; " } else { "" };
        write!(out, "({why}lines {}-{last} of {total}; go on with offset {})", window.first, last + 1)
    };
}

/// Streams the whole file, keeps the window, counts the rest.
fn take(
    world: &World,
    place: &Place,
    window: Window,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Taken, ToolError> {
    let mut lines = world.workspace.lines(place, KEEP)?;
    let mut taken = Taken::default();
    let mut line = Line::default();
    let mut used = 0;
    let mut key = false;
    loop {
        let more = lines
            .next_into(&mut line)
            .map_err(|source| WorkspaceError::Io { path: place.as_str().to_owned(), source })?;
        if !more {
            break;
        }
        taken.total += 1;
        if taken.total % 4_096 == 0 && is_cancelled() {
            return Err(ToolError::Failed("interrupted; nothing was read".into()));
        }
        if taken.total < window.first {
            key = is_within_key(key, &line.bytes);
            continue;
        }
        if taken.total == window.first {
            taken.within_key = key;
        }
        if taken.full || taken.lines.len() as u64 >= window.count {
            continue;
        }
        let text = kept_text(&mut line, &mut taken.lossy);
        // The number, a colon, a blank and the line end count too.
        let cost = text.chars().take(MAX_LINE).map(char::len_utf8).sum::<usize>() + 10;
        if used + cost > MAX_BYTES && !taken.lines.is_empty() {
            taken.full = true;
            continue;
        }
        used += cost;
        taken.lines.push((text, line.length));
    }
    taken.ended_early = lines.ended_early();
    taken.hash = lines.hash();
    Ok(taken)
}

/// The kept piece as text. A cut piece may end inside a code point; that end goes.
fn kept_text(line: &mut Line, lossy: &mut bool) -> String {
    if line.length > line.bytes.len() as u64
        && let Err(error) = std::str::from_utf8(&line.bytes)
        && error.error_len().is_none()
    {
        line.bytes.truncate(error.valid_up_to());
    }
    let text = String::from_utf8_lossy(&line.bytes);
    *lossy |= matches!(text, std::borrow::Cow::Owned(_));
    text.into_owned()
}

fn is_within_key(before: bool, line: &[u8]) -> bool {
    let has = |what: &[u8]| line.windows(what.len()).any(|window| window == what);
    if !before && line.len() < 5 {
        return false;
    }
    if has(b"-----END ") {
        false
    } else if has(b"PRIVATE KEY") && has(b"-----BEGIN ") {
        true
    } else {
        // A block is unbroken: text of any other kind ends it.
        before && line.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+/=\"' ,\\:-\t".contains(byte))
    }
}

/// The lines as the model may see them: secrets hidden first, over line ends, then each line cut.
fn shown(place: &Place, taken: &Taken) -> Vec<(String, u64)> {
    let mut key = taken.within_key;
    let raw: Vec<&str> = taken
        .lines
        .iter()
        .map(|(line, _)| {
            // The rest of a key whose beginning lies before the window: no shape is left to know it by.
            key = key && is_within_key(true, line.as_bytes());
            if key { "[redacted:private-key]" } else { line.as_str() }
        })
        .collect();
    let raw = raw.join("\n");
    let whole = if paths::is_secret(place.as_str()) { text::mask(&raw).into() } else { text::redact(&raw) };
    whole
        .split('\n')
        .zip(&taken.lines)
        .map(|(line, (_, length))| {
            let end = line.char_indices().nth(MAX_LINE).map_or(line.len(), |(at, _)| at);
            (text::printable(&line[..end]).into_owned(), *length)
        })
        .collect()
}

fn refuse_binary(world: &World, place: &Place) -> Result<(), ToolError> {
    let path = place.as_str();
    let mut head = Vec::new();
    let file = world.workspace.stream(place)?;
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    file.take(SNIFF)
        .read_to_end(&mut head)
        .map_err(|source| WorkspaceError::Io { path: path.to_owned(), source })?;
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Err(ToolError::Failed(format!(
            "{path} is UTF-16 text ({size} bytes); only UTF-8 can be read"
        )));
    }
    let controls = head.iter().filter(|byte| **byte < 9 || (14..27).contains(*byte)).count();
    if head.contains(&0) || controls * 10 > head.len() {
        return Err(ToolError::Failed(format!(
            "{path} is binary ({size} bytes); only text and pictures (PNG, JPEG, WebP) can be read"
        )));
    }
    Ok(())
}

/// There is nothing of that name: says so, with names that may have been meant.
fn missing(world: &World, path: &str, place: &Place) -> ToolError {
    let near = near_names(world, place);
    let hint = if near.is_empty() {
        "use glob or list to find it".to_owned()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    ToolError::Failed(format!("{path} does not exist; {hint}"))
}

/// At most three existing files: those of the same name elsewhere first, then those spelt alike.
fn near_names(world: &World, place: &Place) -> Vec<String> {
    let Some(files) = world.workspace.place(".").and_then(|root| world.workspace.walk(&root, None)).ok()
    else {
        return Vec::new();
    };
    let paths: Vec<String> = files
        .filter(|entry| matches!(entry.kind, Kind::File(_)))
        .take(MAX_NAMES)
        .map(|entry| entry.place.as_str().to_owned())
        .collect();
    let name_of = |path: &str| path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let stem_of = |name: &str| name.split('.').next().unwrap_or(name).to_owned();
    let wanted = name_of(place.as_str());
    let mut near: Vec<&String> = paths.iter().filter(|path| name_of(path) == wanted).collect();
    let names: Vec<String> = paths.iter().map(|path| name_of(path)).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    for close in similar::get_close_matches(wanted.as_str(), &all, 3, 0.7) {
        near.extend(paths.iter().filter(|path| name_of(path) == close));
    }
    near.extend(paths.iter().filter(|path| stem_of(&name_of(path)) == stem_of(&wanted)));
    let mut out: Vec<String> = Vec::new();
    for path in near {
        let shown = text::printable_name(path).into_owned();
        if !out.contains(&shown) {
            out.push(shown);
        }
    }
    out.truncate(3);
    out
}
