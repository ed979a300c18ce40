//! The mission: issue to opening, done-check, report.
