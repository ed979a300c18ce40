//! A question of the session: what will happen, exactly; the choices; what of a change is taken.

use super::change::{self, Picked};
use super::composer::Composer;
use super::state::Shown;
use crate::action::{Action, Change};
use crate::event::{Answer, Question};
use crate::policy::paths::{Class, class};

/// What can be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// This once.
    Once,
    /// For this session.
    Session,
    /// No.
    Reject,
    /// No, with a sentence.
    Tell,
}

/// A question on the screen.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Its number.
    pub number: u64,
    /// It.
    pub question: Question,
    /// What can be answered.
    pub choices: Vec<Choice>,
    /// Which one Enter takes.
    pub focus: usize,
    /// Whether keys count yet: a key typed before the question appeared must not answer it.
    pub armed: bool,
    /// The first line of its body that is shown.
    pub top: usize,
    /// The sentence for the model, while it is written.
    pub tell: Option<Composer>,
    /// Side by side or not, when the user said.
    pub split: Option<bool>,
    /// Whether it covers the screen, when the user said.
    pub full: Option<bool>,
    /// The changes as they are shown.
    pub shown: Vec<Shown>,
    /// The changes as they would be made: the user's edit in place of what was proposed.
    pub changes: Vec<Change>,
    /// Hunks chosen.
    pub picked: Option<Picked>,
    /// Whether the user edited it.
    pub edited: bool,
}

impl Ask {
    /// A question as it appears. Enter says no where what happens leaves the workspace or cannot be remembered.
    pub fn of(number: u64, question: Question) -> Self {
        let mut choices = vec![Choice::Once];
        if question.remember.is_some() {
            choices.push(Choice::Session);
        }
        choices.extend([Choice::Reject, Choice::Tell]);
        let focus = if leaves(&question) { choices.len() - 2 } else { 0 };
        let changes = match &question.action {
            Action::Write { changes } => changes.clone(),
            _ => Vec::new(),
        };
        Self {
            number,
            shown: changes.iter().map(change::shown).collect(),
            changes,
            question,
            choices,
            focus,
            armed: false,
            top: 0,
            tell: None,
            split: None,
            full: None,
            picked: None,
            edited: false,
        }
    }

    /// What Enter takes.
    pub fn focused(&self) -> Choice {
        self.choices.get(self.focus).copied().unwrap_or(Choice::Reject)
    }

    /// Whether hunks can be chosen.
    pub fn has_hunks(&self) -> bool {
        self.shown.iter().map(|shown| shown.hunks.len()).sum::<usize>() > 1
    }

    /// Whether the change can be edited: one file that is there afterwards, and nothing hidden in it.
    pub fn is_editable(&self) -> bool {
        matches!(self.changes.as_slice(), [Change { after: Some(_), .. }])
    }

    /// Opens the choice of hunks.
    pub fn pick(&mut self) {
        if self.picked.is_none() && self.has_hunks() {
            let taken = self.shown.iter().map(|shown| vec![true; shown.hunks.len()]).collect();
            self.picked = Some(Picked { taken, at: 0 });
        }
    }

    /// Puts the user's text in place of what was proposed.
    pub fn edit(&mut self, text: String) {
        if let [change] = self.changes.as_mut_slice() {
            self.edited |= change.after.as_ref() != Some(&text);
            change.after = Some(text);
            self.shown = self.changes.iter().map(change::shown).collect();
            self.picked = None;
        }
    }

    /// What would be made now.
    pub fn chosen(&self) -> Vec<Change> {
        let Some(picked) = &self.picked else { return self.changes.clone() };
        let part = |(change, taken): (&Change, &Vec<bool>)| {
            let all = taken.iter().all(|taken| *taken);
            let none = !taken.is_empty() && taken.iter().all(|taken| !taken);
            match (&change.before, &change.after) {
                _ if all => Some(change.clone()),
                _ if none => None,
                (before, Some(after)) => {
                    let text = change::partial(before.as_deref().unwrap_or_default(), after, taken);
                    Some(Change { after: Some(text), ..change.clone() })
                }
                _ => Some(change.clone()),
            }
        };
        self.changes.iter().zip(&picked.taken).filter_map(part).collect()
    }

    /// The answer of a choice. What is approved is what is shown: a part or an edit is an answer of its own.
    pub fn answer(&self, choice: Choice) -> Answer {
        let proposed = match &self.question.action {
            Action::Write { changes } => changes.as_slice(),
            _ => &[],
        };
        let chosen = self.chosen();
        match choice {
            Choice::Reject => Answer::Reject(None),
            Choice::Tell => {
                let words = self.tell.as_ref().map(Composer::whole).unwrap_or_default();
                let words = words.trim();
                Answer::Reject((!words.is_empty()).then(|| words.to_owned()))
            }
            _ if chosen.is_empty() && !proposed.is_empty() => Answer::Reject(None),
            _ if chosen != proposed => Answer::Instead(chosen),
            Choice::Once => Answer::Once,
            Choice::Session => Answer::Session,
        }
    }
}

/// Whether what happens reaches beyond the workspace, or beyond what the rules let be remembered.
fn leaves(question: &Question) -> bool {
    match &question.action {
        Action::Fetch { .. }
        | Action::Connect { .. }
        | Action::Call { .. }
        | Action::Read { .. }
        | Action::Reveal { .. } => true,
        Action::Run { .. } => question.remember.is_none() || !question.reason.starts_with("every command"),
        Action::Write { changes } => {
            question.remember.is_none() || changes.iter().any(|change| class(&change.path) != Class::Plain)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(action: Action, reason: &str) -> Question {
        Question { action, reason: reason.into(), remember: Some("it".into()) }
    }

    fn run(command: &str) -> Action {
        Action::Run { command: command.into(), workdir: ".".into(), timeout_ms: 1, background: false }
    }

    fn write(path: &str, before: &str, after: &str) -> Action {
        let change = Change {
            path: path.into(),
            before: Some(before.into()),
            after: Some(after.into()),
            moved_from: None,
        };
        Action::Write { changes: vec![change] }
    }

    #[test]
    fn enter_says_no_to_what_leaves_the_workspace() {
        let check = |question: Question, expected: Choice| {
            assert_eq!(Ask::of(1, question.clone()).focused(), expected, "{question:?}");
        };
        check(question(run("pytest"), "every command is asked for in mode `ask`"), Choice::Once);
        check(question(run("git push"), "git push reaches others (built-in rule)"), Choice::Reject);
        check(question(write("a.py", "", "x"), "every change is asked for"), Choice::Once);
        check(question(write(".github/workflows/x.yml", "", "x"), "decides what others run"), Choice::Reject);
        let fetch = Action::Fetch { url: "https://x.example/".into(), host: "x.example".into() };
        check(question(fetch, "not asked before"), Choice::Reject);
        check(question(Action::Read { paths: vec![".env".into()] }, "secrets"), Choice::Reject);
        let mut guarded = question(run("git reset --hard"), "uncommitted work");
        guarded.remember = None;
        check(guarded, Choice::Reject);
    }

    #[test]
    fn a_part_or_an_edit_is_an_answer_of_its_own() {
        let before: String = (0..30).fold(String::new(), |text, n| text + "line " + &n.to_string() + "\n");
        let after = before.replace("line 2\n", "two\n").replace("line 27\n", "seven\n");
        let mut ask = Ask::of(1, question(write("a.py", &before, &after), "every change"));
        assert_eq!(ask.answer(Choice::Once), Answer::Once);
        ask.pick();
        assert_eq!(ask.answer(Choice::Once), Answer::Once);
        if let Some(picked) = &mut ask.picked {
            picked.taken[0][0] = false;
        }
        let Answer::Instead(changes) = ask.answer(Choice::Session) else { panic!("a part") };
        assert!(
            changes[0].after.as_ref().is_some_and(|text| text.contains("seven") && !text.contains("two"))
        );
        if let Some(picked) = &mut ask.picked {
            picked.taken[0].fill(false);
        }
        assert_eq!(ask.answer(Choice::Once), Answer::Reject(None));
        ask.picked = None;
        ask.edit(after.clone());
        assert_eq!(ask.answer(Choice::Once), Answer::Once);
        ask.edit(after + "more\n");
        assert!(matches!(ask.answer(Choice::Once), Answer::Instead(_)));
    }
}
