//! Flags, environment, files and `agent.md` to decided settings, once.

pub mod definition;
