//! The desktop's keyring, asked on a thread of its own: its store brings a runtime along, and a question that
//! nobody answers must not hold the program.

#[cfg(feature = "keyring")]
use keyring_core::{CredentialStore, Entry, Error};
#[cfg(feature = "keyring")]
use std::sync::Arc;
#[cfg(feature = "keyring")]
use std::time::Duration;

/// The name keys are kept under.
#[cfg(feature = "keyring")]
const SERVICE: &str = "agent";
/// Longest wait: somebody may have to type a password to unlock it.
#[cfg(feature = "keyring")]
const PATIENCE: Duration = Duration::from_mins(1);

/// A keyring, or why there is none. Opened when it is asked, not before.
#[derive(Debug)]
pub struct Ring(Place);

#[derive(Debug)]
enum Place {
    None(String),
    #[cfg(all(feature = "keyring", target_os = "linux"))]
    Desktop,
    #[cfg(feature = "keyring")]
    Store(Arc<CredentialStore>),
}

impl Ring {
    /// The desktop's.
    pub fn desktop() -> Self {
        #[cfg(all(feature = "keyring", target_os = "linux"))]
        return Self(Place::Desktop);
        #[cfg(not(all(feature = "keyring", target_os = "linux")))]
        Self::none("this build has none")
    }

    /// None, for this reason.
    pub fn none(reason: &str) -> Self {
        Self(Place::None(reason.to_owned()))
    }

    /// One in this store.
    #[cfg(feature = "keyring")]
    pub fn of(store: Arc<CredentialStore>) -> Self {
        Self(Place::Store(store))
    }
}

#[cfg(feature = "keyring")]
impl Ring {
    /// The key of `provider`, if it is there.
    pub(super) fn find(&self, provider: &str) -> Result<Option<String>, String> {
        self.ask(provider, |entry| match entry.get_password() {
            Ok(key) => Ok(Some(key)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// Keeps a key, and reads it again: a keyring that opens may still be one that cannot be written.
    pub(super) fn keep(&self, provider: &str, key: &str) -> Result<(), String> {
        let key = secrecy::SecretString::from(key);
        self.ask(provider, move |entry| {
            let key = secrecy::ExposeSecret::expose_secret(&key);
            entry.set_password(key)?;
            if entry.get_password()? == *key { Ok(()) } else { Err(Error::NoEntry) }
        })
    }

    /// Forgets a key; whether there was one.
    pub(super) fn forget(&self, provider: &str) -> Result<bool, String> {
        self.ask(provider, |entry| match entry.delete_credential() {
            Ok(()) => Ok(true),
            Err(Error::NoEntry) => Ok(false),
            Err(error) => Err(error),
        })
    }

    fn ask<T: Send + 'static>(
        &self,
        provider: &str,
        deed: impl FnOnce(&Entry) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, String> {
        let open: Box<dyn FnOnce() -> Result<Arc<CredentialStore>, Error> + Send> = match &self.0 {
            Place::None(reason) => return Err(reason.clone()),
            #[cfg(target_os = "linux")]
            Place::Desktop => Box::new(|| {
                let store: Arc<CredentialStore> = zbus_secret_service_keyring_store::Store::new()?;
                Ok(store)
            }),
            Place::Store(store) => {
                let store = Arc::clone(store);
                Box::new(move || Ok(store))
            }
        };
        let provider = provider.to_owned();
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let done = open()
                .and_then(|store| Entry::new_in_store(&store, SERVICE, &provider))
                .and_then(|entry| deed(&entry));
            // Nobody may be waiting any more.
            let _ = sender.send(done.map_err(|error| say(&error)));
        });
        receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| Err("it did not answer".into()))
    }
}

/// The keyring's word without what it holds: some of its errors carry the secret itself.
#[cfg(feature = "keyring")]
fn say(error: &Error) -> String {
    match error {
        Error::PlatformFailure(reason) | Error::NoStorageAccess(reason) => reason.to_string(),
        Error::NoEntry => "it does not keep what it is given".into(),
        _ => "it cannot be used".into(),
    }
}

#[cfg(not(feature = "keyring"))]
#[allow(clippy::unused_self, reason = "the same shape as with a keyring")]
impl Ring {
    pub(super) fn find(&self, _: &str) -> Result<Option<String>, String> {
        Err(self.reason())
    }

    pub(super) fn keep(&self, _: &str, _: &str) -> Result<(), String> {
        Err(self.reason())
    }

    pub(super) fn forget(&self, _: &str) -> Result<bool, String> {
        Err(self.reason())
    }

    fn reason(&self) -> String {
        let Place::None(reason) = &self.0;
        reason.clone()
    }
}
