//! Records a session of the real program on a pseudo terminal and writes it as an SVG.
//!
//! `cargo build && cargo run --example record_tui -- docs/tui.svg`

#![allow(clippy::disallowed_methods, reason = "a tool for the repository, not a part of the program")]

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::error::Error;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const COLUMNS: u16 = 100;
const ROWS: u16 = 32;
/// Pixels of a cell.
const CELL: (f64, f64) = (8.4, 18.0);
/// Seconds that a picture stays.
const STAY: u32 = 4;

type Outcome<T> = Result<T, Box<dyn Error>>;
type Shared = Arc<Mutex<vt100::Parser>>;

fn main() -> Outcome<()> {
    let target = std::env::args().nth(1).unwrap_or_else(|| "docs/tui.svg".to_owned());
    let home = tempfile::tempdir()?;
    let workspace = home.path().join("notes-python");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/notes-python"), &workspace)?;
    let pair = native_pty_system().openpty(PtySize {
        rows: ROWS,
        cols: COLUMNS,
        pixel_width: 0,
        pixel_height: 0,
    })?;
    let mut command = CommandBuilder::new(program()?);
    command.cwd(&workspace);
    command.env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", home.path());
    command.env("TERM", "xterm-256color");
    let mut child = pair.slave.spawn_command(command)?;
    drop(pair.slave);
    let parser: Shared = Arc::new(Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)));
    let mut reader = pair.master.try_clone_reader()?;
    let shared = Arc::clone(&parser);
    std::thread::spawn(move || {
        let mut bytes = [0; 8192];
        while let Ok(count @ 1..) = reader.read(&mut bytes) {
            shared.lock().unwrap_or_else(PoisonError::into_inner).process(&bytes[..count]);
        }
    });
    let mut keys = pair.master.take_writer()?;
    let mut pictures = Vec::new();
    let mut step = |keys_to_type: &str, words: &str, keep: bool| -> Outcome<()> {
        for letter in keys_to_type.chars() {
            keys.write_all(letter.encode_utf8(&mut [0; 4]).as_bytes())?;
            std::thread::sleep(Duration::from_millis(15));
        }
        wait(&parser, words)?;
        // A question counts once it could be read.
        std::thread::sleep(Duration::from_millis(600));
        if keep {
            let parser = parser.lock().unwrap_or_else(PoisonError::into_inner);
            pictures.push(picture(parser.screen(), &home.path().display().to_string()));
        }
        Ok(())
    };
    step("", "describe an issue", false)?;
    step("SQL injection in the login endpoint", "login endpoint", true)?;
    step("\r", "change this file?", true)?;
    step("y", "run this command?", true)?;
    step("y", "Result: fixed", true)?;
    step("/scan\r", "enter fix this one", true)?;
    step("\u{1b}", "describe an issue", false)?;
    keys.write_all(b"\x04")?;
    child.wait()?;
    let target = PathBuf::from(target);
    if let Some(folder) = target.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(target, svg(&pictures)?)?;
    Ok(())
}

/// The program beside this one.
fn program() -> Outcome<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().and_then(Path::parent).ok_or("no folder of builds")?;
    let program = folder.join("agent");
    if program.is_file() { Ok(program) } else { Err("build the program first: cargo build".into()) }
}

fn wait(parser: &Shared, words: &str) -> Outcome<()> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_mins(1) {
        if parser.lock().unwrap_or_else(PoisonError::into_inner).screen().contents().contains(words) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(format!("{words:?} did not appear").into())
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            if entry.file_name() != "__pycache__" {
                copy(&from, &to)?;
            }
        } else {
            std::fs::copy(from, to)?;
        }
    }
    Ok(())
}

/// A run of cells of one look.
struct Run {
    column: u16,
    text: String,
    style: String,
    back: Option<&'static str>,
    width: u16,
}

/// The screen as SVG elements; the temporary home is shown as `~`.
fn picture(screen: &vt100::Screen, home: &str) -> String {
    let mut out = String::new();
    for row in 0..ROWS {
        let y = f64::from(row) * CELL.1;
        for run in runs(screen, row) {
            let x = f64::from(run.column) * CELL.0;
            let width = f64::from(run.width) * CELL.0;
            if let Some(back) = run.back {
                let height = CELL.1;
                let _ = write!(
                    out,
                    r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height}" fill="{back}"/>"#
                );
            }
            let text = run.text.replace(home, "~");
            if !text.trim().is_empty() {
                let base = y + CELL.1 * 0.75;
                // Cells keep their width whatever font there is.
                let fixed =
                    if text == run.text { format!(r#" textLength="{width:.1}""#) } else { String::new() };
                let _ = write!(
                    out,
                    r#"<text x="{x:.1}" y="{base:.1}"{fixed}{}>{}</text>"#,
                    run.style,
                    escape(&text)
                );
            }
        }
        out.push('\n');
    }
    out
}

fn runs(screen: &vt100::Screen, row: u16) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for column in 0..COLUMNS {
        let Some(cell) = screen.cell(row, column) else { continue };
        if cell.is_wide_continuation() {
            if let Some(run) = runs.last_mut() {
                run.width += 1;
            }
            continue;
        }
        let (style, back) = look(cell);
        let text = if cell.has_contents() { cell.contents() } else { " " };
        match runs.last_mut() {
            Some(run) if run.style == style && run.back == back => {
                run.text.push_str(text);
                run.width += 1;
            }
            _ => runs.push(Run { column, text: text.to_owned(), style, back, width: 1 }),
        }
    }
    runs
}

fn look(cell: &vt100::Cell) -> (String, Option<&'static str>) {
    let mut front = colour(cell.fgcolor()).unwrap_or("#d8dee9");
    let mut back = colour(cell.bgcolor());
    if cell.inverse() {
        (front, back) = (back.unwrap_or("#1d2128"), Some(front));
    }
    let mut style = format!(r#" fill="{front}""#);
    for (is_so, attribute) in [
        (cell.bold(), r#" font-weight="bold""#),
        (cell.italic(), r#" font-style="italic""#),
        (cell.underline(), r#" text-decoration="underline""#),
    ] {
        if is_so {
            style.push_str(attribute);
        }
    }
    (style, back)
}

fn colour(colour: vt100::Color) -> Option<&'static str> {
    const PALETTE: [&str; 16] = [
        "#3b4252", "#e06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#d8dee9", "#7f8897",
        "#f28b93", "#b5e39a", "#f4d79a", "#8cc5f7", "#dba0ea", "#80d3dd", "#ffffff",
    ];
    match colour {
        vt100::Color::Idx(index) => PALETTE.get(usize::from(index)).copied(),
        _ => None,
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The pictures, one after the other, for ever; the first where nothing moves.
fn svg(pictures: &[String]) -> Outcome<String> {
    let (width, height) = (f64::from(COLUMNS) * CELL.0 + 24.0, f64::from(ROWS) * CELL.1 + 24.0);
    let count = u32::try_from(pictures.len())?;
    let (all, share) = (count * STAY, 100.0 / f64::from(count));
    let mut out = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14" xml:space="preserve">
<style>.p{{visibility:hidden;animation:p {all}s step-end infinite}}@keyframes p{{0%{{visibility:visible}}{share:.2}%{{visibility:hidden}}}}
@media (prefers-reduced-motion){{.p{{animation:none}}.p:nth-of-type(2){{visibility:visible}}}}</style>
<rect width="100%" height="100%" rx="8" fill="#1d2128"/>
"##
    );
    for (at, picture) in (0_u32..).zip(pictures) {
        let delay = at * STAY;
        let _ = writeln!(
            out,
            r#"<g class="p" style="animation-delay:{delay}s" transform="translate(12 12)">{picture}</g>"#
        );
    }
    out.push_str("</svg>\n");
    Ok(out)
}
