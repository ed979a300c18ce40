//! What keeps a session light: a request that was too much is asked again with less, deeds hold each file once.

use super::Session;
use super::record::RecordError;
use crate::action::Action;
use crate::event::{Event, Host};
use crate::message::Part;
use crate::model::ModelError;

/// Stands behind a result whose pictures were left out.
pub(super) const BLIND: &str = "\n[the model takes no images: left out]";

impl Session {
    /// After an error that a lighter request may not have: whether the next one is lighter.
    pub(super) async fn lighten(
        &mut self,
        error: &ModelError,
        host: &mut dyn Host,
    ) -> Result<bool, RecordError> {
        match error {
            ModelError::Overflow(_) => self.cut_after_overflow(host).await,
            ModelError::Rejected { reason, .. } => Ok(self.drop_images(reason, host)),
            _ => Ok(false),
        }
    }

    /// Takes the pictures out of the conversation when the model rejected them. Whether there were any.
    fn drop_images(&mut self, reason: &str, host: &mut dyn Host) -> bool {
        let reason = reason.to_lowercase();
        let of_images = ["image", "vision", "multimodal", "modalit", "content type"];
        if !of_images.iter().any(|word| reason.contains(word)) {
            return false;
        }
        let mut any = false;
        for part in self.history.iter_mut().flat_map(|message| &mut message.parts) {
            if let Part::Result(result) = part
                && !result.images.is_empty()
            {
                result.images.clear();
                result.text.push_str(BLIND);
                any = true;
            }
        }
        if any {
            self.blind = true;
            host.tell(Event::Warning {
                text: format!("{} takes no images; it goes on without them", self.model()),
            });
        }
        any
    }

    /// Keeps a deed. Texts of a file that an earlier deed holds are left out: what stood there first is what
    /// counts, and a long session must not hold every version.
    pub(super) fn push_deed(&mut self, mut action: Action) {
        if let Action::Write { changes } = &mut action {
            for change in changes {
                let known = |path: &String| self.touched.contains(path);
                if known(&change.path) && change.moved_from.as_ref().is_none_or(known) {
                    change.before = change.before.take().map(|_| String::new());
                    change.after = change.after.take().map(|_| String::new());
                }
                self.touched.extend(change.moved_from.clone());
                self.touched.insert(change.path.clone());
            }
        }
        self.deeds.push(action);
    }
}
