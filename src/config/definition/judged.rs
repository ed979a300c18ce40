//! A definition's permissions as the rules that policy judges by.

use super::{Effect, Rule, Subject};
use crate::policy::{self, Kind};

impl Rule {
    /// This permission as rules of policy; `file` is where it comes from. `*` stands for any run of characters
    /// here, folders included, and policy's patterns say that in their own way.
    pub fn judged(&self, file: &str) -> Vec<policy::Rule> {
        let kinds: &[Kind] = match self.subject {
            Subject::Every => &[Kind::Read, Kind::Write, Kind::Run, Kind::Fetch],
            Subject::Read => &[Kind::Read],
            Subject::Write => &[Kind::Write],
            Subject::Run => &[Kind::Run],
            Subject::Fetch => &[Kind::Fetch],
            // There are no helpers to call yet; without one there is nothing to permit.
            Subject::Helper => &[],
        };
        let effect = match self.effect {
            Effect::Allow => policy::Effect::Allow,
            Effect::Ask => policy::Effect::Ask,
            Effect::Deny => policy::Effect::Deny,
        };
        kinds
            .iter()
            .map(|kind| policy::Rule {
                action: *kind,
                pattern: spelled(*kind, &self.pattern),
                except: self.except.iter().map(|pattern| spelled(*kind, pattern)).collect(),
                effect,
                from: format!("{file}:{}", self.line),
            })
            .collect()
    }
}

fn spelled(kind: Kind, pattern: &str) -> String {
    if !matches!(kind, Kind::Read | Kind::Write) {
        return pattern.to_owned();
    }
    match pattern.strip_suffix("/*") {
        _ if pattern == "*" => "**".to_owned(),
        Some(folder) => format!("{folder}/**"),
        None if pattern.starts_with('*') && !pattern.starts_with("**") => format!("**/{pattern}"),
        None => pattern.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use crate::action::Action;
    use crate::config::definition::Definition;
    use crate::policy::{Mode, Policy, Verdict};

    fn verdict(permission: &str, action: &Action) -> &'static str {
        let text = format!("---\nname: x\ndescription: does it\npermission:\n{permission}---\nBody.\n");
        let definition = Definition::parse("x.md", &text).unwrap();
        let rules = definition.rules.iter().flat_map(|rule| rule.judged("x.md")).collect();
        match Policy::new(Mode::Auto).with_rules(rules).judge(action) {
            Verdict::Allow(_) => "allow",
            Verdict::Ask(_) => "ask",
            Verdict::Deny(reason) => {
                assert!(reason.contains("x.md:"), "a denial says where it comes from: {reason}");
                "deny"
            }
        }
    }

    fn run(command: &str) -> Action {
        Action::Run { command: command.into(), workdir: ".".into(), timeout_ms: 1000, background: false }
    }

    #[test]
    fn permissions_of_a_definition_are_judged() {
        let map = "  bash:\n    \"*\": deny\n    \"git status\": allow\n    \"npm test *\": allow\n";
        assert_eq!(verdict(map, &run("git status")), "allow");
        assert_eq!(verdict(map, &run("npm test -- --grep x")), "allow");
        assert_eq!(verdict(map, &run("rm x")), "deny");
        assert_eq!(verdict(map, &run("git status && rm x")), "deny");
        assert_eq!(verdict("  bash: ask\n", &run("ls")), "ask");
        let read = Action::Read { paths: vec!["a/b.py".into()] };
        assert_eq!(verdict("  bash: deny\n", &read), "allow");
    }
}
