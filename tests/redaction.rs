//! Ordinary code is left alone by what hides secrets: measured on the standard library of the Python that is here.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test that cannot go on should say so loudly")]

mod house;

use std::path::PathBuf;

/// Most hidden places in a megabyte of ordinary code.
const MOST_PER_MB: usize = 3;

#[test]
#[allow(clippy::disallowed_methods, reason = "asks python where its library is")]
fn ordinary_code_is_hardly_ever_hidden() {
    let asked = std::process::Command::new("python3")
        .args(["-c", "import sysconfig; print(sysconfig.get_path('stdlib'))"])
        .output();
    let Ok(asked) = asked else {
        house::stage::skip("python3 cannot be started");
        return;
    };
    let folder = PathBuf::from(String::from_utf8(asked.stdout).unwrap().trim());
    let (mut bytes, mut hidden, mut places) = (0, 0, Vec::new());
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "py"))
        .collect();
    files.sort();
    for path in files {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        bytes += text.len();
        for (before, after) in text.lines().zip(agent::text::redact(&text).lines()) {
            if before != after {
                hidden += 1;
                places.push(format!("{}: {after}", path.file_name().unwrap().to_string_lossy()));
            }
        }
    }
    eprintln!("{hidden} lines hidden in {} KB", bytes / 1024);
    assert!(bytes > 1024 * 1024, "{bytes} bytes are no measure");
    assert!(hidden <= MOST_PER_MB * bytes / (1024 * 1024), "{}", places.join("\n"));
}
