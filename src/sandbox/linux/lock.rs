//! The second wall: Landlock, on files, signals and abstract sockets.

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset,
    RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus, Scope,
};
use std::path::PathBuf;

/// The newest interface asked for; older kernels give what they have.
const NEWEST: ABI = ABI::V9;

/// Confines this process to reading and running below `readable` and changing below `writable`; devices
/// get what a terminal or `/dev/null` needs. Says whether the kernel took it.
pub(super) fn lock(readable: &[PathBuf], writable: &[PathBuf], devices: &[PathBuf]) -> Result<bool, String> {
    let look = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
    let device = AccessFs::ReadFile | AccessFs::ReadDir | AccessFs::WriteFile | AccessFs::IoctlDev;
    let all = AccessFs::from_all(NEWEST);
    let explain = |error: landlock::RulesetError| format!("landlock: {error}");
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(|ruleset| ruleset.scope(Scope::from_all(NEWEST)))
        .and_then(Ruleset::create)
        .map_err(explain)?;
    let groups: [(&[PathBuf], BitFlags<AccessFs>); 3] =
        [(readable, look), (writable, all), (devices, device | AccessFs::Truncate)];
    for (paths, access) in groups {
        for path in paths {
            // What is not there needs no rule.
            let Ok(fd) = PathFd::new(path) else { continue };
            let access = if path.is_dir() { access } else { access & AccessFs::from_file(NEWEST) };
            ruleset = ruleset.add_rule(PathBeneath::new(fd, access)).map_err(explain)?;
        }
    }
    let status = ruleset.restrict_self().map_err(explain)?;
    Ok(status.ruleset != RulesetStatus::NotEnforced)
}
