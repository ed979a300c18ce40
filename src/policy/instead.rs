//! The user's own version of a change: judged like any other, and never wider than the question.

use super::{Permit, Policy, Verdict};
use crate::action::{Action, Change};
use crate::event::Question;

impl Policy {
    /// Turns a change that the user approved in place of the one that was asked about into an action and the
    /// permit for exactly that. Only texts after may differ: the files, what stands there now and whether a file
    /// comes or goes are those of the question. Nothing is remembered. No answer overrides a denial.
    pub fn settle_instead(
        &self,
        question: &Question,
        changes: &[Change],
    ) -> Result<(Action, Permit), String> {
        let Action::Write { changes: asked } = &question.action else {
            return Err("only a change of files can be approved in part".into());
        };
        let is_part = |change: &Change| {
            asked.iter().any(|asked| {
                asked.path == change.path
                    && asked.before == change.before
                    && asked.moved_from == change.moved_from
                    && asked.after.is_some() == change.after.is_some()
            })
        };
        let mut paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
        paths.sort_unstable();
        paths.dedup();
        if changes.is_empty() || paths.len() != changes.len() || !changes.iter().all(is_part) {
            return Err("the approved change is not part of the one that was asked about".into());
        }
        if let Verdict::Deny(why) = self.judge(&question.action) {
            return Err(why);
        }
        let action = Action::Write { changes: changes.to_vec() };
        match self.judge(&action) {
            Verdict::Deny(why) => Err(why),
            Verdict::Allow(permit) => Ok((action, permit)),
            Verdict::Ask(_) => {
                let permit = Permit { fingerprint: action.fingerprint() };
                Ok((action, permit))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Mode;

    fn change(path: &str, before: &str, after: Option<&str>) -> Change {
        Change {
            path: path.into(),
            before: Some(before.into()),
            after: after.map(ToOwned::to_owned),
            moved_from: None,
        }
    }

    fn check(mode: Mode, instead: &[Change], expected: Result<(), &str>) {
        let asked = vec![change("a.py", "old", Some("new")), change("b.py", "old", Some("new"))];
        let question =
            Question { action: Action::Write { changes: asked }, reason: String::new(), remember: None };
        match (Policy::new(mode).settle_instead(&question, instead), expected) {
            (Ok((action, permit)), Ok(())) => {
                assert_eq!(action, Action::Write { changes: instead.to_vec() });
                assert!(permit.covers(&action) && !permit.covers(&question.action));
            }
            (Err(why), Err(part)) => assert!(why.contains(part), "{why}"),
            (got, expected) => panic!("{instead:?}: {got:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn only_texts_of_the_files_in_question_may_differ() {
        check(Mode::Ask, &[change("a.py", "old", Some("mine"))], Ok(()));
        check(Mode::Auto, &[change("b.py", "old", Some("new"))], Ok(()));
        check(Mode::Ask, &[], Err("not part"));
        check(Mode::Ask, &[change("c.py", "old", Some("new"))], Err("not part"));
        check(Mode::Ask, &[change("a.py", "other", Some("new"))], Err("not part"));
        check(Mode::Ask, &[change("a.py", "old", None)], Err("not part"));
        let twice = [change("a.py", "old", Some("x")), change("a.py", "old", Some("y"))];
        check(Mode::Ask, &twice, Err("not part"));
        check(Mode::ReadOnly, &[change("a.py", "old", Some("mine"))], Err("read-only"));
    }

    #[test]
    fn only_changes_can_be_approved_in_part() {
        let question = Question {
            action: Action::Read { paths: vec!["a".into()] },
            reason: String::new(),
            remember: None,
        };
        let policy = Policy::new(Mode::Ask);
        assert!(policy.settle_instead(&question, &[change("a", "old", Some("x"))]).is_err());
    }
}
