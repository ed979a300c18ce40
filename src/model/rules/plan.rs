//! Where the conversation stands, and what comes next.

use super::{Say, words};
use crate::finding::issue::{Ask, Sighting};
use crate::finding::listing::{self, Listed};
use crate::message::{Message, Part, Role, ToolCall, ToolResult};
use crate::model::Request;
use crate::prompt::{NOTES, issue_in, test_command_in};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A call of ours and what it gave.
struct Step<'a> {
    call: &'a ToolCall,
    result: &'a ToolResult,
    /// Which message of ours made it: calls of one answer share it.
    turn: usize,
}

impl Step<'_> {
    fn argument(&self, name: &str) -> String {
        let args: Value = serde_json::from_str(&self.call.arguments).unwrap_or_default();
        args[name].as_str().unwrap_or_default().to_owned()
    }
}

/// The conversation as this model sees it.
pub(super) struct View<'a> {
    /// What is asked, in the asker's words.
    issue: &'a str,
    ask: Ask,
    test_command: Option<&'a str>,
    offers: Vec<&'a str>,
    steps: Vec<Step<'a>>,
}

/// What to say next.
pub(super) fn next(request: &Request<'_>) -> Say {
    let view = View::of(request);
    if !view.ask.is_known() {
        return Say::Last(words::beyond_me(view.issue));
    }
    if let Some(missing) = ["scan", "read", "edit"].iter().find(|tool| !view.offers.contains(tool)) {
        return Say::Last(format!("Status: blocked\nThe tool `{missing}` is not on offer, and I need it."));
    }
    let Some(last) = view.steps.last() else { return view.scan("I look for it first.") };
    match last.call.name.as_str() {
        "scan" if last.result.is_error => Say::Last(words::failed("scan", &last.result.text)),
        "scan" => view.after_scan(),
        "read" => view.after_read(),
        "edit" => view.after_edit(),
        "patch" if last.result.is_error => Say::Last(words::failed("patch", &last.result.text)),
        "patch" => view.scan("I scan again."),
        _ => Say::Last(view.report()),
    }
}

impl<'a> View<'a> {
    fn of(request: &Request<'a>) -> Self {
        let (from, opening) = opening(request.messages);
        let issue = issue_in(opening);
        let mut steps = Vec::new();
        for (turn, pair) in request.messages.windows(2).enumerate().skip(from) {
            let results: Vec<&ToolResult> = pair[1].results().collect();
            for call in pair[0].calls() {
                if let Some(result) = results.iter().find(|result| result.call_id == call.id) {
                    steps.push(Step { call, result, turn });
                }
            }
        }
        let first = request.messages.iter().find_map(|message| test_command_in(text_of(message)?));
        Self {
            issue,
            ask: Ask::of(issue),
            test_command: test_command_in(opening).or(first),
            offers: request.tools.iter().map(|spec| spec.name.as_str()).collect(),
            steps,
        }
    }

    fn scan(&self, why: &str) -> Say {
        let mut args = json!({});
        if let [family] = self.ask.families.as_slice() {
            args["family"] = json!(family.facts().name);
        }
        Say::Calls(why.into(), vec![("scan", args)])
    }

    /// The findings of the nth scan from the end that the issue speaks of.
    fn targets(&self, from_end: usize) -> Option<Vec<Listed>> {
        let scans: Vec<&Step> = self.steps.iter().filter(|step| step.call.name == "scan").collect();
        let index = scans.len().checked_sub(1 + from_end)?;
        let all = listing::parse(&scans[index].result.text);
        if index == 0 {
            let sightings: Vec<Sighting> = all.iter().map(|listed| listed.sighting.clone()).collect();
            let ids: Vec<&str> = self.ask.select(&sightings).iter().map(|s| s.id.as_str()).collect();
            return Some(
                all.into_iter().filter(|listed| ids.contains(&listed.sighting.id.as_str())).collect(),
            );
        }
        // Later scans: what is left of the first choice, by id or by place, since ids move with the code.
        let first = self.targets(scans.len() - 1)?;
        let left = all.into_iter().filter(|listed| first.iter().any(|target| same(target, listed)));
        Some(left.collect())
    }

    fn after_scan(&self) -> Say {
        let targets = self.targets(0).unwrap_or_default();
        let is_first = self.steps.iter().filter(|step| step.call.name == "scan").count() == 1;
        if is_first && targets.is_empty() {
            return Say::Last(words::nothing_found(self.issue, &self.ask, &self.last_scan_text()));
        }
        let fixable: Vec<&Listed> = targets.iter().filter(|listed| listed.diff.is_some()).collect();
        let before: Option<Vec<Listed>> = if is_first { None } else { self.targets(1) };
        let moved = before.is_none_or(|before| {
            let ids = |list: &[&Listed]| list.iter().map(|l| l.sighting.id.clone()).collect::<Vec<_>>();
            let before: Vec<&Listed> = before.iter().filter(|listed| listed.diff.is_some()).collect();
            ids(&before) != ids(&fixable)
        });
        if fixable.is_empty() || !moved {
            return self.test_or_report();
        }
        let mut paths: Vec<&str> = fixable.iter().map(|listed| listed.sighting.path.as_str()).collect();
        paths.dedup();
        let calls = paths.iter().map(|path| ("read", json!({ "filePath": path }))).collect();
        Say::Calls(words::about_to_fix(&fixable), calls)
    }

    fn after_read(&self) -> Say {
        let targets = self.targets(0).unwrap_or_default();
        let mut diffs: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for listed in &targets {
            if let Some(diff) = &listed.diff {
                diffs.entry(&listed.sighting.path).or_default().push(diff);
            }
        }
        let calls: Vec<(&str, Value)> = diffs
            .iter()
            .map(|(path, diffs)| ("edit", json!({ "filePath": path, "edits": edits(diffs) })))
            .collect();
        Say::Calls("The smallest change that closes it:".into(), calls)
    }

    fn after_edit(&self) -> Say {
        let Some(turn) = self.steps.last().map(|step| step.turn) else { return self.scan("") };
        let edits: Vec<&Step> = self.steps.iter().filter(|step| step.turn == turn).collect();
        if let Some(refused) = edits.iter().find(|step| step.result.text.starts_with("denied:")) {
            return Say::Last(words::denied(&refused.result.text));
        }
        let Some(failed) = edits.iter().find(|step| step.result.is_error) else {
            return self.scan("I scan again.");
        };
        // An ambiguous place: the diff itself says which one by its line numbers.
        let path = failed.argument("filePath");
        let targets = self.targets(0).unwrap_or_default();
        let diff =
            targets.iter().find(|listed| listed.sighting.path == path).and_then(|listed| listed.diff.clone());
        match diff.filter(|_| self.offers.contains(&"patch")) {
            Some(diff) => Say::Calls(
                "I say which place by its line.".into(),
                vec![("patch", json!({ "patchText": diff }))],
            ),
            None => Say::Last(words::failed("edit", &failed.result.text)),
        }
    }

    fn test_or_report(&self) -> Say {
        let changed = self
            .steps
            .iter()
            .any(|step| matches!(step.call.name.as_str(), "edit" | "patch") && !step.result.is_error);
        match self.test_command {
            Some(command) if changed && self.offers.contains(&"bash") => Say::Calls(
                "Now the project's own tests.".into(),
                vec![("bash", json!({ "command": command }))],
            ),
            _ => Say::Last(self.report()),
        }
    }

    fn report(&self) -> String {
        let scans = self.steps.iter().filter(|step| step.call.name == "scan").count();
        let first = scans.checked_sub(1).and_then(|index| self.targets(index)).unwrap_or_default();
        let left = self.targets(0).unwrap_or_default();
        let test = self.steps.last().filter(|step| step.call.name == "bash");
        let test = test.map(|step| (step.argument("command"), step.result.text.as_str()));
        words::report(&first, &left, test.as_ref())
    }

    fn last_scan_text(&self) -> String {
        self.steps
            .iter()
            .rev()
            .find(|step| step.call.name == "scan")
            .map(|step| step.result.text.clone())
            .unwrap_or_default()
    }
}

/// The message this model works on: the last thing the user said that names something it knows, else the
/// first thing said at all.
fn opening<'a>(messages: &'a [Message]) -> (usize, &'a str) {
    let texts: Vec<(usize, &'a str)> =
        messages.iter().enumerate().filter_map(|(at, message)| Some((at, text_of(message)?))).collect();
    let known = texts.iter().rev().find(|(_, text)| Ask::of(issue_in(text)).is_known());
    known.or(texts.first()).copied().unwrap_or((0, ""))
}

fn text_of(message: &Message) -> Option<&str> {
    if message.role != Role::User {
        return None;
    }
    message.parts.iter().rev().find_map(|part| match part {
        Part::Text { text } if !text.starts_with(NOTES) => Some(text.as_str()),
        _ => None,
    })
}

fn same(target: &Listed, listed: &Listed) -> bool {
    let (a, b) = (&target.sighting, &listed.sighting);
    a.id == b.id || (a.family == b.family && a.path == b.path && a.within == b.within)
}

/// The hunks of these diffs of one file as replacements; a hunk that touches an earlier one waits for the
/// next round.
fn edits(diffs: &[&str]) -> Vec<Value> {
    let mut taken: Vec<(usize, usize)> = Vec::new();
    let mut out = Vec::new();
    for diff in diffs {
        let hunks = hunks(diff);
        let free = hunks.iter().all(|hunk| taken.iter().all(|(from, to)| hunk.to < *from || hunk.from > *to));
        if free {
            taken.extend(hunks.iter().map(|hunk| (hunk.from, hunk.to)));
            out.extend(hunks.iter().map(|hunk| json!({ "oldString": hunk.old, "newString": hunk.new })));
        }
    }
    out
}

/// One hunk: the lines it covers in the old file, and both of its sides.
struct Hunk {
    from: usize,
    to: usize,
    old: String,
    new: String,
}

fn hunks(diff: &str) -> Vec<Hunk> {
    let mut out: Vec<Hunk> = Vec::new();
    for line in diff.split_inclusive('\n') {
        if let Some(header) = line.strip_prefix("@@ -") {
            let from = header.split([',', ' ']).next().and_then(|n| n.parse().ok()).unwrap_or(1);
            out.push(Hunk { from, to: from, old: String::new(), new: String::new() });
            continue;
        }
        let Some(hunk) = out.last_mut() else { continue };
        let (mark, text) = line.split_at(1.min(line.len()));
        match mark {
            " " => {
                hunk.old.push_str(text);
                hunk.new.push_str(text);
                hunk.to += 1;
            }
            "-" => {
                hunk.old.push_str(text);
                hunk.to += 1;
            }
            "+" => hunk.new.push_str(text),
            "\\" => {
                // "\ No newline at end of file": the line before it has none.
                for side in [&mut hunk.old, &mut hunk.new] {
                    if side.ends_with('\n') {
                        side.pop();
                    }
                }
            }
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Spec;

    const DIFF: &str =
        "--- a/app.py\n+++ b/app.py\n@@ -1,3 +1,3 @@\n import db\n-q(f\"{x}\")\n+q(\"?\", x)\n done\n";

    fn spec(name: &str) -> &'static Spec {
        Box::leak(Box::new(Spec { name: name.into(), description: String::new(), parameters: json!({}) }))
    }

    fn listing(count: usize) -> String {
        let blocks: Vec<String> = (0..count)
            .map(|n| {
                format!(
                    "4f1c09ab22e{n} py-sql sql-injection high CWE-89 app{n}.py:2 in login\n  message: built from input\n  fix: binds\n```diff\n{}```\n\n",
                    DIFF.replace("app", &format!("app{n}"))
                )
            })
            .collect();
        format!("{count} findings in {count} files\n\n{}", blocks.concat())
    }

    /// Plays a conversation: the issue, then what each call gave. Gives what is said at the end.
    fn play(opening: &str, results: &[(&str, bool)]) -> Say {
        let names = ["scan", "read", "edit", "patch", "bash"];
        let tools: Vec<&'static Spec> = names.iter().map(|name| spec(name)).collect();
        let mut messages = vec![Message::user(opening)];
        let mut results = results.iter();
        loop {
            let request = Request { system: "", tools: &tools, messages: &messages, max_output: 1 };
            let say = next(&request);
            let Say::Calls(_, calls) = &say else { return say };
            let mut answer = Message { role: Role::Assistant, parts: vec![] };
            let mut back = Message { role: Role::User, parts: vec![] };
            for (index, (name, args)) in calls.iter().enumerate() {
                let Some((text, is_error)) = results.next() else { return say };
                let id = format!("{}_{index}", messages.len());
                answer.parts.push(Part::Call(ToolCall {
                    id: id.clone(),
                    name: (*name).into(),
                    arguments: args.to_string(),
                }));
                back.parts.push(Part::Result(ToolResult {
                    call_id: id,
                    name: (*name).into(),
                    text: (*text).into(),
                    is_error: *is_error,
                    images: Vec::new(),
                }));
            }
            messages.push(answer);
            messages.push(back);
        }
    }

    fn calls(say: &Say) -> Vec<&'static str> {
        match say {
            Say::Calls(_, calls) => calls.iter().map(|(name, _)| *name).collect(),
            Say::Last(text) => panic!("{text}"),
        }
    }

    fn last(say: Say) -> String {
        match say {
            Say::Last(text) => text,
            Say::Calls(_, calls) => panic!("{calls:?}"),
        }
    }

    #[test]
    fn scans_reads_edits_scans_tests_and_reports() {
        let opening = crate::prompt::fix("SQL injection", "Test command: make test", &[]);
        let (one, none) = (listing(1), listing(0));
        assert_eq!(calls(&play(&opening, &[])), ["scan"]);
        assert_eq!(calls(&play(&opening, &[(&one, false)])), ["read"]);
        let edit = play(&opening, &[(&one, false), ("1: import db", false)]);
        let Say::Calls(_, made) = &edit else { panic!("{edit:?}") };
        assert_eq!(made[0].1["edits"][0]["oldString"], "import db\nq(f\"{x}\")\ndone\n");
        assert_eq!(made[0].1["edits"][0]["newString"], "import db\nq(\"?\", x)\ndone\n");
        let steps = [(one.as_str(), false), ("text", false), ("ok", false), (&none, false)];
        let Say::Calls(_, test) = play(&opening, &steps) else { panic!() };
        assert_eq!(test, [("bash", json!({"command": "make test"}))]);
        let report = last(play(&opening, &[&steps[..], &[("fine\nexit code: 0", false)]].concat()));
        assert!(report.starts_with("Status: fixed\n"), "{report}");
        let report = last(play(&opening, &[&steps[..], &[("broken\nexit code: 2", false)]].concat()));
        assert!(report.starts_with("Status: fixed_unverified\n") && report.contains("exit 2"), "{report}");
    }

    #[test]
    fn reads_several_files_side_by_side() {
        let (two, none) = (listing(2), listing(0));
        let issue = "fix all vulnerabilities";
        assert_eq!(calls(&play(issue, &[(&two, false)])), ["read", "read"]);
        let steps = [(two.as_str(), false), ("a", false), ("b", false)];
        assert_eq!(calls(&play(issue, &steps)), ["edit", "edit"]);
        let steps = [&steps[..], &[("ok", false), ("ok", false), (&none, false)]].concat();
        assert!(last(play(issue, &steps)).contains("app1.py"));
    }

    #[test]
    fn an_ambiguous_edit_becomes_a_patch_with_line_numbers() {
        let one = listing(1);
        let steps = [(one.as_str(), false), ("text", false), ("two places match", true)];
        let Say::Calls(_, made) = play("SQL injection", &steps) else { panic!() };
        assert_eq!(made[0].0, "patch");
        assert!(made[0].1["patchText"].as_str().unwrap().contains("@@ -1,3 +1,3 @@"));
    }

    #[test]
    fn ends_when_a_round_changes_nothing_and_when_a_change_is_denied() {
        let one = listing(1);
        let round = [(one.as_str(), false), ("text", false), ("ok", false), (one.as_str(), false)];
        assert!(last(play("SQL injection", &round)).starts_with("Status: not_fixed"));
        let denied = [(one.as_str(), false), ("text", false), ("denied: the user said no", true)];
        assert!(last(play("SQL injection", &denied)).starts_with("Status: blocked"));
        assert!(last(play("SQL injection", &[("0 findings", false)])).starts_with("Status: no_change"));
    }
}
