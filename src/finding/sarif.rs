//! Findings as SARIF 2.1.0: one run of `agent`, with rules, flows, proposed fixes and the CWE taxonomy.

pub mod read;

use super::baseline::Baseline;
use super::{Family, Finding, Severity, Span, Step, Suppressed, TextEdit, Tier};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Where the schema of the format lives.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The CWE taxonomy as a place in a run: the only one.
fn cwe_component() -> Value {
    json!({ "name": "CWE", "index": 0 })
}

/// What is said of a rule.
#[derive(Debug, Clone)]
pub struct RuleWords {
    /// Rule id.
    pub id: String,
    /// Its family.
    pub family: Family,
    /// CWE number.
    pub cwe: u32,
    /// OWASP category; may be empty.
    pub owasp: String,
    /// Severity.
    pub severity: Severity,
    /// What is wrong, why it matters, what to do.
    pub message: String,
}

/// The text of a file by its path.
pub type Texts<'t> = &'t dyn Fn(&str) -> Option<String>;

/// What is told besides the findings.
#[derive(Default, Clone, Copy)]
pub struct Told<'t> {
    /// Findings that comments set aside; they become suppressed results.
    pub suppressed: &'t [Suppressed],
    /// What was known before; every result then says whether it is new.
    pub baseline: Option<&'t Baseline>,
    /// Files that could not be looked at, with the reason.
    pub skipped: &'t [(String, String)],
    /// The text of a file as it was scanned; without it columns are left out.
    pub text: Option<Texts<'t>>,
}

/// The document of findings alone. Paths stay relative to the workspace root (`%SRCROOT%`).
pub fn document(findings: &[Finding]) -> Value {
    document_with(findings, &[], &Told::default())
}

/// The whole document.
pub fn document_with(findings: &[Finding], words: &[RuleWords], told: &Told<'_>) -> Value {
    let all = || findings.iter().chain(told.suppressed.iter().map(|suppressed| &suppressed.finding));
    let mut rules: Vec<&Finding> = Vec::new();
    let mut cwes: Vec<u32> = Vec::new();
    for finding in all() {
        if !rules.iter().any(|known| known.rule == finding.rule) {
            rules.push(finding);
        }
        if !cwes.contains(&finding.cwe) {
            cwes.push(finding.cwe);
        }
    }
    let index_of = |rule: &str| rules.iter().position(|known| known.rule == rule).unwrap_or(0);
    let mut writing = Writing { told, texts: std::collections::HashMap::new(), cwes: &cwes };
    let mut results: Vec<Value> = Vec::new();
    for finding in findings {
        results.push(writing.result(finding, index_of(&finding.rule), None));
    }
    for Suppressed { finding, reason } in told.suppressed {
        results.push(writing.result(finding, index_of(&finding.rule), Some(reason)));
    }
    let rules: Vec<Value> = rules
        .iter()
        .map(|finding| rule(finding, words.iter().find(|words| words.id == finding.rule), &cwes))
        .collect();
    let notifications: Vec<Value> = told
        .skipped
        .iter()
        .map(|(path, reason)| {
            json!({
                "level": "note",
                "message": { "text": format!("not looked at: {reason}") },
                "locations": [{ "physicalLocation": { "artifactLocation": artifact(path) } }],
            })
        })
        .collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "agent",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "shortDescription": { "text": env!("CARGO_PKG_DESCRIPTION") },
                "supportedTaxonomies": [cwe_component()],
                "rules": rules,
            }},
            "invocations": [{ "executionSuccessful": true, "toolExecutionNotifications": notifications }],
            "columnKind": "utf16CodeUnits",
            "originalUriBaseIds": { "%SRCROOT%": { "description": { "text": "The workspace root." } } },
            "taxonomies": [{
                "name": "CWE",
                "organization": "MITRE",
                "shortDescription": { "text": "The MITRE Common Weakness Enumeration" },
                "informationUri": "https://cwe.mitre.org/",
                "isComprehensive": false,
                "taxa": cwes.iter().map(|cwe| json!({
                    "id": cwe.to_string(),
                    "helpUri": page_of(*cwe),
                })).collect::<Vec<_>>(),
            }],
            "results": results,
        }],
    })
}

fn page_of(cwe: u32) -> String {
    format!("https://cwe.mitre.org/data/definitions/{cwe}.html")
}

/// A place in the taxonomy.
fn taxon(cwe: u32, cwes: &[u32]) -> Value {
    let index = cwes.iter().position(|known| *known == cwe).unwrap_or(0);
    json!({ "id": cwe.to_string(), "index": index, "toolComponent": cwe_component() })
}

fn rule(finding: &Finding, words: Option<&RuleWords>, cwes: &[u32]) -> Value {
    let facts = finding.family.facts();
    let cwe = words.map_or(finding.cwe, |words| words.cwe);
    let severity = words.map_or(finding.severity, |words| words.severity);
    let message = words.map_or(finding.message.as_str(), |words| words.message.as_str());
    let mut tags = vec!["security".to_owned(), format!("external/cwe/cwe-{cwe:03}")];
    if let Some(owasp) = words.map(|words| words.owasp.as_str()).filter(|owasp| !owasp.is_empty()) {
        tags.push(format!("external/owasp/{owasp}"));
    }
    json!({
        "id": finding.rule,
        "name": facts.title,
        "shortDescription": { "text": facts.title },
        "fullDescription": { "text": message },
        "helpUri": page_of(cwe),
        "help": {
            "text": message,
            "markdown": format!("{message}\n\n[CWE-{cwe}]({})", page_of(cwe)),
        },
        "defaultConfiguration": { "level": level(severity) },
        "relationships": [{ "target": taxon(cwe, cwes), "kinds": ["superset"] }],
        "properties": { "tags": tags, "security-severity": score(severity), "precision": "high" },
    })
}

struct Writing<'t> {
    told: &'t Told<'t>,
    texts: std::collections::HashMap<String, Option<String>>,
    cwes: &'t [u32],
}

impl Writing<'_> {
    fn result(&mut self, finding: &Finding, rule_index: usize, reason: Option<&String>) -> Value {
        let mut out = json!({
            "ruleId": finding.rule,
            "ruleIndex": rule_index,
            "level": level(finding.severity),
            "message": { "text": finding.message },
            "locations": [self.location(&finding.path, &finding.span, finding.within.as_deref())],
            "partialFingerprints": { "agentFinding/v1": finding.id },
            "taxa": [taxon(finding.cwe, self.cwes)],
        });
        if let Some(baseline) = self.told.baseline {
            out["baselineState"] = json!(if baseline.holds(finding) { "unchanged" } else { "new" });
        }
        if let Some(reason) = reason {
            out["suppressions"] = json!([{ "kind": "inSource", "justification": reason }]);
        }
        if !finding.flow.is_empty() {
            let steps: Vec<Value> = finding.flow.iter().map(step).collect();
            out["codeFlows"] = json!([{ "threadFlows": [{ "locations": steps }] }]);
        }
        let mut properties = json!({ "security-severity": score(finding.severity) });
        if let Some(fix) = &finding.fix {
            let edits: Vec<Value> =
                fix.edits.iter().map(|edit| self.replacement(&finding.path, edit)).collect();
            out["fixes"] = json!([{
                "description": { "text": fix.summary },
                "artifactChanges": [{ "artifactLocation": artifact(&finding.path), "replacements": edits }],
            }]);
            properties["fixTier"] = json!(if fix.tier == Tier::A { "A" } else { "B" });
            if !fix.by_hand.is_empty() {
                properties["byHand"] = json!(fix.by_hand);
            }
        } else if let Some(reason) = &finding.why_no_fix {
            properties["noFix"] = json!(reason);
        }
        out["properties"] = properties;
        out
    }

    fn replacement(&mut self, path: &str, edit: &TextEdit) -> Value {
        let mut region = json!({ "byteOffset": edit.start, "byteLength": edit.end - edit.start });
        self.add_columns(path, edit.start, edit.end, &mut region);
        json!({ "deletedRegion": region, "insertedContent": { "text": edit.text } })
    }

    fn location(&mut self, path: &str, span: &Span, within: Option<&str>) -> Value {
        let mut region = json!({
            "startLine": span.line,
            "endLine": span.end_line,
            "byteOffset": span.start,
            "byteLength": span.end.saturating_sub(span.start),
        });
        self.add_columns(path, span.start, span.end, &mut region);
        let mut out = json!({ "physicalLocation": { "artifactLocation": artifact(path), "region": region } });
        if let Some(within) = within {
            out["logicalLocations"] = json!([{ "fullyQualifiedName": within, "kind": "function" }]);
        }
        out
    }

    /// Lines and columns of two bytes, when the text is there.
    fn add_columns(&mut self, path: &str, start: usize, end: usize, region: &mut Value) {
        let Some(text_of) = self.told.text else { return };
        let text = self.texts.entry(path.to_owned()).or_insert_with(|| text_of(path));
        let Some(text) = text.as_deref() else { return };
        let place = |byte: usize| {
            let before = text.get(..byte)?;
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            let line = before.matches('\n').count() + 1;
            Some((line, before[line_start..].encode_utf16().count() + 1))
        };
        if let (Some((line, column)), Some((end_line, end_column))) = (place(start), place(end)) {
            region["startLine"] = json!(line);
            region["startColumn"] = json!(column);
            region["endLine"] = json!(end_line);
            region["endColumn"] = json!(end_column);
        }
    }
}

fn step(step: &Step) -> Value {
    json!({ "location": {
        "physicalLocation": {
            "artifactLocation": artifact(&step.path),
            "region": { "startLine": step.line.max(1) },
        },
        "message": { "text": step.note },
    }})
}

fn artifact(path: &str) -> Value {
    json!({ "uri": encode(path), "uriBaseId": "%SRCROOT%" })
}

/// A path as a relative URI reference.
fn encode(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "note",
        Severity::Medium => "warning",
        Severity::High | Severity::Critical => "error",
    }
}

fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "3.0",
        Severity::Medium => "5.5",
        Severity::High => "8.0",
        Severity::Critical => "9.5",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::{Family, Fix, Step, TextEdit};

    #[test]
    fn a_finding_becomes_a_result_with_flow_and_fix() {
        let finding = Finding {
            id: "4f1c09ab22e0".into(),
            rule: "python-sql-injection".into(),
            family: Family::SqlInjection,
            cwe: 89,
            severity: Severity::High,
            message: "The query is built from input.".into(),
            path: "a b/app.py".into(),
            span: Span { start: 10, end: 14, line: 2, column: 3, end_line: 2 },
            within: Some("login (POST /login)".into()),
            flow: vec![Step { path: "a b/app.py".into(), line: 1, note: "enters".into() }],
            fix: Some(Fix {
                tier: Tier::A,
                summary: "binds it".into(),
                by_hand: String::new(),
                edits: vec![TextEdit { start: 10, end: 14, text: "?".into() }],
            }),
            why_no_fix: None,
        };
        let document = document(&[finding.clone(), finding]);
        let run = &document["runs"][0];
        assert_eq!(document["version"], "2.1.0");
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), 1);
        let result = &run["results"][0];
        assert_eq!(result["level"], "error");
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "a%20b/app.py");
        assert_eq!(
            result["codeFlows"][0]["threadFlows"][0]["locations"][0]["location"]["message"]["text"],
            "enters"
        );
        let replacement = &result["fixes"][0]["artifactChanges"][0]["replacements"][0];
        assert_eq!(replacement["deletedRegion"]["byteLength"], 4);
    }

    #[test]
    fn no_findings_are_a_run_without_results() {
        assert_eq!(document(&[])["runs"][0]["results"].as_array().unwrap().len(), 0);
    }
}
