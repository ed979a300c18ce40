//! The Node example backend: every planted weakness is found, fixed, and the fixed backend still does its work.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a stage that cannot be set is a failed test")]

mod house;

use agent::finding::{Family, Finding};
use agent::scan::Scanner;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The example's own source files, by path below the example.
fn sources(root: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut open = vec![root.join("src")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

fn scan(files: &BTreeMap<String, String>) -> Vec<Finding> {
    let texts: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
    Scanner::new().scan_texts(&texts)
}

/// Applies one fix after the other until no finding has one left.
fn fix(mut files: BTreeMap<String, String>) -> BTreeMap<String, String> {
    for _ in 0..40 {
        let Some((path, fix)) = scan(&files).into_iter().find_map(|found| Some((found.path, found.fix?)))
        else {
            return files;
        };
        let fixed = fix.apply(&files[&path]).expect("edits that fit");
        files.insert(path, fixed);
    }
    panic!("the fixes come to no end");
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/orders-node")
}

const PLANTED: [&str; 7] = [
    "sql-injection",
    "command-injection",
    "path-traversal",
    "hardcoded-secret",
    "weak-password-hash",
    "unsafe-deserialization",
    "error-disclosure",
];

#[test]
fn every_planted_family_is_found_and_fixed() {
    let before = sources(&example());
    let findings = scan(&before);
    // The families that are planted there.
    for name in PLANTED {
        let family = Family::named(name).expect("a known family");
        assert!(findings.iter().any(|found| found.family == family), "{name} is not found");
    }
    let after = fix(before.clone());
    let left = scan(&after);
    assert!(left.is_empty(), "left: {left:#?}");
    assert_eq!(fix(after.clone()), after, "a second run changes nothing");
    for (path, text) in &after {
        let file = agent::scan::project::SourceFile::parse(path, text.clone()).expect("JavaScript");
        assert_eq!(file.module.errors, 0, "{path} does not parse:\n{text}");
    }
}

#[test]
#[allow(
    clippy::disallowed_methods,
    reason = "writes a copy into a temporary folder and runs its tests with node"
)]
fn the_fixed_backend_passes_its_own_tests() {
    let root = example();
    let has_node =
        std::process::Command::new("node").arg("--version").output().is_ok_and(|out| out.status.success());
    if !has_node || !root.join("node_modules").is_dir() {
        house::stage::skip("needs node and `npm ci --ignore-scripts` in examples/orders-node");
        return;
    }
    let copy = tempfile::tempdir().unwrap();
    copy_folder(&root, copy.path());
    for (path, text) in fix(sources(&root)) {
        std::fs::write(copy.path().join(path), text).unwrap();
    }
    let out = std::process::Command::new("npm").arg("test").current_dir(copy.path()).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}\n{}", String::from_utf8_lossy(&out.stderr));
}

#[allow(clippy::disallowed_methods, reason = "writes a copy into a temporary folder")]
fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}
