//! The gates: what the harness itself saw before and after.
