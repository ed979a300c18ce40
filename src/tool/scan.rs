//! `scan`: the embedded scanner as a tool.
//!
//! The first line holds the totals (`7 findings in 3 files (12 files scanned)`); then one block per finding as
//! [`listing::render`] writes it, blocks apart by an empty line; then what was left out and what was skipped.
//! Several findings in one file each have their diff against the text as it stands now.

use super::args::{self, Args};
use super::{Plan, Tool, ToolError, ToolOutput, World};
use crate::action::Action;
use crate::finding::{Family, Finding, Severity, listing};
use crate::message::Spec;
use crate::scan::{Filter, Scan};
use crate::workspace::Workspace;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

/// Bytes of the answer at most.
const MAX_TEXT: usize = 40 * 1024;

/// Skipped files named at most.
const MAX_SKIPPED: usize = 10;

static SPEC: LazyLock<Spec> = LazyLock::new(|| args::spec(include_str!("../../tools/scan.json")));

/// The tool.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScanCode;

impl Tool for ScanCode {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn plan(&self, args: &Value, world: &Arc<World>) -> Result<Plan, ToolError> {
        let args = Args::of(args, &SPEC)?;
        let path = args.text_opt("path")?.filter(|path| !path.is_empty());
        let beneath = path.map(|path| world.workspace.place(&path)).transpose()?;
        if let Some(place) = &beneath {
            world.workspace.kind(place)?;
        }
        let families = args.text_opt("family")?.map(|name| {
            Family::named(&name).ok_or_else(|| ToolError::Arguments(format!("unknown family `{name}`")))
        });
        let severity = args.text_opt("severity")?.map(|name| {
            Severity::named(&name).ok_or_else(|| ToolError::Arguments(format!("unknown severity `{name}`")))
        });
        let shown = beneath.as_ref().map_or(".", |place| place.as_str()).to_owned();
        let filter = Filter {
            beneath,
            families: families.transpose()?.into_iter().collect(),
            severity: severity.transpose()?,
        };
        let world = Arc::clone(world);
        Ok(Plan::blocking(Action::Read { paths: vec![shown] }, move |_| {
            let scan = world.scanner.scan(&world.workspace, &filter);
            Ok(output(&scan, &world.workspace))
        }))
    }
}

fn output(scan: &Scan, workspace: &Workspace) -> ToolOutput {
    let paths: BTreeSet<&str> = scan.findings.iter().map(|finding| finding.path.as_str()).collect();
    let summary = format!(
        "{} in {} ({} scanned)",
        count(scan.findings.len(), "finding"),
        count(paths.len(), "file"),
        count(scan.files, "file")
    );
    let mut text = format!("{summary}\n");
    let mut shown = 0;
    for finding in &scan.findings {
        let block = block(finding, workspace);
        if text.len() + block.len() + 1 > MAX_TEXT {
            break;
        }
        text.push('\n');
        text.push_str(&block);
        shown += 1;
    }
    if shown < scan.findings.len() {
        let _ = writeln!(text, "\n{} more; narrow with path or family", scan.findings.len() - shown);
    }
    if !scan.skipped.is_empty() {
        let _ = writeln!(text, "\n{} skipped:", count(scan.skipped.len(), "file"));
        for (path, reason) in scan.skipped.iter().take(MAX_SKIPPED) {
            let _ = writeln!(text, "{path}: {reason}");
        }
    }
    ToolOutput { text, summary, exit: None, log: None }
}

fn block(finding: &Finding, workspace: &Workspace) -> String {
    let content = workspace.place(&finding.path).and_then(|place| workspace.read(&place)).ok();
    let text = content.as_ref().and_then(|content| content.text()).unwrap_or_default();
    listing::render(finding, text)
}

fn count(number: usize, word: &str) -> String {
    if number == 1 { format!("1 {word}") } else { format!("{number} {word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::bare::Bare;
    use crate::scan::Scanner;
    use serde_json::json;

    fn world(files: &[(&str, &str)]) -> (tempfile::TempDir, Arc<World>) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            #[allow(clippy::disallowed_methods, reason = "a test makes its own folder")]
            std::fs::write(path, text).unwrap();
        }
        let workspace = Workspace::open(folder.path()).unwrap();
        let scan = Scanner::new().scan(&workspace, &Filter::default());
        assert!(scan.files > 0);
        let sandbox = Arc::new(Bare::open(folder.path(), folder.path(), "none in this test"));
        (folder, Arc::new(World { workspace, sandbox, scanner: Scanner::new() }))
    }

    const DAO: &str = "import sqlite3\n\n\ndef find(conn, name):\n    return conn.execute(f\"SELECT 1 FROM t WHERE n = '{name}'\").fetchone()\n";

    #[test]
    fn gives_totals_then_blocks_that_read_back() {
        let (_folder, world) = world(&[
            ("app/dao.py", DAO),
            (
                "app/views.py",
                "from app import dao\nfrom flask import Flask, request\napp = Flask(__name__)\n\n\n@app.route('/u')\ndef user():\n    return dao.find(None, request.args['n'])\n",
            ),
        ]);
        let plan = ScanCode.plan(&json!({"path": "app"}), &world).unwrap();
        assert_eq!(plan.action, Action::Read { paths: vec!["app".into()] });
        let scan = world.scanner.scan(&world.workspace, &Filter::default());
        let text = output(&scan, &world.workspace).text;
        assert!(text.starts_with("1 finding in 1 file (2 files scanned)\n"), "{text}");
        let listed = listing::parse(&text);
        assert_eq!(listed[0].sighting.path, "app/dao.py");
        assert_eq!(listed[0].sighting.within, "find (GET /u)");
        assert!(
            listed[0]
                .diff
                .as_deref()
                .unwrap()
                .contains("+    return conn.execute(\"SELECT 1 FROM t WHERE n = ?\", (name,)).fetchone()"),
            "{text}"
        );
        assert!(scan.findings[0].severity >= Severity::High);
    }

    #[test]
    fn refuses_an_unknown_family_and_a_place_that_is_not_there() {
        let (_folder, world) = world(&[("dao.py", DAO)]);
        assert!(ScanCode.plan(&json!({"family": "typos"}), &world).is_err());
        assert!(ScanCode.plan(&json!({"path": "nowhere"}), &world).is_err());
    }
}
