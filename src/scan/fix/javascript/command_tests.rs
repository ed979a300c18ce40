//! What becomes of shell commands.

use super::command::unshell;
use super::syntax::{Js, walk};
use crate::finding::{Fix, Tier};
use tree_sitter::Parser;

fn unshelled(code: &str) -> Result<String, String> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_javascript::LANGUAGE.into()).unwrap();
    let tree = parser.parse(code, None).unwrap();
    let js = Js { src: code, root: tree.root_node(), notes: None, typescript: false };
    let mut call = None;
    walk(js.root, &mut |node| {
        let methods = ["exec", "execSync", "spawn", "spawnSync", "execFile", "run", "execAsync"];
        if node.kind() == "call_expression" && methods.contains(&js.callee_name(node)) && call.is_none() {
            call = Some(node);
        }
    });
    let call = call.expect("a call");
    let callee = match js.callee_name(call) {
        "run" | "execAsync" => "child_process.exec".to_owned(),
        other => format!("child_process.{other}"),
    };
    let edits = unshell(&js, call, &callee)?;
    let fix = Fix { tier: Tier::A, summary: String::new(), by_hand: String::new(), edits };
    let out = fix.apply(code).expect("edits in order");
    assert!(!parser.parse(&out, None).unwrap().root_node().has_error(), "{out}");
    Ok(out)
}

fn check(code: &str, expected: &str) {
    assert_eq!(unshelled(code).as_deref(), Ok(expected), "{code}");
}

fn declines(code: &str, word: &str) {
    let reason = unshelled(code).expect_err(code);
    assert!(reason.contains(word), "{code}: {reason}");
}

#[test]
fn an_argument_list_replaces_the_shell() {
    check(
        "const { exec } = require('child_process');\nexec(`ping -c 4 ${req.query.host}`, (err, out) => {});",
        "const { execFile } = require('child_process');\nexecFile('ping', ['-c', '4', '--', String(req.query.host)], (err, out) => {});",
    );
    check(
        "const { exec } = require('child_process');\nexec('wc -l ' + req.params.f, { cwd: D }, (err, out) => {});\nexec('ls');",
        "const { exec, execFile } = require('child_process');\nexecFile('wc', ['-l', '--', req.params.f], { cwd: D }, (err, out) => {});\nexec('ls');",
    );
    check(
        "import { execSync } from 'node:child_process';\nconst out = execSync(\"git log --author=\\\"\" + name + \"\\\"\").toString();",
        "import { execFileSync } from 'node:child_process';\nconst out = execFileSync(\"git\", [\"log\", `--author=${name}`]).toString();",
    );
    check(
        "const cp = require('child_process');\nfunction f(req, res) {\n  const cmd = `cat ${req.params.f}`;\n  cp.exec(cmd, cb);\n}",
        "const cp = require('child_process');\nfunction f(req, res) {\n  cp.execFile('cat', ['--', req.params.f], cb);\n}",
    );
    check(
        "const { spawn } = require('child_process');\nspawn(`convert ${a} out.png`, { shell: true });",
        "const { spawn } = require('child_process');\nspawn('convert', [String(a), 'out.png']);",
    );
    check(
        "const { spawn } = require('child_process');\nspawn('tar', ['czf', 'x.tgz', dir], { cwd: D, shell: true });",
        "const { spawn } = require('child_process');\nspawn('tar', ['czf', 'x.tgz', dir], { cwd: D });",
    );
    check(
        "const { spawn } = require('child_process');\nspawn('sh', ['-c', 'nslookup ' + req.params.h]);",
        "const { spawn } = require('child_process');\nspawn('nslookup', [req.params.h]);",
    );
    check(
        "const { exec } = require('child_process');\nconst execAsync = promisify(exec);\nconst r = await execAsync(`du -sh ${req.params.d}`);",
        "const { execFile } = require('child_process');\nconst execFileAsync = promisify(execFile);\nconst r = await execFileAsync('du', ['-sh', '--', req.params.d]);",
    );
}

#[test]
fn declines_what_needs_a_shell() {
    declines("const { exec } = require('child_process');\nexec(`cat ${f} | sort`);", "pipe");
    declines("const { exec } = require('child_process');\nexec(`cat ${f} > out`);", "redirection");
    declines("const { exec } = require('child_process');\nexec(`cd ${f} && ls`);", "several commands");
    declines("const { exec } = require('child_process');\nexec(`${f} -l`);", "program");
    declines("const { exec } = require('child_process');\nexec(req.query.cmd);", "whole command");
    declines("const { exec } = require('child_process');\nexec(`ls ${f}`, options, cb);", "options");
}
