//! The machine as commands may see it: what is hidden, what toolchains need back, what reads as empty.

use super::orders::{Height, Orders};
use super::survey::Survey;
use crate::sandbox::environment::value;
use crate::sandbox::logs_below;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Hidden beside the homes. Sizes are limits, not reservations.
const HIDDEN: [(&str, &str); 12] = [
    ("/tmp", "1g"),
    ("/var/tmp", "256m"),
    ("/home", "512m"),
    ("/root", "512m"),
    ("/run", "16m"),
    ("/mnt", "1m"),
    ("/media", "1m"),
    ("/var/lib/docker", "1m"),
    ("/var/lib/containerd", "1m"),
    ("/var/lib/kubelet", "1m"),
    ("/var/spool", "1m"),
    ("/etc/kubernetes", "1m"),
];

/// Secrets of the machine, which the modes alone do not hide from root's uid.
const MACHINE_SECRETS: [&str; 20] = [
    "/etc/letsencrypt",
    "/etc/wireguard",
    "/etc/openvpn",
    "/etc/NetworkManager",
    "/etc/pki/tls/private",
    "/var/backups",
    "/var/lib/NetworkManager",
    "/etc/shadow",
    "/etc/shadow-",
    "/etc/gshadow",
    "/etc/gshadow-",
    "/etc/sudoers",
    "/etc/sudoers.d",
    "/etc/ssl/private",
    "/etc/krb5.keytab",
    "/etc/ssh/ssh_host_rsa_key",
    "/etc/ssh/ssh_host_ecdsa_key",
    "/etc/ssh/ssh_host_ed25519_key",
    "/etc/docker",
    "/etc/rancher",
];

/// First components below the home that are toolchains as a whole.
const TOOLCHAINS: [&str; 26] = [
    ".pyenv",
    ".nvm",
    ".cargo",
    ".rustup",
    ".rbenv",
    ".rvm",
    ".asdf",
    ".sdkman",
    ".volta",
    ".deno",
    ".bun",
    ".fnm",
    ".nodenv",
    ".goenv",
    ".jenv",
    ".phpenv",
    ".poetry",
    ".rye",
    ".ghcup",
    ".opam",
    ".dotnet",
    ".juliaup",
    "miniconda3",
    "anaconda3",
    "miniforge3",
    "mambaforge",
];

/// Below the home: package caches and what toolchains keep elsewhere.
const CACHES: &[&str] = &[
    ".cargo/registry",
    ".cargo/git",
    ".rustup",
    ".npm/_cacache",
    ".m2",
    ".gradle/caches",
    ".gradle/wrapper",
    ".cache/pip",
    ".cache/uv",
    ".cache/yarn",
    ".cache/pypoetry",
    ".local/share/virtualenvs",
    ".local/share/hatch",
    ".local/share/mise",
    ".local/share/fnm",
    ".composer/cache",
    ".nuget/packages",
    ".local/share/pnpm",
    ".local/share/uv",
    ".local/share/virtualenv",
    ".local/pipx",
    "go/pkg",
];

/// Below the home, inside what is kept or when the home is the workspace.
const HOME_SECRETS: [&str; 26] = [
    ".cargo/credentials",
    ".cargo/credentials.toml",
    ".m2/settings.xml",
    ".m2/settings-security.xml",
    ".gem/credentials",
    ".composer/auth.json",
    ".config/composer/auth.json",
    ".gradle/gradle.properties",
    ".nuget/NuGet/NuGet.Config",
    ".ssh",
    ".aws",
    ".azure",
    ".gnupg",
    ".kube",
    ".docker",
    ".config/gcloud",
    ".config/gh",
    ".config/op",
    ".local/share/keyrings",
    ".netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".git-credentials",
    ".bash_history",
    ".vault-token",
];

/// System folders a program needs to start, for the lower walls.
const SYSTEM: [&str; 14] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix",
    "/snap",
    "/proc",
    "/sys/devices/system/cpu",
    "/sys/fs/cgroup",
    "/var/lib/dpkg",
];

/// What does not change between commands of one session.
#[derive(Debug, Clone)]
pub(super) struct Site {
    workspace: PathBuf,
    home: Option<PathBuf>,
    hide: Vec<(PathBuf, String)>,
    fresh: Vec<PathBuf>,
    seed: Vec<(PathBuf, String)>,
    keep: Vec<PathBuf>,
    blank: Vec<PathBuf>,
}

impl Site {
    /// Looks at the machine once. Fails where the workspace would swallow what must be hidden.
    pub(super) fn look(
        workspace: &Path,
        state_dir: &Path,
        variables: &[(OsString, OsString)],
    ) -> Result<Self, String> {
        let workspace = workspace
            .canonicalize()
            .map_err(|error| format!("the workspace {}: {error}", workspace.display()))?;
        let home = value(variables, "HOME").map(Path::new).and_then(|path| path.canonicalize().ok());
        let home = home.filter(|path| path.parent().is_some() && path.is_dir());

        let mut wanted: Vec<(PathBuf, String)> = HIDDEN
            .iter()
            .filter_map(|(path, size)| Some((Path::new(path).canonicalize().ok()?, (*size).to_owned())))
            .filter(|(path, _)| path.is_dir())
            .collect();
        if let Some(home) = home.as_ref().filter(|home| **home != workspace) {
            wanted.push((home.clone(), "512m".to_owned()));
        }
        // The agent's own records are hidden wherever they are; the logs of commands come back below.
        let logs = logs_below(state_dir);
        let state = crate::sandbox::capture::make_private_dir(&logs).and_then(|()| state_dir.canonicalize());
        let state = state.map_err(|error| format!("the state folder {}: {error}", state_dir.display()))?;
        let mut blank: Vec<PathBuf> = MACHINE_SECRETS.iter().map(PathBuf::from).collect();
        if state.starts_with(&workspace) && state != workspace {
            blank.push(state.clone());
        } else if !workspace.starts_with(&state) {
            wanted.push((state.clone(), "1m".to_owned()));
        }
        wanted.sort();
        let mut hide: Vec<(PathBuf, String)> = Vec::new();
        for (path, size) in wanted {
            if path == workspace && home.as_ref() == Some(&workspace) {
                continue;
            }
            if path.starts_with(&workspace) {
                return Err(format!(
                    "the workspace {} contains {}, which must stay hidden; start in a project folder",
                    workspace.display(),
                    path.display()
                ));
            }
            if !hide.iter().any(|(above, _)| path.starts_with(above)) {
                hide.push((path, size));
            }
        }
        let is_hidden = |path: &Path| hide.iter().any(|(above, _)| path.starts_with(above));
        let outside_home = home.as_ref() != Some(&workspace);
        let fresh: Vec<PathBuf> =
            home.iter().filter(|path| outside_home && is_hidden(path)).cloned().collect();
        let mut keep = kept(home.as_deref(), &workspace, variables, is_hidden);
        if is_hidden(&state) {
            keep.push(logs_below(&state));
        }
        keep.extend(shared_repository(&workspace).filter(|path| is_hidden(path)));
        // A toolchain may be kept from a home that is not the one told of.
        let homes = keep.iter().filter_map(|path| path.parent()).chain(home.as_deref());
        blank.extend(homes.flat_map(|home| HOME_SECRETS.iter().map(move |path| home.join(path))));
        let seed = match (&home, fresh.is_empty()) {
            (Some(home), false) => {
                identity(home).map(|text| (home.join(".gitconfig"), text)).into_iter().collect()
            }
            _ => Vec::new(),
        };
        Ok(Self { workspace, home, hide, fresh, seed, keep, blank })
    }

    /// The same with folders that commands may read beside the workspace.
    pub(super) fn lending(mut self, lent: &[PathBuf]) -> Self {
        let is_apart = |path: &&PathBuf| path.is_dir() && !path.starts_with(&self.workspace);
        self.keep.extend(lent.iter().filter(is_apart).cloned());
        self
    }

    /// The home a command is told of: the usual path where it is private, else the private `/tmp`.
    pub(super) fn home(&self) -> &Path {
        match &self.home {
            Some(home) if *home != self.workspace => home,
            _ => Path::new("/tmp"),
        }
    }

    /// The user's real home, for what toolchains look up there.
    pub(super) fn real_home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// Sockets of the host that are seen in the tree: neither a read-only mount nor Landlock before its ninth
    /// version stops a connection to them.
    fn sockets(&self) -> Vec<PathBuf> {
        let list = std::fs::read_to_string("/proc/net/unix").unwrap_or_default();
        let paths = list
            .lines()
            .filter_map(|line| line.split_whitespace().nth(7))
            .filter(|path| path.starts_with('/'));
        let mut paths: Vec<PathBuf> = paths.map(PathBuf::from).collect();
        paths.retain(|path| {
            !path.starts_with(&self.workspace)
                && !self.hide.iter().any(|(folder, _)| path.starts_with(folder))
                && path.exists()
        });
        paths.sort();
        paths.dedup();
        paths
    }

    /// Orders for one command. `private` is where a command without its own mounts may write.
    pub(super) fn orders(
        &self,
        height: Height,
        shell: PathBuf,
        command: &str,
        workdir: &Path,
        seen: Survey,
        private: Option<&Path>,
    ) -> Orders {
        let mut writable = vec![self.workspace.clone()];
        let layer = super::mounts::layers(&self.keep, self.home.as_deref(), CACHES);
        let mut readable = Vec::new();
        match height {
            Height::Namespaces => {
                readable.push("/".into());
                writable.extend(["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from));
                writable.push(self.home().to_owned());
                writable.extend(layer.iter().cloned());
            }
            Height::Landlock => {
                readable.extend(SYSTEM.iter().map(PathBuf::from));
                readable.extend(settings());
                readable.extend(self.keep.iter().flat_map(|path| around(path, &self.blank)));
                writable.extend(private.map(Path::to_owned));
            }
        }
        let mut blank = self.blank.clone();
        blank.extend(seen.secrets);
        blank.extend(self.sockets());
        Orders {
            height,
            shell,
            command: command.to_owned(),
            workdir: workdir.to_owned(),
            workspace: self.workspace.clone(),
            hide: self.hide.clone(),
            fresh: self.fresh.clone(),
            seed: self.seed.clone(),
            keep: self.keep.clone(),
            layer,
            pin: seen.pin,
            freeze: seen.freeze,
            blank,
            readable,
            writable,
            door: false,
        }
    }
}

/// A folder without the closed paths in it, entry by entry, since an allow list has no exceptions.
fn around(path: &Path, closed: &[PathBuf]) -> Vec<PathBuf> {
    if closed.iter().any(|secret| secret == path) {
        return Vec::new();
    }
    if !closed.iter().any(|secret| secret.starts_with(path) && secret.exists()) {
        return vec![path.to_owned()];
    }
    let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
    entries.flatten().flat_map(|entry| around(&entry.path(), closed)).collect()
}

/// `/etc` without the machine's secrets, entry by entry, since an allow list has no exceptions.
fn settings() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/etc") else { return Vec::new() };
    let mut all: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    all.retain(|path| {
        let closed = MACHINE_SECRETS.iter().any(|secret| Path::new(secret).starts_with(path));
        !closed || path == Path::new("/etc/ssl")
    });
    if let Some(at) = all.iter().position(|path| path == Path::new("/etc/ssl")) {
        all[at] = "/etc/ssl/certs".into();
        all.push("/etc/ssl/openssl.cnf".into());
    }
    all
}

fn kept(
    home: Option<&Path>,
    workspace: &Path,
    variables: &[(OsString, OsString)],
    is_hidden: impl Fn(&Path) -> bool,
) -> Vec<PathBuf> {
    let mut wanted: Vec<PathBuf> = Vec::new();
    let path = value(variables, "PATH").unwrap_or_default();
    for entry in std::env::split_paths(path) {
        for entry in [entry.canonicalize().ok(), Some(entry)].into_iter().flatten() {
            wanted.push(toolchain_root(&entry, home));
        }
    }
    if let Some(home) = home {
        // Also those that are not on PATH: a virtual environment of the workspace may point into them.
        wanted.extend(TOOLCHAINS.iter().chain(CACHES).map(|folder| home.join(folder)));
        if wanted.contains(&home.join(".local/bin")) {
            wanted.push(home.join(".local/lib"));
        }
    }
    wanted.retain(|path| {
        let secret = home.is_some_and(|home| {
            path == home || HOME_SECRETS.iter().any(|secret| path.starts_with(home.join(secret)))
        });
        let shared = ["/tmp", "/var/tmp"].iter().any(|folder| path.starts_with(folder));
        path.is_dir() && is_hidden(path) && !secret && !shared && !path.starts_with(workspace)
    });
    wanted.sort();
    wanted.dedup();
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in wanted {
        if !kept.iter().any(|above| path.starts_with(above)) {
            kept.push(path);
        }
    }
    kept
}

/// The folder that must be there for a PATH entry to work: the toolchain it belongs to, else itself.
fn toolchain_root(entry: &Path, home: Option<&Path>) -> PathBuf {
    // Also where another user's home, or none, is told: the folder itself says what it is.
    let known =
        |folder: &&Path| folder.file_name().is_some_and(|name| TOOLCHAINS.iter().any(|tool| name == *tool));
    if let Some(root) = entry.ancestors().filter(known).last() {
        return root.to_owned();
    }
    let Some((home, below)) = home.and_then(|home| Some((home, entry.strip_prefix(home).ok()?))) else {
        // A toolchain in somebody else's home (HOME was changed, PATH was not) is a toolchain all the same.
        let is_toolchain = |folder: &&Path| TOOLCHAINS.iter().any(|name| folder.ends_with(name));
        return entry.ancestors().find(is_toolchain).unwrap_or(entry).to_owned();
    };
    let first = below.components().next().map(|part| home.join(part));
    match first {
        Some(first) if TOOLCHAINS.iter().any(|name| first.ends_with(name)) => first,
        // `~/sdk/go1.22/bin` needs its sibling folders; `~/bin` and `~/.local/bin` stand alone.
        _ if below.components().count() > 2 && entry.ends_with("bin") => {
            entry.parent().unwrap_or(entry).to_owned()
        }
        _ => entry.to_owned(),
    }
}

/// The repository that a linked worktree belongs to, when both sides say so: a pointer alone could name any
/// folder.
fn shared_repository(workspace: &Path) -> Option<PathBuf> {
    let pointer = workspace.join(".git");
    if !pointer.symlink_metadata().is_ok_and(|facts| facts.is_file()) {
        return None;
    }
    let text = std::fs::read_to_string(&pointer).ok()?;
    let own = workspace.join(text.strip_prefix("gitdir:")?.trim()).canonicalize().ok()?;
    let back = std::fs::read_to_string(own.join("gitdir")).ok()?;
    let folder = own.parent().filter(|folder| folder.ends_with("worktrees"))?;
    let shared = folder.parent()?;
    let agrees = Path::new(back.trim()).canonicalize().ok()? == pointer;
    let is_repository = shared.join("HEAD").is_file() && shared.join("objects").is_dir();
    (agrees && is_repository && !workspace.starts_with(shared)).then(|| shared.to_owned())
}

/// Name and mail address of the user's git settings, and nothing else of them.
fn identity(home: &Path) -> Option<String> {
    let text = std::fs::read_to_string(home.join(".gitconfig")).ok()?;
    let mut inside = false;
    let mut lines = vec!["[user]".to_owned()];
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') {
            inside = line.eq_ignore_ascii_case("[user]");
        } else if inside && (line.starts_with("name") || line.starts_with("email")) {
            lines.push(format!("\t{line}"));
        }
    }
    (lines.len() > 1).then(|| lines.join("\n") + "\n")
}
