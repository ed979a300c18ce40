//! What is pinned: lock files and pinned manifests of npm, `PyPI`, Cargo, Go and Maven, read without running them.

use crate::workspace::Workspace;
use regex::Regex;
use serde_json::Value;

/// Most files that are read.
const MAX_FILES: usize = 64;

/// A version that the project pins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pin {
    /// As OSV names it: `npm`, `PyPI`, `crates.io`, `Go`, `Maven`.
    pub(super) ecosystem: &'static str,
    /// Name of the package.
    pub(super) name: String,
    /// The version.
    pub(super) version: String,
    /// The file that pins it.
    pub(super) path: String,
    /// The line that does, from 1.
    pub(super) line: usize,
}

/// Everything that is pinned.
pub(super) fn pins(workspace: &Workspace) -> Vec<Pin> {
    let Ok(root) = workspace.place(".") else { return Vec::new() };
    let files = workspace.files(&root).unwrap_or_default();
    let wanted = files.iter().filter(|place| {
        let path = place.as_str();
        !path.split('/').any(|part| part == "node_modules" || part == "vendor") && reader(path).is_some()
    });
    let mut out = Vec::new();
    for place in wanted.take(MAX_FILES) {
        let Ok(content) = workspace.read(place) else { continue };
        let (Some(text), Some(read)) = (content.text(), reader(place.as_str())) else { continue };
        out.extend(read(text).into_iter().map(|(ecosystem, name, version, key)| Pin {
            line: line_of(text, &key),
            path: place.as_str().to_owned(),
            ecosystem,
            name,
            version,
        }));
    }
    out
}

/// Ecosystem, name, version, and a text that finds the line.
type Found = (&'static str, String, String, String);

fn reader(path: &str) -> Option<fn(&str) -> Vec<Found>> {
    let name = path.rsplit('/').next().unwrap_or(path);
    Some(match name {
        "package-lock.json" | "npm-shrinkwrap.json" => npm,
        "poetry.lock" | "uv.lock" | "pdm.lock" => |text| toml("PyPI", text),
        "Cargo.lock" => |text| toml("crates.io", text),
        "Pipfile.lock" => pipfile,
        "go.mod" => go,
        "pom.xml" => maven,
        _ if name.strip_suffix(".txt").is_some_and(|stem| stem.starts_with("requirements")) => requirements,
        _ => return None,
    })
}

fn npm(text: &str) -> Vec<Found> {
    let Ok(lock) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let mut out = Vec::new();
    for (path, package) in lock["packages"].as_object().into_iter().flatten() {
        if let (Some((_, name)), Some(version)) =
            (path.rsplit_once("node_modules/"), package["version"].as_str())
        {
            out.push(("npm", name.to_owned(), version.to_owned(), format!("\"{path}\"")));
        }
    }
    if out.is_empty() {
        nested(&lock["dependencies"], &mut out);
    }
    out
}

/// The first form of npm's lock file: packages within packages.
fn nested(dependencies: &Value, out: &mut Vec<Found>) {
    for (name, package) in dependencies.as_object().into_iter().flatten() {
        if let Some(version) = package["version"].as_str() {
            out.push(("npm", name.clone(), version.to_owned(), format!("\"{name}\"")));
        }
        nested(&package["dependencies"], out);
    }
}

fn toml(ecosystem: &'static str, text: &str) -> Vec<Found> {
    let Ok(lock) = text.parse::<toml::Table>() else { return Vec::new() };
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let read = |package: &toml::Value| {
        let field = |name: &str| package.get(name).and_then(toml::Value::as_str).map(ToOwned::to_owned);
        let name = field("name")?;
        let key = format!("name = \"{name}\"");
        Some((ecosystem, name, field("version")?, key))
    };
    packages.into_iter().flatten().filter_map(read).collect()
}

fn pipfile(text: &str) -> Vec<Found> {
    let Ok(lock) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let groups = ["default", "develop"].map(|group| lock[group].as_object().cloned().unwrap_or_default());
    let read = |(name, package): (String, Value)| {
        let version = package["version"].as_str()?.trim_start_matches('=').to_owned();
        let key = format!("\"{name}\"");
        Some(("PyPI", name, version, key))
    };
    groups.into_iter().flatten().filter_map(read).collect()
}

fn requirements(text: &str) -> Vec<Found> {
    let Ok(pattern) = Regex::new(r"(?m)^\s*([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*==\s*([^\s;,#\\]+)") else {
        return Vec::new();
    };
    let read = |found: regex::Captures<'_>| {
        ("PyPI", found[1].to_owned(), found[2].to_owned(), found[0].trim().to_owned())
    };
    pattern.captures_iter(text).map(read).collect()
}

fn go(text: &str) -> Vec<Found> {
    let Ok(pattern) = Regex::new(r"(?m)^\s*(?:require\s+)?([a-z0-9.-]+\.[a-z]+/\S+)\s+(v[0-9]\S*)") else {
        return Vec::new();
    };
    let read = |found: regex::Captures<'_>| {
        ("Go", found[1].to_owned(), found[2].to_owned(), found[0].trim().to_owned())
    };
    pattern.captures_iter(text).map(read).collect()
}

fn maven(text: &str) -> Vec<Found> {
    let patterns = (
        Regex::new(r"(?s)<dependency>(.*?)</dependency>"),
        Regex::new(r"<groupId>\s*([^<\s]+)\s*</groupId>"),
        Regex::new(r"<artifactId>\s*([^<\s]+)\s*</artifactId>"),
        Regex::new(r"<version>\s*([^<\s]+)\s*</version>"),
    );
    let (Ok(block), Ok(group), Ok(artifact), Ok(version)) = patterns else { return Vec::new() };
    let field = |pattern: &Regex, text: &str| pattern.captures(text).map(|found| found[1].to_owned());
    let read = |found: regex::Captures<'_>| {
        let (group, artifact) = (field(&group, &found[1])?, field(&artifact, &found[1])?);
        let written = field(&version, &found[1])?;
        let version = match written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
            Some(property) => property_of(text, property)?,
            None => written,
        };
        Some((
            "Maven",
            format!("{group}:{artifact}"),
            version,
            format!("<artifactId>{artifact}</artifactId>"),
        ))
    };
    block.captures_iter(text).filter_map(read).collect()
}

/// The value of a Maven property.
fn property_of(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    rest.split_once("</").map(|(value, _)| value.trim().to_owned())
}

fn line_of(text: &str, key: &str) -> usize {
    text.find(key).map_or(1, |at| text[..at].matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_each_ecosystem_pins() {
        let check = |path: &str, text: &str, expected: (&str, &str, &str)| {
            let found = reader(path).unwrap_or_else(|| panic!("{path}"))(text);
            let found: Vec<(&str, &str, &str)> =
                found.iter().map(|(eco, name, version, _)| (*eco, name.as_str(), version.as_str())).collect();
            assert_eq!(found, [expected], "{path}");
        };
        check(
            "package-lock.json",
            r#"{"packages":{"":{"version":"1"},"node_modules/a/node_modules/@s/b":{"version":"1.2.3"}}}"#,
            ("npm", "@s/b", "1.2.3"),
        );
        check("package-lock.json", r#"{"dependencies":{"a":{"version":"1.0.0"}}}"#, ("npm", "a", "1.0.0"));
        check(
            "requirements.txt",
            "# x\nRequests[socks]==2.0.1 ; python_version > '3'\nloose>=1\n",
            ("PyPI", "Requests", "2.0.1"),
        );
        check("poetry.lock", "[[package]]\nname = \"a\"\nversion = \"1.0\"\n", ("PyPI", "a", "1.0"));
        check("uv.lock", "version = 1\n[[package]]\nname = \"a\"\nversion = \"1.0\"\n", ("PyPI", "a", "1.0"));
        check("Pipfile.lock", r#"{"default":{"a":{"version":"==1.0"}}}"#, ("PyPI", "a", "1.0"));
        check("Cargo.lock", "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n", ("crates.io", "a", "1.0.0"));
        check(
            "go.mod",
            "module m\n\ngo 1.22\n\nrequire example.org/a v1.2.3\n",
            ("Go", "example.org/a", "v1.2.3"),
        );
        check(
            "pom.xml",
            "<properties><a.v>1.1</a.v></properties><dependency><groupId>g</groupId><artifactId>a</artifactId><version>${a.v}</version></dependency>",
            ("Maven", "g:a", "1.1"),
        );
    }
}
