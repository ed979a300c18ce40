//! Rules of one's own: what they can say, where they are read from, and what is said when one is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on should say so loudly")]
#![allow(clippy::disallowed_methods, reason = "the tests write rules of their own")]

mod house;

use house::stage::{Run, Stage};
use std::path::Path;

/// A flow of one's own: where values come from, what makes them safe, where they must not go.
const LEDGER: &str = r#"
id: acme-ledger-export
cwe: 200
severity: high
languages: [python]
message: >
  Account numbers leave the house unmasked. Mask them with acme.masking.mask before they are exported.
sources:
  - calls: ["acme.ledger.account_number"]
sanitizers: ["acme.masking.mask"]
sinks:
  - call: ["acme.export.send"]
examples:
  vulnerable:
    - code: |
        from acme.ledger import account_number
        from acme import export


        def run(user):
            number = account_number(user)
            export.send(f"account {number}")
  safe:
    - |
      from acme.ledger import account_number
      from acme import export
      from acme.masking import mask


      def run(user):
          export.send(f"account {mask(account_number(user))}")
"#;

/// A plain pattern with the text to write instead.
const TIMEOUT: &str = r#"
id: acme-http-timeout
cwe: 400
severity: medium
languages: [python]
message: A request without a timeout waits forever. Use our client.
patterns: ["requests.get($URL, ...)"]
unless: ["requests.get($URL, ..., timeout=$T)"]
where:
  URL: { literal: false }
fix:
  name: rewrite
  with: { text: "http_get($URL)", import: acme.http, member: http_get, summary: uses the client with a timeout }
examples:
  vulnerable:
    - code: |
        import requests


        def load(host):
            return requests.get("https://" + host)
      fixed: |
        import requests
        from acme.http import http_get


        def load(host):
            return http_get("https://" + host)
  safe:
    - |
      import requests


      def load(host):
          return requests.get("https://" + host, timeout=3)
    - |
      import requests

      PAGE = requests.get("https://example.org")
"#;

fn rules_folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn with_rules(stage: &Stage, words: &[&str], folder: &Path) -> Run {
    let folder = folder.to_str().unwrap();
    stage.agent(&[words, &["--rules", folder]].concat())
}

#[test]
fn a_rule_of_ones_own_follows_its_sources_to_its_sinks_and_knows_its_sanitisers() {
    let code = "from acme.ledger import account_number\nfrom acme import export\n\n\ndef run(user):\n    \
                export.send(account_number(user))\n";
    let stage = Stage::with(&[("app.py", code)]);
    let rules = rules_folder(&[("ledger.yaml", LEDGER)]);
    let found = with_rules(&stage, &["scan", "--output-format", "json"], rules.path()).exits(0).result();
    assert_eq!(found[0]["rule"], "acme-ledger-export");
    assert_eq!(found[0]["family"], "other");
    assert_eq!(found.as_array().unwrap().len(), 1);
    let without = stage.agent(&["scan", "--output-format", "json"]).exits(0).result();
    assert_eq!(without, serde_json::json!([]), "its sources are nobody else's");
}

#[test]
fn the_examples_of_ones_own_rules_are_tests() {
    let stage = Stage::empty();
    let rules = rules_folder(&[("ledger.yaml", LEDGER), ("timeout.yaml", TIMEOUT)]);
    let path = rules.path().to_str().unwrap();
    let run = stage.agent(&["rules", "test", path]).exits(0);
    assert!(run.stdout.contains("2 rules, 5 examples, 0 failed"), "{run}");
    let broken = TIMEOUT.replace("return http_get(\"https://\" + host)", "return http_get(host)");
    let rules = rules_folder(&[("timeout.yaml", &broken)]);
    let run =
        stage.agent(&["rules", "test", rules.path().to_str().unwrap(), "--output-format", "json"]).exits(6);
    let problem = run.result()["rules"][0]["problems"][0].as_str().unwrap().to_owned();
    assert!(
        problem.contains("the fix is another one") && problem.contains("+    return http_get(\"https"),
        "{problem}"
    );
}

#[test]
fn a_pattern_of_ones_own_is_found_and_fixed_by_the_mission() {
    let code = "import requests\n\n\ndef load(host):\n    return requests.get(\"https://\" + host)\n";
    let stage = Stage::with(&[("app.py", code)]);
    let rules = rules_folder(&[("timeout.yaml", TIMEOUT)]);
    let found = with_rules(&stage, &["scan", "--output-format", "json"], rules.path()).exits(0).result();
    let id = found[0]["id"].as_str().unwrap().to_owned();
    let issue = format!("Close finding {id}, CWE-1000, in app.py");
    with_rules(&stage, &["fix", &issue, "--yes", "--output-format", "json"], rules.path());
    let fixed = stage.tree()["app.py"].clone();
    assert!(fixed.contains("return http_get(\"https://\" + host)"), "{fixed}");
}

#[test]
fn rules_of_the_settings_folder_count_and_those_of_the_repository_do_not() {
    let code = "import requests\n\n\ndef load(host):\n    return requests.get(host)\n";
    let stage = Stage::with(&[
        ("app.py", code),
        (".agent/rules/timeout.yaml", TIMEOUT),
        ("rules/timeout.yaml", TIMEOUT),
    ]);
    let listed = |stage: &Stage| {
        let rules = stage.agent(&["rules", "list", "--output-format", "json"]).exits(0).result();
        rules["rules"].as_array().unwrap().iter().any(|rule| rule["id"] == "acme-http-timeout")
    };
    assert!(!listed(&stage));
    let found = stage.agent(&["scan", "--output-format", "json"]).exits(0).result();
    assert_eq!(found, serde_json::json!([]));
    let folder = stage.home().join(".config/agent/rules");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("timeout.yaml"), TIMEOUT).unwrap();
    assert!(listed(&stage));
    let found = stage.agent(&["scan", "--output-format", "json"]).exits(0).result();
    assert_eq!(found[0]["rule"], "acme-http-timeout");
}

#[test]
fn an_error_says_file_key_why_and_what_next() {
    let check = |rule: &str, words: &[&str]| {
        let stage = Stage::with(&[("app.py", "x = 1\n")]);
        let rules = rules_folder(&[("team.yaml", rule)]);
        let run = with_rules(&stage, &["scan"], rules.path()).exits(2);
        for word in words.iter().chain(&["team.yaml"]) {
            assert!(run.stderr.contains(word), "{word}: {run}");
        }
    };
    check(&LEDGER.replace("severity: high", "severety: high"), &["`severety`", "unknown field", "spelling"]);
    check(&LEDGER.replace("cwe: 200\n", ""), &["`cwe`", "missing field", "add it"]);
    check(&LEDGER.replace("cwe: 200", "cwe: 0"), &["`cwe`", "cwe: 89"]);
    check(&LEDGER.replace("acme-ledger-export", "python-sql-injection"), &["`id`", "embedded", "another id"]);
    check(&TIMEOUT.replace("requests.get($URL, ...)", "requests.get($URL"), &["`patterns`", "$NAME"]);
    check(&TIMEOUT.replace("  URL:", "  URI:"), &["`where`", "no pattern has `$URI`"]);
    check(&TIMEOUT.replace("name: rewrite", "name: rewrit"), &["`fix`", "no fixer `rewrit`"]);
    check("a: [", &["team.yaml"]);
}

#[cfg(unix)]
#[test]
fn rules_that_everybody_may_write_are_refused() {
    use std::os::unix::fs::PermissionsExt;
    let stage = Stage::with(&[("app.py", "x = 1\n")]);
    let rules = rules_folder(&[("team.yaml", LEDGER)]);
    std::fs::set_permissions(rules.path().join("team.yaml"), std::fs::Permissions::from_mode(0o666)).unwrap();
    let run = with_rules(&stage, &["scan"], rules.path()).exits(2);
    assert!(run.stderr.contains("everybody may write it") && run.stderr.contains("chmod o-w"), "{run}");
}

#[test]
fn a_rule_is_shown_whole() {
    let stage = Stage::empty();
    let run = stage.agent(&["rules", "show", "python-sql-injection"]).exits(0);
    assert!(
        run.stdout.starts_with("id: python-sql-injection\n") && run.stdout.contains("examples:"),
        "{run}"
    );
    let run = stage.agent(&["rules", "show", "python-sql"]).exits(4);
    assert!(run.stderr.contains("python-sql-injection?"), "{run}");
}
