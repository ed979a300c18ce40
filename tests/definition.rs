//! Agent definitions in every dialect: what is understood, what is only warned of, what is refused.
#![allow(clippy::disallowed_methods, reason = "tests make the files they load")]

use agent::config::definition::{Calling, Definition, Effect, MAX_DEFINITION, Remark, Rule, Subject};
use proptest::prelude::*;

const NINE: [&str; 9] = ["write", "edit", "bash", "patch", "read", "grep", "glob", "list", "webfetch"];

fn parse(front: &str) -> Result<Definition, Remark> {
    Definition::parse("agents/reviewer.md", &format!("---\n{front}\n---\nYou review.\n"))
}

fn understood(front: &str) -> Definition {
    parse(front).unwrap_or_else(|remark| panic!("{front}\n{remark}"))
}

fn refused(front: &str) -> Remark {
    parse(front).err().unwrap_or_else(|| panic!("not refused:\n{front}"))
}

fn warnings(definition: &Definition) -> Vec<String> {
    definition.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn the_embedded_definition_is_the_backend_security_coder() {
    let definition = Definition::embedded();
    assert_eq!(definition.name, "backend-security-coder");
    assert_eq!(definition.tools, NINE);
    assert_eq!(definition.mode, Calling::Subagent);
    assert_eq!(definition.warnings, []);
    assert_eq!(definition.rules, []);
    assert!(!definition.read_only && definition.model.is_none() && definition.max_turns.is_none());
    for word in ["input validation", "authentication", "API security", "security-auditor"] {
        assert!(definition.description.contains(word), "{word}");
    }
    for word in [
        "NoSQL",
        "LDAP",
        "allow-lists",
        "type",
        "generic message",
        "degrade gracefully",
        "classify",
        "at rest",
        "in transit",
        "secret manager",
        "rotation",
        "security-auditor",
        "compliance",
        "DevSecOps",
        "threat modelling",
        "**Analyse**",
        "**Do**",
        "**Validate**",
        "**Document**",
        "agent fix - --output-format json",
    ] {
        assert!(definition.body.contains(word), "{word}");
    }
}

#[test]
fn reads_tools_in_every_dialect() {
    fn check(tools: &str, expected: &[&str]) {
        assert_eq!(understood(&format!("description: d\n{tools}")).tools, expected, "{tools}");
    }
    check("mode: all", &NINE);
    check("tools: write, edit, bash, patch, read, grep, glob, list, webfetch", &NINE);
    check("tools: Read, Grep, Glob, Bash", &["read", "grep", "glob", "bash"]);
    check("tools: Read Grep", &["read", "grep"]);
    check("tools: [Read, MultiEdit, Edit, LS]", &["read", "edit", "list"]);
    check("tools:\n  - WebFetch\n  - Task\n  - TodoWrite", &["webfetch", "task", "todo"]);
    check("tools: '*'", &NINE);
    check("tools: read_file, replace, run_shell_command", &["read", "edit", "bash"]);
    check(
        "tools:\n  bash: false\n  webfetch: false",
        &["write", "edit", "patch", "read", "grep", "glob", "list"],
    );
    check("tools:\n  '*': false\n  read: true\n  grep: true", &["read", "grep"]);
    check("tools: {\"web*\": false, todowrite: true, task: true}", &[&NINE[..8], &["todo", "task"]].concat());
    check("tools:\n  edit: false", &["write", "bash", "read", "grep", "glob", "list", "webfetch"]);
    check("tools:\n  write: false\n  patch: true", &[&NINE[1..3], &NINE[4..], &["patch"]].concat());
    check("tools: Read, Write, Bash\ndisallowedTools: Write", &["read", "bash"]);
    check("disallowedTools: [Edit, Write, Bash]\ntools: Read, Edit, Bash", &["read"]);
    check("allowed-tools: Read Bash\ntools: Read, Edit", &["read"]);
    check("tools: {bash: no, webfetch: off}", &[&NINE[..2], &NINE[3..8]].concat());
    check("tools: []", &[]);
    check("tools:", &[]);
}

#[test]
fn the_system_prompt_and_the_tools_fit_into_ten_kilobytes() {
    let mut bytes = agent::prompt::system(&Definition::embedded()).len();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tools")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        // As a wire sends it: without blanks, and with a few words around each.
        bytes += serde_json::from_str::<serde_json::Value>(&text).unwrap().to_string().len() + 40;
    }
    assert!(bytes <= 10 * 1024, "{bytes} bytes");
}

#[test]
fn scan_comes_with_read() {
    assert!(understood("tools: Read").offers("scan"));
    assert!(!understood("tools: Bash").offers("scan"));
    assert!(!understood("tools: Read").offers("bash"));
}

#[test]
fn an_unknown_tool_or_key_is_a_warning_with_its_line() {
    fn check(front: &str, expected: &str) {
        let said = warnings(&understood(&format!("description: d\n{front}")));
        assert!(said.len() == 1 && said[0].starts_with(expected), "{front}: {said:?}");
    }
    check("tools: Read, Frobnicate", "agents/reviewer.md:3: Frobnicate is not a known tool");
    check("tools: mcp__github__issues, Read", "agents/reviewer.md:3: mcp__github__issues is another agent's");
    check("tools:\n  read: true\n  websearch: true", "agents/reviewer.md:3: websearch is another agent's");
    check("disallowedTools: NotebookEdit", "agents/reviewer.md:3: NotebookEdit is another agent's");
    check("flavour: sweet", "agents/reviewer.md:3: flavour is not a known key");
    check("mode: all\nhooks:\n  PreToolUse: []", "agents/reviewer.md:4: hooks is left out");
    check("mcpServers: {x: {command: sh}}", "agents/reviewer.md:3: mcpServers is left out");
    check("model: sonnet", "agents/reviewer.md:3: the model is not written as provider/model");
    check("mode: sidekick", "agents/reviewer.md:3: mode is not");
    check(
        "permissionMode: bypassPermissions",
        "agents/reviewer.md:3: permissionMode bypassPermissions is left out",
    );
    check("tools: Read, Bash(git log:*)", "agents/reviewer.md:3: Bash(git log:*): narrowing");
    check("name: My Reviewer", "agents/reviewer.md:3: the name is read as my-reviewer");
}

#[test]
fn keys_of_other_hosts_pass_in_silence() {
    let definition = understood(
        "name: reviewer\ndescription: Reviews.\ncolor: blue\ntemperature: 0.1\ntop_p: 0.9\nhidden: true\n\
         skills: [a, b]\nmemory: project\nbackground: true\nisolation: worktree\ndisable: false",
    );
    assert_eq!(definition.warnings, []);
}

#[test]
fn what_could_loosen_and_is_not_understood_is_refused() {
    fn check(front: &str, line: usize, word: &str) {
        let remark = refused(&format!("description: d\n{front}"));
        assert_eq!(remark.line, line, "{remark}");
        assert!(remark.text.contains(word), "{remark}");
    }
    check("permissions: {bash: deny}", 3, "permissions");
    check("permission:\n  bash: deny\n  shel: deny", 5, "shel");
    check("permission:\n  bash: never", 4, "bash");
    check("permission:\n  bash:\n    'git *': allow\n    'rm *': no", 6, "bash");
    check("permission: true", 3, "permission");
    check("permission: [bash]", 3, "permission");
    check("permissionMode: anything", 3, "permissionMode");
    check("disallowedTools: Bahs", 3, "Bahs");
    check("tools: {bahs: false}", 3, "bahs");
    check("tools: {bash: 0}", 3, "bash");
    check("tools: {bash: 'no'}", 3, "bash");
    check("tools: 7", 3, "tools");
    check("disallowed_tools: Bash", 3, "disallowed_tools");
    check("deniedTools: Bash", 3, "permission");
    check("sandbox: off", 3, "sandbox");
    check("allowNetwork: true", 3, "allowNetwork");
    check("rules: [{action: run, effect: forbid}]", 3, "rule");
    check("rules: [{action: run, effect: deny, unless: x}]", 3, "unless");
    check("rules: deny everything", 3, "rules");
    check("steps: many", 3, "steps");
    check("maxTurns: 0", 3, "maxTurns");
    check("maxTurns: -1", 3, "maxTurns");
    check("maxTokens: 10", 3, "maxTokens");
    check("disable: true", 3, "disabled");
}

#[test]
fn permissions_become_rules() {
    use Effect::{Allow, Ask, Deny};
    fn rule(subject: Subject, pattern: &str, except: &[&str], effect: Effect, line: usize) -> Rule {
        let except = except.iter().map(|pattern| (*pattern).to_owned()).collect();
        Rule { subject, pattern: pattern.to_owned(), except, effect, line }
    }
    fn check(front: &str, rules: &[Rule], gone: &[&str]) {
        let definition = understood(&format!("description: d\n{front}"));
        assert_eq!(definition.rules, rules, "{front}");
        let left: Vec<&str> = NINE.iter().copied().filter(|tool| !gone.contains(tool)).collect();
        assert_eq!(definition.tools, left, "{front}");
        assert_eq!(definition.warnings, [], "{front}");
    }
    check("permission: ask", &[rule(Subject::Every, "*", &[], Ask, 3)], &[]);
    check("permission: deny", &[rule(Subject::Every, "*", &[], Deny, 3)], &NINE);
    check(
        "permission:\n  edit: deny\n  bash: ask\n  webfetch: allow",
        &[
            rule(Subject::Write, "*", &[], Deny, 4),
            rule(Subject::Run, "*", &[], Ask, 5),
            rule(Subject::Fetch, "*", &[], Allow, 6),
        ],
        &["write", "edit", "patch"],
    );
    check(
        "permission:\n  bash:\n    '*': deny\n    'git diff*': allow\n    'git diff --output*': deny",
        &[
            rule(Subject::Run, "*", &["git diff*"], Deny, 5),
            rule(Subject::Run, "git diff*", &[], Allow, 6),
            rule(Subject::Run, "git diff --output*", &[], Deny, 7),
        ],
        &[],
    );
    check("permission: {bash: {\"rm *\": deny}}", &[rule(Subject::Run, "rm *", &[], Deny, 3)], &[]);
    check("permission: {grep: deny, doom_loop: allow}", &[], &["grep"]);
    check("permission:\n  read:\n    '*.env': deny", &[rule(Subject::Read, "*.env", &[], Deny, 5)], &[]);
    check(
        "rules:\n  - {action: write, pattern: migrations/*, effect: ask}\n  - {action: fetch, effect: deny}",
        &[rule(Subject::Write, "migrations/*", &[], Ask, 3), rule(Subject::Fetch, "*", &[], Deny, 3)],
        &["webfetch"],
    );
    check("disallowedTools: Bash(rm:*)", &[rule(Subject::Run, "rm*", &[], Deny, 3)], &[]);
}

#[test]
fn plan_mode_leaves_nothing_that_changes() {
    let definition = understood("permissionMode: plan");
    assert!(definition.read_only);
    assert_eq!(definition.tools, ["read", "grep", "glob", "list", "webfetch"]);
}

#[test]
fn a_narrowed_command_tool_asks_each_time() {
    let definition = understood("tools: Read, Bash(git log:*, git diff:*)");
    assert_eq!(definition.tools, ["read", "bash"]);
    assert_eq!(definition.rules.len(), 1);
    assert_eq!((definition.rules[0].subject, definition.rules[0].effect), (Subject::Run, Effect::Ask));
}

#[test]
fn reads_names_models_and_limits() {
    let definition =
        understood("name: api-coder\nmodel: anthropic/some-model\nsteps: 30\nmaxTurns: 12\nmode: primary");
    assert_eq!(definition.name, "api-coder");
    assert_eq!(definition.model.as_deref(), Some("anthropic/some-model"));
    assert_eq!(definition.max_turns, Some(12));
    assert_eq!(definition.mode, Calling::Primary);
    assert_eq!(understood("model: inherit").model, None);
    assert_eq!(understood("model: rules").model.as_deref(), Some("rules"));
    assert_eq!(understood("maxTurns: '40'").max_turns, Some(40));
    assert_eq!(understood("description: d").mode, Calling::All);
}

#[test]
fn the_file_names_the_agent_that_has_no_name() {
    fn check(file: &str, text: &str, expected: &str) {
        assert_eq!(Definition::parse(file, text).unwrap().name, expected, "{file}");
    }
    check("agents/code-reviewer.md", "---\ndescription: d\n---\nx", "code-reviewer");
    check("/home/ada/.agents/API Coder.agent.md", "Just a body.", "api-coder");
    check("x.md", "", "x");
    assert!(Definition::parse("---.md", "x").is_err());
    assert_eq!(refused("name: '!!!'").line, 2);
    assert_eq!(refused("name: [a]").line, 2);
}

#[test]
fn a_body_alone_is_a_definition() {
    let definition = Definition::parse("plain.md", "# Persona\n\n---\n\nNot front matter.\n").unwrap();
    assert_eq!(definition.body, "# Persona\n\n---\n\nNot front matter.");
    assert_eq!(definition.tools, NINE);
    assert_eq!(definition.warnings, []);
}

#[test]
fn line_endings_and_marks_of_editors_do_not_matter() {
    let plain = "---\nname: a\ndescription: d\ntools: Read\n---\nOne\nTwo\n";
    let expected = Definition::parse("a.md", plain).unwrap();
    assert_eq!(expected.body, "One\nTwo");
    for text in [
        plain.replace('\n', "\r\n"),
        format!("\u{feff}{plain}"),
        format!("\u{feff}{}", plain.replace('\n', "\r\n")),
        plain.replace("---\n", "---  \n"),
        plain.replace("---\nOne", "...\nOne"),
    ] {
        assert_eq!(Definition::parse("a.md", &text).unwrap(), expected, "{text:?}");
    }
}

#[test]
fn a_plain_colon_in_a_value_is_read_as_text() {
    let definition =
        understood("name: a\ndescription: Use it when: the API is open. Example: \"fix it\"\ntools: Read");
    assert_eq!(definition.description, "Use it when: the API is open. Example: \"fix it\"");
    assert_eq!(
        warnings(&definition),
        ["agents/reviewer.md:3: a value with a colon is not quoted; read as text"]
    );
    assert_eq!(definition.tools, ["read"]);
}

#[test]
fn front_matter_that_is_not_yaml_is_refused_with_its_line() {
    fn check(front: &str, line: usize) {
        let remark = refused(front);
        assert_eq!(remark.line, line, "{remark}");
        assert!(!remark.to_string().contains('\n') && !remark.text.contains("line"), "{remark}");
    }
    check("name: a\ntools: [Read, Bash\ndescription: d", 4);
    check("name: a\n\tmode: all", 2);
    check("- a\n- b", 2);
    check("just words", 2);
    check("name: a\nname: b", 3);
    let open = Definition::parse("a.md", "---\nname: a\nno end").err().unwrap();
    assert_eq!(open.to_string(), "a.md:1: the front matter is never closed; end it with a line of ---");
}

#[test]
fn aliases_and_depth_are_refused() {
    let bomb = "a: &a [x, x, x]\nb: &b [*a, *a, *a]\nc: &c [*b, *b, *b]\ndescription: *c";
    assert!(refused(bomb).text.contains("not understood"));
    assert!(refused("base: &b {bash: false}\ntools:\n  <<: *b").text.contains("not understood"));
    assert!(parse(&format!("a: {}{}", "[".repeat(5000), "]".repeat(5000))).is_err());
    assert!(parse(&format!("a: [{}]", "x,".repeat(50_000))).is_err());
}

#[test]
fn a_large_file_is_refused() {
    let text = "x".repeat(usize::try_from(MAX_DEFINITION).unwrap() + 1);
    assert!(Definition::parse("a.md", &text).is_err());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.md");
    std::fs::write(&path, text).unwrap();
    assert!(Definition::read(&path).err().unwrap().text.contains("more than"));
}

#[test]
fn only_a_regular_text_file_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Definition::read(folder.path()).err().unwrap().text.contains("regular file"));
    assert!(
        Definition::read(&folder.path().join("none.md")).err().unwrap().text.contains("cannot be opened")
    );
    let path = folder.path().join("bytes.md");
    std::fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    assert!(Definition::read(&path).err().unwrap().text.contains("UTF-8"));
    let path = folder.path().join("good.md");
    std::fs::write(&path, "---\ndescription: d\ntools: Read\n---\nBody").unwrap();
    let definition = Definition::read(&path).unwrap();
    assert_eq!((definition.name.as_str(), definition.body.as_str()), ("good", "Body"));
}

#[test]
fn messages_show_no_control_characters() {
    let remark = refused("\"permission\\e]0;x\": deny");
    assert!(!remark.to_string().chars().any(char::is_control), "{remark:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_understood_or_refused(text in "\\PC{0,200}") {
        let _ = Definition::parse("a.md", &text);
        let _ = Definition::parse("a.md", &format!("---\n{text}\n---\n"));
    }

    #[test]
    fn any_lines_of_keys_are_understood_or_refused(
        lines in prop::collection::vec(
            "( {0,4})(name|tools|permission|bash|rules|- |\"\\*\"|mode|model|steps|disallowedTools)(:|: )?(Read|\\{a: b\\}|\\[x\\]|deny|false|&a|\\*a|\\||>|#|\"|'|Bash\\(x:\\*\\)|9)?",
            0..12,
        )
    ) {
        let _ = Definition::parse("a.md", &format!("---\n{}\n---\nbody", lines.join("\n")));
    }

    #[test]
    fn what_is_refused_never_comes_back(
        tool in prop::sample::select(&NINE[..]),
        allowed in prop::sample::subsequence(&NINE[..], 1..9),
    ) {
        let front = format!("tools: {}\ndisallowedTools: {tool}", allowed.join(", "));
        prop_assert!(!understood(&front).offers(tool));
    }
}
