//! How long a scan of a generated tree takes: every rule, flow and fixes included.

use agent::scan::{Filter, Scanner};
use agent::workspace::Workspace;
use std::fmt::Write as _;
use std::path::Path;

fn main() {
    divan::main();
}

/// A file as a small backend has it; one in ten holds a weakness.
fn text(number: usize) -> String {
    let query = if number.is_multiple_of(10) {
        "conn.execute(f\"SELECT * FROM users WHERE name = '{name}'\")"
    } else {
        "conn.execute(\"SELECT * FROM users WHERE name = ?\", (name,))"
    };
    let mut out = String::from(
        "import os\nimport sqlite3\nfrom flask import Flask, request\n\napp = Flask(__name__)\n",
    );
    for part in 0..12 {
        let _ = write!(
            out,
            "\n\ndef clean_{part}(value):\n    parts = [word.strip() for word in value.split(',')]\n    if not parts:\n        \
             return None\n    return {{'count': len(parts), 'first': parts[0]}}\n\n\n@app.route('/users/{part}')\ndef \
             users_{part}():\n    conn = sqlite3.connect('app.db')\n    name = request.args.get('name', '')\n    seen = \
             clean_{part}(name)\n    rows = {query}.fetchall()\n    for row in rows:\n        if seen and row[0] == \
             seen['first']:\n            return {{'row': row}}\n    return {{'rows': rows}}\n"
        );
    }
    out
}

#[allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a bench makes its own folder")]
fn tree(files: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..files {
        let path = folder.path().join(format!("part_{}/views_{number}.py", number % 20));
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).unwrap();
        std::fs::write(path, text(number)).unwrap();
    }
    folder
}

#[divan::bench(args = [50, 400], sample_count = 5, sample_size = 1)]
fn scan_a_tree(bencher: divan::Bencher<'_, '_>, files: usize) {
    let folder = tree(files);
    let Ok(workspace) = Workspace::open(folder.path()) else { return };
    bencher.bench(|| Scanner::new().scan(&workspace, &Filter::default()).findings.len());
}

/// A second scan by the same scanner after one file was edited, as a session does it.
#[allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a bench edits its own folder")]
#[divan::bench(args = [50, 400], sample_count = 5, sample_size = 1)]
fn scan_again_after_one_edit(bencher: divan::Bencher<'_, '_>, files: usize) {
    let folder = tree(files);
    let Ok(workspace) = Workspace::open(folder.path()) else { return };
    let scanner = Scanner::new();
    scanner.scan(&workspace, &Filter::default());
    let edits = std::cell::Cell::new(0);
    bencher.bench_local(|| {
        edits.set(edits.get() + 1);
        let changed = format!("{}\n# edit {}\n", text(1), edits.get());
        std::fs::write(folder.path().join("part_1/views_1.py"), changed).unwrap();
        scanner.scan(&workspace, &Filter::default()).findings.len()
    });
}

/// Files that import one another, as a layered backend does: an edit at the bottom touches those above it.
#[allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a bench makes its own folder")]
fn layered(files: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..files {
        let import = if number == 0 {
            String::new()
        } else {
            format!("from views_{} import clean_0 as below\n", number / 2)
        };
        std::fs::write(folder.path().join(format!("views_{number}.py")), import + &text(number)).unwrap();
    }
    folder
}

#[divan::bench(args = [400, 1243], sample_count = 3, sample_size = 1)]
fn scan_files_that_import_one_another(bencher: divan::Bencher<'_, '_>, files: usize) {
    let folder = layered(files);
    let Ok(workspace) = Workspace::open(folder.path()) else { return };
    bencher.bench(|| Scanner::new().scan(&workspace, &Filter::default()).findings.len());
}

/// The edited file is imported by nobody: all others keep what was found.
#[allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "a bench edits its own folder")]
#[divan::bench(args = [400, 1243], sample_count = 5, sample_size = 1)]
fn scan_again_after_an_edit_at_the_top(bencher: divan::Bencher<'_, '_>, files: usize) {
    let folder = layered(files);
    let Ok(workspace) = Workspace::open(folder.path()) else { return };
    let scanner = Scanner::new();
    scanner.scan(&workspace, &Filter::default());
    let edits = std::cell::Cell::new(0);
    bencher.bench_local(|| {
        edits.set(edits.get() + 1);
        let path = folder.path().join(format!("views_{}.py", files - 1));
        std::fs::write(path, format!("{}\n# edit {}\n", text(files - 1), edits.get())).unwrap();
        scanner.scan(&workspace, &Filter::default()).findings.len()
    });
}

/// A second scan of what nobody touched.
#[divan::bench(args = [50, 400], sample_count = 5, sample_size = 1)]
fn scan_again_unchanged(bencher: divan::Bencher<'_, '_>, files: usize) {
    let folder = tree(files);
    let Ok(workspace) = Workspace::open(folder.path()) else { return };
    let scanner = Scanner::new();
    scanner.scan(&workspace, &Filter::default());
    bencher.bench_local(|| scanner.scan(&workspace, &Filter::default()).findings.len());
}
