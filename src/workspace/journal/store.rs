//! Contents by their hash, in segments that are only appended to; the oldest go first when there is too much.
//!
//! A segment is a row of records: 32 bytes of SHA-256, 8 bytes of length (little endian), the content. One sync
//! covers any number of them. What a crash tears off at the end is not found, and nothing is appended behind it.

use super::super::{hash_of, private};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// SHA-256 of a content.
pub(super) type Hash = [u8; 32];

/// Bytes after which a new segment is begun.
const SEGMENT: u64 = 16 * 1024 * 1024;

/// Length of a record's head.
const HEAD: u64 = 40;

#[derive(Debug, Clone, Copy)]
struct Spot {
    segment: u32,
    at: u64,
    len: u64,
}

/// The contents of one session.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    /// Number and bytes of each segment.
    segments: BTreeMap<u32, u64>,
    index: HashMap<Hash, Spot>,
    /// The segment that is written to, by this process.
    current: Option<(u32, File)>,
    limit: u64,
}

impl Store {
    /// The contents in a folder, at most `limit` bytes of them; there may be none yet.
    pub(super) fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        let mut store = Self {
            folder: folder.to_owned(),
            segments: BTreeMap::new(),
            index: HashMap::new(),
            current: None,
            limit,
        };
        let Ok(entries) = std::fs::read_dir(folder) else { return Ok(store) };
        let mut numbers: Vec<u32> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("pack-")?.parse().ok())
            .collect();
        numbers.sort_unstable();
        for number in numbers {
            store.read_index(number)?;
        }
        Ok(store)
    }

    fn path(&self, number: u32) -> PathBuf {
        self.folder.join(format!("pack-{number:06}"))
    }

    fn read_index(&mut self, number: u32) -> io::Result<()> {
        let mut file = io::BufReader::with_capacity(64 * 1024, File::open(self.path(number))?);
        let size = file.get_ref().metadata()?.len();
        self.segments.insert(number, size);
        let mut at = 0;
        while at + HEAD <= size {
            let (mut hash, mut len) = ([0; 32], [0; 8]);
            file.read_exact(&mut hash)?;
            file.read_exact(&mut len)?;
            let len = u64::from_le_bytes(len);
            if len > size - at - HEAD {
                break;
            }
            self.index.insert(hash, Spot { segment: number, at: at + HEAD, len });
            file.seek_relative(i64::try_from(len).unwrap_or(i64::MAX))?;
            at += HEAD + len;
        }
        Ok(())
    }

    /// Whether a content is kept.
    pub(super) fn has(&self, hash: &Hash) -> bool {
        self.index.contains_key(hash)
    }

    /// Keeps a content; lasting only after [`Self::sync`].
    pub(super) fn put(&mut self, hash: Hash, bytes: &[u8]) -> io::Result<()> {
        if self.has(&hash) {
            return Ok(());
        }
        let written = self.append(hash, bytes);
        if written.is_err() {
            // Nothing may come behind half a record.
            self.current = None;
        }
        written
    }

    fn append(&mut self, hash: Hash, bytes: &[u8]) -> io::Result<()> {
        let full = |store: &Self, number| store.segments.get(&number).is_none_or(|size| *size >= SEGMENT);
        if self.current.as_ref().is_none_or(|(number, _)| full(self, *number)) {
            self.sync()?;
            let number = self.segments.keys().next_back().map_or(1, |last| last + 1);
            let file = private::file(&self.path(number), true)?;
            self.segments.insert(number, 0);
            self.current = Some((number, file));
        }
        let Some((number, file)) = &mut self.current else { return Ok(()) };
        let mut record = Vec::with_capacity(bytes.len() + 40);
        record.extend_from_slice(&hash);
        record.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        record.extend_from_slice(bytes);
        file.write_all(&record)?;
        let size = self.segments.entry(*number).or_default();
        let len = bytes.len() as u64;
        self.index.insert(hash, Spot { segment: *number, at: *size + HEAD, len });
        *size += HEAD + len;
        Ok(())
    }

    /// Brings everything down to the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        match &self.current {
            Some((_, file)) => file.sync_data(),
            None => Ok(()),
        }
    }

    /// A content; `None` when it is not kept or no longer what it was.
    pub(super) fn read(&self, hash: &Hash) -> Option<Vec<u8>> {
        let spot = self.index.get(hash)?;
        let mut file = File::open(self.path(spot.segment)).ok()?;
        file.seek(SeekFrom::Start(spot.at)).ok()?;
        let mut bytes = vec![0; usize::try_from(spot.len).ok()?];
        file.read_exact(&mut bytes).ok()?;
        (hash_of(&bytes) == *hash).then_some(bytes)
    }

    /// Lets the oldest segments go until the limit holds; never the one that is written to.
    pub(super) fn shrink(&mut self) {
        let mut total: u64 = self.segments.values().sum();
        while total > self.limit {
            let Some((&oldest, &size)) = self.segments.iter().next() else { return };
            if self.current.as_ref().is_some_and(|(number, _)| *number == oldest) {
                return;
            }
            #[allow(clippy::disallowed_methods, reason = "a file of the state folder, not of a workspace")]
            let _ = std::fs::remove_file(self.path(oldest));
            self.segments.remove(&oldest);
            self.index.retain(|_, spot| spot.segment != oldest);
            total -= size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_segment_keeps_what_was_whole() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), 1 << 30).unwrap();
        let texts = ["one", "two", "three"];
        for text in texts {
            store.put(hash_of(text.as_bytes()), text.as_bytes()).unwrap();
        }
        store.sync().unwrap();
        drop(store);
        let path = folder.path().join("pack-000001");
        let whole = std::fs::read(&path).unwrap();
        for cut in 0..whole.len() {
            #[allow(clippy::disallowed_methods, reason = "the test plays the crash")]
            std::fs::write(&path, &whole[..cut]).unwrap();
            let mut store = Store::open(folder.path(), 1 << 30).unwrap();
            let kept = texts.iter().filter(|text| store.read(&hash_of(text.as_bytes())).is_some()).count();
            let expected = usize::from(cut >= 43) + usize::from(cut >= 86) + usize::from(cut >= 131);
            assert_eq!(kept, expected, "cut at {cut}");
            store.put(hash_of(b"new"), b"new").unwrap();
            drop(store);
            let store = Store::open(folder.path(), 1 << 30).unwrap();
            assert_eq!(store.read(&hash_of(b"new")).unwrap(), b"new");
            #[allow(clippy::disallowed_methods, reason = "the test cleans up")]
            std::fs::remove_file(folder.path().join("pack-000002")).unwrap();
        }
    }

    #[test]
    fn the_oldest_go_first_and_damage_is_not_handed_out() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path(), 40 << 20).unwrap();
        let blobs: Vec<Vec<u8>> = (0..6_u8).map(|n| vec![n; 16 << 20]).collect();
        for blob in &blobs {
            store.put(hash_of(blob), blob).unwrap();
            store.shrink();
        }
        let kept: Vec<bool> = blobs.iter().map(|blob| store.read(&hash_of(blob)).is_some()).collect();
        assert_eq!(kept, [false, false, false, false, true, true]);
        let path = folder.path().join("pack-000006");
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[100] ^= 1;
        #[allow(clippy::disallowed_methods, reason = "the test plays the damage")]
        std::fs::write(&path, bytes).unwrap();
        assert!(store.read(&hash_of(&blobs[5])).is_none());
    }
}
