//! What becomes of secrets and password hashes.

use super::password_plan::slow_down;
use super::secret::from_environment;
use super::syntax::{Js, walk};
use crate::finding::{Fix, TextEdit, Tier};
use tree_sitter::Parser;

fn apply(code: &str, edits: Vec<TextEdit>) -> String {
    let fix = Fix { tier: Tier::A, summary: String::new(), by_hand: String::new(), edits };
    let out = fix.apply(code).expect("edits in order");
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into()).unwrap();
    assert!(!parser.parse(&out, None).unwrap().root_node().has_error(), "{out}");
    out
}

fn with<T>(code: &str, typescript: bool, run: impl for<'t> Fn(&Js<'t>) -> T) -> T {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into()).unwrap();
    let tree = parser.parse(code, None).unwrap();
    run(&Js { src: code, root: tree.root_node(), notes: None, typescript })
}

fn check_secret(code: &str, typescript: bool, expected: &str) {
    let edits = with(code, typescript, |js| {
        let mut literal = None;
        walk(js.root, &mut |node| {
            if node.kind() == "string" && js.text(node).contains("FAKE") && literal.is_none() {
                literal = Some(node);
            }
        });
        from_environment(js, literal.expect("a secret")).map(|(edits, _)| edits)
    });
    let out = apply(code, edits.expect("a fix"));
    assert_eq!(out, expected, "{code}\n---\n{out}");
}

#[test]
fn a_secret_comes_from_the_environment_or_the_start_fails() {
    check_secret(
        "const crypto = require('crypto');\n\nconst SESSION_SECRET = 'FAKE-canary';\n\nrun();\n",
        false,
        "const crypto = require('crypto');\n\nconst SESSION_SECRET = process.env.SESSION_SECRET;\nif (!SESSION_SECRET) {\n  throw new Error('SESSION_SECRET must be set');\n}\n\nrun();\n",
    );
    check_secret(
        "const jwt = require('jsonwebtoken');\n\nfunction a(u) {\n  return jwt.sign(u, 'FAKE-canary');\n}\nfunction b(t) {\n  return jwt.verify(t, 'FAKE-canary');\n}\n",
        false,
        "const jwt = require('jsonwebtoken');\n\nconst JWT_SECRET = process.env.JWT_SECRET;\nif (!JWT_SECRET) {\n  throw new Error('JWT_SECRET must be set');\n}\n\nfunction a(u) {\n  return jwt.sign(u, JWT_SECRET);\n}\nfunction b(t) {\n  return jwt.verify(t, JWT_SECRET);\n}\n",
    );
    check_secret(
        "import session from 'express-session'\n\napp.use(session({ secret: process.env.SESSION_KEY || 'FAKE-canary' }))\n",
        false,
        "import session from 'express-session'\n\nconst SESSION_KEY = process.env.SESSION_KEY\nif (!SESSION_KEY) {\n  throw new Error('SESSION_KEY must be set')\n}\n\napp.use(session({ secret: SESSION_KEY }))\n",
    );
    check_secret(
        "export const jwtSecret = 'FAKE-canary';\n",
        true,
        "export const jwtSecret = requireEnv('JWT_SECRET');\n\nfunction requireEnv(name: string): string {\n  const value = process.env[name];\n  if (!value) {\n    throw new Error(`${name} must be set`);\n  }\n  return value;\n}\n",
    );
}

fn slowed(code: &str, packages: &[&str]) -> Result<String, String> {
    let edits = with(code, false, |js| slow_down(js, &|name| packages.contains(&name), &|_| false))?;
    Ok(apply(code, edits))
}

#[test]
fn passwords_are_hashed_slowly_on_both_sides() {
    let code = "const crypto = require('crypto');\n\napp.post('/r', (req, res) => {\n  const hash = crypto.createHash('md5').update(req.body.password).digest('hex');\n  db.run('INSERT INTO u VALUES (?, ?)', [req.body.name, hash]);\n});\napp.post('/l', (req, res) => {\n  const row = find(req.body.name);\n  const hash = crypto.createHash('md5').update(req.body.password).digest('hex');\n  if (!row || row.hash !== hash) return res.sendStatus(401);\n});\n";
    let expected = "const crypto = require('crypto');\n\nfunction hashPassword(password) {\n  const salt = crypto.randomBytes(16);\n  const key = crypto.scryptSync(password, salt, 64);\n  return `${salt.toString('hex')}:${key.toString('hex')}`;\n}\n\nfunction verifyPassword(password, stored) {\n  const [salt, key] = String(stored).split(':').map((part) => Buffer.from(part, 'hex'));\n  return key !== undefined && key.length === 64 &&\n    crypto.timingSafeEqual(key, crypto.scryptSync(password, salt, 64));\n}\n\napp.post('/r', (req, res) => {\n  const hash = hashPassword(req.body.password);\n  db.run('INSERT INTO u VALUES (?, ?)', [req.body.name, hash]);\n});\napp.post('/l', (req, res) => {\n  const row = find(req.body.name);\n  if (!row || !verifyPassword(req.body.password, row.hash)) return res.sendStatus(401);\n});\n";
    let out = slowed(code, &[]);
    assert_eq!(out.as_deref(), Ok(expected), "\n{}", out.as_deref().unwrap_or(""));
}

#[test]
fn a_hashing_function_keeps_its_name() {
    let code = "const crypto = require('crypto');\n\nfunction hashPassword(password) {\n  return crypto.createHash('sha1').update(password).digest('hex');\n}\n\nfunction register(u, p) {\n  users.push({ u, hash: hashPassword(p) });\n}\nfunction login(u, p) {\n  return hashPassword(p) === u.hash;\n}\n";
    let expected = "const crypto = require('crypto');\n\nfunction verifyPassword(password, stored) {\n  const [salt, key] = String(stored).split(':').map((part) => Buffer.from(part, 'hex'));\n  return key !== undefined && key.length === 64 &&\n    crypto.timingSafeEqual(key, crypto.scryptSync(password, salt, 64));\n}\n\nfunction hashPassword(password) {\n  const salt = crypto.randomBytes(16);\n  const key = crypto.scryptSync(password, salt, 64);\n  return `${salt.toString('hex')}:${key.toString('hex')}`;\n}\n\nfunction register(u, p) {\n  users.push({ u, hash: hashPassword(p) });\n}\nfunction login(u, p) {\n  return verifyPassword(p, u.hash);\n}\n";
    let out = slowed(code, &[]);
    assert_eq!(out.as_deref(), Ok(expected), "\n{}", out.as_deref().unwrap_or(""));
}

#[test]
fn bcrypt_is_used_where_the_project_has_it() {
    let code = "const md5 = require('md5');\nconst bcrypt = require('bcrypt');\nfunction register(p) {\n  save({ password: md5(p.password) });\n}\nfunction login(p, u) {\n  return u.password === md5(p.password);\n}\n";
    let expected = "const md5 = require('md5');\nconst bcrypt = require('bcrypt');\nfunction register(p) {\n  save({ password: bcrypt.hashSync(p.password, 12) });\n}\nfunction login(p, u) {\n  return bcrypt.compareSync(p.password, u.password);\n}\n";
    let out = slowed(code, &["bcrypt"]);
    assert_eq!(out.as_deref(), Ok(expected), "\n{}", out.as_deref().unwrap_or(""));
}

#[test]
fn one_side_alone_is_not_changed() {
    let check = |code: &str, word: &str| {
        let reason = slowed(code, &[]).expect_err(code);
        assert!(reason.contains(word), "{reason}");
    };
    check(
        "const crypto = require('crypto');\nfunction r(password) {\n  save(crypto.createHash('md5').update(password).digest('hex'), 1);\n}",
        "compared",
    );
    check(
        "const crypto = require('crypto');\nfunction l(password, u) {\n  if (u.h === crypto.createHash('md5').update(password).digest('hex')) return 1;\n}",
        "stored",
    );
    check(
        "const crypto = require('crypto');\nfunction l(n, password) {\n  const h = crypto.createHash('md5').update(password).digest('hex');\n  return db.get('SELECT * FROM u WHERE n = ? AND h = ?', [n, h]);\n}",
        "database",
    );
}

#[test]
fn a_hash_that_is_looked_up_is_checked_in_code() {
    let code = "const crypto = require('crypto');\n\nfunction register(req, res) {\n  const { name, password } = req.body;\n  const hash = crypto.createHash('md5').update(password).digest('hex');\n  db.run('INSERT INTO users VALUES (?, ?)', [name, hash], (err) => res.end());\n}\n\nfunction login(req, res) {\n  const { name, password } = req.body;\n  const hash = crypto.createHash('md5').update(password).digest('hex');\n  db.get('SELECT * FROM users WHERE name = ? AND hash = ?', [name, hash], (err, row) => {\n    if (err || !row) return res.sendStatus(401);\n    res.json({ id: row.id });\n  });\n}\n";
    let expected = "\nfunction login(req, res) {\n  const { name, password } = req.body;\n  db.get('SELECT * FROM users WHERE name = ?', [name], (err, row) => {\n    if (err || !row || !verifyPassword(password, row.hash)) return res.sendStatus(401);\n    res.json({ id: row.id });\n  });\n}\n";
    let out = slowed(code, &[]).expect("a fix");
    assert!(out.ends_with(expected), "{out}");
    let code = "const md5 = require('md5');\nfunction register(name, password) {\n  db.prepare('INSERT INTO users VALUES (?, ?)').run(name, md5(password));\n}\nfunction login(name, password) {\n  const user = db.prepare('SELECT id, pw FROM users WHERE name = ? AND pw = ?').get(name, md5(password));\n  if (user) {\n    return user.id;\n  }\n  return null;\n}\n";
    let expected = "function login(name, password) {\n  const user = db.prepare('SELECT id, pw FROM users WHERE name = ?').get(name);\n  if (user && verifyPassword(password, user.pw)) {\n    return user.id;\n  }\n  return null;\n}\n";
    let out = slowed(code, &[]).expect("a fix");
    assert!(out.ends_with(expected), "{out}");
    let code = "const crypto = require('crypto');\nconst signup = async (req, res) => {\n  await pool.execute('INSERT INTO u VALUES (?, ?)', [req.body.email, crypto.createHash('md5').update(req.body.password).digest('hex')]);\n};\nconst signin = async (req, res) => {\n  const hash = crypto.createHash('md5').update(req.body.password).digest('hex');\n  const [rows] = await pool.execute('SELECT * FROM u WHERE email = ? AND pw = ?', [req.body.email, hash]);\n  if (rows.length === 0) {\n    return res.sendStatus(401);\n  }\n  res.json(rows[0].id);\n};\n";
    let expected = "const signin = async (req, res) => {\n  const [rows] = await pool.execute('SELECT * FROM u WHERE email = ?', [req.body.email]);\n  if (rows.length === 0 || !verifyPassword(req.body.password, rows[0].pw)) {\n    return res.sendStatus(401);\n  }\n  res.json(rows[0].id);\n};\n";
    let out = slowed(code, &[]).expect("a fix");
    assert!(out.ends_with(expected), "{out}");
}
