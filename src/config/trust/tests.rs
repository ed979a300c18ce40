//! The store's promises: outside the workspace, bound to path, folder and content.

use super::*;

struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir_all(stage.root()).unwrap();
        stage
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    fn store(&self) -> Store {
        Store::of(&self.folder.path().join("state"))
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        #[allow(clippy::disallowed_methods, reason = "the test plays the repository")]
        std::fs::write(path, text).unwrap();
    }

    fn is_trusted(&self) -> bool {
        is_trusted(&self.folder.path().join("state"), &self.root())
    }
}

#[test]
fn nothing_is_trusted_before_the_user_says_so() {
    let stage = Stage::new();
    assert_eq!(stage.store().standing(&stage.root()), Standing::Nothing);
    stage.put(".agent/agents/helper.md", "x");
    stage.put("AGENTS.md", "x");
    let standing = stage.store().standing(&stage.root());
    assert_eq!(standing, Standing::Unknown(vec![".agent/agents/helper.md".into(), "AGENTS.md".into()]));
    assert!(standing.hint().unwrap().contains("agent trust"));
    assert!(!stage.is_trusted());
}

#[test]
fn trust_holds_for_what_was_there_and_ends_with_any_change() {
    let check = |change: &dyn Fn(&Stage), holds: bool| {
        let stage = Stage::new();
        stage.put(".mcp.json", "{}");
        stage.put(".agent/skills/a/SKILL.md", "one");
        stage.put("AGENTS.md", "words");
        stage.put("src/app.py", "print()");
        stage.store().grant(&stage.root()).unwrap();
        assert!(stage.is_trusted());
        change(&stage);
        assert_eq!(stage.is_trusted(), holds, "{:?}", stage.store().standing(&stage.root()));
    };
    check(&|_| {}, true);
    check(&|stage| stage.put("src/app.py", "changed"), true);
    check(&|stage| stage.put("AGENTS.md", "other words"), true);
    check(&|stage| stage.put(".mcp.json", "{\"mcpServers\":{}}"), false);
    check(&|stage| stage.put(".agent/skills/a/SKILL.md", "two"), false);
    check(&|stage| stage.put(".agent/skills/a/run.sh", "new"), false);
    check(&|stage| stage.put("agent.md", "new"), false);
    check(&|stage| stage.put(".claude/commands/x.md", "new"), false);
    #[allow(clippy::disallowed_methods, reason = "the test plays the repository")]
    check(&|stage| std::fs::remove_file(stage.root().join(".mcp.json")).unwrap(), false);
}

#[test]
fn another_folder_at_the_same_path_is_not_trusted() {
    let stage = Stage::new();
    stage.put(".mcp.json", "{}");
    stage.store().grant(&stage.root()).unwrap();
    #[allow(clippy::disallowed_methods, reason = "the test plays the user")]
    std::fs::rename(stage.root(), stage.folder.path().join("moved")).unwrap();
    stage.put(".mcp.json", "{}");
    assert!(matches!(stage.store().standing(&stage.root()), Standing::Unclear(_)));
    let moved = stage.folder.path().join("moved");
    assert!(matches!(stage.store().standing(&moved), Standing::Unknown(_)), "the path is part of it");
}

#[test]
fn trust_of_a_folder_says_nothing_of_those_above_or_below() {
    let stage = Stage::new();
    stage.put("sub/.mcp.json", "{}");
    stage.store().grant(&stage.root()).unwrap();
    assert!(!matches!(stage.store().standing(&stage.root().join("sub")), Standing::Trusted(_)));
    assert!(!matches!(stage.store().standing(stage.folder.path()), Standing::Trusted(_)));
    let link = stage.folder.path().join("link");
    #[cfg(unix)]
    std::os::unix::fs::symlink(stage.root(), &link).unwrap();
    assert!(matches!(stage.store().standing(&link), Standing::Trusted(_)), "the same folder by another name");
}

#[test]
fn what_has_no_fixed_content_cannot_be_trusted() {
    let check = |make: &dyn Fn(&Stage)| {
        let stage = Stage::new();
        make(&stage);
        let error = stage.store().grant(&stage.root()).unwrap_err().to_string();
        assert!(error.contains(".agent"), "{error}");
        assert!(!stage.is_trusted());
    };
    let link = |stage: &Stage, target: &Path, name: &str| {
        std::fs::create_dir_all(stage.root().join(".agent")).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(target, stage.root().join(".agent").join(name)).unwrap();
    };
    check(&|stage| link(stage, Path::new("/etc/hostname"), "out"));
    check(&|stage| link(stage, Path::new("nowhere"), "dangling"));
    check(&|stage| link(stage, Path::new("."), "circle"));
    #[cfg(target_os = "linux")]
    check(&|stage| {
        std::fs::create_dir_all(stage.root().join(".agent")).unwrap();
        let made = rustix::fs::mknodat(
            rustix::fs::CWD,
            stage.root().join(".agent/pipe"),
            rustix::fs::FileType::Fifo,
            0o600.into(),
            0,
        );
        made.unwrap();
    });
    check(&|stage| {
        for at in 0..2_001 {
            stage.put(&format!(".agent/many/{at}"), "");
        }
    });
    let inside = Stage::new();
    inside.put("docs/skill.md", "x");
    link(&inside, Path::new("../docs/skill.md"), "skill.md");
    inside.store().grant(&inside.root()).unwrap();
    assert!(inside.is_trusted(), "a link within the workspace counts as what it leads to");
    inside.put("docs/skill.md", "y");
    assert!(!inside.is_trusted());
}

#[test]
fn a_record_that_others_may_write_or_that_is_damaged_is_no_trust() {
    let record = |stage: &Stage| {
        let store = stage.folder.path().join("state/trust");
        std::fs::read_dir(store).unwrap().next().unwrap().unwrap().path()
    };
    let stage = Stage::new();
    stage.store().grant(&stage.root()).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&record(&stage)), 0o600);
        assert_eq!(mode(record(&stage).parent().unwrap()), 0o700);
        std::fs::set_permissions(record(&stage), std::fs::Permissions::from_mode(0o666)).unwrap();
        assert!(!stage.is_trusted());
    }
    let stage = Stage::new();
    stage.store().grant(&stage.root()).unwrap();
    #[allow(clippy::disallowed_methods, reason = "the test damages the record")]
    std::fs::write(record(&stage), "{").unwrap();
    assert!(!stage.is_trusted());
    stage.store().grant(&stage.root()).unwrap();
    assert!(stage.is_trusted());
}

#[test]
fn trust_is_listed_and_taken_back() {
    let stage = Stage::new();
    assert_eq!(stage.store().list().unwrap(), []);
    assert!(!stage.store().revoke(&stage.root()).unwrap());
    let (root, gains) = stage.store().grant(&stage.root()).unwrap();
    assert_eq!((root, gains), (stage.root().canonicalize().unwrap(), vec![]));
    stage.put("agent.md", "x");
    assert_eq!(stage.store().list().unwrap()[0].status, "changed");
    assert!(stage.store().revoke(&stage.root()).unwrap());
    assert_eq!(stage.store().list().unwrap(), []);
    assert!(!stage.is_trusted());
}

#[test]
fn the_whole_home_or_machine_is_never_trusted() {
    let stage = Stage::new();
    assert!(matches!(stage.store().grant(Path::new("/")), Err(TrustError::Look(_, LookError::TooWide))));
    if let Some(home) = std::env::var_os("HOME").filter(|home| Path::new(home).is_dir()) {
        assert!(stage.store().grant(Path::new(&home)).is_err());
    }
}

#[test]
fn a_pass_vouches_for_the_bytes_that_were_trusted() {
    let stage = Stage::new();
    stage.put(".mcp.json", "{}");
    stage.store().grant(&stage.root()).unwrap();
    let Standing::Trusted(pass) = stage.store().standing(&stage.root()) else { panic!("not trusted") };
    assert!(pass.vouches(".mcp.json", b"{}"));
    assert!(!pass.vouches(".mcp.json", b"{} "));
    assert!(!pass.vouches("other.json", b"{}"));
    assert_eq!(pass.paths().collect::<Vec<_>>(), [".mcp.json"]);
}

#[test]
fn only_what_a_change_of_trust_looks_at_is_covered() {
    let check = |path: &str, expected: bool| assert_eq!(is_covered(path), expected, "{path}");
    check(".agent/agents/x.md", true);
    check(".mcp.json", true);
    check("agent.md", true);
    check(".claude/skills/x/SKILL.md", true);
    check(".claude/settings.json", false);
    check(".agentx/y", false);
    check("sub/.agent/x", false);
    check(".agent/../src/x", false);
    check("AGENTS.md", false);
}
