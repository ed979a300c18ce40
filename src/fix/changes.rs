//! What a session changed, file by file: as it was before the first deed, as it is now.

use crate::action::{Action, Change};
use crate::proof::Befores;
use crate::session::Session;
use crate::text::redact;
use crate::workspace::copy::CACHES;

/// Every file that the agent's tools or its commands changed, made or removed, as it was before the first deed;
/// `None` where there was none. What interpreters keep for themselves is left out.
pub fn befores(session: &Session) -> Befores {
    let mut all: Befores = session.befores().into_iter().collect();
    // A journal that was swept away leaves the record, which holds texts with secrets hidden.
    for deed in session.deeds() {
        let Action::Write { changes } = deed else { continue };
        for change in changes {
            let before = || change.before.clone().map(String::into_bytes);
            if let Some(from) = &change.moved_from {
                all.entry(from.clone()).or_insert_with(before);
                all.entry(change.path.clone()).or_insert(None);
            } else {
                all.entry(change.path.clone()).or_insert_with(before);
            }
        }
    }
    all.retain(|path, _| !path.split('/').any(|part| CACHES.contains(&part)));
    all
}

/// The changes of texts that a person reviews: first before, last after. What else a command touches (caches,
/// databases) is none.
pub fn changes(session: &Session) -> Vec<Change> {
    let world = session.world();
    let now = |path: &str| {
        let place = world.workspace.place(path).ok()?;
        let content = world.workspace.read(&place).ok()?;
        content.text().map(ToOwned::to_owned)
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
    befores(session)
        .into_iter()
        .filter_map(|(path, before)| {
            let before = match before {
                Some(bytes) => Some(text(bytes)?),
                None => None,
            };
            Some(Change { after: now(&path), before, path, moved_from: None })
        })
        // A record holds its deeds with secrets hidden, so that is how sides are compared.
        .filter(|change| change.before.as_deref().map(redact) != change.after.as_deref().map(redact))
        .collect()
}
