//! The example backends are what their READMEs say: their own tests pass, and every planted weakness is real.
#![allow(clippy::disallowed_methods, reason = "a test runs the example's own programs")]

mod house;

use std::path::PathBuf;
use std::process::{Command, Output};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Runs python3 in the notes example; `None`, said loudly, on a machine without it.
fn python(args: &[&str]) -> Option<Output> {
    let mut command = Command::new("python3");
    command.args(args).current_dir(root().join("examples/notes-python")).env("PYTHONDONTWRITEBYTECODE", "1");
    match command.output() {
        Ok(output) => Some(output),
        Err(error) => {
            house::stage::skip(&format!("python3 cannot be started: {error}"));
            None
        }
    }
}

#[test]
fn the_python_examples_own_tests_pass_from_its_root() {
    for args in [&["-m", "unittest"][..], &["-m", "unittest", "discover", "-s", "tests", "-t", "."]] {
        let Some(output) = python(args) else { return };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("Ran 46 tests"), "{said}");
    }
}

#[test]
fn every_planted_weakness_of_the_python_example_is_open_to_an_attack() {
    let script = root().join("tests/attacks/notes_python.py");
    let Some(output) = python(&[script.to_str().unwrap(), "."]) else { return };
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let planted = [
        "sql-injection",
        "command-injection",
        "path-traversal",
        "hardcoded-secret",
        "weak-password-hash",
        "unsafe-deserialization",
        "error-disclosure",
    ];
    for name in planted {
        assert!(said.contains(&format!("open    {name}: ")), "{name} is not open:\n{said}");
    }
    assert!(said.lines().all(|line| line.starts_with("open ")), "{said}");
}
