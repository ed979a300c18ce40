//! The same attacks once more as an ordinary user, when the tests run as root: file modes, limits and user
//! namespaces behave differently there.

use crate::house::stage::{has, skip};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const MARK: &str = "AGENT_ADVERSARY_AGAIN";

/// Whether this is the second run.
pub(crate) fn is_again() -> bool {
    std::env::var_os(MARK).is_some()
}

#[test]
fn as_nobody() {
    if is_again() {
        return;
    }
    if !rustix::process::geteuid().is_root() {
        skip("the tests do not run as root, so they have just run as an ordinary user");
        return;
    }
    if !has("setpriv") {
        return;
    }
    let open = |path: &std::path::Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    };
    let outside = tempfile::Builder::new().prefix("nobody-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (home, temporary) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    [outside.path(), home.path(), temporary.path()].into_iter().for_each(open);
    let program = std::env::current_exe().unwrap();
    let as_nobody = |command: &mut Command| {
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", home.path())
            .env("TMPDIR", temporary.path())
            .env("LANG", "C.UTF-8");
        command.env(MARK, "1").env("AGENT_ADVERSARY_OUTSIDE", outside.path()).current_dir("/");
        command.output().unwrap()
    };
    let drop = ["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"];
    let can = as_nobody(Command::new("setpriv").args(drop).arg(&program).arg("--list"));
    if !can.status.success()
        || !as_nobody(Command::new("setpriv").args(drop).arg(env!("CARGO_BIN_EXE_agent")).arg("--version"))
            .status
            .success()
    {
        skip("an ordinary user cannot start the programs of this build");
        return;
    }
    let done = as_nobody(Command::new("setpriv").args(drop).arg(&program).args(["--test-threads", "2"]));
    let shown =
        format!("{}\n{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "as an ordinary user:\n{shown}");
}
