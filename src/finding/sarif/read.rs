//! What other tools reported, read from their SARIF: where, which CWE, how bad, in whose words.
//!
//! Nothing of it is believed: messages and paths are untrusted text, and a report leads to a change only through
//! what our own scanner or a model finds at that place.

mod place;
mod rule;

use crate::finding::{Severity, Step};
use place::{Bases, Region};
use rule::Rules;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// More results than this are not read; the rest is counted.
pub const MAX_RESULTS: usize = 20_000;
/// Letters of a message or a rule's name that are kept.
const MAX_TEXT: usize = 2000;
/// Steps of a flow that are kept.
const MAX_STEPS: usize = 30;

/// A weakness that a tool reported.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Reported {
    /// Twelve hex digits over tool, rule, place and the tool's own fingerprint: stable from file to file as far as
    /// the tool's fingerprint is.
    pub id: String,
    /// The tool's name.
    pub tool: String,
    /// Rule id in the tool's words.
    pub rule: String,
    /// What the tool says. Untrusted.
    pub message: String,
    /// Workspace-relative path, or what the tool wrote when it lies elsewhere.
    pub path: String,
    /// First line, from 1; 0 when the tool names none.
    pub line: usize,
    /// Last line.
    pub end_line: usize,
    /// How bad, in our words.
    pub severity: Severity,
    /// CWE numbers, the ones that stand at the result first.
    pub cwes: Vec<u32>,
    /// From source to sink, when the tool says.
    pub flow: Vec<Step>,
}

/// What a file holds.
#[derive(Debug, Clone, Default)]
pub struct Read {
    /// What is open, in the order of the file; the same weakness once.
    pub reported: Vec<Reported>,
    /// Results that the tool or the team set aside, that passed, or that are gone.
    pub closed: usize,
    /// Results without a place in a file, or beyond [`MAX_RESULTS`].
    pub left_out: usize,
}

/// Reads a document. `root` is the workspace's absolute path, `exists` says whether a workspace-relative path is a
/// file there: tools that ran elsewhere wrote absolute paths of their own machine.
pub fn read(text: &str, root: &str, exists: &dyn Fn(&str) -> bool) -> Result<Read, String> {
    let document: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| format!("is no JSON ({error})"))?;
    let Some(runs) = document["runs"].as_array() else {
        return Err("is no SARIF: it has no `runs`".to_owned());
    };
    match document["version"].as_str() {
        Some(version) if version.starts_with("2.1") => {}
        version => {
            let version = version.unwrap_or("none");
            return Err(format!("is of SARIF version {version}; only 2.1.0 can be read"));
        }
    }
    let mut out = Read::default();
    for run in runs {
        read_run(run, root, exists, &mut out);
    }
    Ok(out)
}

fn read_run(run: &Value, root: &str, exists: &dyn Fn(&str) -> bool, out: &mut Read) {
    let tool = clean(run["tool"]["driver"]["name"].as_str().unwrap_or("a tool"), 80);
    let rules = Rules::of(run);
    let bases = Bases::of(run, root, exists);
    for result in run["results"].as_array().into_iter().flatten() {
        if is_closed(result) {
            out.closed += 1;
            continue;
        }
        let place = result["locations"].as_array().and_then(|places| places.first());
        let place = place.map(|place| &place["physicalLocation"]);
        let path = place.and_then(|place| bases.path(&place["artifactLocation"]));
        let (Some(path), true) = (path, out.reported.len() < MAX_RESULTS) else {
            out.left_out += 1;
            continue;
        };
        let region = Region::of(place.map_or(&Value::Null, |place| &place["region"]));
        let rule = rules.of_result(result);
        let reported = Reported {
            id: id(&tool, &rule.id, &path, region, result),
            message: clean(&rule.message(result), MAX_TEXT),
            severity: rule.severity(result),
            cwes: rule.cwes(result),
            flow: flow(result, &bases),
            tool: tool.clone(),
            rule: clean(&rule.id, 200),
            path,
            line: region.line,
            end_line: region.end_line,
        };
        if !out.reported.iter().any(|known| known.id == reported.id) {
            out.reported.push(reported);
        }
    }
}

/// Whether a result is no open weakness.
fn is_closed(result: &Value) -> bool {
    let passed = matches!(result["kind"].as_str(), Some("pass" | "notApplicable" | "informational"));
    let is_gone = result["baselineState"].as_str() == Some("absent");
    let accepted = |suppression: &Value| matches!(suppression["status"].as_str(), None | Some("accepted"));
    let suppressed = result["suppressions"]
        .as_array()
        .is_some_and(|suppressions| !suppressions.is_empty() && suppressions.iter().all(accepted));
    passed || is_gone || suppressed
}

fn id(tool: &str, rule: &str, path: &str, region: Region, result: &Value) -> String {
    let prints = ["fingerprints", "partialFingerprints"]
        .iter()
        .filter_map(|key| result[*key].as_object())
        .flat_map(|prints| prints.iter())
        // Semgrep writes this where nobody is logged in.
        .filter(|(_, print)| print.as_str().is_some_and(|print| print != "requires login"))
        .map(|(name, print)| format!("{name}={}", print.as_str().unwrap_or_default()))
        .collect::<Vec<_>>()
        .join("\n");
    // Without a fingerprint the line has to do.
    let place = if prints.is_empty() { format!("{}:{}", region.line, region.column) } else { prints };
    let digest = Sha256::digest(format!("{tool}\n{rule}\n{path}\n{place}"));
    digest.iter().take(6).fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn flow(result: &Value, bases: &Bases<'_>) -> Vec<Step> {
    let steps = result["codeFlows"][0]["threadFlows"][0]["locations"].as_array();
    steps
        .into_iter()
        .flatten()
        .filter_map(|step| {
            let location = &step["location"];
            let physical = &location["physicalLocation"];
            Some(Step {
                path: bases.path(&physical["artifactLocation"])?,
                line: Region::of(&physical["region"]).line,
                note: clean(location["message"]["text"].as_str().unwrap_or_default(), 200),
            })
        })
        .take(MAX_STEPS)
        .collect()
}

/// One line of printable text, cut.
fn clean(text: &str, max: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = crate::text::printable(&text);
    text.chars().take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(result: &str, extra: &str) -> Read {
        let text = format!(
            r#"{{"version":"2.1.0","runs":[{{"tool":{{"driver":{{"name":"T","rules":[{{"id":"R","properties":{{"tags":["external/cwe/cwe-089"],"security-severity":"8.8"}}}}]}}}}{extra},"results":[{result}]}}]}}"#
        );
        read(&text, "/work/shop", &|path| path == "src/a b.py").unwrap()
    }

    const RESULT: &str = r#"{"ruleId":"R","ruleIndex":0,"message":{"text":"query [built](1) from\n input"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"src/a%20b.py"},"region":{"startLine":4,"endLine":5}}}]"#;

    #[test]
    fn a_result_becomes_a_place_a_cwe_and_a_severity() {
        let read = one(&format!("{RESULT}}}"), "");
        let found = &read.reported[0];
        assert_eq!((found.path.as_str(), found.line, found.end_line), ("src/a b.py", 4, 5));
        assert_eq!((found.cwes.as_slice(), found.severity), (&[89][..], Severity::High));
        assert_eq!(found.message, "query built from input");
    }

    #[test]
    fn what_is_closed_is_left_alone() {
        let check = |words: &str, open: usize| {
            assert_eq!(one(&format!("{RESULT}{words}}}"), "").reported.len(), open, "{words}");
        };
        check(r#","suppressions":[{"kind":"inSource"}]"#, 0);
        check(r#","suppressions":[{"kind":"external","status":"rejected"}]"#, 1);
        check(r#","suppressions":[]"#, 1);
        check(r#","baselineState":"absent""#, 0);
        check(r#","baselineState":"unchanged""#, 1);
        check(r#","kind":"pass""#, 0);
    }

    #[test]
    fn paths_of_other_machines_are_found_again_and_nothing_leads_out() {
        let check = |uri: &str, extra: &str, expected: Option<&str>| {
            let read = one(&format!("{}}}", RESULT.replace("src/a%20b.py", uri)), extra);
            assert_eq!(read.reported.first().map(|found| found.path.as_str()), expected, "{uri}");
        };
        check("file:///home/runner/work/shop/src/a%20b.py", "", Some("src/a b.py"));
        check("file:///work/shop/other.py", "", Some("other.py"));
        check("./src/a%20b.py", "", Some("src/a b.py"));
        check("../../etc/passwd", "", None);
        check("C:\\\\repo\\\\src\\\\a b.py", "", Some("src/a b.py"));
    }

    #[test]
    fn a_base_is_put_before_what_stands_on_it() {
        let result = RESULT.replace(r#""uri":"src/a%20b.py""#, r#""uri":"a%20b.py","uriBaseId":"SRC""#);
        let extra = r#","originalUriBaseIds":{"SRC":{"uri":"src","uriBaseId":"ROOT"},"ROOT":{"uri":"file:///work/shop/"}}"#;
        assert_eq!(one(&format!("{result}}}"), extra).reported[0].path, "src/a b.py");
    }

    #[test]
    fn other_files_say_what_they_are() {
        let error = |text: &str| read(text, "/", &|_| true).unwrap_err();
        assert!(error("nonsense").contains("no JSON"));
        assert!(error("{}").contains("no `runs`"));
        assert!(error(r#"{"version":"1.0.0","runs":[]}"#).contains("1.0.0"));
    }
}
