//! The commands that know providers and their keys: `login`, `logout`, `models`. A key is never printed.

use super::args::Format;
use super::{say, say_error};
use crate::config::{self, Config, Flags};
use crate::model::choose::{Provider, providers};
use crate::model::price;
use crate::text::{printable, redact};
use crate::wire::{self, Trouble, exit};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::{IsTerminal, Read};

/// Most bytes read of a key.
const MAX_INPUT: u64 = 64 * 1024;

/// `agent login`.
pub(super) fn login(provider: Option<String>) -> u8 {
    done(decide().and_then(|config| {
        let name = key_name(provider, &config)?;
        let key = read_key(name)?;
        let kept = wire::keys(&config).keep(name, &key).map_err(|error| failed(&error))?;
        if let Some(reason) = &kept.no_keyring {
            say_error(&format!(
                "warning: there is no keyring ({reason}); the key lies unencrypted in a file that only you may read"
            ));
        }
        Ok(format!("key for {name} kept: {}\n", kept.source))
    }))
}

/// `agent logout`.
pub(super) fn logout(provider: Option<String>) -> u8 {
    done(decide().and_then(|config| {
        let name = key_name(provider, &config)?;
        let places = wire::keys(&config).forget(name).map_err(|error| failed(&error))?;
        let places: Vec<String> = places.iter().map(ToString::to_string).collect();
        Ok(if places.is_empty() {
            format!("no key for {name} was kept\n")
        } else {
            format!("key for {name} forgotten: {}\n", places.join(", "))
        })
    }))
}

/// `agent models`.
pub(super) fn models(provider: Option<&str>, format: Format) -> u8 {
    done(decide().and_then(|config| match provider {
        Some(name) => listed(name, &config, format),
        None => Ok(configured(&config, format)),
    }))
}

/// Where each key comes from that there is, by name: a variable, or the provider and its place.
pub(super) fn sources(config: &Config) -> Vec<String> {
    let mut out: Vec<String> = providers().iter().filter_map(|provider| source(provider, config)).collect();
    out.dedup();
    out.sort_unstable();
    out.dedup();
    out
}

fn source(provider: &Provider, config: &Config) -> Option<String> {
    if wire::lookup(provider.key_variable).is_some() {
        return Some(provider.key_variable.to_owned());
    }
    match wire::keys(config).find(provider.key_name) {
        Ok(found) => found.map(|(_, place)| format!("{} ({place})", provider.key_name)),
        Err(error) => Some(format!("{} (PROBLEM: {error})", provider.key_name)),
    }
}

fn configured(config: &Config, format: Format) -> String {
    let facts: Vec<Value> = providers()
        .iter()
        .map(|provider| {
            let url = wire::with_settings(config, |settings| settings.url(provider));
            json!({
                "provider": provider.name,
                "base_url": url.as_ref().ok().map(ToString::to_string),
                "problem": url.err().map(|error| error.to_string()),
                "key": source(provider, config),
            })
        })
        .collect();
    let price = price::price(&config.model, &config.prices);
    if format != Format::Text {
        return format!("{}\n", json!({"default": config.model, "price": price, "providers": facts}));
    }
    let cost = price.map_or_else(
        || "price not known".to_owned(),
        |price| format!("{} in, {} out, US dollars per million tokens", price.input, price.output),
    );
    let mut out = format!("model      {} ({cost})\n", config.model);
    let word = |value: &Value| value.as_str().map(ToOwned::to_owned);
    for fact in &facts {
        let place = word(&fact["base_url"]).or_else(|| word(&fact["problem"])).unwrap_or_default();
        let key = word(&fact["key"]).unwrap_or_else(|| "none".to_owned());
        let _ = writeln!(out, "{:<10} {place}  key: {key}", word(&fact["provider"]).unwrap_or_default());
    }
    out + "rules      embedded, needs neither key nor network\n"
}

fn listed(name: &str, config: &Config, format: Format) -> Result<String, Trouble> {
    let names: Vec<String> =
        wire::models_of(config, name)?.iter().map(|name| printable(name).into_owned()).collect();
    Ok(if format == Format::Text { names.join("\n") + "\n" } else { format!("{}\n", json!(names)) })
}

fn decide() -> Result<Config, Trouble> {
    config::decide(Flags::default(), &wire::lookup)
        .map_err(|error| Trouble::coded(exit::USAGE, error.to_string()))
}

/// The name a provider's key is kept under.
fn key_name(provider: Option<String>, config: &Config) -> Result<&'static str, Trouble> {
    let name = provider
        .or_else(|| config.model.split_once('/').map(|(provider, _)| provider.to_owned()))
        .unwrap_or_default();
    // Forges keep their tokens where providers keep their keys.
    if let Some(forge) = ["github", "gitlab"].into_iter().find(|forge| *forge == name) {
        return Ok(forge);
    }
    let known = providers().iter().find(|known| known.name == name);
    known.map(|known| known.key_name).ok_or_else(|| {
        Trouble::coded(exit::USAGE, "which provider? Say one of anthropic, openai, gemini, github, gitlab")
    })
}

fn read_key(name: &str) -> Result<String, Trouble> {
    let read = if std::io::stdin().is_terminal() {
        rpassword::prompt_password(format!("Key for {name} (it is not shown): "))
    } else {
        let mut text = String::new();
        std::io::stdin().take(MAX_INPUT).read_to_string(&mut text).map(|_| text)
    };
    read.map_err(|error| Trouble::coded(exit::NO_INPUT, format!("cannot read the key: {error}")))
}

fn failed(error: &config::keys::KeyError) -> Trouble {
    let code = if matches!(error, config::keys::KeyError::NoKey(_)) { exit::USAGE } else { 1 };
    Trouble::coded(code, error.to_string())
}

fn done(result: Result<String, Trouble>) -> u8 {
    match result {
        Ok(text) => {
            say(&printable(&redact(&text)));
            0
        }
        Err(trouble) => {
            say_error(&trouble.text);
            trouble.code
        }
    }
}
