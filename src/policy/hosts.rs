//! Hosts the user allowed: a name, `*.` before one for all below it, `*` for all; with a port or without.

use super::rule::{Effect, Kind, Rule};
use url::{Host, Url};

/// Ports a command may reach on a host that was allowed without one.
const WEB: [u16; 2] = [80, 443];
/// The public registries of packages, under one name.
const REGISTRIES: [&str; 12] = [
    "crates.io",
    "index.crates.io",
    "static.crates.io",
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "pypi.org",
    "files.pythonhosted.org",
    "repo.maven.apache.org",
    "repo1.maven.org",
    "plugins.gradle.org",
    "proxy.golang.org",
    "sum.golang.org",
];

/// One entry of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Allowed {
    pattern: String,
    port: Option<u16>,
}

/// What a word of the user's list means; why it means nothing, else. `@registries` is the public registries of
/// packages.
pub(super) fn allowed(word: &str) -> Result<Vec<Allowed>, String> {
    if word == "@registries" {
        let one = |host: &&str| Allowed { pattern: (*host).to_owned(), port: Some(443) };
        return Ok(REGISTRIES.iter().map(one).collect());
    }
    let wrong = || {
        format!("`{word}` is no host: write example.com, example.com:8443, *.example.com, * or @registries")
    };
    let at = word.rfind(']').map_or(0, |at| at + 1);
    let (name, port) = match word[at..].split_once(':') {
        Some((_, digits)) => {
            let port = digits.parse::<u16>().ok().filter(|port| *port > 0 && !digits.starts_with(['0', '+']));
            (&word[..word.len() - digits.len() - 1], Some(port.ok_or_else(wrong)?))
        }
        None => (word, None),
    };
    if name == "*" {
        return Ok(vec![Allowed { pattern: name.to_owned(), port }]);
    }
    let (start, rest) = name.strip_prefix("*.").map_or(("", name), |rest| ("*.", rest));
    let host = Host::parse(rest).map_err(|_| wrong())?;
    if rest.contains('*') || !start.is_empty() && !matches!(host, Host::Domain(_)) {
        return Err(wrong());
    }
    let host = host.to_string();
    Ok(vec![Allowed { pattern: format!("{start}{}", host.trim_end_matches('.')), port }])
}

impl Allowed {
    fn covers(&self, host: &str) -> bool {
        let rule = Rule {
            action: Kind::Fetch,
            pattern: self.pattern.clone(),
            except: Vec::new(),
            effect: Effect::Allow,
            from: String::new(),
        };
        self.pattern == host || rule.covers_host(host)
    }

    /// Whether a page at that address may be fetched.
    pub(super) fn covers_page(&self, host: &str, url: &str) -> bool {
        let port = || Url::parse(url).ok().and_then(|url| url.port_or_known_default());
        self.covers(host) && (self.port.is_none() || self.port == port())
    }

    /// Whether a command may reach that host and port.
    pub(super) fn covers_port(&self, host: &str, port: u16) -> bool {
        self.covers(host) && self.port.map_or(WEB.contains(&port), |allowed| allowed == port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_allowed_as_written_and_no_wider() {
        let check = |word: &str, host: &str, port: u16, expected: bool| {
            let all = allowed(word).unwrap();
            let got = all.iter().any(|one| one.covers_port(host, port));
            assert_eq!(got, expected, "{word} for {host}:{port}");
        };
        check("example.com", "example.com", 443, true);
        check("example.com", "example.com", 80, true);
        check("example.com", "example.com", 22, false);
        check("EXAMPLE.com.", "example.com", 443, true);
        check("example.com", "a.example.com", 443, false);
        check("example.com", "notexample.com", 443, false);
        check("example.com", "example.com.evil.test", 443, false);
        check("example.com:8443", "example.com", 8443, true);
        check("example.com:8443", "example.com", 443, false);
        check("*.example.com", "a.example.com", 443, true);
        check("*.example.com", "example.com", 443, false);
        check("*.example.com", "aexample.com", 443, false);
        check("*", "any.test", 443, true);
        check("*", "any.test", 22, false);
        check("*:22", "any.test", 22, true);
        check("bücher.example", "xn--bcher-kva.example", 443, true);
        check("@registries", "pypi.org", 443, true);
        check("@registries", "pypi.org", 80, false);
        check("@registries", "evil.pypi.org", 443, false);
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for word in [
            "",
            "https://example.com",
            "example.com/x",
            "a b",
            "example.com:",
            "example.com:0",
            "example.com:99999",
            "example.com:080",
            "u@example.com",
            "*.*",
            "*.1.2.3.4",
            "ex*mple.com",
            "@all",
        ] {
            assert!(allowed(word).is_err(), "{word}");
        }
        assert!(allowed("[2606:4700::1111]:8080").is_ok());
        assert!(allowed("1.1.1.1").is_ok());
    }
}
