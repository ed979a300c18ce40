//! What sessions are asked to do here, whatever the protocol: a prompt, or a mission with its gates.

use crate::event::Host;
use crate::fix::{Mission, Report, changes};
use crate::prompt;
use crate::session::{Ending, Session};
use crate::wire::Trouble;
use crate::workspace::survey::survey;
use std::sync::Arc;
use std::time::Instant;

/// Says `words` to the session's model. The first ones come with a first look at the repository.
pub(super) async fn run(
    session: &mut Session,
    words: String,
    host: &mut dyn Host,
) -> Result<(Ending, Report), Trouble> {
    let begun = Instant::now();
    let words = if session.history().is_empty() {
        let world = Arc::clone(session.world());
        // A look at a large repository takes a moment in which other sessions go on.
        let look = tokio::task::spawn_blocking(move || survey(&world.workspace).render()).await;
        prompt::run(&words, &look.unwrap_or_default())
    } else {
        words
    };
    let ending = session.run(words, host).await?;
    session.note_end(ending.outcome)?;
    let report = Report::of_words(session, &ending, &changes(session)).timed(begun);
    Ok((ending, report))
}

/// Closes one issue and proves it.
pub(super) async fn fix(
    session: &mut Session,
    issue: String,
    test: Option<String>,
    review: bool,
    host: &mut dyn Host,
) -> Result<(Ending, Report), Trouble> {
    let begun = Instant::now();
    let mission = Mission::begin(issue, test, session, host).await?.with_review(review);
    let ending = mission.work(session, mission.opening(), host).await?;
    let report = mission.conclude(session, &ending, host).await;
    session.note_end(report.status)?;
    Ok((ending, report.timed(begun)))
}
