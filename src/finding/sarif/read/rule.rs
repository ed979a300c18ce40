//! What a run says of its rules: which one a result means, its CWE, how bad it is, its words.

use crate::finding::Severity;
use serde_json::Value;

/// The rules of a run's tool and of its extensions.
pub(super) struct Rules<'r> {
    tool: &'r Value,
}

/// A result's rule.
pub(super) struct Rule<'r> {
    pub(super) id: String,
    descriptor: &'r Value,
}

impl<'r> Rules<'r> {
    pub(super) fn of(run: &'r Value) -> Self {
        Self { tool: &run["tool"] }
    }

    pub(super) fn of_result(&self, result: &Value) -> Rule<'r> {
        let reference = &result["rule"];
        let component = match reference["toolComponent"]["index"].as_u64() {
            Some(index) => &self.tool["extensions"][usize::try_from(index).unwrap_or(usize::MAX)],
            None => &self.tool["driver"],
        };
        let said = result["ruleId"].as_str().or_else(|| reference["id"].as_str());
        let index = result["ruleIndex"].as_u64().or_else(|| reference["index"].as_u64());
        let by_index =
            index.and_then(|index| usize::try_from(index).ok()).map(|index| &component["rules"][index]);
        let by_index = by_index.filter(|rule| rule.is_object());
        let descriptor = by_index.or_else(|| said.and_then(|id| self.by_id(id))).unwrap_or(&Value::Null);
        let id = said.or_else(|| descriptor["id"].as_str()).unwrap_or("a rule without a name");
        Rule { id: id.to_owned(), descriptor }
    }

    /// `CA1001/2` is a part of `CA1001`.
    fn by_id(&self, id: &str) -> Option<&'r Value> {
        let extensions = self.tool["extensions"].as_array().into_iter().flatten();
        let all = std::iter::once(&self.tool["driver"]).chain(extensions);
        let rules: Vec<&Value> =
            all.filter_map(|component| component["rules"].as_array()).flatten().collect();
        let find = |id: &str| rules.iter().find(|rule| rule["id"].as_str() == Some(id)).copied();
        find(id).or_else(|| find(id.rsplit_once('/')?.0))
    }
}

impl Rule<'_> {
    /// What the result says, links and placeholders undone; the rule's own words where it says nothing.
    pub(super) fn message(&self, result: &Value) -> String {
        let message = &result["message"];
        let text = message["text"].as_str().or_else(|| {
            let id = message["id"].as_str()?;
            self.descriptor["messageStrings"][id]["text"].as_str()
        });
        let own = ["fullDescription", "shortDescription"].iter();
        let text = text.or_else(|| own.clone().find_map(|key| self.descriptor[*key]["text"].as_str()));
        let mut text = without_links(text.unwrap_or_default());
        for (at, argument) in message["arguments"].as_array().into_iter().flatten().enumerate() {
            text = text.replace(&format!("{{{at}}}"), argument.as_str().unwrap_or_default());
        }
        text
    }

    /// By the score where there is one, then by the tool's own word, then by the level.
    pub(super) fn severity(&self, result: &Value) -> Severity {
        let bags = [&result["properties"], &self.descriptor["properties"]];
        for bag in bags {
            let score = &bag["security-severity"];
            let score = score.as_f64().or_else(|| score.as_str().and_then(|score| score.trim().parse().ok()));
            if let Some(score) = score {
                return of_score(score);
            }
            let word = ["issue_severity", "severity"].iter().find_map(|key| bag[*key].as_str());
            if let Some(severity) = word.and_then(of_word) {
                return severity;
            }
        }
        let level = result["level"].as_str();
        let level = level.or_else(|| self.descriptor["defaultConfiguration"]["level"].as_str());
        match level.unwrap_or("warning") {
            "error" => Severity::High,
            "warning" => Severity::Medium,
            _ => Severity::Low,
        }
    }

    /// From taxa, tags, relationships and properties of the result, then of the rule; at last from its help.
    pub(super) fn cwes(&self, result: &Value) -> Vec<u32> {
        let mut out = Vec::new();
        for taxon in result["taxa"].as_array().into_iter().flatten() {
            add_taxon(taxon, &mut out);
        }
        for relationship in self.descriptor["relationships"].as_array().into_iter().flatten() {
            add_taxon(&relationship["target"], &mut out);
        }
        for bag in [&result["properties"], &self.descriptor["properties"]] {
            for key in ["tags", "cwe", "cwe-id", "CWE", "cwes"] {
                add_all(&bag[key], &mut out);
            }
            // Bandit's own JSON carried over: `{"id": 78, "link": …}`.
            let own = bag["issue_cwe"]["id"].as_u64().and_then(|cwe| u32::try_from(cwe).ok());
            out.extend(own.filter(|cwe| !out.contains(cwe)));
        }
        if out.is_empty() {
            for words in [&self.descriptor["helpUri"], &result["message"]["text"]] {
                add_all(words, &mut out);
            }
            for key in ["help", "fullDescription", "shortDescription"] {
                add_all(&self.descriptor[key]["text"], &mut out);
            }
        }
        out.truncate(8);
        out
    }
}

fn of_score(score: f64) -> Severity {
    match score {
        score if score >= 9.0 => Severity::Critical,
        score if score >= 7.0 => Severity::High,
        score if score >= 4.0 => Severity::Medium,
        _ => Severity::Low,
    }
}

fn of_word(word: &str) -> Option<Severity> {
    match word.to_ascii_lowercase().as_str() {
        "critical" => Some(Severity::Critical),
        "high" | "error" => Some(Severity::High),
        "medium" | "moderate" | "warning" => Some(Severity::Medium),
        "low" | "info" | "note" => Some(Severity::Low),
        _ => None,
    }
}

/// `{"id": "78", "toolComponent": {"name": "CWE"}}`, or an id that says it itself.
fn add_taxon(taxon: &Value, out: &mut Vec<u32>) {
    let Some(id) = taxon["id"].as_str() else { return };
    let is_cwe = taxon["toolComponent"]["name"].as_str().is_some_and(|name| name.eq_ignore_ascii_case("cwe"));
    match id.parse::<u32>() {
        Ok(cwe) if is_cwe && !out.contains(&cwe) => out.push(cwe),
        Ok(_) => {}
        Err(_) => add_text(id, out),
    }
}

fn add_all(value: &Value, out: &mut Vec<u32>) {
    match value {
        Value::String(text) => add_text(text, out),
        Value::Array(items) => items.iter().for_each(|item| add_all(item, out)),
        _ => {}
    }
}

/// `CWE-89: …`, `external/cwe/cwe-089`, `https://cwe.mitre.org/data/definitions/89.html`.
fn add_text(text: &str, out: &mut Vec<u32>) {
    let lower = text.to_ascii_lowercase();
    for mark in ["cwe-", "cwe_", "cwe:", "cwe.mitre.org/data/definitions/"] {
        for (at, _) in lower.match_indices(mark) {
            let digits: String = lower[at + mark.len()..]
                .trim_start()
                .chars()
                .take_while(char::is_ascii_digit)
                .take(6)
                .collect();
            if let Ok(cwe) = digits.parse::<u32>()
                && cwe > 0
                && !out.contains(&cwe)
            {
                out.push(cwe);
            }
        }
    }
}

/// `[user-provided value](1)` is `user-provided value`.
fn without_links(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        let link = after.split_once("](").and_then(|(words, tail)| {
            let (target, tail) = tail.split_once(')')?;
            (!words.contains(['[', '\n']) && !target.contains(char::is_whitespace)).then_some((words, tail))
        });
        if let Some((words, tail)) = link {
            out.push_str(words);
            rest = tail;
        } else {
            out.push('[');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}
