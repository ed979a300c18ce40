//! GitHub and GitLab by REST: an issue with its comments in, a pull or merge request out. Only what the user
//! named is contacted; a token goes to the host it belongs to and nowhere else.

use crate::model::http;
use crate::text::{clip, redact};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, redirect};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::time::Duration;
use url::Url;

/// Longest wait for an answer.
const WAIT: Duration = Duration::from_secs(30);
/// Most bytes of an answer.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Most bytes of an issue with its comments.
const MAX_ISSUE: usize = 128 * 1024;
/// Most comments that are read.
const MAX_COMMENTS: usize = 50;

/// Whose interface it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// GitHub and GitHub Enterprise.
    GitHub,
    /// GitLab.
    GitLab,
}

/// Why a forge gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ForgeError {
    /// The address is none that can be asked.
    #[error("{0}: {1}")]
    Address(String, String),
    /// It could not be reached.
    #[error("{0} cannot be reached: {1}")]
    Unreachable(String, String),
    /// It said no.
    #[error("{0} answered {1}: {2}")]
    Refused(String, u16, String),
    /// What came is not what was asked for.
    #[error("{0} answered with something else than was asked for")]
    Garbled(String),
}

/// What is set around the agent: variables of the environment and kept tokens.
pub struct Settings<'a> {
    /// A variable of the environment, where it is set.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// A kept key by the name of its owner, `github` or `gitlab`.
    pub key: &'a dyn Fn(&str) -> Option<SecretString>,
    /// Address of the checkout's remote `origin`, where it has one.
    pub origin: Option<String>,
}

/// One project on a forge.
#[derive(Debug)]
pub struct Forge {
    kind: Kind,
    api: Url,
    web: Url,
    slug: String,
    token: Option<SecretString>,
}

/// One issue, pull or merge request.
#[derive(Debug)]
pub struct Ticket {
    forge: Forge,
    number: u64,
    is_merge_request: bool,
}

impl Ticket {
    /// Reads `https://…/issues/5`, `https://…/pull/5`, `https://…/-/merge_requests/5`, `#5` (of `origin`) and
    /// `owner/repo#5`. `None` where the words are something else; an error where they name a place that is not known.
    pub fn named(words: &str, settings: &Settings<'_>) -> Result<Option<Self>, ForgeError> {
        let words = words.trim();
        if words.chars().any(char::is_whitespace) {
            return Ok(None);
        }
        if words.starts_with("https://") || words.starts_with("http://") {
            return Self::at(words, settings);
        }
        let Some((slug, number)) = words.rsplit_once('#') else { return Ok(None) };
        let Ok(number) = number.parse::<u64>() else { return Ok(None) };
        let bad = |why: &str| ForgeError::Address(words.to_owned(), why.to_owned());
        let origin = settings.origin.as_deref().and_then(remote);
        let (web, slug) = if slug.is_empty() {
            origin.ok_or_else(|| bad("the checkout has no remote `origin` that says whose issue this is"))?
        } else if is_slug(slug) {
            let web = origin.map(|(web, _)| web).or_else(|| Url::parse("https://github.com").ok());
            (web.ok_or_else(|| bad("no forge is known"))?, slug.to_owned())
        } else {
            return Ok(None);
        };
        let forge = Forge::of(web, slug, None, settings)?;
        Ok(Some(Self { forge, number, is_merge_request: false }))
    }

    fn at(words: &str, settings: &Settings<'_>) -> Result<Option<Self>, ForgeError> {
        let Ok(url) = Url::parse(words) else { return Ok(None) };
        let parts: Vec<&str> =
            url.path_segments().into_iter().flatten().filter(|part| !part.is_empty()).collect();
        let Some(at) = parts.iter().position(|part| matches!(*part, "issues" | "pull" | "merge_requests"))
        else {
            return Ok(None);
        };
        let Some(number) = parts.get(at + 1).and_then(|number| number.parse().ok()) else { return Ok(None) };
        let is_gitlab = parts[at] == "merge_requests" || at.checked_sub(1).is_some_and(|at| parts[at] == "-");
        let end = if at > 0 && parts[at - 1] == "-" { at - 1 } else { at };
        let slug = parts[..end].join("/");
        if !is_slug(&slug) {
            return Ok(None);
        }
        let kind = if is_gitlab { Kind::GitLab } else { Kind::GitHub };
        let web = origin_of(&url);
        let forge = Forge::of(web, slug, Some(kind), settings)?;
        Ok(Some(Self { forge, number, is_merge_request: parts[at] == "merge_requests" }))
    }

    /// The issue with its comments as Markdown. Untrusted.
    pub async fn read(&self) -> Result<String, ForgeError> {
        let forge = &self.forge;
        let (path, comments) = match forge.kind {
            Kind::GitHub => {
                let path = format!("repos/{}/issues/{}", forge.slug, self.number);
                (path.clone(), format!("{path}/comments?per_page={MAX_COMMENTS}"))
            }
            Kind::GitLab => {
                let what = if self.is_merge_request { "merge_requests" } else { "issues" };
                let path = format!("projects/{}/{what}/{}", forge.slug.replace('/', "%2F"), self.number);
                (path.clone(), format!("{path}/notes?per_page={MAX_COMMENTS}&sort=asc"))
            }
        };
        let issue = forge.ask(Method::GET, &path, None).await?;
        let said = if issue["comments"].as_u64() == Some(0) || issue["user_notes_count"].as_u64() == Some(0) {
            Value::Null
        } else {
            forge.ask(Method::GET, &comments, None).await?
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
        let body = if forge.kind == Kind::GitHub { &issue["body"] } else { &issue["description"] };
        let title = text(&issue["title"]);
        if title.is_empty() {
            return Err(ForgeError::Garbled(forge.host()));
        }
        let mut out = format!(
            "# {title}\n\n(from {}#{} on {})\n\n{}\n",
            forge.slug,
            self.number,
            forge.host(),
            text(body)
        );
        for comment in said.as_array().into_iter().flatten().filter(|note| note["system"] != true) {
            let who = text(&comment["user"]["login"]) + &text(&comment["author"]["username"]);
            let _ = writeln!(out, "\n## Comment by {who}\n\n{}", text(&comment["body"]));
        }
        Ok(clip(&out, MAX_ISSUE).text.to_owned())
    }
}

impl Forge {
    /// The forge of the checkout's remote `origin`, when there is a token for it.
    pub fn of_origin(settings: &Settings<'_>) -> Option<Self> {
        let (web, slug) = remote(settings.origin.as_deref()?)?;
        Self::of(web, slug, None, settings).ok().filter(|forge| forge.token.is_some())
    }

    fn of(web: Url, slug: String, kind: Option<Kind>, settings: &Settings<'_>) -> Result<Self, ForgeError> {
        let set = |name: &str| (settings.variable)(name).and_then(|value| Url::parse(&value).ok());
        let host = web.host_str().unwrap_or_default().to_owned();
        let is_at = |url: &Url| {
            url.host_str() == web.host_str() && url.port_or_known_default() == web.port_or_known_default()
        };
        let gitlab_host = (settings.variable)("GITLAB_HOST")
            .and_then(|value| Url::parse(&value).or_else(|_| Url::parse(&format!("https://{value}"))).ok());
        let own_gitlab = [set("GITLAB_API_URL"), set("CI_SERVER_URL"), gitlab_host];
        let is_own_gitlab = own_gitlab.iter().flatten().any(is_at);
        let kind =
            kind.unwrap_or(if host == "gitlab.com" || is_own_gitlab { Kind::GitLab } else { Kind::GitHub });
        let (names, keeper, is_known, api) = match kind {
            Kind::GitHub => {
                let own = set("GITHUB_API_URL");
                let serves = host == "github.com"
                    || own.as_ref().is_some_and(is_at)
                    || set("GITHUB_SERVER_URL").as_ref().is_some_and(is_at);
                let usual = if host == "github.com" {
                    "https://api.github.com".to_owned()
                } else {
                    format!("{web}api/v3")
                };
                let api = own.filter(|_| serves).map_or(usual, String::from);
                (&["GITHUB_TOKEN", "GH_TOKEN"][..], "github", serves, api)
            }
            Kind::GitLab => {
                let serves = host == "gitlab.com" || is_own_gitlab;
                let api = set("GITLAB_API_URL")
                    .filter(|_| serves)
                    .map_or_else(|| format!("{web}api/v4"), String::from);
                (&["GITLAB_TOKEN"][..], "gitlab", serves, api)
            }
        };
        let bad = |why: &str| ForgeError::Address(host.clone(), why.to_owned());
        let api =
            Url::parse(&format!("{}/", api.trim_end_matches('/'))).map_err(|_| bad("that is no address"))?;
        if api.scheme() != "https" && !http::is_loopback(&api) {
            return Err(bad("it is asked over https only"));
        }
        let token = || {
            names
                .iter()
                .find_map(|name| (settings.variable)(name))
                .map(SecretString::from)
                .or_else(|| (settings.key)(keeper))
        };
        // A host that only an address named gets no token: the address may come from anybody.
        let token = if is_known { token() } else { None };
        Ok(Self { kind, api, web, slug, token })
    }

    /// Where a branch is pushed to.
    pub fn push_url(&self) -> String {
        format!("{}{}.git", self.web, self.slug)
    }

    /// What a push says of itself.
    pub fn authorization(&self) -> Option<String> {
        let token = self.token.as_ref()?;
        let user = if self.kind == Kind::GitHub { "x-access-token" } else { "oauth2" };
        Some(format!("Basic {}", base64(format!("{user}:{}", token.expose_secret()).as_bytes())))
    }

    /// Opens a pull or merge request. Gives its address.
    pub async fn open(
        &self,
        title: &str,
        body: &str,
        branch: &str,
        base: &str,
    ) -> Result<String, ForgeError> {
        let (path, request, field) = match self.kind {
            Kind::GitHub => (
                format!("repos/{}/pulls", self.slug),
                json!({"title": title, "body": body, "head": branch, "base": base}),
                "html_url",
            ),
            Kind::GitLab => (
                format!("projects/{}/merge_requests", self.slug.replace('/', "%2F")),
                json!({"title": title, "description": body, "source_branch": branch, "target_branch": base}),
                "web_url",
            ),
        };
        let answer = self.ask(Method::POST, &path, Some(request)).await?;
        answer[field].as_str().map(ToOwned::to_owned).ok_or_else(|| ForgeError::Garbled(self.host()))
    }

    fn host(&self) -> String {
        self.api.host_str().unwrap_or_default().to_owned()
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, ForgeError> {
        let host = self.host();
        let url =
            self.api.join(path).map_err(|error| ForgeError::Address(host.clone(), error.to_string()))?;
        let unreachable =
            |error: reqwest::Error| ForgeError::Unreachable(host.clone(), http::root_cause(&error));
        let client = client(url.scheme() == "https").map_err(unreachable)?;
        let mut headers = HeaderMap::new();
        headers.insert(
            ACCEPT,
            HeaderValue::from_static(match self.kind {
                Kind::GitHub => "application/vnd.github+json",
                Kind::GitLab => "application/json",
            }),
        );
        if let Some(token) = &self.token {
            let bad = || {
                ForgeError::Address(host.clone(), "its token holds characters that no token has".to_owned())
            };
            let mut value =
                HeaderValue::from_str(&format!("Bearer {}", token.expose_secret())).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let mut request = client.request(method, url).headers(headers);
        if let Some(body) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let mut response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(unreachable)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > MAX_ANSWER {
                return Err(ForgeError::Garbled(host));
            }
        }
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return if answer.is_null() { Err(ForgeError::Garbled(host)) } else { Ok(answer) };
        }
        let said = answer["message"].as_str().or(answer["error"].as_str()).unwrap_or("no reason given");
        let hint = match (status.as_u16(), &self.token) {
            (401 | 403 | 404, None) => {
                "; a private project needs a token (GITHUB_TOKEN, GH_TOKEN or GITLAB_TOKEN)"
            }
            (401 | 403, Some(_)) => "; the token may lack the right to do this",
            _ => "",
        };
        Err(ForgeError::Refused(host, status.as_u16(), format!("{}{hint}", redact(clip(said, 300).text))))
    }
}

fn client(tls: bool) -> Result<Client, reqwest::Error> {
    http::build(tls, || {
        Client::builder().user_agent(concat!("agent/", env!("CARGO_PKG_VERSION"))).timeout(WAIT).redirect(
            redirect::Policy::custom(|attempt| {
                // A project that was renamed stays on its host.
                let stays =
                    attempt.previous().last().is_some_and(|last| origin_of(last) == origin_of(attempt.url()));
                if stays && attempt.previous().len() < 4 { attempt.follow() } else { attempt.stop() }
            }),
        )
    })
}

/// Scheme, host and port alone.
fn origin_of(url: &Url) -> Url {
    let mut origin = url.clone();
    origin.set_path("/");
    origin.set_query(None);
    origin.set_fragment(None);
    let _ = origin.set_username("");
    let _ = origin.set_password(None);
    origin
}

/// Host and project of a remote's address: `https://…`, `ssh://…`, `git@host:owner/repo.git`.
fn remote(address: &str) -> Option<(Url, String)> {
    let address = address.trim();
    let url = if let Ok(url) = Url::parse(address)
        && url.has_host()
    {
        url
    } else {
        let (user_and_host, path) = address.split_once(':')?;
        let host = user_and_host.rsplit('@').next()?;
        Url::parse(&format!("https://{host}/{path}")).ok()?
    };
    let slug = url.path().trim_matches('/').trim_end_matches(".git").to_owned();
    let mut web = origin_of(&url);
    if !matches!(web.scheme(), "https" | "http") {
        web = Url::parse(&format!("https://{}/", url.host_str()?)).ok()?;
    }
    if web.scheme() == "http" && !http::is_loopback(&web) {
        web.set_scheme("https").ok()?;
    }
    is_slug(&slug).then_some((web, slug))
}

fn is_slug(slug: &str) -> bool {
    slug.matches('/').count() >= 1
        && slug.len() <= 200
        && slug.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        })
}

fn base64(bytes: &[u8]) -> String {
    const SIGNS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().fold(0_u32, |all, byte| all << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let index = (group >> (18 - 6 * at)) & 63;
            if at <= chunk.len() {
                out.push(char::from(SIGNS[index as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(
        words: &str,
        variables: &[(&str, &str)],
        origin: Option<&str>,
    ) -> Result<Option<Ticket>, ForgeError> {
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let settings =
            Settings { variable: &variable, key: &|_| None, origin: origin.map(ToOwned::to_owned) };
        Ticket::named(words, &settings)
    }

    #[test]
    fn knows_an_issue_by_its_address() {
        let check = |words: &str, variables: &[(&str, &str)], origin, api: &str, slug: &str, token: bool| {
            let ticket = named(words, variables, origin).unwrap().unwrap_or_else(|| panic!("{words}"));
            assert_eq!(ticket.forge.api.as_str(), api, "{words}");
            assert_eq!((ticket.forge.slug.as_str(), ticket.number), (slug, 5), "{words}");
            assert_eq!(ticket.forge.token.is_some(), token, "{words}");
        };
        let token = [("GITHUB_TOKEN", "FAKE-a"), ("GITLAB_TOKEN", "FAKE-b")];
        check("https://github.com/o/r/issues/5", &token, None, "https://api.github.com/", "o/r", true);
        check("https://github.com/o/r/pull/5#x", &[], None, "https://api.github.com/", "o/r", false);
        check(
            "https://gitlab.com/g/s/r/-/issues/5",
            &token,
            None,
            "https://gitlab.com/api/v4/",
            "g/s/r",
            true,
        );
        check(
            "https://gitlab.com/g/r/-/merge_requests/5",
            &token,
            None,
            "https://gitlab.com/api/v4/",
            "g/r",
            true,
        );
        check(
            "https://evil.example/o/r/issues/5",
            &token,
            None,
            "https://evil.example/api/v3/",
            "o/r",
            false,
        );
        check("o/r#5", &token, None, "https://api.github.com/", "o/r", true);
        check("#5", &token, Some("git@github.com:o/r.git"), "https://api.github.com/", "o/r", true);
        check("#5", &token, Some("ssh://git@gitlab.com/o/r.git"), "https://gitlab.com/api/v4/", "o/r", true);
        let own = [("GITLAB_HOST", "git.example.org"), ("GITLAB_TOKEN", "FAKE-b")];
        check(
            "#5",
            &own,
            Some("https://git.example.org/o/r.git"),
            "https://git.example.org/api/v4/",
            "o/r",
            true,
        );
        let loopback = [("GITHUB_API_URL", "http://127.0.0.1:9/x"), ("GH_TOKEN", "FAKE-a")];
        check("https://github.com/o/r/issues/5", &loopback, None, "http://127.0.0.1:9/x/", "o/r", true);
    }

    #[test]
    fn leaves_other_words_alone() {
        for words in [
            "SQL injection in login",
            "https://example.org/a",
            "issue.md",
            "a#b",
            "x",
            "https://e.org/issues/5",
        ] {
            assert!(named(words, &[], None).unwrap().is_none(), "{words}");
        }
        assert!(named("#5", &[], None).is_err());
        assert!(named("http://evil.example/o/r/issues/5", &[], None).is_err());
    }

    #[test]
    fn writes_base64() {
        for (bytes, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(bytes.as_bytes()), expected);
        }
    }
}
