//! `agent scan`: known weaknesses of a folder as text, JSON or SARIF; against a baseline when one is given.

use super::args::{self, ScanFormat};
use super::{say, say_error};
use crate::config::Flags;
use crate::finding::baseline::Baseline;
use crate::finding::{Family, Severity, listing, sarif};
use crate::scan::rules::RuleSet;
use crate::scan::{Filter, Progress, Scan, Scanner, Stage};
use crate::text::{printable, redact};
use crate::wire::{self, Trouble, exit};
use crate::workspace::Workspace;
use clap::Args;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Options of `agent scan`.
#[derive(Debug, Clone, Args)]
pub struct ScanArgs {
    /// Folder or file
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Only this family (sql-injection, command-injection, path-traversal, …); may be repeated
    #[arg(long, value_parser = args::family)]
    pub family: Vec<Family>,
    /// Only findings at least this severe
    #[arg(long, value_parser = args::severity, value_name = "low|medium|high|critical")]
    pub severity: Option<Severity>,
    /// Only this rule (`agent rules list`); may be repeated
    #[arg(long, value_name = "ID")]
    pub rule: Vec<String>,
    /// Also the rules in this folder or file of yours; may be repeated. Those in the settings' folder `rules`
    /// count anyway
    #[arg(long, value_name = "DIR")]
    pub rules: Vec<PathBuf>,
    /// Only what is not in this file; made by --write-baseline
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Write what is found now to this file, so that later scans show only what is new
    #[arg(long, value_name = "FILE")]
    pub write_baseline: Option<PathBuf>,
    /// Exit with 6 when there are findings (with --baseline: new ones)
    #[arg(long)]
    pub fail_on_findings: bool,
    /// Form of the output
    #[arg(long, value_enum, default_value_t = ScanFormat::Text)]
    pub output_format: ScanFormat,
}

/// `agent scan`.
pub(super) fn scan(args: &ScanArgs) -> u8 {
    match look(args) {
        Ok(code) => code,
        Err(trouble) => {
            say_error(&trouble.text);
            trouble.code
        }
    }
}

fn look(args: &ScanArgs) -> Result<u8, Trouble> {
    let config = wire::decide(Flags { scan_rules: args.rules.clone(), ..Flags::default() })?;
    let rules = wire::rules(&config)?;
    if let Some(unknown) = args.rule.iter().find(|id| rules.find(id).is_none()) {
        let text = format!("--rule {unknown}: there is no such rule; `agent rules list` names them");
        return Err(Trouble::coded(exit::USAGE, text));
    }
    let known = args.baseline.as_deref().map(read_baseline).transpose()?;
    let (workspace, mut scan) = scan_path(args, rules)?;
    if let Some(file) = &args.write_baseline {
        write_baseline(file, &Baseline::of(&scan.findings))?;
    }
    let text_of = |path: &str| text_at(&workspace, path);
    let sarif = (args.output_format == ScanFormat::Sarif).then(|| {
        let told = sarif::Told {
            suppressed: &scan.suppressed,
            baseline: known.as_ref(),
            skipped: &scan.skipped,
            text: Some(&text_of),
        };
        sarif::document_with(&scan.findings, &described(rules), &told)
    });
    let mut note = String::new();
    if let (Some(known), Some(file)) = (&known, &args.baseline) {
        let all = scan.findings.len();
        let gone = known.gone(&scan.findings);
        scan.findings.retain(|finding| !known.holds(finding));
        let _ = write!(note, "{} of {}: {gone} gone", all - scan.findings.len(), file.display());
    }
    say(&match (&sarif, args.output_format) {
        (Some(document), _) => serde_json::to_string_pretty(document).unwrap_or_default() + "\n",
        (None, ScanFormat::Json) => serde_json::to_string_pretty(&scan.findings).unwrap_or_default() + "\n",
        (None, _) => text(&workspace, &scan, known.is_some().then_some(note.as_str())),
    });
    Ok(if args.fail_on_findings && !scan.findings.is_empty() { exit::NOT_FIXED } else { 0 })
}

/// What SARIF says of every rule.
fn described(rules: &RuleSet) -> Vec<sarif::RuleWords> {
    rules
        .rules
        .iter()
        .map(|rule| sarif::RuleWords {
            id: rule.id.clone(),
            family: rule.family,
            cwe: rule.cwe,
            owasp: rule.owasp.clone(),
            severity: rule.severity,
            message: rule.message.split_whitespace().collect::<Vec<_>>().join(" "),
        })
        .collect()
}

fn scan_path(args: &ScanArgs, rules: &'static RuleSet) -> Result<(Workspace, Scan), Trouble> {
    let path = &args.path;
    let missing =
        |error: std::io::Error| Trouble::coded(exit::NO_INPUT, format!("{}: {error}", path.display()));
    let whole = path.canonicalize().map_err(missing)?;
    // A file is scanned within the folder it was named from, so that its findings carry that path.
    let here = std::env::current_dir().and_then(|here| here.canonicalize()).map_err(missing)?;
    let root = if whole.is_dir() {
        whole.clone()
    } else if whole.starts_with(&here) {
        here
    } else {
        whole.parent().unwrap_or(&whole).to_owned()
    };
    let workspace = Workspace::open(&root)?;
    let beneath = if whole == root { None } else { Some(workspace.place(&whole.to_string_lossy())?) };
    let filter =
        Filter { beneath, families: args.family.clone(), severity: args.severity, rules: args.rule.clone() };
    let bar = Bar::new();
    let tell = |progress: Progress| bar.draw(progress);
    let watch: Option<&(dyn Fn(Progress) + Sync)> =
        if std::io::stderr().is_terminal() { Some(&tell) } else { None };
    let scan = Scanner::of(rules).scan_watched(&workspace, &filter, watch);
    bar.clear();
    Ok((workspace, scan))
}

/// A line on the terminal that says how far it is. Nothing is drawn in the first moments.
struct Bar {
    last: Mutex<Instant>,
    is_drawn: std::sync::atomic::AtomicBool,
}

impl Bar {
    /// Between two drawings.
    const PAUSE: Duration = Duration::from_millis(80);
    const WIDTH: usize = 24;

    fn new() -> Self {
        Self { last: Mutex::new(Instant::now() + Duration::from_millis(120)), is_drawn: false.into() }
    }

    fn draw(&self, progress: Progress) {
        // Who comes while another draws has nothing to add.
        let Ok(mut last) = self.last.try_lock() else { return };
        if Instant::now().saturating_duration_since(*last) < Self::PAUSE {
            return;
        }
        let verb = match progress.stage {
            Stage::Reading => "reading",
            Stage::Looking => "looking",
            Stage::Fixing => "preparing fixes",
        };
        let done = (progress.done * Self::WIDTH).checked_div(progress.all).unwrap_or(0).min(Self::WIDTH);
        let (full, empty) = ("█".repeat(done), "░".repeat(Self::WIDTH - done));
        let _ =
            write!(std::io::stderr(), "\r\x1b[K{full}{empty} {verb} {} of {}", progress.done, progress.all);
        self.is_drawn.store(true, std::sync::atomic::Ordering::Relaxed);
        *last = Instant::now();
    }

    fn clear(&self) {
        if self.is_drawn.load(std::sync::atomic::Ordering::Relaxed) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn text(workspace: &Workspace, scan: &Scan, baseline: Option<&str>) -> String {
    let mut out = String::new();
    for finding in &scan.findings {
        let _ = writeln!(
            out,
            "{}",
            listing::render(finding, &text_at(workspace, &finding.path).unwrap_or_default())
        );
    }
    for (path, reason) in &scan.skipped {
        let _ = writeln!(out, "skipped {path}: {reason}");
    }
    let new = if baseline.is_some() { "new " } else { "" };
    let _ = write!(out, "{} {new}findings in {} files", scan.findings.len(), scan.files);
    if let Some(known) = baseline {
        let _ = write!(out, "; known {known}");
    }
    if !scan.suppressed.is_empty() {
        let _ = write!(out, "; {} suppressed in the code", scan.suppressed.len());
    }
    out.push('\n');
    printable(&redact(&out)).into_owned()
}

fn text_at(workspace: &Workspace, path: &str) -> Option<String> {
    let content = workspace.place(path).and_then(|place| workspace.read(&place));
    content.ok().and_then(|content| content.text().map(ToOwned::to_owned))
}

fn read_baseline(file: &Path) -> Result<Baseline, Trouble> {
    let trouble = |why: String| {
        let next = "make it with `agent scan --write-baseline FILE`";
        Trouble::coded(exit::NO_INPUT, format!("--baseline {}: {why}; {next}", file.display()))
    };
    let text = std::fs::read_to_string(file).map_err(|error| trouble(error.to_string()))?;
    Baseline::read(&text).map_err(trouble)
}

fn write_baseline(file: &Path, baseline: &Baseline) -> Result<(), Trouble> {
    let written = || -> std::io::Result<()> {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut whole = tempfile::NamedTempFile::new_in(folder)?;
        whole.write_all(baseline.render().as_bytes())?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // It is meant to be committed: as readable as any other file.
            whole.as_file().set_permissions(std::fs::Permissions::from_mode(0o644))?;
        }
        whole.persist(file)?;
        Ok(())
    };
    written().map_err(|error| {
        Trouble::new(crate::event::Outcome::Error, format!("--write-baseline {}: {error}", file.display()))
    })
}
