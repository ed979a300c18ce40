//! Staying behind: hooks, settings and start-up files that somebody else's program would run later.

use crate::yard::{Case, Yard};

const HOOKS: &[Case] = &[
    ("hook", "echo evil > $W/.git/hooks/pre-commit", "ls $W/.git/hooks > l"),
    ("hook replaced", "rm -rf $W/.git/hooks && mkdir $W/.git/hooks", "test -d $W/.git/hooks"),
    ("hooks moved", "mv $W/.git/hooks $W/.git/old", "true"),
    ("hook by tool", "install -m 755 /bin/true $W/.git/hooks/post-checkout", "true"),
    ("hook by link", "ln -sf /tmp/x $W/.git/hooks/pre-push", "true"),
    ("git settings", "echo '[core]' >> $W/.git/config", "cat $W/.git/config > l"),
    (
        "git settings by git",
        "cd $W && git config core.hooksPath /tmp/evil",
        "cd $W && git config --list > /dev/null",
    ),
    ("file watcher", "cd $W && git config core.fsmonitor 'touch /tmp/x'", "cd $W && git status > /dev/null"),
    ("pager", "cd $W && git config core.pager evil", "cd $W && git log | cat > /dev/null"),
    ("alias", "cd $W && git config alias.st '!evil'", "cd $W && git diff --stat"),
    ("remote", "cd $W && git remote add evil http://example.com/x", "cd $W && git remote -v"),
    ("git folder moved", "mv $W/.git $W/elsewhere", "test -d $W/.git"),
    ("git folder replaced", "mv $W/.git $W/x && cp -r $W/x $W/.git", "true"),
    ("settings of an agent", "echo x > $W/.agent/agent.toml", "cat $W/.agent/agent.toml > l"),
    ("settings of another agent", "echo x > $W/.claude/settings.json", "ls $W/.claude"),
    ("settings of a third", "rm -rf $W/.opencode", "ls $W/.opencode"),
    ("tool servers", "echo x > $W/.mcp.json", "cat $W/.mcp.json > l"),
    ("editor tasks", "echo x > $W/.vscode/tasks.json", "cat $W/.vscode/tasks.json > l"),
];

#[test]
fn hooks_and_settings_stay_as_they_are() {
    let yard = Yard::with_git();
    for path in
        [".agent/agent.toml", ".claude/settings.json", ".opencode/x.json", ".mcp.json", ".vscode/tasks.json"]
    {
        yard.stage.write(path, "{}\n");
    }
    let config = yard.stage.read(".git/config");
    yard.batch(&[], HOOKS);
    assert_eq!(yard.stage.read(".git/config"), config);
    for hook in ["pre-commit", "post-checkout", "pre-push"] {
        assert!(!yard.root().join(".git/hooks").join(hook).exists(), "{hook}");
    }
    yard.run("echo more >> app.py && git commit -qam more && git log --oneline | wc -l | grep -qx 2")
        .exits(0);
}

/// What a command creates where nothing was: settings that would count once somebody opens the folder.
#[test]
fn settings_that_appear_are_taken_away() {
    let created = [
        (".claude/settings.json", "mkdir -p .claude && echo evil > .claude/settings.json"),
        (".cursor/mcp.json", "mkdir -p .cursor && echo evil > .cursor/mcp.json"),
        (".agent/agent.toml", "mkdir -p .agent && echo evil > .agent/agent.toml"),
        (".opencode/plugin/x.js", "mkdir -p .opencode/plugin && echo evil > .opencode/plugin/x.js"),
        (".mcp.json", "echo evil > .mcp.json"),
        (".vscode/tasks.json", "mkdir -p .vscode && echo evil > .vscode/tasks.json"),
        (".bashrc", "echo evil > .bashrc"),
        (".envrc", "echo evil > .envrc"),
    ];
    let yard = Yard::with_git();
    std::fs::remove_dir_all(yard.root().join(".git/hooks")).unwrap();
    if !yard.is_walled() {
        return;
    }
    let script = created.iter().map(|(_, script)| *script).collect::<Vec<_>>().join("; ");
    yard.run(&format!(
        "{script}; mkdir -p .git/hooks && echo evil > .git/hooks/pre-commit; echo fine > fine.txt"
    ));
    for path in created.iter().map(|(path, _)| *path).chain([".git/hooks/pre-commit"]) {
        let text = std::fs::read_to_string(yard.root().join(path)).unwrap_or_default();
        assert!(!text.contains("evil"), "{path} is still there");
    }
    assert_eq!(yard.stage.read("fine.txt"), "fine\n");
    yard.run(
        "git init -q new && cd new && touch a && git add a && git commit -qm a --author 'A <a@b>' || true",
    );
    assert!(yard.root().join("new/.git/HEAD").exists(), "a new repository may be made");
}
