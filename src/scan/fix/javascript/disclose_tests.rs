//! What withholding errors and parsing data gives.

use super::data::parse_data;
use super::disclose::withhold;
use super::syntax::{Js, walk};
use crate::finding::{Fix, TextEdit, Tier};
use tree_sitter::{Node, Parser};

fn changed(
    code: &str,
    methods: &[&str],
    change: impl for<'t> Fn(&Js<'t>, Node<'t>) -> Result<Vec<TextEdit>, String>,
) -> Result<String, String> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_javascript::LANGUAGE.into()).unwrap();
    let tree = parser.parse(code, None).unwrap();
    let js = Js { src: code, root: tree.root_node(), notes: None, typescript: false };
    let mut call = None;
    walk(js.root, &mut |node| {
        if matches!(node.kind(), "call_expression" | "new_expression")
            && methods.contains(&js.callee_name(node))
            && call.is_none()
        {
            call = Some(node);
        }
    });
    let edits = change(&js, call.expect("a call"))?;
    let fix = Fix { tier: Tier::A, summary: String::new(), by_hand: String::new(), edits };
    let out = fix.apply(code).expect("edits in order");
    assert!(!parser.parse(&out, None).unwrap().root_node().has_error(), "{out}");
    Ok(out)
}

fn withheld(code: &str) -> Result<String, String> {
    changed(code, &["send", "json", "end", "render"], |js, call| withhold(js, call, &js.arguments(call)))
}

fn check(code: &str, expected: &str) {
    let out = withheld(code);
    assert_eq!(out.as_deref(), Ok(expected), "{code}\n---\n{}", out.as_deref().unwrap_or(""));
}

#[test]
fn the_error_goes_to_the_log_and_a_generic_text_to_the_client() {
    check(
        "app.use((err, req, res, next) => {\n  res.status(500).send(err.stack);\n});",
        "app.use((err, req, res, next) => {\n  console.error(err);\n  res.status(500).send('Internal server error');\n});",
    );
    check(
        "try {\n  a();\n} catch (e) {\n  console.error(e);\n  res.status(400).json({ error: e.message, stack: e.stack });\n}",
        "try {\n  a();\n} catch (e) {\n  console.error(e);\n  res.status(400).json({ error: 'Bad request' });\n}",
    );
    check(
        "p.then(a).catch(err => res.status(500).json(err));",
        "p.then(a).catch(err => {\n  console.error(err);\n  return res.status(500).json({ error: 'Internal server error' });\n});",
    );
    check(
        "db.query(q, (err, rows) => {\n  if (err) return res.status(500).send('Query failed: ' + err.message);\n  res.json(rows);\n});",
        "db.query(q, (err, rows) => {\n  if (err) {\n    console.error(err);\n    return res.status(500).send('Query failed');\n  }\n  res.json(rows);\n});",
    );
    check(
        "const logger = require('./logger');\nlogger.info('up');\nfunction f(req, res) {\n  try { a(); } catch (error) {\n    return res.status(500).json({ ok: false, message: error.message || 'Failed' });\n  }\n}",
        "const logger = require('./logger');\nlogger.info('up');\nfunction f(req, res) {\n  try { a(); } catch (error) {\n    logger.error(error);\n    return res.status(500).json({ ok: false, message: 'Failed' });\n  }\n}",
    );
}

#[test]
fn an_error_that_was_asked_for_is_left_alone() {
    let reason = withheld(
        "try { a(); } catch (e) { if (e instanceof ValidationError) { return res.status(400).json({ error: e.message }); } throw e; }",
    )
    .expect_err("asked for");
    assert!(reason.contains("asked for"), "{reason}");
}

#[test]
fn data_is_parsed_and_not_run() {
    let parsed = |code: &str, callee: &str| {
        changed(code, &["eval", "unserialize", "Function", "load"], |js, call| parse_data(js, call, callee))
    };
    assert_eq!(
        parsed("const o = eval('(' + req.body + ')');", "eval").as_deref(),
        Ok("const o = JSON.parse(req.body);")
    );
    assert_eq!(
        parsed("const o = new Function('return ' + req.body.data)();", "Function").as_deref(),
        Ok("const o = JSON.parse(req.body.data);")
    );
    assert_eq!(
        parsed(
            "const s = require('node-serialize');\nconst o = s.unserialize(req.cookies.p);",
            "node-serialize.unserialize"
        )
        .as_deref(),
        Ok("const o = JSON.parse(req.cookies.p);")
    );
    assert_eq!(
        parsed("yaml.load(t, { schema: yaml.DEFAULT_FULL_SCHEMA })", "js-yaml.load").as_deref(),
        Ok("yaml.load(t)")
    );
    assert!(parsed("const r = eval(req.query.expr);", "eval").is_err());
}
