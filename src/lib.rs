//! `agent`: a coding agent for backend security.
//!
//! This file is the floor plan. A module may use only the modules above it; `tests/floor_plan.rs`
//! holds that wall.
//!
//! | module | duty |
//! |---|---|
//! | `text` | cut to size, hide secrets, make printable |
//! | `diff` | two texts to hunks; patch text to changes and back |
//! | `message` | the conversation as data |
//! | `action` | what a call is about to do to the world |
//! | `finding` | a weakness in the code, as data; SARIF out |
//! | `event` | what the house says and asks |
//! | `policy` | allow, ask or deny an action; pure |
//! | `config` | flags, environment, files and `agent.md` to decided settings, once |
//! | `prompt` | embedded Markdown to a finished prompt |
//! | `workspace` | the one door to files: resolve beneath, read, write, journal, undo |
//! | `network` | which hosts and addresses may be reached; the proxy for commands |
//! | `sandbox` | run a command behind walls, with limits, streamed output |
//! | `scan` | rules and flow over syntax trees to findings with fixes |
//! | `model` | request in, deltas out |
//! | `tool` | the nine tools and `scan`, a file each |
//! | `remote` | tools living in another process |
//! | `session` | ask, plan, judge, perform, repeat; history and record |
//! | `proof` | the gates: what the harness itself saw before and after |
//! | `fix` | the mission: issue to opening, done-check, report |
//! | `wire` | settings to a session: where rooms are put together; exit codes |
//! | `serve` | be someone's helper over ACP or MCP |
//! | `tui` | the terminal UI: state, update, view, keys |
//! | `cli` | arguments, plain and JSON output |

// ground: words. No I/O, no async runtime.
pub mod text;
pub mod diff;
pub mod message;
pub mod action;
pub mod finding;
pub mod event;

// first: rules and places.
pub mod policy;
pub mod config;
pub mod prompt;
pub mod workspace;
pub mod network;
pub mod sandbox;
pub mod scan;

// second: mind and hands.
pub mod model;
pub mod tool;
pub mod remote;

// third: the loop.
pub mod session;
pub mod proof;
pub mod fix;

// top: doors.
pub mod wire;
pub mod serve;
pub mod tui;
pub mod cli;
