//! A fresh session beside another, for a helper that may only look.

use super::record::RecordError;
use super::{Limits, Parts, Session};
use crate::policy::{Mode, Policy};
use crate::tool::Toolbox;
use std::sync::Arc;

impl Session {
    /// A fresh session beside this one that may only look: the same model and workspace, its own record, apart from
    /// the user's sessions, and its own limits. It ends with this one's cancellation.
    pub fn helper(&self, toolbox: Toolbox, system: String, limits: Limits) -> Result<Session, RecordError> {
        let root = self.parts.world.workspace.root().display().to_string();
        let parts = Parts {
            model: Arc::clone(&self.parts.model),
            fallbacks: Vec::new(),
            toolbox,
            world: Arc::clone(&self.parts.world),
            policy: Policy::new(Mode::ReadOnly).with_root(&root),
            system,
            limits: Limits { price: self.parts.limits.price, ..limits },
            cancel: self.parts.cancel.child_token(),
        };
        Session::begin(parts, &self.state.join("helpers"))
    }
}
