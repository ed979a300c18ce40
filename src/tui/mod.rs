//! The terminal UI: state, update, view, keys.
#![allow(dead_code, reason = "being built")]

mod code;
mod guard;
mod markdown;
mod paint;
mod screen;
mod wrap;
mod change;
mod composer;
mod keys;
mod question;
mod state;
