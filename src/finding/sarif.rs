//! Findings as SARIF 2.1.0: one run of `agent`, with rules, flows and proposed fixes.

use super::{Finding, Severity, Span, Tier};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Where the schema of the format lives.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The whole document. Paths stay relative to the workspace root (`%SRCROOT%`).
pub fn document(findings: &[Finding]) -> Value {
    let mut rules: Vec<&Finding> = Vec::new();
    for finding in findings {
        if !rules.iter().any(|known| known.rule == finding.rule) {
            rules.push(finding);
        }
    }
    let index_of = |rule: &str| rules.iter().position(|known| known.rule == rule).unwrap_or(0);
    let results: Vec<Value> =
        findings.iter().map(|finding| result(finding, index_of(&finding.rule))).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "agent",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|finding| rule(finding)).collect::<Vec<Value>>(),
            }},
            "columnKind": "utf16CodeUnits",
            "originalUriBaseIds": { "%SRCROOT%": { "description": { "text": "The workspace root." } } },
            "results": results,
        }],
    })
}

fn rule(finding: &Finding) -> Value {
    let facts = finding.family.facts();
    json!({
        "id": finding.rule,
        "name": facts.name,
        "shortDescription": { "text": facts.title },
        "properties": {
            "tags": ["security", format!("external/cwe/cwe-{:03}", finding.cwe)],
            "security-severity": score(finding.severity),
        },
    })
}

fn result(finding: &Finding, rule_index: usize) -> Value {
    let mut out = json!({
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "level": level(finding.severity),
        "message": { "text": finding.message },
        "locations": [location(&finding.path, &finding.span, finding.within.as_deref())],
        "partialFingerprints": { "agentFinding/v1": finding.id },
    });
    if !finding.flow.is_empty() {
        let steps: Vec<Value> = finding
            .flow
            .iter()
            .map(|step| {
                json!({ "location": {
                    "physicalLocation": {
                        "artifactLocation": artifact(&step.path),
                        "region": { "startLine": step.line.max(1) },
                    },
                    "message": { "text": step.note },
                }})
            })
            .collect();
        out["codeFlows"] = json!([{ "threadFlows": [{ "locations": steps }] }]);
    }
    if let Some(fix) = &finding.fix {
        let edits: Vec<Value> = fix
            .edits
            .iter()
            .map(|edit| {
                json!({
                    "deletedRegion": { "byteOffset": edit.start, "byteLength": edit.end - edit.start },
                    "insertedContent": { "text": edit.text },
                })
            })
            .collect();
        out["fixes"] = json!([{
            "description": { "text": fix.summary },
            "artifactChanges": [{ "artifactLocation": artifact(&finding.path), "replacements": edits }],
        }]);
        let mut properties = json!({ "fixTier": if fix.tier == Tier::A { "A" } else { "B" } });
        if !fix.by_hand.is_empty() {
            properties["byHand"] = json!(fix.by_hand);
        }
        out["properties"] = properties;
    } else if let Some(reason) = &finding.why_no_fix {
        out["properties"] = json!({ "noFix": reason });
    }
    out
}

fn location(path: &str, span: &Span, within: Option<&str>) -> Value {
    let mut out = json!({
        "physicalLocation": {
            "artifactLocation": artifact(path),
            "region": {
                "startLine": span.line,
                "endLine": span.end_line,
                "byteOffset": span.start,
                "byteLength": span.end.saturating_sub(span.start),
            },
        },
    });
    if let Some(within) = within {
        out["logicalLocations"] = json!([{ "fullyQualifiedName": within }]);
    }
    out
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
