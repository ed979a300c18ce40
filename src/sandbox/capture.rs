//! What a command prints, kept small: the head, the tail, a count, and a bounded log on disk when cut.

use crate::text::stream::Stream as Hiding;
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes kept from the start.
pub const HEAD: usize = 20 * 1024;
/// Bytes kept from the end.
pub const TAIL: usize = 30 * 1024;
/// Bytes of the log on disk; what comes after is counted and lost.
pub const LOG_MAX: u64 = 64 * 1024 * 1024;
/// Bytes shown while a command runs; a flood must not fill a screen or a record.
const STREAM_MAX: usize = 1024 * 1024;

/// Head, tail and count of one command's output.
pub(super) struct Capture {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    total: u64,
    folder: PathBuf,
    log: Option<Log>,
    stream: Stream,
}

/// A log file that only its owner reads, with a limit on its size.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: PathBuf,
    written: u64,
    hiding: Hiding,
    /// The first bytes of a code point whose others have not come yet.
    cut: Vec<u8>,
}

impl Log {
    /// A new one in `folder`, which is made when missing.
    pub fn open(folder: &Path) -> std::io::Result<Self> {
        make_private_dir(folder)?;
        let file = tempfile::Builder::new().prefix("run-").suffix(".log").tempfile_in(folder)?;
        let (file, path) = file.keep().map_err(|error| error.error)?;
        Ok(Self { file, path, written: 0, hiding: Hiding::default(), cut: Vec::new() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds text, its secrets hidden; what may be the beginning of one waits for the rest.
    pub fn append(&mut self, text: &str) {
        if self.written < LOG_MAX {
            let text = self.hiding.push(text);
            self.write(text.as_bytes());
        }
    }

    /// Adds bytes; what exceeds [`LOG_MAX`] or cannot be written is lost.
    /// The same for output as it comes: a code point cut between two reads waits for its end.
    fn append_bytes(&mut self, bytes: &[u8]) {
        let mut whole = std::mem::take(&mut self.cut);
        whole.extend_from_slice(bytes);
        let end = whole_front(&whole).len();
        self.cut = whole.split_off(end);
        self.append(&String::from_utf8_lossy(&whole));
    }

    fn write(&mut self, bytes: &[u8]) {
        let room = usize::try_from(LOG_MAX - self.written).unwrap_or(usize::MAX);
        let part = &bytes[..bytes.len().min(room)];
        if self.file.write_all(part).is_ok() {
            self.written += part.len() as u64;
        } else {
            self.written = LOG_MAX;
        }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let cut = std::mem::take(&mut self.cut);
        self.append(&String::from_utf8_lossy(&cut));
        let rest = self.hiding.finish();
        self.write(rest.as_bytes());
    }
}

/// What is left of the output when the command has ended.
pub(super) struct Captured {
    pub(super) text: String,
    pub(super) total: u64,
    pub(super) log: Option<PathBuf>,
}

impl Capture {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            head: Vec::new(),
            tail: VecDeque::new(),
            total: 0,
            folder: folder.to_owned(),
            log: None,
            stream: Stream::default(),
        }
    }

    /// Takes the next bytes and shows them.
    pub(super) fn push(&mut self, bytes: &[u8], show: &dyn Fn(&str)) {
        self.stream.push(bytes, show);
        let was_whole = self.total <= (HEAD + TAIL) as u64;
        let before = self.total;
        self.total += bytes.len() as u64;
        if self.total > (HEAD + TAIL) as u64 {
            // The first cut: what is in memory is still everything, so the log starts complete.
            if was_whole && before == (self.head.len() + self.tail.len()) as u64 {
                self.open_log();
            }
            self.append_log(bytes);
        }
        let to_head = bytes.len().min(HEAD - self.head.len());
        self.head.extend_from_slice(&bytes[..to_head]);
        let rest = &bytes[to_head..];
        let rest = &rest[rest.len().saturating_sub(TAIL)..];
        let overflow = (self.tail.len() + rest.len()).saturating_sub(TAIL);
        self.tail.drain(..overflow);
        self.tail.extend(rest);
    }

    /// Ends the capture.
    pub(super) fn finish(mut self, show: &dyn Fn(&str)) -> Captured {
        self.stream.finish(show);
        let tail: Vec<u8> = self.tail.into();
        let kept = (self.head.len() + tail.len()) as u64;
        let log = self.log.take().map(|log| log.path.clone());
        if self.total <= kept {
            let mut all = self.head;
            all.extend_from_slice(&tail);
            return Captured { text: String::from_utf8_lossy(&all).into_owned(), total: self.total, log };
        }
        let head = whole_front(&self.head);
        let tail = whole_back(&tail);
        let cut = self.total - (head.len() + tail.len()) as u64;
        let place = match &log {
            Some(path) => format!("; full output in {}", path.display()),
            None => String::new(),
        };
        let text = format!(
            "{}\n[{cut} of {} bytes cut here{place}]\n{}",
            String::from_utf8_lossy(head),
            self.total,
            String::from_utf8_lossy(tail),
        );
        Captured { text, total: self.total, log }
    }

    fn open_log(&mut self) {
        // No log is better than no command: the count and the cut are still told.
        self.log = Log::open(&self.folder).ok();
        let (front, back) = self.tail.as_slices();
        let parts = [self.head.clone(), front.to_vec(), back.to_vec()];
        for part in parts {
            self.append_log(&part);
        }
    }

    fn append_log(&mut self, bytes: &[u8]) {
        if let Some(log) = &mut self.log {
            log.append_bytes(bytes);
        }
    }
}

/// Makes a directory that only its owner enters.
pub(super) fn make_private_dir(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// The bytes without a code point that is cut at the end.
fn whole_front(bytes: &[u8]) -> &[u8] {
    let mut end = bytes.len();
    for back in 1..=bytes.len().min(4) {
        let byte = bytes[bytes.len() - back];
        if byte & 0b1100_0000 == 0b1000_0000 {
            continue;
        }
        let length = match byte {
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF7 => 4,
            _ => 1,
        };
        if length > back {
            end = bytes.len() - back;
        }
        break;
    }
    &bytes[..end]
}

/// The bytes without a code point that is cut at the start.
fn whole_back(bytes: &[u8]) -> &[u8] {
    let skip = bytes.iter().take(3).take_while(|byte| **byte & 0b1100_0000 == 0b1000_0000).count();
    &bytes[skip..]
}

/// Bytes to text as they come, code points never split.
#[derive(Default)]
struct Stream {
    rest: Vec<u8>,
    sent: usize,
}

impl Stream {
    fn push(&mut self, bytes: &[u8], show: &dyn Fn(&str)) {
        if self.sent > STREAM_MAX {
            return;
        }
        self.rest.extend_from_slice(bytes);
        let mut text = String::with_capacity(self.rest.len());
        let mut at = 0;
        loop {
            match std::str::from_utf8(&self.rest[at..]) {
                Ok(valid) => {
                    text.push_str(valid);
                    at = self.rest.len();
                    break;
                }
                Err(error) => {
                    let valid = &self.rest[at..at + error.valid_up_to()];
                    text.push_str(&String::from_utf8_lossy(valid));
                    at += error.valid_up_to();
                    match error.error_len() {
                        Some(length) => {
                            text.push(char::REPLACEMENT_CHARACTER);
                            at += length;
                        }
                        None => break,
                    }
                }
            }
        }
        self.rest.drain(..at);
        if text.is_empty() {
            return;
        }
        self.sent += text.len();
        show(&text);
        if self.sent > STREAM_MAX {
            self.rest.clear();
            show("\n[the output goes on and is no longer shown live]\n");
        }
    }

    fn finish(&mut self, show: &dyn Fn(&str)) {
        if !self.rest.is_empty() {
            show(&String::from_utf8_lossy(&self.rest));
            self.rest.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::os::unix::fs::PermissionsExt as _;

    fn feed(pieces: &[&[u8]]) -> (Captured, String, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let mut capture = Capture::new(dir.path());
        let shown = RefCell::new(String::new());
        let show = |text: &str| shown.borrow_mut().push_str(text);
        for piece in pieces {
            capture.push(piece, &show);
        }
        let done = capture.finish(&show);
        (done, shown.into_inner(), dir)
    }

    #[test]
    fn keeps_short_output_whole_and_writes_no_log() {
        let (done, shown, _dir) = feed(&[b"one\n", b"two\n"]);
        assert_eq!(done.text, "one\ntwo\n");
        assert_eq!(shown, done.text);
        assert_eq!((done.total, done.log), (8, None));
    }

    #[test]
    fn never_splits_a_code_point_in_the_stream() {
        let bytes = "a€😀z".as_bytes();
        let pieces: Vec<&[u8]> = bytes.chunks(1).collect();
        let (done, shown, _dir) = feed(&pieces);
        assert_eq!(shown, "a€😀z");
        assert_eq!(done.text, "a€😀z");
    }

    #[test]
    fn states_the_cut_in_bytes_and_keeps_the_full_log() {
        let line = "0123456789abcdé\n".as_bytes();
        let all: Vec<u8> = line.iter().copied().cycle().take(line.len() * 10_000).collect();
        for size in [7, 1000, 70_000] {
            let pieces: Vec<&[u8]> = all.chunks(size).collect();
            let (done, _, _dir) = feed(&pieces);
            assert_eq!(done.total, all.len() as u64);
            let log = done.log.unwrap();
            assert_eq!(std::fs::read(&log).unwrap(), all, "chunks of {size}");
            assert_eq!(std::fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
            assert!(done.text.len() < HEAD + TAIL + 300);
            assert!(!done.text.contains(char::REPLACEMENT_CHARACTER));
            let cut: u64 = done
                .text
                .split_once("\n[")
                .and_then(|(_, rest)| rest.split_once(" of "))
                .and_then(|(number, _)| number.parse().ok())
                .unwrap();
            let note = done.text.lines().find(|line| line.starts_with('[')).unwrap();
            let kept = done.text.len() - note.len() - 2;
            assert_eq!(cut + kept as u64, done.total);
        }
    }
}
