//! Which findings an issue speaks of: families by the words people use, places by the names they mention.

use super::{FAMILIES, Family, Finding};

/// What an issue asks for, as far as words tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Families it names; empty with [`Ask::everything`] means all of them.
    pub families: Vec<Family>,
    /// Whether it asks for every known weakness.
    pub everything: bool,
    /// Words that may name a place: paths, functions, routes, ids.
    hints: Vec<String>,
}

/// The parts of a finding that an issue can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Finding id.
    pub id: String,
    /// Rule id.
    pub rule: String,
    /// Its family.
    pub family: Family,
    /// Workspace-relative path.
    pub path: String,
    /// First line.
    pub line: usize,
    /// Function and route, where known.
    pub within: String,
}

impl From<&Finding> for Sighting {
    fn from(finding: &Finding) -> Self {
        Self {
            id: finding.id.clone(),
            rule: finding.rule.clone(),
            family: finding.family,
            path: finding.path.clone(),
            line: finding.span.line,
            within: finding.within.clone().unwrap_or_default(),
        }
    }
}

/// Words that say nothing about where: the vocabulary of issues, not of code.
const COMMON: &[&str] = &[
    "the",
    "and",
    "for",
    "that",
    "this",
    "with",
    "from",
    "into",
    "when",
    "there",
    "please",
    "should",
    "must",
    "can",
    "our",
    "your",
    "its",
    "all",
    "any",
    "every",
    "fix",
    "fixes",
    "fixed",
    "find",
    "close",
    "remove",
    "endpoint",
    "endpoints",
    "route",
    "routes",
    "function",
    "handler",
    "handlers",
    "method",
    "code",
    "file",
    "files",
    "line",
    "issue",
    "bug",
    "vulnerability",
    "vulnerabilities",
    "vulnerable",
    "weakness",
    "weaknesses",
    "security",
    "attack",
    "attacker",
    "user",
    "users",
    "input",
    "data",
    "query",
    "queries",
    "request",
    "response",
    "server",
    "client",
    "backend",
    "service",
    "api",
    "app",
    "injection",
    "sql",
    "command",
    "path",
    "traversal",
    "secret",
    "hard",
    "coded",
    "hardcoded",
    "password",
    "passwords",
    "hash",
    "hashing",
    "weak",
    "unsafe",
    "error",
    "errors",
    "details",
    "detail",
    "message",
    "messages",
    "deserialization",
    "deserialisation",
    "repository",
    "project",
    "known",
    "open",
    "redirect",
    "redirects",
    "xss",
    "ssrf",
    "xxe",
    "ssti",
    "csrf",
    "cors",
    "jwt",
    "cross-site",
    "scripting",
    "forgery",
    "insecure",
    "random",
    "cookie",
    "cookies",
    "timing",
    "nosql",
    "ldap",
    "xpath",
    "via",
    "cwe",
    "possible",
    "allows",
    "through",
    "using",
    "used",
    "uses",
    "are",
    "is",
    "not",
    "has",
    "have",
    "python",
    "node",
    "javascript",
    "typescript",
    "java",
    "flask",
    "django",
    "fastapi",
    "express",
    "nest",
];

impl Ask {
    /// Reads an issue.
    pub fn of(issue: &str) -> Self {
        let lower = issue.to_lowercase();
        let cwes = numbers_after(&lower, "cwe-");
        let named: Vec<Family> = cwes.iter().filter_map(|cwe| family_of(*cwe)).collect();
        let families: Vec<Family> = FAMILIES
            .iter()
            .filter(|facts| {
                cwes.contains(&facts.cwe)
                    || named.contains(&facts.family)
                    || facts.words.iter().any(|word| lower.contains(word))
                    || !facts.words.is_empty()
                        && (lower.contains(facts.name) || lower.contains(&facts.title.to_lowercase()))
            })
            .map(|facts| facts.family)
            .collect();
        let everything = families.is_empty() && asks_for_everything(&lower);
        Self { families, everything, hints: hints(&lower) }
    }

    /// Whether the words name something the embedded rules can look for.
    pub fn is_known(&self) -> bool {
        self.everything || !self.families.is_empty()
    }

    /// The sightings this issue speaks of: those of its families, and of those the ones at a place it
    /// names, if it names one that matches.
    pub fn select<'a>(&self, sightings: &'a [Sighting]) -> Vec<&'a Sighting> {
        let named: Vec<&Sighting> =
            sightings.iter().filter(|sighting| self.hints.contains(&sighting.id)).collect();
        if !named.is_empty() {
            return named;
        }
        let of_family: Vec<&Sighting> = sightings
            .iter()
            .filter(|sighting| self.everything || self.families.contains(&sighting.family))
            .collect();
        let best = of_family.iter().map(|sighting| self.nearness(sighting)).max().unwrap_or(0);
        if best == 0 {
            return of_family;
        }
        of_family.into_iter().filter(|sighting| self.nearness(sighting) == best).collect()
    }

    /// How many of the issue's place words this sighting answers to.
    fn nearness(&self, sighting: &Sighting) -> usize {
        let path = sighting.path.to_lowercase();
        let within = sighting.within.to_lowercase();
        let line = format!("{path}:{}", sighting.line);
        let file = path.rsplit('/').next().unwrap_or(&path);
        self.hints
            .iter()
            .map(|hint| {
                if *hint == line || line.ends_with(&format!("/{hint}")) {
                    8
                } else if *hint == path
                    || (hint.contains('.') && hint == file)
                    || path.ends_with(&format!("/{hint}"))
                {
                    4
                } else if words(&within).any(|word| word == hint)
                    || (hint.contains('/') && within.contains(hint))
                {
                    2
                } else {
                    usize::from(words(&path).any(|word| word == hint))
                }
            })
            .sum()
    }
}

/// The family of a CWE that is not its main one.
fn family_of(cwe: u32) -> Option<Family> {
    Some(match cwe {
        564 => Family::SqlInjection,
        77 | 88 => Family::CommandInjection,
        23 | 36 | 73 | 98 => Family::PathTraversal,
        259 | 321 => Family::HardcodedSecret,
        256 | 257 | 759 | 760 => Family::WeakPasswordHash,
        215 | 489 => Family::ErrorDisclosure,
        80 | 87 | 116 => Family::CrossSiteScripting,
        95 | 96 => Family::CodeInjection,
        776 => Family::XmlExternalEntity,
        93 => Family::HeaderInjection,
        331 | 335 | 338 => Family::WeakRandomness,
        326 | 329 | 780 => Family::WeakCipher,
        297 | 319 => Family::TlsVerification,
        345 | 346 => Family::JwtVerification,
        1004 | 1275 => Family::InsecureCookie,
        203 | 385 => Family::TimingAttack,
        378 | 379 => Family::InsecureTempFile,
        276 | 277 => Family::InsecurePermissions,
        400 | 730 => Family::RegexDenialOfService,
        284 | 862 | 863 => Family::MissingAuthorization,
        770 | 799 => Family::MissingRateLimit,
        _ => return None,
    })
}

fn asks_for_everything(lower: &str) -> bool {
    let verbs = ["fix", "find", "close", "scan", "remediate", "repair", "remove"];
    let wholes =
        ["vulnerabilit", "weakness", "security issue", "security problem", "security hole", "security bug"];
    verbs.iter().any(|verb| lower.contains(verb)) && wholes.iter().any(|whole| lower.contains(whole))
}

fn numbers_after(lower: &str, prefix: &str) -> Vec<u32> {
    lower
        .match_indices(prefix)
        .filter_map(|(at, _)| {
            let digits: String =
                lower[at + prefix.len()..].chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
        .collect()
}

fn hints(lower: &str) -> Vec<String> {
    lower
        .split(|c: char| c.is_whitespace() || "()[]{}<>\"'`,;!?".contains(c))
        .map(|word| word.trim_matches(|c: char| ".:*_-".contains(c)))
        .filter(|word| word.len() >= 3 && !COMMON.contains(word))
        .map(ToOwned::to_owned)
        .collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sighting(id: &str, family: Family, path: &str, line: usize, within: &str) -> Sighting {
        Sighting { id: id.into(), rule: "r".into(), family, path: path.into(), line, within: within.into() }
    }

    fn check(issue: &str, expected: &[&str]) {
        let sightings = [
            sighting("a1", Family::SqlInjection, "notes/accounts.py", 12, "login (POST /login)"),
            sighting("a2", Family::SqlInjection, "notes/search.py", 30, "find_notes (GET /search)"),
            sighting("a3", Family::CommandInjection, "notes/reports.py", 7, "count_words"),
            sighting("a4", Family::HardcodedSecret, "notes/settings.py", 3, ""),
            sighting("a5", Family::OpenRedirect, "notes/pages.py", 9, "login (POST /login)"),
            sighting("a6", Family::OpenRedirect, "notes/pages.py", 21, "leave (GET /leave)"),
            sighting("a7", Family::WeakCipher, "notes/box.py", 4, "seal"),
        ];
        let ids: Vec<&str> = Ask::of(issue).select(&sightings).iter().map(|s| s.id.as_str()).collect();
        assert_eq!(ids, expected, "{issue}");
    }

    #[test]
    fn selects_what_the_issue_speaks_of() {
        check("SQL injection in the login endpoint", &["a1"]);
        check("SQL injection", &["a1", "a2"]);
        check("SQLi in notes/search.py:30", &["a2"]);
        check("SQL injection in search.py", &["a2"]);
        check("fix CWE-78", &["a3"]);
        check("CWE-89 at POST /login", &["a1"]);
        check("Fix all vulnerabilities", &["a1", "a2", "a3", "a4", "a5", "a6", "a7"]);
        check("open redirect in login", &["a5"]);
        check("CWE-601", &["a5", "a6"]);
        check("CWE-326 in box.py", &["a7"]);
        check("close finding a4, a hard-coded secret", &["a4"]);
        check("hard-coded secret in the settings", &["a4"]);
        check("path traversal in download", &[]);
    }

    #[test]
    fn every_family_is_understood_by_its_names() {
        for facts in FAMILIES.iter().filter(|facts| !facts.words.is_empty()) {
            for word in [facts.name, facts.title, facts.words[0]] {
                let families = Ask::of(&format!("Fix the {word} in notes")).families;
                assert!(families.contains(&facts.family), "{word} gives {families:?}");
            }
        }
    }

    #[test]
    fn knows_what_it_cannot_serve() {
        for issue in ["add OAuth login", "make the tests faster", "upgrade express"] {
            assert!(!Ask::of(issue).is_known(), "{issue}");
        }
    }
}
