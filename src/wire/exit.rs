//! Exit codes: one per outcome, never derived from a foreign status.

use crate::event::Outcome;

/// Wrong usage of the command line (clap's own).
pub const USAGE: u8 = 2;
/// No such session, file or folder.
pub const NO_INPUT: u8 = 4;
/// Something was found or stayed open.
pub const NOT_FIXED: u8 = 6;
/// Ended because the terminal is gone (SIGHUP).
pub const HUNG_UP: u8 = 129;
/// Ended by SIGTERM.
pub const TERMINATED: u8 = 143;

/// The code of an outcome.
pub fn code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Done | Outcome::Fixed | Outcome::NoChange => 0,
        Outcome::Error => 1,
        Outcome::Denied => 5,
        Outcome::NotFixed => NOT_FIXED,
        Outcome::Budget => 7,
        Outcome::Blocked => 8,
        Outcome::ModelUnavailable => 9,
        Outcome::FixedUnverified => 10,
        Outcome::PolicyRefusal => 11,
        Outcome::Cancelled => 130,
    }
}
