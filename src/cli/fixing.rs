//! What `agent fix` takes beside the issue: review, reports, delivery.

use clap::{Args, ValueEnum};

/// Options of `agent fix` alone.
#[derive(Debug, Clone, Args)]
pub struct FixArgs {
    /// Whether a fresh, read-only helper looks for a way round the change (models other than `rules`)
    #[arg(long, value_enum, default_value_t = Switch::On)]
    pub review: Switch,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}
