//! `provider/model` to a model.

use super::http::is_loopback;
use super::{Model, ModelError, anthropic, gemini, listing, openai, responses};
use reqwest::Url;
use secrecy::SecretString;

type Opened = Result<Box<dyn Model>, ModelError>;
type Make = fn(&str, &Url, SecretString) -> Opened;

/// Where one provider's settings come from.
pub struct Provider {
    /// Its name, the first part of a model's name.
    pub name: &'static str,
    /// Where it is asked unless something else is configured.
    pub base_url: &'static str,
    /// Variable that holds another base URL.
    pub base_url_variable: &'static str,
    /// Variable that holds the key.
    pub key_variable: &'static str,
    /// The name its key is kept under; two wires of one provider share it.
    pub key_name: &'static str,
    listing: listing::Form,
    make: Make,
}

/// All providers.
pub fn providers() -> &'static [Provider] {
    &PROVIDERS
}

/// The provider of that name; the error lists the known ones.
pub fn provider(name: &str) -> Result<&'static Provider, ModelError> {
    PROVIDERS.iter().find(|known| known.name == name).ok_or_else(|| {
        let known: Vec<String> = PROVIDERS.iter().map(|known| format!("{}/MODEL", known.name)).collect();
        ModelError::Unusable(format!(
            "no provider in the model name {name:?}; write one of {}",
            known.join(", ")
        ))
    })
}

/// The settings of a run. None of them comes from a repository's own files.
pub struct Settings<'a> {
    /// A setting by the name of its environment variable.
    pub lookup: &'a dyn Fn(&str) -> Option<String>,
    /// A base URL by the name of its provider, from the user's file.
    pub base_url: &'a dyn Fn(&str) -> Option<String>,
    /// A kept key by its name; only asked when a key is needed and the environment has none.
    pub key: &'a dyn Fn(&str) -> Result<Option<SecretString>, String>,
}

impl Settings<'_> {
    fn setting(&self, variable: &str) -> Option<String> {
        (self.lookup)(variable).filter(|value| !value.trim().is_empty())
    }

    /// Where `provider` is asked.
    pub fn url(&self, provider: &Provider) -> Result<Url, ModelError> {
        let configured =
            self.setting(provider.base_url_variable).or_else(|| (self.base_url)(provider.key_name));
        let base_url = configured.unwrap_or_else(|| provider.base_url.to_owned());
        Url::parse(base_url.trim())
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| ModelError::Unusable(format!("{} is no http(s) URL", provider.base_url_variable)))
    }

    /// The key for `provider` at `url`. A server on loopback needs none.
    fn key(&self, provider: &Provider, url: &Url) -> Result<SecretString, ModelError> {
        if let Some(key) = self.setting(provider.key_variable) {
            return Ok(SecretString::from(key));
        }
        if is_loopback(url) {
            return Ok(SecretString::default());
        }
        let kept = (self.key)(provider.key_name).map_err(ModelError::Auth)?;
        kept.ok_or_else(|| {
            let (name, variable) = (provider.name, provider.key_variable);
            ModelError::Auth(format!(
                "no key for {name}; set {variable}, or keep one by `agent login {}`",
                provider.key_name
            ))
        })
    }
}

const PROVIDERS: [Provider; 4] = [
    Provider {
        name: "anthropic",
        base_url: anthropic::BASE_URL,
        base_url_variable: "ANTHROPIC_BASE_URL",
        key_variable: "ANTHROPIC_API_KEY",
        key_name: "anthropic",
        listing: listing::Form::Anthropic,
        make: |model, url, key| Ok(Box::new(anthropic::Anthropic::new(model, url, key)?)),
    },
    Provider {
        name: "openai",
        base_url: openai::BASE_URL,
        base_url_variable: "OPENAI_BASE_URL",
        key_variable: "OPENAI_API_KEY",
        key_name: "openai",
        listing: listing::Form::OpenAi,
        make: |model, url, key| Ok(Box::new(openai::OpenAi::new(model, url, key)?)),
    },
    Provider {
        name: "responses",
        base_url: openai::BASE_URL,
        base_url_variable: "OPENAI_BASE_URL",
        key_variable: "OPENAI_API_KEY",
        key_name: "openai",
        listing: listing::Form::OpenAi,
        make: |model, url, key| Ok(Box::new(responses::Responses::new(model, url, key)?)),
    },
    Provider {
        name: "gemini",
        base_url: gemini::BASE_URL,
        base_url_variable: "GEMINI_BASE_URL",
        key_variable: "GEMINI_API_KEY",
        key_name: "gemini",
        listing: listing::Form::Gemini,
        make: |model, url, key| Ok(Box::new(gemini::Gemini::new(model, url, key)?)),
    },
];

/// Opens the model `name` (`provider/model`). `lookup` gives settings by the name of their environment
/// variable; it must never read a repository's own files. A server on loopback needs no key.
pub fn open(name: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Opened {
    open_with(name, &Settings { lookup, base_url: &|_| None, key: &|_| Ok(None) })
}

/// The same with base URLs and keys that are kept elsewhere than in the environment.
pub fn open_with(name: &str, settings: &Settings<'_>) -> Opened {
    let Some((provider, model)) = name.split_once('/') else { return Err(nameless(name)) };
    let provider = self::provider(provider)?;
    if model.is_empty() {
        return Err(ModelError::Unusable(format!(
            "no model in the name {name:?}; write {}/MODEL",
            provider.name
        )));
    }
    let url = settings.url(provider)?;
    let key = settings.key(provider, &url)?;
    (provider.make)(model, &url, key)
}

/// Asks a provider which models it has.
pub async fn list(provider: &Provider, settings: &Settings<'_>) -> Result<Vec<String>, ModelError> {
    let url = settings.url(provider)?;
    let key = settings.key(provider, &url)?;
    listing::ask(provider.listing, &url, key).await
}

fn nameless(name: &str) -> ModelError {
    match provider(name) {
        Ok(provider) => {
            ModelError::Unusable(format!("no model in the name {name:?}; write {}/MODEL", provider.name))
        }
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, settings: &[(&str, &str)], expected: Result<&str, &str>) {
        let lookup = |variable: &str| {
            settings.iter().find(|(known, _)| *known == variable).map(|(_, value)| (*value).to_owned())
        };
        let got = open(name, &lookup).map(|model| model.name().to_owned()).map_err(|error| error.to_string());
        match expected {
            Ok(expected) => assert_eq!(got.as_deref(), Ok(expected), "{name} {settings:?}"),
            Err(part) => {
                let error = got.expect_err(name);
                assert!(error.contains(part), "{name} {settings:?}: {error}");
                assert!(!error.contains("canary"), "{error}");
            }
        }
    }

    #[test]
    fn opens_models_by_name_and_says_what_is_missing() {
        let openai_key = ("OPENAI_API_KEY", "FAKE-openai-canary");
        let anthropic_key = ("ANTHROPIC_API_KEY", "FAKE-anthropic-canary");
        check("openai/gpt", &[openai_key], Ok("openai/gpt"));
        check("openai/org/model:7b", &[openai_key], Ok("openai/org/model:7b"));
        check("anthropic/claude", &[anthropic_key], Ok("anthropic/claude"));
        check("openai/gpt", &[anthropic_key], Err("set OPENAI_API_KEY"));
        check("anthropic/claude", &[openai_key], Err("set ANTHROPIC_API_KEY"));
        check("openai/gpt", &[("OPENAI_API_KEY", " ")], Err("set OPENAI_API_KEY"));
        check("openai/gpt", &[("OPENAI_API_KEY", "FAKE\ncanary")], Err("characters that no key has"));
        check("gpt", &[openai_key], Err("anthropic/MODEL, openai/MODEL, responses/MODEL, gemini/MODEL"));
        check("responses/gpt", &[openai_key], Ok("responses/gpt"));
        check("gemini/g", &[("GEMINI_API_KEY", "FAKE-gemini-canary")], Ok("gemini/g"));
        check("gemini/g", &[openai_key], Err("agent login gemini"));
        check("mystery/gpt", &[openai_key], Err("anthropic/MODEL, openai/MODEL"));
        check("openai/", &[openai_key], Err("write openai/MODEL"));
        check("", &[], Err("no provider"));
    }

    #[test]
    fn a_loopback_server_needs_no_key() {
        for base in ["http://127.0.0.1:8080/v1", "http://localhost:11434/v1", "http://[::1]:1/v1"] {
            check("openai/local", &[("OPENAI_BASE_URL", base)], Ok("openai/local"));
            check("anthropic/local", &[("ANTHROPIC_BASE_URL", base)], Ok("anthropic/local"));
        }
        for base in
            ["http://192.168.0.2/v1", "https://localhost.example.com", "https://127.0.0.1.example.com"]
        {
            check("openai/local", &[("OPENAI_BASE_URL", base)], Err("set OPENAI_API_KEY"));
        }
    }

    #[test]
    fn a_kept_key_is_only_asked_for_when_it_is_needed() {
        use std::cell::Cell;
        let check = |name: &str, environment: &[(&str, &str)], asked_for: u32, expected: bool| {
            let asked = Cell::new(0);
            let lookup = |variable: &str| {
                environment.iter().find(|(known, _)| *known == variable).map(|(_, value)| (*value).to_owned())
            };
            let key = |name: &str| {
                asked.set(asked.get() + 1);
                Ok((name == "openai").then(|| SecretString::from("FAKE-kept-canary")))
            };
            let settings = Settings { lookup: &lookup, base_url: &|_| None, key: &key };
            assert_eq!(open_with(name, &settings).is_ok(), expected, "{name} {environment:?}");
            assert_eq!(asked.get(), asked_for, "{name} {environment:?}");
        };
        check("openai/m", &[], 1, true);
        check("responses/m", &[], 1, true);
        check("gemini/m", &[], 1, false);
        check("openai/m", &[("OPENAI_API_KEY", "FAKE-canary")], 0, true);
        check("openai/m", &[("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")], 0, true);
    }

    #[test]
    fn refuses_a_base_url_that_is_none() {
        for base in ["localhost:8080", "ftp://example.com", "/v1", "http://"] {
            let settings = [("OPENAI_BASE_URL", base), ("OPENAI_API_KEY", "FAKE-canary")];
            check("openai/gpt", &settings, Err("OPENAI_BASE_URL is no http(s) URL"));
        }
    }
}
