//! The terminal UI: state, update, view, keys.
//!
//! Elm's shape: one closed `Msg`, a pure `update`, views as functions. The session lives on the desk, a task of
//! its own; the two are joined by channels. See `docs/tui.md`.

pub mod change;
pub mod code;
pub mod commands;
pub mod complete;
pub mod composer;
pub mod desk;
mod editor;
mod guard;
pub mod keys;
pub mod markdown;
mod paint;
pub mod question;
mod run;
pub mod screen;
pub mod stage;
pub mod state;
pub mod update;
pub mod view;
pub mod wrap;

pub use desk::Setup;
pub use run::open;
