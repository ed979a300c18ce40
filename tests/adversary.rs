//! Attacks on the agent, family by family, each beside the everyday work that must go on.
//!
//! The real binary is driven by a scripted model, by `agent sandbox`, or tool by tool through plan, policy and
//! deed. What runs as root runs once more as an ordinary user (`as_nobody`).
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "tests play the user, the attacker and the machine")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    clippy::verbose_bit_mask,
    clippy::format_push_string,
    clippy::duration_suboptimal_units,
    reason = "tests"
)]

mod house;

#[path = "adversary/yard.rs"]
mod yard;

#[path = "adversary/again.rs"]
mod again;
#[path = "adversary/canary.rs"]
mod canary;
#[path = "adversary/egress.rs"]
mod egress;
#[path = "adversary/fetch.rs"]
mod fetch;
#[path = "adversary/files.rs"]
mod files;
#[path = "adversary/judgement.rs"]
mod judgement;
#[path = "adversary/mind.rs"]
mod mind;
#[path = "adversary/persist.rs"]
mod persist;
#[path = "adversary/process.rs"]
mod process;
#[path = "adversary/reads.rs"]
mod reads;
#[path = "adversary/repository.rs"]
mod repository;
#[path = "adversary/screen.rs"]
mod screen;
#[path = "adversary/work.rs"]
mod work;
#[path = "adversary/wounds.rs"]
mod wounds;
#[path = "adversary/writes.rs"]
mod writes;
