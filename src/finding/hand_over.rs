//! What is not ours to do: audits, compliance checks, threat models, penetration tests. Asked for one, the house
//! answers with a hand-over to its sibling and does no more.

use regex::Regex;
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;

/// Who does that work.
pub const AUDITOR: &str = "security-auditor";
/// Longest request that is passed on, in bytes.
const MAX_REQUEST: usize = 4_000;

/// A request, as it is passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandOver {
    /// Who should do it: [`AUDITOR`].
    pub to: String,
    /// What was asked for.
    pub kind: Kind,
    /// The request in the asker's words.
    pub request: String,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A judgement of a whole system.
    Audit,
    /// A comparison with a standard.
    Compliance,
    /// Who might attack what, and how.
    ThreatModel,
    /// Attacks on a running system, or a plan for them.
    PenetrationTest,
}

/// A deed asked for: an imperative, or "we need".
const ASKED: &str = r"(?:do|perform|run|conduct|carry out|write|create|prepare|make|give|produce|draw up|draft|provide|generate|plan|start|need|want|would like|help)";
/// Whoever speaks so wants code changed, whatever else is said.
static CHANGES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    pattern(
        r"\b(?:fix|fixes|close|remediate|repair|patch|mend|harden|implement|refactor|replace|remove|prevent|sanitize|sanitise|validate|encrypt|hash|add)\b",
    )
});
static KINDS: LazyLock<Vec<(Kind, Regex)>> = LazyLock::new(|| {
    let opens = r"^\W*(?:please |kindly |can you |could you |i want you to |you should )*";
    // An audit log is a thing to build; an audit is a deed.
    let thing = r"(?:\s+(?:log|logs|logger|logging|trail|trails|table|tables|record|records|event|events|entry|entries|page|endpoint|route|module|service|api|middleware|search|view|export|file|files|report endpoint)\b)?";
    [
        (Kind::ThreatModel, format!(r"{opens}threat[- ]?model\b|\b{ASKED}\b[^.\n]{{0,60}}\bthreat[- ]?model(?:l?ing)?\b|{opens}(?:stride|dread|linddun) (?:analysis|model)")),
        (Kind::PenetrationTest, format!(r"{opens}(?:pen[- ]?test|pentest)\b|\b{ASKED}\b[^.\n]{{0,60}}\b(?:pen[- ]?test(?:ing)?|pentest(?:ing)?|penetration[- ]test(?:ing)?|red[- ]team(?:ing)?)\b")),
        (Kind::Compliance, format!(r"\b(?:{ASKED}|check|assess|evaluate|review|verify|certify|map|is|are|audit)\b[^.\n]{{0,80}}\b(?:complian(?:ce|t)|pci[- ]dss|soc ?2|iso ?27001|hipaa|gdpr|asvs level)\b")),
        (Kind::Audit, format!(r"{opens}audit\b(?P<thing>{thing})|\b{ASKED}\b[^.\n]{{0,40}}\b(?:security|code|full|complete|risk)?\s*(?:audit|risk assessment|security assessment)\b(?P<thing2>{thing})")),
    ]
    .into_iter()
    .filter_map(|(kind, text)| Some((kind, pattern(&text)?)))
    .collect()
});

fn pattern(text: &str) -> Option<Regex> {
    regex::RegexBuilder::new(text).case_insensitive(true).build().ok()
}

/// The hand-over for a request that is the sibling's work; `None` for work of ours, also when in doubt.
pub fn asked(request: &str) -> Option<HandOver> {
    if CHANGES.as_ref().is_none_or(|changes| changes.is_match(request)) {
        return None;
    }
    let is_deed = |found: &regex::Captures<'_>| {
        ["thing", "thing2"].iter().all(|name| found.name(name).is_none_or(|thing| thing.as_str().is_empty()))
    };
    let (kind, _) =
        KINDS.iter().find(|(_, words)| words.captures(request).is_some_and(|found| is_deed(&found)))?;
    let request = crate::text::clip(&crate::text::redact(request.trim()), MAX_REQUEST).text.to_owned();
    Some(HandOver { to: AUDITOR.to_owned(), kind: *kind, request })
}

impl HandOver {
    /// What is said to whoever asked.
    pub fn words(&self) -> String {
        let what = match self.kind {
            Kind::Audit => "an audit",
            Kind::Compliance => "a compliance check",
            Kind::ThreatModel => "a threat model",
            Kind::PenetrationTest => "a penetration test",
        };
        format!(
            "Status: blocked\nThis asks for {what}: that is the work of the sibling `{AUDITOR}`, and nothing was \
             looked at or changed. I write secure code: give me one weakness or one finding and I close it."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_deed_of_the_siblings_is_handed_over() {
        let check = |request: &str, expected: Option<Kind>| {
            assert_eq!(asked(request).map(|given| given.kind), expected, "{request}");
        };
        check("Audit this service for compliance", Some(Kind::Compliance));
        check("Audit this service", Some(Kind::Audit));
        check("please audit the login flow", Some(Kind::Audit));
        check("Write a threat model of the login", Some(Kind::ThreatModel));
        check("Threat-model the payments API", Some(Kind::ThreatModel));
        check("We need a security audit of the API", Some(Kind::Audit));
        check("Are we SOC 2 compliant?", Some(Kind::Compliance));
        check("Check compliance with PCI DSS", Some(Kind::Compliance));
        check("Prepare a penetration test plan", Some(Kind::PenetrationTest));
        check("Do a pentest of the staging system", Some(Kind::PenetrationTest));

        check("SQL injection in the audit log search", None);
        check("Audit log endpoint leaks other users' events", None);
        check("Write an audit log for failed logins", None);
        check("Audit the login and fix what is wrong", None);
        check("Fix the finding from the compliance report", None);
        check("Passwords are hashed with MD5 (found in an audit)", None);
        check("The threat model names SSRF in /preview: close it", None);
        check("add OAuth login", None);
        check("", None);
    }

    #[test]
    fn what_is_passed_on_hides_secrets() {
        let given = asked("Audit this: password=\"FAKE-hunter2-canary-value-1234567890\"").unwrap();
        assert_eq!(given.to, AUDITOR);
        assert!(given.words().contains(AUDITOR) && given.words().starts_with("Status: blocked"));
    }
}
