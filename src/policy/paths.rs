//! Which class a workspace path belongs to: plain, secret, protected, CI.
//!
//! Names are compared without case and without characters that some file systems ignore, at any depth.

/// What a path is, as far as policy cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// An ordinary file.
    Plain,
    /// Holds secrets: reading asks, headless denies, search masks.
    Secret,
    /// Never written: `.git/`, `.agent/`, shell start-up files, settings of other agents.
    Protected,
    /// CI definitions and editor tasks: writing asks.
    Sensitive,
}

/// The class of a workspace-relative, `/`-separated path. A path of several classes has the first of
/// secret, protected, sensitive; [`is_secret`] and [`is_protected`] tell them apart.
pub fn class(path: &str) -> Class {
    let parts = folded(path);
    if secret(&parts) {
        Class::Secret
    } else if protected(&parts) {
        Class::Protected
    } else if sensitive(&parts) {
        Class::Sensitive
    } else {
        Class::Plain
    }
}

/// Whether a file of that path holds secrets, by its name or by a folder it lies in.
pub fn is_secret(path: &str) -> bool {
    secret(&folded(path))
}

/// Whether a path must never be written, a secret one included: `.agent/.env` is both.
pub fn is_protected(path: &str) -> bool {
    protected(&folded(path))
}

/// Files that hold secrets, by name.
const SECRET_NAMES: &[&str] = &[
    ".boto",
    ".dockercfg",
    ".envrc",
    ".git-credentials",
    ".htpasswd",
    ".my.cnf",
    ".mylogin.cnf",
    ".netrc",
    ".npmrc",
    ".pgpass",
    ".pypirc",
    ".s3cfg",
    ".terraformrc",
    ".vault-token",
    "_netrc",
    "application_default_credentials.json",
    "client_secret.json",
    "credentials.json",
    "credentials.tfrc.json",
    "htpasswd",
    "kubeconfig",
    "pgpass.conf",
    "settings-security.xml",
];

/// Extensions of files that hold secrets.
const SECRET_EXTENSIONS: &[&str] = &[
    "env",
    "jceks",
    "jks",
    "kdb",
    "kdbx",
    "key",
    "keychain",
    "keychain-db",
    "keystore",
    "keytab",
    "kubeconfig",
    "ovpn",
    "p12",
    "p8",
    "pem",
    "pfx",
    "ppk",
    "tfstate",
    "tfvars",
];

/// Private keys under their usual names; `id_rsa.pub` is public, `id_rsa.bak` is not.
const KEY_NAMES: &[&str] = &["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_xmss"];

/// Folders in which every file is a secret.
const SECRET_FOLDERS: &[&[&str]] = &[
    &[".ssh"],
    &[".gnupg"],
    &[".aws"],
    &[".azure"],
    &[".password-store"],
    &[".config", "gcloud"],
    &[".config", "op"],
    &["keyrings"],
];

/// Files that are secret in one folder only.
const SECRET_PLACES: &[&[&str]] = &[
    &[".docker", "config.json"],
    &[".kube", "config"],
    &[".cargo", "credentials"],
    &[".cargo", "credentials.toml"],
    &[".gem", "credentials"],
    &[".m2", "settings.xml"],
    &[".gradle", "gradle.properties"],
    &[".codex", "auth.json"],
    &[".config", "gh", "hosts.yml"],
];

/// Last parts of names that are meant to be shared: `.env.example`, `prod.tfvars.sample`.
const SAMPLES: &[&str] = &["example", "sample", "template", "dist", "tmpl", "tpl"];

/// Folders nothing is written to.
const PROTECTED_FOLDERS: &[&str] = &[
    ".agent",
    ".agents",
    ".aider",
    ".amazonq",
    ".claude",
    ".codex",
    ".continue",
    ".crush",
    ".cursor",
    ".gemini",
    ".git",
    ".goose",
    ".junie",
    ".kiro",
    ".opencode",
    ".pi",
    ".qwen",
    ".roo",
    ".trae",
    ".windsurf",
    "git~1",
];

/// Shell start-up files, and settings that make other programs run something.
const PROTECTED_NAMES: &[&str] = &[
    ".aider.conf.yml",
    ".bash_aliases",
    ".bash_login",
    ".bash_logout",
    ".bash_profile",
    ".bashrc",
    ".cshrc",
    ".envrc",
    ".gitconfig",
    ".inputrc",
    ".kshrc",
    ".login",
    ".mcp.json",
    ".pam_environment",
    ".profile",
    ".tcshrc",
    ".xinitrc",
    ".xprofile",
    ".xsessionrc",
    ".zlogin",
    ".zlogout",
    ".zprofile",
    ".zshenv",
    ".zshrc",
    "config.fish",
    "crush.json",
    "opencode.json",
    "opencode.jsonc",
];

/// Folders of CI definitions, hooks and editor tasks.
const SENSITIVE_FOLDERS: &[&[&str]] = &[
    &[".github", "workflows"],
    &[".github", "actions"],
    &[".gitlab"],
    &[".circleci"],
    &[".buildkite"],
    &[".cargo"],
    &[".woodpecker"],
    &[".azure-pipelines"],
    &[".ci"],
    &[".vscode"],
    &[".idea"],
    &[".fleet"],
    &[".zed"],
    &[".devcontainer"],
    &[".husky"],
    &[".githooks"],
    &[".lefthook"],
];

/// CI definitions, hook settings, ownership, and texts that other agents obey.
const SENSITIVE_NAMES: &[&str] = &[
    ".cirrus.yml",
    ".cursorrules",
    ".drone.yml",
    ".gitmodules",
    ".lefthook.yml",
    ".pre-commit-config.yaml",
    ".pre-commit-config.yml",
    ".travis.yml",
    ".windsurfrules",
    ".woodpecker.yml",
    "agent.md",
    "agents.md",
    "appveyor.yml",
    "azure-pipelines.yaml",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "buildspec.yml",
    "claude.md",
    "cloudbuild.yaml",
    "codeowners",
    "copilot-instructions.md",
    "dependabot.yml",
    "gemini.md",
    "jenkinsfile",
    "lefthook.yml",
];

fn secret(parts: &[String]) -> bool {
    let Some(name) = parts.last().map(String::as_str) else { return false };
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    if beneath(parts, SECRET_FOLDERS) || SECRET_PLACES.iter().any(|place| ends_with(parts, place)) {
        return true;
    }
    if SAMPLES.contains(&extension) || (extension == "env" && SAMPLES.contains(&stem)) {
        return false;
    }
    SECRET_NAMES.contains(&name)
        || SECRET_EXTENSIONS.contains(&extension)
        || name.starts_with(".env.")
        || name.ends_with(".tfstate.backup")
        || name.ends_with("_history") && name.starts_with('.')
        || name.starts_with(".vault-pass")
        || name.starts_with(".vault_pass")
        || extension != "pub" && KEY_NAMES.iter().any(|key| name.starts_with(key))
        || matches!(stem, "secrets" | "secret" | ".secrets")
            && matches!(extension, "yml" | "yaml" | "json" | "toml" | "ini" | "properties" | "txt" | "")
        || extension == "json"
            && (["service-account", "service_account", "serviceaccount", "client_secret"]
                .iter()
                .any(|start| name.starts_with(start))
                || name.contains("firebase-adminsdk"))
}

fn protected(parts: &[String]) -> bool {
    let Some(name) = parts.last() else { return false };
    parts.iter().any(|part| PROTECTED_FOLDERS.contains(&part.as_str()))
        || PROTECTED_NAMES.contains(&name.as_str())
}

fn sensitive(parts: &[String]) -> bool {
    let Some(name) = parts.last().map(String::as_str) else { return false };
    beneath(parts, SENSITIVE_FOLDERS)
        || SENSITIVE_NAMES.contains(&name)
        || name.ends_with(".gitlab-ci.yml")
        || name.ends_with(".gitlab-ci.yaml")
        || name.starts_with("jenkinsfile.")
}

/// Whether one of the folders is on the way to the file, or is what the path names.
fn beneath(parts: &[String], folders: &[&[&str]]) -> bool {
    folders.iter().any(|folder| {
        parts.windows(folder.len()).any(|window| window.iter().map(String::as_str).eq(folder.iter().copied()))
    })
}

fn ends_with(parts: &[String], place: &[&str]) -> bool {
    parts.len() >= place.len() && beneath(&parts[parts.len() - place.len()..], &[place])
}

/// The parts of a path as the most forgiving file system would compare them.
fn folded(path: &str) -> Vec<String> {
    path.split('/')
        .map(|part| {
            let seen: String = part.chars().filter(|character| !is_ignorable(*character)).collect();
            seen.to_lowercase()
        })
        .map(|part| {
            let trimmed = part.trim_end_matches(['.', ' ']);
            if trimmed.is_empty() { part } else { trimmed.to_owned() }
        })
        .filter(|part| !part.is_empty() && part != ".")
        .collect()
}

/// Characters that some file systems leave out when they compare names.
fn is_ignorable(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expected: Class, paths: &[&str]) {
        for path in paths {
            for path in [(*path).to_owned(), format!("a/b c/{path}"), path.to_uppercase()] {
                assert_eq!(class(&path), expected, "{path}");
            }
        }
    }

    #[test]
    fn knows_the_files_that_hold_secrets() {
        check(
            Class::Secret,
            &[
                ".env",
                ".env.local",
                ".env.production",
                "prod.env",
                ".envrc",
                "server.pem",
                "server.key",
                "cert.p12",
                "cert.pfx",
                "store.jks",
                "my.keystore",
                "id_rsa",
                "id_dsa",
                "id_ecdsa",
                "id_ed25519",
                "id_ed25519_work",
                "id_rsa.bak",
                ".netrc",
                ".pgpass",
                ".npmrc",
                ".pypirc",
                ".git-credentials",
                ".aws/credentials",
                ".ssh/config",
                ".ssh/id_rsa.pub",
                ".docker/config.json",
                ".kube/config",
                ".config/gcloud/access_tokens.db",
                "credentials.json",
                "service-account.json",
                "service-account-prod.json",
                "service_account.json",
                "app-firebase-adminsdk-1.json",
                "vault.kdbx",
                ".htpasswd",
                "terraform.tfstate",
                "terraform.tfstate.backup",
                "prod.tfvars",
                "secrets.yml",
                "secrets.yaml",
                "secrets.json",
                ".cargo/credentials.toml",
                ".bash_history",
                ".agent/.env",
                "\u{200b}.env",
                ".env.",
            ],
        );
    }

    #[test]
    fn knows_what_is_never_written() {
        check(
            Class::Protected,
            &[
                ".git",
                ".git/config",
                ".git/hooks/pre-commit",
                "sub/.git/HEAD",
                ".g\u{200c}it/config",
                ".git./config",
                "git~1/config",
                ".agent/agent.toml",
                ".claude/settings.json",
                ".opencode/agent/x.md",
                ".codex/config.toml",
                ".gemini/settings.json",
                ".cursor/mcp.json",
                ".mcp.json",
                ".bashrc",
                ".zshrc",
                ".profile",
                ".gitconfig",
            ],
        );
        for path in [".agent/.env", ".git/x.pem", ".envrc"] {
            assert!(is_secret(path) && is_protected(path), "{path}");
        }
    }

    #[test]
    fn knows_what_runs_in_ci_and_editors() {
        check(
            Class::Sensitive,
            &[
                ".github/workflows/ci.yml",
                ".github/actions/x/action.yml",
                ".gitlab-ci.yml",
                "Jenkinsfile",
                ".circleci/config.yml",
                "azure-pipelines.yml",
                ".vscode/tasks.json",
                ".idea/workspace.xml",
                ".husky/pre-commit",
                ".pre-commit-config.yaml",
                ".devcontainer/devcontainer.json",
                ".gitmodules",
                "AGENTS.md",
            ],
        );
    }

    #[test]
    fn leaves_ordinary_files_alone() {
        check(
            Class::Plain,
            &[
                ".",
                "src/app.py",
                ".env.example",
                ".env.sample",
                ".env.template",
                ".env.dist",
                ".env.local.example",
                "example.env",
                "env.py",
                "environment.ts",
                "id_rsa.pub",
                "id_card.py",
                "keys.rs",
                "keystore.go",
                "key",
                "secrets.py",
                "secrets.rs",
                "credentials.py",
                "service-account.md",
                "docker/config.json",
                "kube/config",
                "config.json",
                ".gitignore",
                ".gitattributes",
                ".github/ISSUE_TEMPLATE.md",
                "git/config",
                "agent/main.rs",
                ".dockerignore",
                "workflows/ci.yml",
                "package.json",
                "terraform/main.tf",
                "terraform.tfvars.example",
                "history.md",
            ],
        );
    }
}
