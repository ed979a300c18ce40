//! `grep`: lines that match, found in process on opened files, never by a name that was checked before.

use super::args::{self, Args};
use super::glob::{below, matcher};
use super::{Plan, Progress, Tool, ToolError, ToolOutput, World};
use crate::action::Action;
use crate::message::Spec;
use crate::policy::paths;
use crate::text;
use crate::workspace::Place;
use globset::GlobSet;
use grep_matcher::{LineTerminator, Matcher as _};
use grep_regex::{RegexMatcher, RegexMatcherBuilder};
use grep_searcher::{BinaryDetection, Searcher, SearcherBuilder, Sink, SinkContext, SinkMatch};
use serde_json::Value;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// Matching lines shown at most.
const MAX_MATCHES: usize = 100;
/// Bytes shown at most, context included.
const MAX_BYTES: usize = 50 * 1024;
/// Characters of a line shown at most.
const MAX_LINE: usize = 500;
/// Characters shown before a match in a line that is cut.
const LEAD: usize = 100;
/// Memory a compiled pattern may take.
const MAX_PROGRAM: usize = 8 * 1024 * 1024;
/// Bytes of a line kept to show it.
const KEEP: usize = 16 * 1024;
/// Lines around a match at most.
const MAX_CONTEXT: u64 = 10;
/// Time for one search.
const LIMIT: Duration = Duration::from_secs(20);
/// Memory for one line; a file with a longer one is skipped and said so.
const MAX_HEAP: usize = 8 * 1024 * 1024;

static SPEC: LazyLock<Spec> = LazyLock::new(|| args::spec(include_str!("../../tools/grep.json")));

/// The tool.
#[derive(Debug, Clone, Copy, Default)]
pub struct Grep;

impl Tool for Grep {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, args: &Value, world: &Arc<World>) -> Result<Plan, ToolError> {
        let args = Args::of(args, &SPEC)?;
        let pattern = args.text("pattern")?;
        let search = Search {
            matcher: compile(&pattern, args.flag("literal")?, args.flag("ignoreCase")?)?,
            include: args.text_opt("include")?.map(|glob| matcher("include", &[glob])).transpose()?,
            context: usize::try_from(args.count_opt("context")?.unwrap_or(0).min(MAX_CONTEXT)).unwrap_or(0),
            place: world.workspace.place(&args.text_opt("path")?.unwrap_or_default())?,
            pattern,
        };
        world.workspace.kind(&search.place)?;
        let world = Arc::clone(world);
        let action = Action::Read { paths: vec![search.place.as_str().to_owned()] };
        Ok(Plan::blocking(action, move |progress| search.run(&world, &progress, LIMIT)))
    }
}

fn compile(pattern: &str, literal: bool, ignore_case: bool) -> Result<RegexMatcher, ToolError> {
    if pattern.is_empty() {
        return Err(ToolError::Arguments("`pattern` is empty; it would match every line".into()));
    }
    RegexMatcherBuilder::new()
        .fixed_strings(literal)
        .case_insensitive(ignore_case)
        .multi_line(true)
        .crlf(true)
        .size_limit(MAX_PROGRAM)
        .dfa_size_limit(2 * MAX_PROGRAM)
        .build(pattern)
        .map_err(|error| {
            let error = error.to_string();
            ToolError::Arguments(if literal {
                format!("`pattern` cannot be searched: {error}; lines are searched one by one")
            } else {
                format!(
                    "`pattern` is no regular expression this tool can search with: {error}; lines are searched one \
                     by one, look-around and back-references do not exist, and `literal: true` takes the text as it is"
                )
            })
        })
}

/// One search, ready to run.
struct Search {
    pattern: String,
    matcher: RegexMatcher,
    include: Option<GlobSet>,
    context: usize,
    place: Place,
}

/// What a search has found so far.
#[derive(Default)]
struct Found {
    out: String,
    matches: usize,
    /// Matches that `out` holds.
    shown: usize,
    files: usize,
    searched: usize,
    secret: Vec<String>,
    skipped: Vec<String>,
    timed_out: bool,
}

impl Search {
    fn run(&self, world: &World, progress: &Progress, limit: Duration) -> Result<ToolOutput, ToolError> {
        let deadline = Instant::now() + limit;
        let mut searcher = SearcherBuilder::new()
            .line_terminator(LineTerminator::crlf())
            .line_number(true)
            .before_context(self.context)
            .after_context(self.context)
            .binary_detection(BinaryDetection::quit(0))
            .heap_limit(Some(MAX_HEAP))
            .build();
        let mut found = Found::default();
        for place in world.workspace.files(&self.place)? {
            // Some write it relative to the path they search, some to the workspace.
            let is_meant = |include: &GlobSet| {
                include.is_match(below(&place, &self.place)) || include.is_match(place.as_str())
            };
            if !self.include.as_ref().is_none_or(is_meant) {
                continue;
            }
            let stop = || Instant::now() > deadline || progress.cancel.is_cancelled();
            if stop() {
                found.timed_out = true;
                break;
            }
            found.timed_out |= self.search(world, &mut searcher, &place, &mut found, &stop);
        }
        if progress.cancel.is_cancelled() {
            return Err(ToolError::Failed("interrupted; the search gave nothing".into()));
        }
        Ok(self.report(found, limit))
    }

    /// Searches one file; whether it had to be left before its end.
    fn search(
        &self,
        world: &World,
        searcher: &mut Searcher,
        place: &Place,
        found: &mut Found,
        stop: &dyn Fn() -> bool,
    ) -> bool {
        let shown = || text::printable_name(place.as_str()).into_owned();
        let is_secret = paths::is_secret(place.as_str());
        let room = if found.out.len() < MAX_BYTES { MAX_MATCHES.saturating_sub(found.shown) } else { 0 };
        let mut hits = Hits { matcher: &self.matcher, room, count: 0, kept: Vec::new(), binary: false };
        let result = if is_secret {
            found.secret.push(shown());
            // Matching what is hidden would tell what is hidden: only the masked text is searched.
            match world.workspace.read(place) {
                Ok(content) => {
                    let masked = text::mask(&String::from_utf8_lossy(&content.bytes));
                    searcher.search_slice(&self.matcher, masked.as_bytes(), &mut hits)
                }
                Err(error) => Err(io::Error::other(error.to_string())),
            }
        } else {
            match world.workspace.stream(place) {
                Ok(file) => {
                    let reader = Watched { inner: file, stop };
                    searcher.search_reader(&self.matcher, reader, &mut hits)
                }
                Err(error) => Err(io::Error::other(error.to_string())),
            }
        };
        found.searched += 1;
        let mut left = false;
        match result {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::TimedOut => left = true,
            Err(_) => found.skipped.push(shown()),
        }
        // Text before a NUL is no text: what matched there goes with the file.
        if hits.count == 0 || hits.binary {
            return left;
        }
        found.files += 1;
        found.matches += hits.count;
        if !hits.kept.is_empty() {
            let _ = writeln!(found.out, "{}", shown());
            found.shown += hits.draw(&mut found.out);
            found.out.push('\n');
        }
        left
    }

    fn report(&self, found: Found, limit: Duration) -> ToolOutput {
        let (matches, files) = (found.matches, found.files);
        let mut out = found.out;
        let lines = if matches == 1 { "match" } else { "matches" };
        let in_files = if files == 1 { "file" } else { "files" };
        let _ = if matches == 0 {
            write!(
                out,
                "no match for {} in {} files below {}; ignored files (.gitignore) and binary files are not searched",
                text::printable_name(&self.pattern),
                found.searched,
                self.place.as_str()
            )
        } else if matches > found.shown {
            write!(
                out,
                "({} of {matches} {lines} in {files} {in_files}; {} left out, narrow the pattern or path)",
                found.shown,
                matches - found.shown
            )
        } else {
            write!(out, "({matches} {lines} in {files} {in_files})")
        };
        let few = |names: &[String]| {
            let more = names.len().saturating_sub(5);
            let list = names.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            if more == 0 { list } else { format!("{list} and {more} more") }
        };
        if !found.secret.is_empty() {
            let _ = write!(out, "\n(only names were searched, values are hidden, in {})", few(&found.secret));
        }
        if !found.skipped.is_empty() {
            let _ = write!(out, "\n(could not be searched to the end: {})", few(&found.skipped));
        }
        if found.timed_out {
            let _ = write!(out, "\n(stopped after {} s; not every file was searched)", limit.as_secs_f32());
        }
        ToolOutput {
            text: out,
            summary: format!("{matches} {lines} in {files} {in_files}"),
            ..Default::default()
        }
    }
}

/// A line to show: its number, its text, and where in it the match begins; `None` for context.
struct Shown {
    number: u64,
    text: String,
    at: Option<usize>,
    /// Whether the line has more than was kept.
    is_cut: bool,
}

/// Collects the lines of one file.
struct Hits<'a> {
    matcher: &'a RegexMatcher,
    room: usize,
    count: usize,
    kept: Vec<Shown>,
    binary: bool,
}

impl Hits<'_> {
    /// Writes the lines, secrets hidden over line ends first, each cut around its match; how many matches
    /// that were.
    fn draw(&self, out: &mut String) -> usize {
        let raw: Vec<&str> = self.kept.iter().map(|line| line.text.as_str()).collect();
        let whole = raw.join("\n");
        let hidden = text::redact(&whole);
        let has_context = self.kept.iter().any(|line| line.at.is_none());
        let (mut shown, mut last) = (0, None);
        for (line, text) in self.kept.iter().zip(hidden.split('\n')) {
            if out.len() >= MAX_BYTES {
                break;
            }
            if has_context && last.is_some_and(|last| line.number > last + 1) {
                out.push_str("--\n");
            }
            last = Some(line.number);
            shown += usize::from(line.at.is_some());
            let mark = if line.at.is_some() { ':' } else { '-' };
            let text = cut(text, line.at.unwrap_or(0), line.is_cut);
            let _ = writeln!(out, "{}{mark} {}", line.number, text::printable(&text));
        }
        shown
    }

    fn keep(&mut self, number: Option<u64>, bytes: &[u8], at: Option<usize>) {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        // A line of megabytes is kept around its match only.
        let first = at.unwrap_or(0).saturating_sub(KEEP / 2).min(bytes.len());
        let text = String::from_utf8_lossy(&bytes[first..bytes.len().min(first + KEEP)]).into_owned();
        let is_cut = bytes.len() > text.len();
        self.kept.push(Shown { number: number.unwrap_or(0), text, at: at.map(|at| at - first), is_cut });
    }
}

impl Sink for Hits<'_> {
    type Error = io::Error;

    fn matched(&mut self, _: &Searcher, found: &SinkMatch<'_>) -> Result<bool, io::Error> {
        self.count += 1;
        if self.count <= self.room {
            let at = self.matcher.find(found.bytes()).ok().flatten().map_or(0, |part| part.start());
            self.keep(found.line_number(), found.bytes(), Some(at));
        }
        Ok(true)
    }

    fn context(&mut self, _: &Searcher, found: &SinkContext<'_>) -> Result<bool, io::Error> {
        if self.count <= self.room && self.room > 0 {
            self.keep(found.line_number(), found.bytes(), None);
        }
        Ok(true)
    }

    fn binary_data(&mut self, _: &Searcher, _: u64) -> Result<bool, io::Error> {
        self.binary = true;
        Ok(false)
    }
}

/// At most [`MAX_LINE`] characters of a line, those around byte `at` of it.
fn cut(line: &str, at: usize, is_cut: bool) -> String {
    if line.len() <= MAX_LINE || line.chars().count() <= MAX_LINE {
        return line.to_owned();
    }
    let before = line[..line.floor_char_boundary(at)].chars().count();
    let first = if before + 1 < MAX_LINE { 0 } else { before - LEAD };
    let part: String = line.chars().skip(first).take(MAX_LINE).collect();
    let more = is_cut || line.chars().count() > first + MAX_LINE;
    format!("{}{part}{}", if first > 0 { "…" } else { "" }, if more { "…" } else { "" })
}

/// A reader that gives up when it is told to, so that one huge file cannot outlast the limit.
struct Watched<'a> {
    inner: std::fs::File,
    stop: &'a dyn Fn() -> bool,
}

impl io::Read for Watched<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if (self.stop)() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.inner.read(buffer)
    }
}
