//! A path, however written, stays beneath the root or is refused.
#![no_main]
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

fuzz_target!(|path: &str| {
    static STAGE: OnceLock<(tempfile::TempDir, agent::workspace::Workspace)> = OnceLock::new();
    let (_folder, workspace) = STAGE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        std::os::unix::fs::symlink("/etc", folder.path().join("out")).unwrap();
        std::os::unix::fs::symlink("a", folder.path().join("in")).unwrap();
        let workspace = agent::workspace::Workspace::open(folder.path()).unwrap();
        (folder, workspace)
    });
    if let Ok(place) = workspace.place(path) {
        assert!(!place.as_str().starts_with('/') && !place.as_str().split('/').any(|part| part == ".."));
    }
});
