//! What a scan found at some time, so that a later one shows only what is new.
//!
//! A finding is known by its id, which does not move with the lines above it; rule and path are written beside it
//! for people, and for findings of a file that was renamed no attempt is made.

use super::Finding;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Version of the file's form.
const VERSION: u32 = 1;

/// Findings that are known.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Baseline {
    version: u32,
    findings: Vec<Known>,
}

#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    path: String,
    rule: String,
    id: String,
}

impl Baseline {
    /// These findings, by path, rule and id.
    pub fn of(findings: &[Finding]) -> Self {
        let mut findings: Vec<Known> = findings
            .iter()
            .map(|finding| Known {
                path: finding.path.clone(),
                rule: finding.rule.clone(),
                id: finding.id.clone(),
            })
            .collect();
        findings.sort();
        Self { version: VERSION, findings }
    }

    /// Reads a baseline file. The error says why it is none.
    pub fn read(text: &str) -> Result<Self, String> {
        let baseline: Self =
            serde_json::from_str(text).map_err(|error| format!("is no baseline ({error})"))?;
        if baseline.version != VERSION {
            return Err(format!("is of version {}, this program reads version {VERSION}", baseline.version));
        }
        Ok(baseline)
    }

    /// The file's text: one finding a line, in an order that keeps differences small.
    pub fn render(&self) -> String {
        let lines: Vec<String> = self
            .findings
            .iter()
            .map(|known| format!("    {}", serde_json::to_string(known).unwrap_or_default()))
            .collect();
        format!("{{\n  \"version\": {},\n  \"findings\": [\n{}\n  ]\n}}\n", self.version, lines.join(",\n"))
    }

    /// Whether a finding was known.
    pub fn holds(&self, finding: &Finding) -> bool {
        self.findings.iter().any(|known| known.id == finding.id)
    }

    /// How many of the known ones are not found any more.
    pub fn gone(&self, findings: &[Finding]) -> usize {
        let now: HashSet<&str> = findings.iter().map(|finding| finding.id.as_str()).collect();
        self.findings.iter().filter(|known| !now.contains(known.id.as_str())).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let known = |id: &str| Known { path: "a \"b\".py".into(), rule: "r".into(), id: id.into() };
        for findings in [vec![], vec![known("1")], vec![known("1"), known("2")]] {
            let baseline = Baseline { version: VERSION, findings };
            let read = Baseline::read(&baseline.render()).unwrap();
            assert_eq!(read.findings, baseline.findings);
        }
        assert!(Baseline::read("{}").unwrap_err().contains("no baseline"));
        assert!(Baseline::read("{\"version\":9,\"findings\":[]}").unwrap_err().contains("version 9"));
    }
}
