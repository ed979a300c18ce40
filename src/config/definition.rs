//! An agent definition: front matter and persona, in the dialects of opencode and Claude Code.

/// Who the agent is and what it may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// When to call it.
    pub description: String,
    /// Tools by our own names, in `agent.md` order.
    pub tools: Vec<String>,
    /// The persona.
    pub body: String,
}
