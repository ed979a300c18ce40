//! Work with the model: words, missions, and their reports.

use super::Desk;
use crate::config::command;
use crate::event::Outcome;
use crate::fix::{Mission, Report, changes};
use crate::model::rules;
use crate::prompt;
use crate::session::Session;
use crate::tui::state::Told;
use crate::wire::{self, Trouble};
use crate::workspace::survey::survey;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

impl Desk {
    /// Words of the user. The embedded model does missions only, so to it they are an issue.
    pub(super) async fn say(&mut self, words: String, cancel: CancellationToken) -> Result<(), Trouble> {
        let words = self.spelled_out(words)?;
        let model = self.session.as_ref().map_or(self.setup.config.model.as_str(), Session::model);
        if model == rules::NAME {
            return self.fix(words, cancel).await;
        }
        let begun = Instant::now();
        let is_new = self.session.is_none();
        self.begin(cancel).await?;
        let Some(session) = &mut self.session else { return Ok(()) };
        let opening =
            if is_new { prompt::run(&words, &survey(&session.world().workspace).render()) } else { words };
        let deeds = session.deeds().len();
        let ending = session.run(opening, &mut self.door).await?;
        // A mission goes on as long as something changes: its gates are asked again.
        let changed = session.deeds().len() > deeds;
        let report = match &self.mission {
            Some(mission) if changed => mission.conclude(session, &ending, &mut self.door).await,
            _ if changed => Report::of_words(session, &ending, &changes(session)),
            _ => Report::of_words(session, &ending, &[]),
        };
        self.close(report, begun)
    }

    /// A mission, in a session of its own.
    pub(super) async fn fix(&mut self, issue: String, cancel: CancellationToken) -> Result<(), Trouble> {
        let begun = Instant::now();
        if self.session.as_ref().is_some_and(|session| !session.history().is_empty()) {
            self.put_away();
        }
        self.begin(cancel).await?;
        let Some(session) = &mut self.session else { return Ok(()) };
        let mission = Mission::begin(issue, None, session, &mut self.door).await?;
        let mission = mission.with_review(self.setup.config.review);
        let ending = mission.work(session, mission.opening(), &mut self.door).await?;
        let report = mission.conclude(session, &ending, &mut self.door).await;
        self.mission = Some(mission);
        self.close(report, begun)
    }

    /// Readies the session for a run, or begins one.
    pub(super) async fn begin(&mut self, cancel: CancellationToken) -> Result<(), Trouble> {
        if let Some(session) = &mut self.session {
            session.renew(cancel);
            return Ok(());
        }
        self.ready()?;
        let Some(mut parts) = self.parts.take() else { return Ok(()) };
        parts.cancel = cancel;
        self.join(&mut parts).await;
        let session = Session::begin(parts, &self.setup.config.state)?;
        self.put(session);
        Ok(())
    }

    fn close(&mut self, report: Report, begun: Instant) -> Result<(), Trouble> {
        let report = report.timed(begun);
        let status = report.status;
        self.door.told(Told::Report(Box::new(report)));
        if let Some(session) = &mut self.session {
            session.note_end(status)?;
        }
        Ok(())
    }

    /// `/NAME ARGUMENTS` as the prompt that a command file holds.
    fn spelled_out(&self, words: String) -> Result<String, Trouble> {
        let Some((name, arguments)) = command::called(&words) else { return Ok(words) };
        let (commands, _) = command::list(&wire::places(&self.setup.config));
        match commands.iter().find(|command| command.name == name) {
            Some(command) => Ok(command.prompt(arguments)),
            None => {
                Err(Trouble::new(Outcome::Error, format!("there is no command /{name}; /help lists them")))
            }
        }
    }
}
