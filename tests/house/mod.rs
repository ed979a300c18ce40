//! The test house: doubles that several test files share. Use it by `mod house;` in any `tests/*.rs`.

#![allow(dead_code, unreachable_pub, reason = "every test binary uses only the rooms it needs")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a harness that cannot go on should say so loudly"
)]

pub mod forge;
pub mod model;
pub mod pipe;
pub mod pty;
pub mod speech;
pub mod stage;
pub mod workshop;
