//! Secrets that are known by value: what the environment of this process holds under a telling name.

use std::sync::{OnceLock, PoisonError, RwLock};

static VALUES: OnceLock<Vec<String>> = OnceLock::new();
/// Values that a model was shown once: it may repeat them in words no shape tells them by.
static SHOWN: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Parts of names that tell of a secret.
const TELLING: [&str; 13] = [
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "CREDENTIAL",
    "APIKEY",
    "API_KEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "_PASS",
    "_PWD",
    "_AUTH",
];

/// Makes values known for the life of the process; [`super::redact`] hides them from then on. Only the first
/// call counts.
pub fn know(values: Vec<String>) {
    // A second set would make the same text come out in two ways.
    let _ = VALUES.set(values);
}

/// The values made known.
pub(super) fn values() -> &'static [String] {
    VALUES.get().map_or(&[], Vec::as_slice)
}

/// Makes one more value known, since a model was shown it.
pub fn note_shown(value: &str) {
    let mut shown = SHOWN.write().unwrap_or_else(PoisonError::into_inner);
    if !shown.iter().any(|known| known == value) {
        shown.push(value.to_owned());
    }
}

/// The values that a model was shown; most processes have none.
pub(super) fn shown() -> Vec<String> {
    SHOWN.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Whether a variable holds a secret: its name tells so, and its value is neither a path nor a plain word.
pub fn is_secret_variable(name: &str, value: &str) -> bool {
    let name = name.to_uppercase();
    let telling = TELLING.iter().any(|part| name.contains(part)) || name.ends_with("_KEY");
    let path = value.starts_with(['/', '~', '.']) || value.starts_with("file:");
    let word = value.len() < 20 && value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    telling && value.len() >= 8 && !path && !word && !value.contains('\n')
}

#[cfg(test)]
mod tests {
    use super::is_secret_variable;

    #[test]
    fn tells_secret_variables_by_name_and_value() {
        let check = |name: &str, value: &str, expected: bool| {
            assert_eq!(is_secret_variable(name, value), expected, "{name}={value}");
        };
        check("OPENAI_API_KEY", "FAKE-key-canary", true);
        check("db_password", "FAKE-canary-1", true);
        check("DEPLOY_TOKEN", "FAKE-canary-1", true);
        check("SIGNING_KEY", "FAKE-canary-1", true);
        check("SIGNING_KEY", "/etc/keys/signing.pem", false);
        check("MYSQL_ROOT_PASSWORD", "password", false);
        check("DB_PASSWORD", "short1", false);
        check("PATH", "/usr/bin:/bin", false);
        check("KEYBOARD", "FAKE-canary-1", false);
        check("EDITOR", "FAKE-canary-1", false);
    }
}
