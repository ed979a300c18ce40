//! Agent definitions by name: the project's (when trusted), the user's, the embedded one.

use super::{Calling, Definition, MAX_DEFINITION, Remark};
use crate::config::places::{Candidate, Origin, Places};
use serde::Serialize;
use std::path::PathBuf;

/// A definition that was found, whether it counts or not.
#[derive(Debug, Clone, Serialize)]
pub struct Found {
    /// Its name, or its file's when it cannot be read.
    pub name: String,
    /// When to call it.
    pub description: String,
    /// `primary`, `subagent` or `all`.
    pub mode: &'static str,
    /// Who wrote it.
    pub origin: Origin,
    /// Its file; absent for the embedded one.
    pub path: Option<PathBuf>,
    /// Whether it counts, and if not, why.
    pub state: State,
}

/// Whether a definition counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// `--agent NAME` takes this one.
    Used,
    /// Another one of that name comes first.
    Shadowed,
    /// The workspace is not trusted.
    Untrusted,
    /// It cannot be read, with the reason.
    Refused(String),
}

/// Why there is no definition of that name.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// Nobody defines it.
    #[error("there is no agent named {name}; there are: {known}. Name a file, or see `agent agents`")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// Only the repository defines it, and the user does not trust it.
    #[error(
        "{name} is defined by this repository alone ({path}), which is not trusted; `agent trust` trusts it"
    )]
    Untrusted {
        /// What was asked for.
        name: String,
        /// Its file.
        path: String,
    },
    /// The first of that name cannot be used; another one never takes its place in silence.
    #[error(transparent)]
    Refused(#[from] Remark),
}

/// Every definition there is, in the order that decides.
pub fn list(places: &Places) -> Vec<Found> {
    let mut taken: Vec<String> = Vec::new();
    let mut listed: Vec<Found> = Vec::new();
    for candidate in places.agents() {
        let read = read(&candidate, places);
        let name = read.as_ref().map_or_else(|_| stem(&candidate), |definition| definition.name.clone());
        let (description, mode, refused) = match &read {
            Ok(definition) => (definition.description.clone(), calling(definition.mode), None),
            Err(remark) => (String::new(), "", Some(remark.to_string())),
        };
        let state = state(&candidate, places, &name, refused, &mut taken);
        listed.push(Found {
            name,
            description,
            mode,
            origin: candidate.origin,
            path: Some(candidate.path),
            state,
        });
    }
    let own = Definition::embedded();
    let state = if taken.contains(&own.name) { State::Shadowed } else { State::Used };
    listed.push(Found {
        mode: calling(own.mode),
        name: own.name,
        description: own.description,
        origin: Origin::Embedded,
        path: None,
        state,
    });
    listed
}

/// The definition of that name, and who wrote it. A file that is refused is an error, not a reason to take the
/// next one.
pub fn find(name: &str, places: &Places) -> Result<(Definition, Origin), SearchError> {
    let listed = list(places);
    let of_that_name: Vec<&Found> = listed.iter().filter(|found| found.name == name).collect();
    let counts = of_that_name.iter().find(|found| !matches!(found.state, State::Untrusted | State::Shadowed));
    match (counts, of_that_name.first()) {
        (Some(found), _) => match &found.path {
            Some(path) => {
                let candidate = Candidate { path: path.clone(), origin: found.origin };
                Ok((read(&candidate, places)?, found.origin))
            }
            None => Ok((Definition::embedded(), Origin::Embedded)),
        },
        (None, Some(found)) => Err(SearchError::Untrusted {
            name: name.to_owned(),
            path: found.path.as_ref().map(|path| path.display().to_string()).unwrap_or_default(),
        }),
        (None, None) => {
            let used = listed.iter().filter(|found| found.state == State::Used);
            let known: Vec<&str> = used.map(|found| found.name.as_str()).collect();
            Err(SearchError::Unknown { name: name.to_owned(), known: known.join(", ") })
        }
    }
}

/// A project's file that nobody trusts is read to be shown; it is never used.
fn read(candidate: &Candidate, places: &Places) -> Result<Definition, Remark> {
    if candidate.origin == Origin::Project && places.trusted.is_none() {
        return Definition::read(&candidate.path);
    }
    let file = candidate.path.display().to_string();
    let text = places.text(candidate, MAX_DEFINITION).map_err(|text| Remark {
        file: file.clone(),
        line: 1,
        text,
    })?;
    Definition::parse(&file, &text)
}

fn state(
    candidate: &Candidate,
    places: &Places,
    name: &str,
    refused: Option<String>,
    taken: &mut Vec<String>,
) -> State {
    if candidate.origin == Origin::Project && places.trusted.is_none() {
        return State::Untrusted;
    }
    if taken.iter().any(|other| other == name) {
        return State::Shadowed;
    }
    taken.push(name.to_owned());
    refused.map_or(State::Used, State::Refused)
}

fn stem(candidate: &Candidate) -> String {
    candidate.path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn calling(mode: Calling) -> &'static str {
    match mode {
        Calling::Primary => "primary",
        Calling::Subagent => "subagent",
        Calling::All => "all",
    }
}
