//! A known weakness of a dependency: what an advisory says, where the project pins it, which version closes it and
//! how the project gets there.

mod hands;
mod lock;
mod version;

pub use hands::Upgrade;

use crate::finding::{Family, Finding, Severity, Span};
use crate::model::http;
use crate::text::clip;
use crate::workspace::Workspace;
use lock::Pin;
use reqwest::{Client, redirect};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::cmp::Ordering;
use std::fmt::Write as _;
use std::time::Duration;
use url::Url;

/// Where advisories are asked for.
pub const OSV: &str = "https://api.osv.dev";

/// Most bytes of an advisory.
const MAX_ADVISORY: usize = 4 * 1024 * 1024;

/// An advisory in the form of OSV.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Advisory {
    /// `GHSA-…`, `CVE-…`, `PYSEC-…`.
    pub id: String,
    /// Other names of the same.
    pub aliases: Vec<String>,
    /// One line. Untrusted.
    pub summary: String,
    /// More of it. Untrusted.
    pub details: String,
    /// What is affected.
    pub affected: Vec<Affected>,
}

/// One affected package.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Affected {
    /// Which.
    pub package: Package,
    /// Stretches of versions.
    pub ranges: Vec<Range>,
    /// Single versions.
    pub versions: Vec<String>,
}

/// A package by ecosystem and name.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Package {
    /// `npm`, `PyPI`, `crates.io`, `Go`, `Maven`, ….
    pub ecosystem: String,
    /// Its name there.
    pub name: String,
}

/// A stretch of versions.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Range {
    /// `SEMVER`, `ECOSYSTEM` or `GIT`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it begins and ends.
    pub events: Vec<Mark>,
}

/// Where a stretch begins or ends.
#[derive(Debug, Clone, Serialize, Deserialize, Default)]
#[serde(default)]
pub struct Mark {
    /// The first version that is affected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub introduced: Option<String>,
    /// The first version that is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fixed: Option<String>,
    /// The last version that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_affected: Option<String>,
}

/// How one pin is brought to a version that is not affected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The package.
    pub name: String,
    /// As it is pinned.
    pub from: String,
    /// The smallest compatible version that is not affected.
    pub to: String,
    /// The file that pins it.
    pub path: String,
    /// The text that changes, old and new, where that can be done in place.
    pub edit: Option<(String, String)>,
    /// The command that does it, where a lock file needs more than a text: without and with the network.
    pub command: Option<(String, String)>,
}

/// What has to be done, or why it cannot be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Pin by pin.
    pub steps: Vec<Step>,
    /// Pins for which there is no way, with the reason.
    pub blocked: Vec<String>,
}

/// The files that an upgrade of what these pin may change: them, and the manifests that go with them.
pub fn files(pinning: &[String]) -> Vec<String> {
    let beside: &[(&str, &[&str])] = &[
        ("package-lock.json", &["package.json"]),
        ("npm-shrinkwrap.json", &["package.json"]),
        ("Cargo.lock", &["Cargo.toml"]),
        ("go.mod", &["go.sum"]),
        ("poetry.lock", &["pyproject.toml"]),
        ("uv.lock", &["pyproject.toml"]),
        ("pdm.lock", &["pyproject.toml"]),
        ("Pipfile.lock", &["Pipfile"]),
    ];
    let mut out = pinning.to_vec();
    for path in pinning {
        let (folder, name) =
            path.rsplit_once('/').map_or(("", path.as_str()), |(folder, name)| (folder, name));
        for other in beside.iter().filter(|(lock, _)| *lock == name).flat_map(|(_, others)| *others) {
            out.push(if folder.is_empty() { (*other).to_owned() } else { format!("{folder}/{other}") });
        }
    }
    out
}

/// The advisory id that words name, in its own spelling.
pub fn id_in(words: &str) -> Option<String> {
    let starts = ["CVE-", "GHSA-", "PYSEC-", "RUSTSEC-", "GO-", "OSV-", "MAL-"];
    words.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).find_map(|word| {
        let upper = word.to_uppercase();
        let start = starts.iter().find(|start| upper.starts_with(**start))?;
        let rest = &upper[start.len()..];
        let is_id = rest.len() >= 6 && rest.contains('-') && rest.len() <= 40;
        // GHSA ids are written in lower case behind their first letters.
        let id = if *start == "GHSA-" { format!("GHSA-{}", rest.to_lowercase()) } else { upper.clone() };
        is_id.then_some(id)
    })
}

/// Gets an advisory: from a file, or from a service that speaks OSV's interface at `place`.
pub async fn fetch(id: &str, place: &str) -> Result<Advisory, String> {
    let text = if place.starts_with("http://") || place.starts_with("https://") {
        let url = Url::parse(&format!("{}/v1/vulns/{id}", place.trim_end_matches('/')))
            .map_err(|error| format!("{place}: {error}"))?;
        if url.scheme() != "https" && !http::is_loopback(&url) {
            return Err(format!("{place}: advisories are asked for over https only"));
        }
        ask(url, id).await?
    } else {
        std::fs::read_to_string(place).map_err(|error| format!("{place}: {error}"))?
    };
    let advisory: Advisory = serde_json::from_str(&text)
        .map_err(|error| format!("{place}: that is no advisory in OSV's form: {error}"))?;
    let is_it = advisory.id.eq_ignore_ascii_case(id)
        || advisory.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(id));
    if is_it { Ok(advisory) } else { Err(format!("{place}: that advisory is {}, not {id}", advisory.id)) }
}

async fn ask(url: Url, id: &str) -> Result<String, String> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let failed = |error: reqwest::Error| format!("{host} cannot be reached: {}", http::root_cause(&error));
    let client = http::build(url.scheme() == "https", || {
        Client::builder()
            .user_agent(concat!("agent/", env!("CARGO_PKG_VERSION")))
            .timeout(Duration::from_secs(30))
            .redirect(redirect::Policy::none())
    });
    let mut response = client.map_err(failed)?.get(url).send().await.map_err(failed)?;
    match response.status().as_u16() {
        200 => {}
        404 => return Err(format!("{host} knows no advisory {id}")),
        status => return Err(format!("{host} answered {status} when asked for {id}")),
    }
    let mut bytes = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&piece);
        if bytes.len() > MAX_ADVISORY {
            return Err(format!("{host}: the advisory is too large"));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Advisory {
    /// The issue as a mission has it. Untrusted.
    pub fn issue(&self, plan: &Plan) -> String {
        let mut out = format!(
            "# {}: vulnerable dependency\n\n{}\n\n{}\n",
            self.id,
            self.summary,
            clip(&self.details, 4096).text
        );
        for step in &plan.steps {
            let _ = write!(
                out,
                "\n- {} pins {} {}; the smallest compatible version without it is {}",
                step.path, step.name, step.from, step.to
            );
            if let Some((offline, online)) = &step.command {
                let _ = write!(out, "; `{offline}`, or with a network `{online}`");
            }
        }
        for why in &plan.blocked {
            let _ = write!(out, "\n- {why}");
        }
        out
    }

    /// Where the project pins an affected version, as findings.
    pub fn findings(&self, workspace: &Workspace) -> Vec<Finding> {
        let pins = lock::pins(workspace);
        pins.iter().filter(|pin| self.affects(pin)).map(|pin| self.finding(pin)).collect()
    }

    /// How every affected pin is brought to a version that is not.
    pub fn plan(&self, workspace: &Workspace) -> Plan {
        let mut plan = Plan::default();
        for pin in lock::pins(workspace).iter().filter(|pin| self.affects(pin)) {
            match self.fixed(pin) {
                None => plan.blocked.push(format!("{} {} in {}: no version without it is known", pin.name, pin.version, pin.path)),
                Some(to) if !version::is_compatible(&pin.version, &to) => plan.blocked.push(format!(
                    "{} {} in {}: the first version without it is {to}, which may change its interface; decide on that yourself",
                    pin.name, pin.version, pin.path
                )),
                Some(to) => {
                    let step = step(workspace, pin, to);
                    if !plan.steps.contains(&step) {
                        plan.steps.push(step);
                    }
                }
            }
        }
        plan
    }

    fn finding(&self, pin: &Pin) -> Finding {
        let hash = Sha256::digest(format!("{}\n{}\n{}", self.id, pin.path, pin.name).as_bytes());
        let id = hash.iter().take(6).fold(String::new(), |mut id, byte| {
            // Writing to a String cannot fail.
            let _ = write!(id, "{byte:02x}");
            id
        });
        Finding {
            id,
            rule: "vulnerable-dependency".to_owned(),
            family: Family::VulnerableDependency,
            cwe: 1395,
            severity: Severity::High,
            message: format!("{} {} is affected by {}: {}", pin.name, pin.version, self.id, self.summary),
            path: pin.path.clone(),
            span: Span { start: 0, end: 0, line: pin.line, column: 1, end_line: pin.line },
            within: Some(format!("{} {}", pin.ecosystem, pin.name)),
            flow: Vec::new(),
            fix: None,
            why_no_fix: None,
        }
    }

    fn about<'a>(&'a self, pin: &'a Pin) -> impl Iterator<Item = &'a Affected> {
        self.affected.iter().filter(|affected| {
            let ecosystem = affected.package.ecosystem.split(':').next().unwrap_or_default();
            ecosystem == pin.ecosystem
                && plain(pin.ecosystem, &affected.package.name) == plain(pin.ecosystem, &pin.name)
        })
    }

    fn affects(&self, pin: &Pin) -> bool {
        self.about(pin).any(|affected| affected.holds(&pin.version))
    }

    /// The smallest version above the pinned one that is fixed and not affected again.
    fn fixed(&self, pin: &Pin) -> Option<String> {
        let mut candidates: Vec<&String> = self
            .about(pin)
            .flat_map(|affected| &affected.ranges)
            .flat_map(|range| &range.events)
            .filter_map(|mark| mark.fixed.as_ref())
            .filter(|fixed| version::compare(fixed, &pin.version) == Ordering::Greater)
            .filter(|fixed| !self.about(pin).any(|affected| affected.holds(fixed)))
            .collect();
        candidates.sort_by(|one, other| version::compare(one, other));
        let first = candidates.first()?;
        // Go writes a letter before its versions; advisories do not.
        Some(if pin.version.starts_with('v') && !first.starts_with('v') {
            format!("v{first}")
        } else {
            (*first).clone()
        })
    }
}

impl Affected {
    fn holds(&self, wanted: &str) -> bool {
        let same = |known: &String| version::compare(known, wanted) == Ordering::Equal;
        self.versions.iter().any(same)
            || self.ranges.iter().filter(|range| range.kind != "GIT").any(|range| range.holds(wanted))
    }
}

impl Range {
    fn holds(&self, wanted: &str) -> bool {
        let mut inside = false;
        for mark in &self.events {
            let reached = |at: &String| at == "0" || version::compare(wanted, at) != Ordering::Less;
            if mark.introduced.as_ref().is_some_and(reached) {
                inside = true;
            }
            if mark.fixed.as_ref().is_some_and(reached) {
                inside = false;
            }
            let passed = |at: &String| version::compare(wanted, at) == Ordering::Greater;
            if mark.last_affected.as_ref().is_some_and(passed) {
                inside = false;
            }
        }
        inside
    }
}

/// A name as its ecosystem compares it.
fn plain(ecosystem: &str, name: &str) -> String {
    if ecosystem != "PyPI" {
        return name.to_owned();
    }
    let mut out = String::new();
    for c in name.to_lowercase().chars() {
        let c = if matches!(c, '_' | '.') { '-' } else { c };
        if !(c == '-' && out.ends_with('-')) {
            out.push(c);
        }
    }
    out
}

fn step(workspace: &Workspace, pin: &Pin, to: String) -> Step {
    let file = pin.path.rsplit('/').next().unwrap_or(&pin.path);
    let text = workspace.place(&pin.path).and_then(|place| workspace.read(&place)).ok();
    let text = text.as_ref().and_then(|content| content.text()).unwrap_or_default();
    let (name, from) = (&pin.name, &pin.version);
    let edit = match file {
        "pom.xml" => maven_edit(text, name, from, &to),
        _ if file.starts_with("requirements") && !text.contains("--hash") => {
            let line = text.lines().nth(pin.line.saturating_sub(1)).unwrap_or_default();
            line.contains(from.as_str()).then(|| (line.to_owned(), line.replacen(from.as_str(), &to, 1)))
        }
        _ => None,
    };
    let into = pin.path.rsplit_once('/').map(|(folder, _)| format!("cd {folder} && ")).unwrap_or_default();
    let both =
        |offline: String, online: String| Some((format!("{into}{offline}"), format!("{into}{online}")));
    let command = match file {
        "Cargo.lock" => {
            let update = format!("cargo update -p {name}@{from} --precise {to}");
            both(format!("{update} --offline"), update)
        }
        "package-lock.json" | "npm-shrinkwrap.json" => {
            let install = format!("npm install {name}@{to} --package-lock-only --ignore-scripts");
            both(format!("{install} --offline"), install)
        }
        "poetry.lock" => both(format!("poetry update {name} --lock"), format!("poetry update {name} --lock")),
        "uv.lock" => {
            let upgrade = format!("uv lock --upgrade-package {name}=={to}");
            both(format!("{upgrade} --offline"), upgrade)
        }
        "pdm.lock" => both(format!("pdm update --no-sync {name}"), format!("pdm update --no-sync {name}")),
        "Pipfile.lock" => {
            both(format!("pipenv upgrade {name}=={to}"), format!("pipenv upgrade {name}=={to}"))
        }
        "go.mod" => {
            let get = format!("go get {name}@{to} && go mod tidy");
            both(format!("GOFLAGS=-mod=mod GOPROXY=off sh -c '{get}'"), get)
        }
        _ if edit.is_none() => both(
            format!("pip-compile --upgrade-package {name}=={to}"),
            format!("pip-compile --upgrade-package {name}=={to}"),
        ),
        _ => None,
    };
    Step { name: name.clone(), from: from.clone(), to, path: pin.path.clone(), edit, command }
}

/// The version of one Maven dependency, or of the property that holds it.
fn maven_edit(text: &str, name: &str, from: &str, to: &str) -> Option<(String, String)> {
    let artifact = name.split(':').nth(1)?;
    let at = text.find(&format!("<artifactId>{artifact}</artifactId>"))?;
    let end = at + text[at..].find("</dependency>")?;
    let block = &text[at..end];
    let written = block.split_once("<version>")?.1.split_once("</version>")?.0;
    let old = match written.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        Some(property) => format!("<{property}>{from}</{property}>"),
        None => block.to_owned(),
    };
    // A text that stands there twice would change more than is meant.
    (text.matches(&old).count() == 1).then(|| (old.clone(), old.replacen(from, to, 1)))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests set the stage with plain files")]
mod tests {
    use super::*;

    fn advisory() -> Advisory {
        serde_json::from_str(
            r#"{"id":"GHSA-aaaa-bbbb-cccc","aliases":["CVE-2099-0001"],"summary":"It is bad","affected":[
            {"package":{"ecosystem":"PyPI","name":"my_lib"},"ranges":[{"type":"ECOSYSTEM","events":[
              {"introduced":"1.0"},{"fixed":"1.2.5"},{"introduced":"2.0"},{"fixed":"2.1"}]}]},
            {"package":{"ecosystem":"Maven","name":"g:a"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2.0"}]}]},
            {"package":{"ecosystem":"npm","name":"left"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"last_affected":"3.0.0"}]}]}]}"#,
        )
        .unwrap()
    }

    fn plan(files: &[(&str, &str)]) -> Plan {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            std::fs::write(folder.path().join(path), text).unwrap();
        }
        advisory().plan(&Workspace::open(folder.path()).unwrap())
    }

    #[test]
    fn takes_the_smallest_compatible_version_that_is_not_affected() {
        let check = |version: &str, expected: Option<&str>| {
            let plan = plan(&[("requirements.txt", &format!("My.Lib=={version}\n"))]);
            let to = plan.steps.first().map(|step| step.to.as_str());
            assert_eq!(to, expected, "{version}: {plan:?}");
        };
        check("1.1", Some("1.2.5"));
        check("1.2.5", None);
        check("2.0", Some("2.1"));
        check("0.9", None);
        let edit =
            plan(&[("requirements.txt", "a==1\nmy-lib[x]==1.1  # why\n")]).steps[0].edit.clone().unwrap();
        assert_eq!(edit.1, "my-lib[x]==1.2.5  # why");
    }

    #[test]
    fn says_where_there_is_no_way() {
        let pom =
            "<dependency><groupId>g</groupId><artifactId>a</artifactId><version>1.9</version></dependency>";
        assert!(plan(&[("pom.xml", pom)]).blocked[0].contains("may change its interface"));
        let lock = r#"{"packages":{"node_modules/left":{"version":"2.0.0"}}}"#;
        assert!(plan(&[("package-lock.json", lock)]).blocked[0].contains("no version"));
        let hashed = plan(&[("requirements.txt", "my-lib==1.1 --hash=sha256:aa\n")]);
        assert!(hashed.steps[0].edit.is_none() && hashed.steps[0].command.is_some());
    }

    #[test]
    fn finds_an_id_in_words() {
        let check =
            |words: &str, expected: Option<&str>| assert_eq!(id_in(words).as_deref(), expected, "{words}");
        check("CVE-2024-12345", Some("CVE-2024-12345"));
        check("upgrade because of ghsa-AbCd-1234-efgh, please", Some("GHSA-abcd-1234-efgh"));
        check("RUSTSEC-2021-0001", Some("RUSTSEC-2021-0001"));
        check("SQL injection", None);
        check("go-to the cve- page", None);
    }
}
