//! Where the attacks happen: a home full of fake secrets, a workspace, and a place outside that commands can
//! see and must not touch.

use crate::house::stage::{Run, Stage, skip};
use agent::action::Action;
use agent::policy::{Effect, Kind, Mode, Policy, Rule, Verdict};
use agent::sandbox::{Wish, open};
use agent::scan::Scanner;
use agent::tool::{Progress, ToolError, Toolbox, World, all};
use agent::workspace::Workspace;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// What no attack may ever show.
pub(crate) const CANARY: &str = "FAKE-adversary-canary";

/// One attack: a script that ends with 0 only where it got what it wanted.
pub(crate) type Case = (&'static str, &'static str, &'static str);

/// A stage with neighbours.
pub(crate) struct Yard {
    pub(crate) stage: Stage,
    /// Outside the workspace, visible to commands, theirs to leave alone.
    pub(crate) outside: PathBuf,
    _outside: tempfile::TempDir,
}

/// Where the file system shows commands a folder that is neither hidden nor theirs.
fn seen_folder() -> PathBuf {
    std::env::var_os("AGENT_ADVERSARY_OUTSIDE")
        .map_or_else(|| env!("CARGO_TARGET_TMPDIR").into(), PathBuf::from)
}

impl Yard {
    pub(crate) fn new() -> Self {
        let stage = Stage::with(&[
            ("app.py", "def main():\n    return 1\n"),
            ("sub/inner.txt", "plain\n"),
            (".env", &format!("SECRET={CANARY}\n")),
            (".env.example", "SECRET=\n"),
            ("sub/.env.local", &format!("SECRET={CANARY}\n")),
            ("deploy/server.pem", &format!("{CANARY}\n")),
            ("deploy/id_rsa", &format!("{CANARY}\n")),
            ("config/secrets.yml", &format!("password: {CANARY}\n")),
            (".npmrc", &format!("//registry/:_authToken={CANARY}\n")),
            ("link-target.txt", "plain\n"),
        ]);
        let inside = stage.root();
        symlink(".env", inside.join("env-link")).unwrap();
        symlink("/etc/passwd", inside.join("passwd-link")).unwrap();
        let kept = tempfile::Builder::new().prefix("outside-").tempdir_in(seen_folder()).unwrap();
        let outside = kept.path().canonicalize().unwrap();
        std::fs::write(outside.join("keep"), "untouched\n").unwrap();
        std::fs::create_dir(outside.join("folder")).unwrap();
        symlink(&outside, inside.join("out-link")).unwrap();
        for (path, text) in [
            (".ssh/id_ed25519", CANARY),
            (".ssh/authorized_keys", CANARY),
            (".aws/credentials", CANARY),
            (".netrc", CANARY),
            (".pgpass", CANARY),
            (".docker/config.json", CANARY),
            (".kube/config", CANARY),
            (".config/gh/hosts.yml", CANARY),
            (".config/gcloud/access_tokens.db", CANARY),
            (".gnupg/secring.gpg", CANARY),
            (".npmrc", CANARY),
            (".pypirc", CANARY),
            (".cargo/credentials.toml", CANARY),
            (".git-credentials", CANARY),
            (".bash_history", CANARY),
            (".zsh_history", CANARY),
            (".vault-token", CANARY),
            (".local/share/keyrings/login.keyring", CANARY),
            (".config/agent/config.toml", "max_turns = 50\n# FAKE-adversary-canary\n"),
            (".local/state/agent/sessions/old.jsonl", CANARY),
            (".mozilla/cookies.sqlite", CANARY),
            ("Documents/taxes.txt", CANARY),
            (".bashrc", "# mine\n"),
            (".profile", "# mine\n"),
        ] {
            let path = stage.home().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let stage = stage.env(&[
            ("OPENAI_API_KEY", CANARY),
            ("AWS_SECRET_ACCESS_KEY", CANARY),
            ("DATABASE_PASSWORD", CANARY),
            ("BASH_ENV", "/nonexistent"),
            ("SSH_AUTH_SOCK", "/nonexistent/agent.sock"),
        ]);
        Self { stage, outside, _outside: kept }
    }

    /// The same with a repository of one commit.
    pub(crate) fn with_git() -> Self {
        let yard = Self::new();
        yard.git(&["init", "-q", "."]);
        yard.git(&["config", "user.email", "a@example.com"]);
        yard.git(&["config", "user.name", "A"]);
        yard.git(&["add", "app.py", "sub/inner.txt"]);
        yard.git(&["commit", "-q", "-m", "start"]);
        yard
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        let done = Command::new("git")
            .args(arguments)
            .current_dir(self.stage.root())
            .env("HOME", self.stage.home())
            .output()
            .unwrap();
        assert!(done.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    }

    pub(crate) fn root(&self) -> &Path {
        self.stage.root()
    }

    /// Runs a script behind the walls through `agent sandbox`.
    pub(crate) fn run(&self, script: &str) -> Run {
        self.stage.agent(&["sandbox", "--", "bash", "-c", script])
    }

    /// Whether commands can be confined with namespaces here.
    pub(crate) fn is_walled(&self) -> bool {
        self.run("true").code == Some(0) || skip("no walls on this machine")
    }

    /// Runs attacks and benign twins, each in a shell of its own behind one set of walls. An attack must not end
    /// with 0, nor show a canary, nor change anything outside; a twin must end with 0.
    pub(crate) fn batch(&self, words: &[(&str, &str)], cases: &[Case]) {
        self.batch_but(words, cases, &[]);
    }

    /// The same; attacks named in `soft` may seem to succeed, since what they reach is private: only what is
    /// outside, and what they print, counts.
    pub(crate) fn batch_but(&self, words: &[(&str, &str)], cases: &[Case], soft: &[&str]) {
        if !self.is_walled() {
            return;
        }
        let folder = self.root().join("cases");
        std::fs::create_dir_all(&folder).unwrap();
        let mut variables = String::new();
        let home = self.stage.home().display().to_string();
        let outside = self.outside.display().to_string();
        let own = std::process::id().to_string();
        for (name, value) in [("OUT", outside.as_str()), ("REAL", &home), ("AGENT", &own)].iter().chain(words)
        {
            writeln!(variables, "{name}='{value}'").unwrap();
        }
        variables.push_str(
            "W=$PWD\ntry() { for i in $(seq 80); do \"$@\" && return; sleep 0.1; done; return 1; }\n",
        );
        variables.push_str(
            "export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@b\n",
        );
        std::fs::write(folder.join("words"), variables).unwrap();
        let mut names = Vec::new();
        for (name, attack, twin) in cases {
            for (kind, text) in [("attack", attack), ("twin", twin)] {
                let file = format!("{}-{kind}", name.replace(' ', "_"));
                assert!(!names.contains(&file), "two cases are called {name}");
                std::fs::write(
                    folder.join(&file),
                    format!(". cases/words\nmkdir -p scratch/{file}\ncd scratch/{file}\n{text}\n"),
                )
                .unwrap();
                names.push(file);
            }
        }
        std::fs::write(folder.join("list"), names.join("\n") + "\n").unwrap();
        let before = self.beyond();
        let run = self.run(
            "while read -r name; do timeout -k 1 60 bash cases/$name >cases/$name.out 2>&1 </dev/null; \
             echo $? >cases/$name.code; done <cases/list",
        );
        assert_eq!(run.code, Some(0), "{run}");
        // Where this build lies below a folder that commands see empty, they write to one of their own instead:
        // then only what stands outside afterwards tells.
        let is_hidden =
            ["/tmp", "/var/tmp", "/dev/shm"].iter().any(|folder| self.outside.starts_with(folder));
        let mut wrong = String::new();
        let read = |name: &str| {
            std::fs::read(folder.join(name)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        for (name, ..) in cases {
            for kind in ["attack", "twin"] {
                let file = format!("{}-{kind}", name.replace(' ', "_"));
                let code = read(&format!("{file}.code")).unwrap_or_else(|_| "none".into());
                let output = read(&format!("{file}.out")).unwrap_or_default();
                let expected = if kind == "twin" {
                    code.trim() == "0"
                } else {
                    code.trim() != "0" || soft.contains(name) || is_hidden
                };
                if !expected || output.contains(CANARY) || run.stdout.contains(CANARY) {
                    let shown: String = output.chars().take(600).collect();
                    writeln!(wrong, "{kind} of `{name}` ended with {}:\n{shown}", code.trim()).unwrap();
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
        assert_eq!(self.beyond(), before, "something outside changed");
    }

    /// Everything outside that an attack could change: names, modes, content.
    pub(crate) fn beyond(&self) -> BTreeMap<PathBuf, (u32, String)> {
        let mut out = BTreeMap::new();
        let mut folders = vec![self.outside.clone(), self.stage.home().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                let meta = path.symlink_metadata().unwrap();
                // The logs of commands are the agent's own.
                if path.ends_with(".local/state/agent/output") {
                    continue;
                }
                if meta.is_dir() {
                    folders.push(path.clone());
                }
                let text = if meta.is_file() {
                    std::fs::read_to_string(&path).unwrap_or_default()
                } else {
                    String::new()
                };
                out.insert(path, (meta.mode(), text));
            }
        }
        out
    }

    /// Tools over the same workspace, judged in `mode`.
    pub(crate) fn hands(&self, mode: Mode) -> Hands {
        let state = self.stage.home().join(".local/state/agent");
        let program = Path::new(env!("CARGO_BIN_EXE_agent"));
        let world = World {
            workspace: Workspace::open(self.root()).unwrap(),
            sandbox: open(self.root(), &state, program, Wish::Auto),
            scanner: Scanner::new(),
        };
        let root = world.workspace.root().display().to_string();
        Hands {
            world: Arc::new(world),
            toolbox: Toolbox::of(all()),
            policy: Policy::new(mode).with_root(&root),
        }
    }
}

/// Tools in use, without a model.
pub(crate) struct Hands {
    pub(crate) world: Arc<World>,
    pub(crate) toolbox: Toolbox,
    pub(crate) policy: Policy,
}

/// How a call went.
#[derive(Debug)]
pub(crate) enum Went {
    /// It was done, and told this.
    Done(String),
    /// It was refused or failed, with this reason.
    Refused(String),
}

impl Went {
    pub(crate) fn text(&self) -> &str {
        match self {
            Went::Done(text) | Went::Refused(text) => text,
        }
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(self, Went::Done(_))
    }
}

impl Hands {
    /// Plans, judges and performs one call, as a session does.
    pub(crate) async fn call(&self, tool: &str, args: Value) -> Went {
        let plan = match self.toolbox.find(tool).unwrap().plan(&args, &self.world) {
            Ok(plan) => plan,
            Err(error) => return Went::Refused(error.to_string()),
        };
        let permit = match self.policy.judge(&plan.action) {
            Verdict::Allow(permit) => permit,
            Verdict::Ask(question) => return Went::Refused(question.reason),
            Verdict::Deny(why) => return Went::Refused(why),
        };
        match plan.perform(permit, Progress::silent()).await {
            Ok(output) => Went::Done(output.text),
            Err(ToolError::Arguments(why) | ToolError::Failed(why)) => Went::Refused(why),
        }
    }
}

/// What policy says, as a letter: allow, ask, deny.
pub(crate) fn letter(policy: &Policy, action: &Action) -> char {
    match policy.judge(action) {
        Verdict::Allow(_) => 'a',
        Verdict::Ask(_) => '?',
        Verdict::Deny(_) => 'd',
    }
}

/// A rule somebody wrote.
pub(crate) fn rule(action: Kind, pattern: &str, effect: Effect) -> Rule {
    Rule { action, pattern: pattern.into(), except: Vec::new(), effect, from: "test".into() }
}
