//! The workspace's files as a project: which are looked at, and what the manifests ask for.

use super::project::{Project, SourceFile};
use super::spread::Count;
use super::{Stage, Watch, lower, spread};
use crate::workspace::{Kind, Place, Workspace};
use std::sync::Arc;

/// Larger files are generated or data.
const MAX_SOURCE: u64 = 1024 * 1024;

/// Larger property files (bytes) are translations.
const MAX_PROPERTIES: u64 = 64 * 1024;

/// Longer lines on average are minified code.
const MAX_MEAN_LINE: usize = 1000;

/// Folders that hold other people's code or what a build made.
const VENDORED: &[&str] = &[
    "node_modules",
    "site-packages",
    "vendor",
    "third_party",
    "venv",
    ".venv",
    "env",
    "dist",
    "build",
    "__pycache__",
    ".tox",
    ".nox",
    "bower_components",
    "migrations",
];

/// Folders that hold tests.
const TESTS: &[&str] = &["tests", "test", "__tests__", "spec", "e2e", "fixtures", "testing"];

/// A project, and what was left out.
pub(super) struct Gathered {
    pub(super) project: Project,
    pub(super) skipped: Vec<(String, String)>,
}

enum Read {
    Parsed(Arc<SourceFile>),
    Skipped(String),
}

/// Reads what is to be scanned, and parses what is not `known` with the same text.
pub(super) fn gather(
    workspace: &Workspace,
    beneath: Option<&Place>,
    known: &[Arc<SourceFile>],
    watch: Watch<'_>,
) -> Gathered {
    let mut skipped = Vec::new();
    let root = match workspace.place(".").and_then(|root| workspace.files(&root)) {
        Ok(files) => files,
        Err(error) => {
            skipped.push((".".to_owned(), error.to_string()));
            Vec::new()
        }
    };
    let beneath = beneath.filter(|place| place.as_str() != ".");
    let asked = beneath.map_or(".", Place::as_str);
    let mut places: Vec<Place> =
        root.iter().filter(|place| is_source(place.as_str(), asked)).cloned().collect();
    // A place that is ignored is scanned all the same when it is asked for by name.
    if let Some(beneath) = beneath
        && !places.iter().any(|place| place.as_str().starts_with(asked))
        && let Ok(more) = workspace.files(beneath)
    {
        places.extend(more.into_iter().filter(|place| is_source(place.as_str(), asked)));
        places.sort_by(|left, right| left.as_str().cmp(right.as_str()));
    }
    let count = Count::new(Stage::Reading, places.len(), watch);
    let read = spread::spread(places.len(), |at| {
        let read = read(workspace, &places[at], known);
        count.one();
        read
    });
    let mut files = Vec::new();
    for (place, read) in places.iter().zip(read) {
        match read {
            Some(Read::Parsed(file)) => files.push(file),
            Some(Read::Skipped(reason)) => skipped.push((place.as_str().to_owned(), reason)),
            None => skipped.push((place.as_str().to_owned(), "the parser broke on it".to_owned())),
        }
    }
    let mut project = Project::new(files);
    for place in &root {
        note_manifest(workspace, place, &mut project);
    }
    Gathered { project, skipped }
}

fn read(workspace: &Workspace, place: &Place, known: &[Arc<SourceFile>]) -> Read {
    match workspace.kind(place) {
        Ok(Kind::File(size)) if size > MAX_SOURCE => {
            return Read::Skipped(format!("{size} bytes are more than the limit of {MAX_SOURCE}"));
        }
        Ok(Kind::File(_)) => {}
        Ok(_) => return Read::Skipped("not a regular file".to_owned()),
        Err(error) => return Read::Skipped(error.to_string()),
    }
    let content = match workspace.read(place) {
        Ok(content) => content,
        Err(error) => return Read::Skipped(error.to_string()),
    };
    let Some(text) = content.text() else {
        return Read::Skipped("not UTF-8 text".to_owned());
    };
    // Files are in the order of their paths.
    let same = known.binary_search_by(|file| file.path.as_str().cmp(place.as_str())).ok();
    if let Some(file) = same.map(|at| &known[at])
        && *file.text == *text
    {
        return Read::Parsed(Arc::clone(file));
    }
    if text.len() / (text.lines().count() + 1) > MAX_MEAN_LINE {
        return Read::Skipped("minified".to_owned());
    }
    match SourceFile::parse(place.as_str(), text.to_owned()) {
        Some(file) => Read::Parsed(Arc::new(file)),
        None => Read::Skipped("the grammar gives no tree".to_owned()),
    }
}

/// Whether a file is scanned; what was asked for by name is, wherever it stands.
fn is_source(path: &str, asked: &str) -> bool {
    if lower::language_of(path).is_none() || path.ends_with(".min.js") || path.ends_with(".d.ts") {
        return false;
    }
    let below = if asked == "." { Some(path) } else { path.strip_prefix(asked) };
    // Beside what is asked for, the rest of the project is read too, by the usual rules.
    let shown = below.unwrap_or(path);
    let mut parts: Vec<&str> = shown.split('/').collect();
    let name = parts.pop().unwrap_or("");
    if asked != "." && below == Some("") {
        return true;
    }
    !parts.iter().any(|part| VENDORED.contains(part) || TESTS.contains(part)) && !is_test_name(name)
}

fn is_test_name(name: &str) -> bool {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    stem.starts_with("test_")
        || stem.ends_with("_test")
        || matches!(stem.rsplit_once('.'), Some((_, "test" | "spec")))
        || stem == "conftest"
}

/// Packages a manifest asks for, and example environment files.
fn note_manifest(workspace: &Workspace, place: &Place, project: &mut Project) {
    let name = place.as_str().rsplit('/').next().unwrap_or("");
    if name.starts_with(".env") && name.contains("example") || name == ".env.sample" {
        project.env_examples.push(place.as_str().to_owned());
        return;
    }
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    if ending == "properties"
        && matches!(workspace.kind(place), Ok(Kind::File(size)) if size <= MAX_PROPERTIES)
    {
        if let Ok(content) = workspace.read(place)
            && let Some(text) = content.text()
        {
            project.properties.insert(place.as_str().to_owned(), text.to_owned());
        }
        return;
    }
    let is_requirements =
        name.starts_with("requirements") && matches!(name.rsplit_once('.'), Some((_, "txt")));
    let is_java = matches!(name, "pom.xml" | "build.gradle" | "build.gradle.kts");
    if !is_requirements && !is_java && !matches!(name, "pyproject.toml" | "Pipfile" | "package.json") {
        return;
    }
    let Ok(content) = workspace.read(place) else { return };
    let Some(text) = content.text() else { return };
    let names: Vec<String> = match name {
        "package.json" => package_json(text),
        _ if is_java => artifacts(text),
        _ if is_requirements => text.lines().filter_map(requirement).collect(),
        _ => text.split(['"', '\'', '\n']).filter_map(requirement).collect(),
    };
    for name in names {
        if !project.dependencies.contains(&name) {
            project.dependencies.push(name);
        }
    }
}

/// Names of artifacts that a build of Maven or Gradle asks for.
fn artifacts(text: &str) -> Vec<String> {
    let maven = text.split("<artifactId>").skip(1).filter_map(|rest| rest.split('<').next());
    let gradle = text.split(['"', '\'']).filter_map(|word| {
        let mut parts = word.split(':');
        let (_, name) = (parts.next()?, parts.next()?);
        (!name.is_empty() && !word.contains(char::is_whitespace)).then_some(name)
    });
    maven.chain(gradle).map(|name| name.trim().to_lowercase()).collect()
}

fn package_json(text: &str) -> Vec<String> {
    let Ok(manifest) = serde_json::from_str::<serde_json::Value>(text) else { return Vec::new() };
    ["dependencies", "devDependencies"]
        .iter()
        .filter_map(|key| manifest.get(key)?.as_object())
        .flat_map(|packages| packages.keys().cloned())
        .collect()
}

/// The package's name at the beginning of a requirement.
fn requirement(line: &str) -> Option<String> {
    let line = line.trim();
    let end =
        line.find(|letter: char| !(letter.is_alphanumeric() || "-_.".contains(letter))).unwrap_or(line.len());
    let name = line[..end].to_lowercase();
    let starts = name.starts_with(|letter: char| letter.is_alphabetic());
    starts.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_and_vendored_code_are_left_out_unless_asked_for() {
        fn check(path: &str, asked: &str, expected: bool) {
            assert_eq!(is_source(path, asked), expected, "{path} asked {asked}");
        }
        check("app/views.py", ".", true);
        check("tests/test_views.py", ".", false);
        check("app/test_views.py", ".", false);
        check("tests/support.py", "tests", true);
        check("app/test_views.py", "app/test_views.py", true);
        check("node_modules/x/index.js", ".", false);
        check("README.md", ".", false);
        check("src/app.spec.ts", ".", false);
    }

    #[test]
    fn names_of_packages_are_read_from_requirements() {
        assert_eq!(requirement("psycopg2-binary>=2.9"), Some("psycopg2-binary".into()));
        assert_eq!(requirement("# comment"), None);
    }
}
