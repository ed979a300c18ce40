//! What containing a path gives.

use super::path::contain;
use super::syntax::{Js, walk};
use crate::finding::{Fix, Tier};
use tree_sitter::Parser;

fn contained(code: &str) -> Result<String, String> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_javascript::LANGUAGE.into()).unwrap();
    let tree = parser.parse(code, None).unwrap();
    let js = Js { src: code, root: tree.root_node(), notes: None, typescript: false };
    let mut call = None;
    walk(js.root, &mut |node| {
        let methods =
            ["sendFile", "download", "readFile", "readFileSync", "createReadStream", "readdir", "unlink"];
        if node.kind() == "call_expression" && methods.contains(&js.callee_name(node)) && call.is_none() {
            call = Some(node);
        }
    });
    let call = call.expect("a call");
    let edits = contain(&js, call, js.arguments(call)[0])?;
    let fix = Fix { tier: Tier::A, summary: String::new(), by_hand: String::new(), edits };
    let out = fix.apply(code).expect("edits in order");
    assert!(!parser.parse(&out, None).unwrap().root_node().has_error(), "{out}");
    Ok(out)
}

fn check(code: &str, expected: &str) {
    let out = contained(code);
    assert_eq!(out.as_deref(), Ok(expected), "{code}\n---\n{}", out.as_deref().unwrap_or(""));
}

fn declines(code: &str, word: &str) {
    let reason = contained(code).expect_err(code);
    assert!(reason.contains(word), "{code}: {reason}");
}

#[test]
fn a_sent_file_gets_a_root() {
    check(
        "const path = require('path');\napp.get('/f', (req, res) => res.sendFile(path.join(__dirname, 'files', req.query.name)));",
        "const path = require('path');\napp.get('/f', (req, res) => res.sendFile(req.query.name, { root: path.join(__dirname, 'files') }));",
    );
}

#[test]
fn a_named_path_is_checked_where_it_is_made() {
    check(
        "const path = require('path');\nconst DIR = path.join(__dirname, 'files');\napp.get('/f', (req, res) => {\n  const file = path.join(DIR, req.query.name);\n  res.sendFile(file);\n});",
        "const path = require('path');\nconst DIR = path.join(__dirname, 'files');\napp.get('/f', (req, res) => {\n  const file = path.join(DIR, req.query.name);\n  if (!file.startsWith(DIR + path.sep)) {\n    return res.status(404).send('not found');\n  }\n  res.sendFile(file);\n});",
    );
    check(
        "const fs = require('fs');\napp.get('/f', (req, res) => {\n  const file = './files/' + req.query.name;\n  fs.readFile(file, (err, d) => res.json({ error: 'x' }));\n});",
        "const fs = require('fs');\nconst path = require('path');\napp.get('/f', (req, res) => {\n  const file = path.resolve('./files/' + req.query.name);\n  if (!file.startsWith(path.resolve('./files') + path.sep)) {\n    return res.status(404).json({ error: 'not found' });\n  }\n  fs.readFile(file, (err, d) => res.json({ error: 'x' }));\n});",
    );
}

#[test]
fn an_inline_path_gets_a_name_and_a_check() {
    check(
        "import fs from 'node:fs';\nimport path from 'node:path';\nexport function read(name) {\n  return fs.readFileSync(path.join(process.env.DOCS, name), 'utf8');\n}",
        "import fs from 'node:fs';\nimport path from 'node:path';\nexport function read(name) {\n  const filePath = path.resolve(path.join(process.env.DOCS, name));\n  if (!filePath.startsWith(path.resolve(process.env.DOCS) + path.sep)) {\n    throw new Error('not found');\n  }\n  return fs.readFileSync(filePath, 'utf8');\n}",
    );
    check(
        "const fs = require('fs');\nconst path = require('path');\napp.get('/f', (req, res) => fs.createReadStream(`${__dirname}/files/${req.params.f}`).pipe(res));",
        "const fs = require('fs');\nconst path = require('path');\napp.get('/f', (req, res) => {\n  const filePath = path.resolve(`${__dirname}/files/${req.params.f}`);\n  if (!filePath.startsWith(path.resolve(__dirname + '/files') + path.sep)) {\n    return res.status(404).send('not found');\n  }\n  return fs.createReadStream(filePath).pipe(res);\n});",
    );
}

#[test]
fn declines_without_a_folder() {
    declines("const fs = require('fs');\nfs.readFile(req.query.f, cb);", "folder");
    declines("const fs = require('fs');\nfs.readFile('/' + req.query.f, cb);", "folder");
    declines(
        "const fs = require('fs');\nconst path = require('path');\nfs.readFile(path.join(req.query.d, 'x'), cb);",
        "folder",
    );
}
