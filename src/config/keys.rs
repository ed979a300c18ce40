//! Where providers' keys are kept: the desktop's keyring, or a file of the user's alone. Never printed.

mod file;
mod ring;

pub use ring::Ring;

use secrecy::SecretString;
use std::fmt;
use std::path::{Path, PathBuf};

/// Longest key, in bytes.
const MAX_KEY: usize = 16 * 1024;

/// Where a key was found or kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The desktop's keyring.
    Keyring,
    /// A file of the user's alone.
    File(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Keyring => f.write_str("keyring"),
            Source::File(path) => write!(f, "file {}", path.display()),
        }
    }
}

/// Why a key cannot be kept or read. Holds no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Others may read the file.
    #[error("{path}: other users may read it, so no key is taken from it; `chmod 600 {path}`")]
    Exposed {
        /// The file.
        path: String,
    },
    /// The file cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// No keyring and no folder for a file.
    #[error("there is no keyring ({0}) and no home for a file; set HOME or XDG_CONFIG_HOME")]
    Nowhere(String),
    /// Not a key.
    #[error("that is no key: {0}")]
    NoKey(&'static str),
}

/// A key that was kept, and what the user should know of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where it is.
    pub source: Source,
    /// Why it is not in the keyring, where it is not.
    pub no_keyring: Option<String>,
}

/// The places keys are kept in.
#[derive(Debug)]
pub struct Keys {
    ring: Ring,
    file: Option<PathBuf>,
}

impl Keys {
    /// Keys of the user whose folder of settings this is. Touches nothing.
    pub fn of(folder: Option<&Path>, ring: Ring) -> Self {
        Self { ring, file: folder.map(|folder| folder.join("keys.toml")) }
    }

    /// The key of `provider`: the keyring's, else the file's. Without a keyring only the file is asked.
    pub fn find(&self, provider: &str) -> Result<Option<(SecretString, Source)>, KeyError> {
        if let Ok(Some(key)) = self.ring.find(provider) {
            return Ok(Some((SecretString::from(key), Source::Keyring)));
        }
        let Some(path) = &self.file else { return Ok(None) };
        let found = file::read(path)?.remove(provider);
        Ok(found.map(|key| (SecretString::from(key), Source::File(path.clone()))))
    }

    /// Keeps a key: in the keyring, else in the file. An older one elsewhere goes.
    pub fn keep(&self, provider: &str, key: &str) -> Result<Kept, KeyError> {
        let key = checked(key)?;
        match self.ring.keep(provider, key) {
            Ok(()) => {
                if let Some(path) = &self.file {
                    file::change(path, provider, None)?;
                }
                Ok(Kept { source: Source::Keyring, no_keyring: None })
            }
            Err(reason) => {
                let Some(path) = &self.file else { return Err(KeyError::Nowhere(reason)) };
                file::change(path, provider, Some(key))?;
                Ok(Kept { source: Source::File(path.clone()), no_keyring: Some(reason) })
            }
        }
    }

    /// Forgets a key wherever it is; gives the places it was in.
    pub fn forget(&self, provider: &str) -> Result<Vec<Source>, KeyError> {
        let mut places = Vec::new();
        if self.ring.forget(provider).unwrap_or(false) {
            places.push(Source::Keyring);
        }
        if let Some(path) = &self.file
            && file::change(path, provider, None)?
        {
            places.push(Source::File(path.clone()));
        }
        Ok(places)
    }
}

fn checked(key: &str) -> Result<&str, KeyError> {
    let key = key.trim();
    if key.is_empty() {
        return Err(KeyError::NoKey("it is empty"));
    }
    if key.len() > MAX_KEY {
        return Err(KeyError::NoKey("it is too long"));
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(KeyError::NoKey("it holds characters that no key has; was it copied whole?"));
    }
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn found(keys: &Keys, provider: &str) -> Option<(String, Source)> {
        keys.find(provider).unwrap().map(|(key, source)| (key.expose_secret().to_owned(), source))
    }

    #[test]
    fn without_a_keyring_a_file_of_the_users_alone_holds_the_keys() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("agent");
        let keys = Keys::of(Some(&folder), Ring::none("no bus"));
        assert_eq!(found(&keys, "openai"), None);
        let kept = keys.keep("openai", " FAKE-\"key\\-canary\n").unwrap();
        let path = folder.join("keys.toml");
        assert_eq!(kept, Kept { source: Source::File(path.clone()), no_keyring: Some("no bus".into()) });
        keys.keep("gemini", "FAKE-other-canary").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(found(&keys, "openai"), Some(("FAKE-\"key\\-canary".into(), Source::File(path.clone()))));
        assert_eq!(keys.forget("openai").unwrap(), [Source::File(path.clone())]);
        assert_eq!((found(&keys, "openai"), keys.forget("openai").unwrap()), (None, Vec::new()));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = keys.find("gemini").unwrap_err().to_string();
        assert!(error.contains("chmod 600") && !error.contains("canary"), "{error}");
        assert!(keys.keep("openai", "FAKE").is_err(), "nothing is added to a file others read");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let keys = Keys::of(None, Ring::none("no bus"));
        for text in ["", " \n", "two words", "grün", "a\u{1b}b"] {
            assert!(matches!(keys.keep("openai", text), Err(KeyError::NoKey(_))), "{text:?}");
        }
        assert!(matches!(keys.keep("openai", "FAKE-key"), Err(KeyError::Nowhere(_))));
    }

    #[cfg(feature = "keyring")]
    #[test]
    fn a_keyring_comes_first_and_takes_the_key_out_of_the_file() {
        let home = tempfile::tempdir().unwrap();
        let without = Keys::of(Some(home.path()), Ring::none("no bus"));
        without.keep("openai", "FAKE-old-canary").unwrap();
        let store = keyring_core::mock::Store::new().unwrap();
        let keys = Keys::of(Some(home.path()), Ring::of(store));
        assert!(matches!(found(&keys, "openai"), Some((_, Source::File(_)))));
        let kept = keys.keep("openai", "FAKE-new-canary").unwrap();
        assert_eq!(kept, Kept { source: Source::Keyring, no_keyring: None });
        assert_eq!(found(&keys, "openai"), Some(("FAKE-new-canary".into(), Source::Keyring)));
        assert_eq!(found(&without, "openai"), None, "one key, one place");
        assert_eq!(keys.forget("openai").unwrap(), [Source::Keyring]);
        assert_eq!(found(&keys, "openai"), None);
    }
}
