//! Which models a provider has, by its own word.

use super::ModelError;
use super::http::{Auth, Endpoint};
use reqwest::Url;
use secrecy::SecretString;
use serde_json::Value;

/// How a provider lists its models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `GET /models`, `data[].id`.
    OpenAi,
    /// `GET /v1/models`, `data[].id`.
    Anthropic,
    /// `GET /models`, `models[].name` with `models/` before each.
    Gemini,
}

/// Asks for the list, sorted. One page: the longest the provider gives.
pub async fn ask(form: Form, base_url: &Url, key: SecretString) -> Result<Vec<String>, ModelError> {
    let mut url = base_url.clone();
    let path = url.path().trim_end_matches('/').to_owned();
    let (path, query, auth, list, field) = match form {
        Form::OpenAi => (format!("{path}/models"), None, Auth::Bearer, "data", "id"),
        Form::Anthropic => {
            let path = path.strip_suffix("/v1").unwrap_or(&path);
            (format!("{path}/v1/models"), Some("limit=1000"), Auth::ApiKey, "data", "id")
        }
        Form::Gemini => (format!("{path}/models"), Some("pageSize=1000"), Auth::GoogleKey, "models", "name"),
    };
    url.set_path(&path);
    url.set_query(query);
    let mut endpoint = Endpoint::new(url, key, auth)?;
    if form == Form::Anthropic {
        endpoint = endpoint.with_header("anthropic-version", "2023-06-01");
    }
    let answer = endpoint.fetch().await?;
    let listed = answer[list].as_array().map_or(&[][..], Vec::as_slice);
    let mut names: Vec<String> = listed
        .iter()
        .filter_map(|model: &Value| model[field].as_str())
        .map(|name| name.strip_prefix("models/").unwrap_or(name).to_owned())
        .collect();
    names.sort_unstable();
    Ok(names)
}
