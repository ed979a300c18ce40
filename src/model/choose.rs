//! `provider/model` to a model.

use super::http::is_loopback;
use super::{Model, ModelError, anthropic, gemini, openai, responses};
use reqwest::Url;
use secrecy::SecretString;

type Opened = Result<Box<dyn Model>, ModelError>;
type Make = fn(&str, &Url, SecretString) -> Opened;

/// Where one provider's settings come from.
struct Provider {
    name: &'static str,
    base_url: &'static str,
    base_url_variable: &'static str,
    key_variable: &'static str,
    make: Make,
}

const PROVIDERS: [Provider; 4] = [
    Provider {
        name: "anthropic",
        base_url: anthropic::BASE_URL,
        base_url_variable: "ANTHROPIC_BASE_URL",
        key_variable: "ANTHROPIC_API_KEY",
        make: |model, url, key| Ok(Box::new(anthropic::Anthropic::new(model, url, key)?)),
    },
    Provider {
        name: "openai",
        base_url: openai::BASE_URL,
        base_url_variable: "OPENAI_BASE_URL",
        key_variable: "OPENAI_API_KEY",
        make: |model, url, key| Ok(Box::new(openai::OpenAi::new(model, url, key)?)),
    },
    Provider {
        name: "responses",
        base_url: openai::BASE_URL,
        base_url_variable: "OPENAI_BASE_URL",
        key_variable: "OPENAI_API_KEY",
        make: |model, url, key| Ok(Box::new(responses::Responses::new(model, url, key)?)),
    },
    Provider {
        name: "gemini",
        base_url: gemini::BASE_URL,
        base_url_variable: "GEMINI_BASE_URL",
        key_variable: "GEMINI_API_KEY",
        make: |model, url, key| Ok(Box::new(gemini::Gemini::new(model, url, key)?)),
    },
];

/// Opens the model `name` (`provider/model`). `lookup` gives settings by the name of their environment
/// variable; it must never read a repository's own files. A server on loopback needs no key.
pub fn open(name: &str, lookup: &dyn Fn(&str) -> Option<String>) -> Result<Box<dyn Model>, ModelError> {
    let (provider, model) = name.split_once('/').unwrap_or((name, ""));
    let Some(provider) = PROVIDERS.iter().find(|known| known.name == provider) else {
        let known: Vec<String> = PROVIDERS.iter().map(|known| format!("{}/MODEL", known.name)).collect();
        return Err(ModelError::Unusable(format!(
            "no provider in the model name {name:?}; write one of {}",
            known.join(", ")
        )));
    };
    if model.is_empty() {
        return Err(ModelError::Unusable(format!(
            "no model in the name {name:?}; write {}/MODEL",
            provider.name
        )));
    }
    let setting = |variable: &str| lookup(variable).filter(|value| !value.trim().is_empty());
    let base_url = setting(provider.base_url_variable).unwrap_or_else(|| provider.base_url.to_owned());
    let url = Url::parse(base_url.trim())
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| ModelError::Unusable(format!("{} is no http(s) URL", provider.base_url_variable)))?;
    let key = setting(provider.key_variable);
    if key.is_none() && !is_loopback(&url) {
        return Err(ModelError::Auth(format!("no key for {}; set {}", provider.name, provider.key_variable)));
    }
    (provider.make)(model, &url, SecretString::from(key.unwrap_or_default()))
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
        check("gpt", &[openai_key], Err("anthropic/MODEL, openai/MODEL"));
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
    fn refuses_a_base_url_that_is_none() {
        for base in ["localhost:8080", "ftp://example.com", "/v1", "http://"] {
            let settings = [("OPENAI_BASE_URL", base), ("OPENAI_API_KEY", "FAKE-canary")];
            check("openai/gpt", &settings, Err("OPENAI_BASE_URL is no http(s) URL"));
        }
    }
}
