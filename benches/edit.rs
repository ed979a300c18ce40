//! How long `edit` and `patch` take to find and change a place in a file of one megabyte.

use agent::diff::ladder::locate;
use agent::diff::{numbered, patch, unified};
use divan::{Bencher, black_box};
use std::fmt::Write as _;

fn main() {
    divan::main();
}

/// About one megabyte of code, no two lines alike.
fn megabyte() -> String {
    (0..22_000).fold(String::new(), |mut text, n| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "    let value_{n} = compute({n}, \"other\");");
        text
    })
}

/// A place near the end, changed.
fn changed(text: &str) -> String {
    text.replacen("compute(21000, ", "checked(21000, ", 1)
}

/// One needle for each rung, and one that is nowhere.
#[divan::bench(args = ["exact", "trailing", "shifted", "folded", "absent"])]
fn edit_locates(bencher: Bencher<'_, '_>, rung: &str) {
    let text = megabyte();
    let needle = match rung {
        "exact" => "    let value_21000 = compute(21000, \"other\");\n    let value_21001",
        "trailing" => "    let value_21000 = compute(21000, \"other\"); \n    let value_21001",
        "shifted" => "let value_21000 = compute(21000, \"other\");\n",
        "folded" => "    let value_21000 = compute(21000, “other”);\n",
        _ => "    let value_21000 = compute(21999, \"another\");\n",
    };
    // A shifted block must not be found as a part of its line.
    let needle = if rung == "shifted" { format!("      {needle}") } else { needle.to_owned() };
    bencher.bench(|| locate(black_box(&text), black_box(&needle)).is_ok());
}

#[divan::bench]
fn edit_shows_the_diff(bencher: Bencher<'_, '_>) {
    let before = megabyte();
    let after = changed(&before);
    bencher.bench(|| numbered(black_box(&before), black_box(&after), 3));
}

#[divan::bench]
fn patch_parses_and_applies(bencher: Bencher<'_, '_>) {
    let before = megabyte();
    let text = unified("f", Some(&before), Some(&changed(&before)));
    bencher.bench(|| {
        let patch = patch::parse(black_box(&text)).unwrap_or(patch::Patch { files: Vec::new() });
        patch.files.iter().filter_map(|file| file.apply(Some(&before)).ok()).count()
    });
}

#[divan::bench]
fn patch_of_a_thousand_hunks(bencher: Bencher<'_, '_>) {
    let before = megabyte();
    let after = before.replace("5, \"other\"", "5, \"changed\"");
    let text = unified("f", Some(&before), Some(&after));
    bencher.bench(|| {
        let patch = patch::parse(black_box(&text)).unwrap_or(patch::Patch { files: Vec::new() });
        patch.files.iter().filter_map(|file| file.apply(Some(&before)).ok()).count()
    });
}
