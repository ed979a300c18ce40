//! Secrets that are known by value: what the environment of this process holds under a telling name, and the
//! providers' keys that were kept elsewhere.

use std::sync::{OnceLock, PoisonError, RwLock, RwLockReadGuard};

static SET: OnceLock<()> = OnceLock::new();
static VALUES: RwLock<Vec<String>> = RwLock::new(Vec::new());

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
    if SET.set(()).is_ok() {
        VALUES.write().unwrap_or_else(PoisonError::into_inner).extend(values);
    }
}

/// Makes one more value known: a key that was read before anything was said.
pub fn add(value: &str) {
    let mut values = VALUES.write().unwrap_or_else(PoisonError::into_inner);
    if !value.is_empty() && !values.iter().any(|known| known == value) {
        values.push(value.to_owned());
    }
}

/// The values made known.
pub(super) fn values() -> RwLockReadGuard<'static, Vec<String>> {
    VALUES.read().unwrap_or_else(PoisonError::into_inner)
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
