//! What binding gives, driver by driver.

use super::driver::Driver;
use super::sql::bind;
use super::syntax::{Js, walk};
use crate::finding::{Fix, Tier};
use tree_sitter::Parser;

/// Binds the values at the first call of one of the driver's methods.
fn bound(code: &str, driver: Driver) -> Result<String, String> {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into()).unwrap();
    let tree = parser.parse(code, None).unwrap();
    let js = Js { src: code, root: tree.root_node(), notes: None, typescript: false };
    let mut call = None;
    walk(js.root, &mut |node| {
        let methods = [
            "query",
            "execute",
            "get",
            "all",
            "run",
            "each",
            "prepare",
            "exec",
            "raw",
            "where",
            "$queryRawUnsafe",
        ];
        if node.kind() == "call_expression"
            && methods.contains(&js.callee_name(node))
            && js.arguments(node).first().is_some_and(|a| a.kind() != "call_expression")
            && js.receiver(node).is_some_and(|r| !matches!(js.text(r), "app" | "router"))
            && call.is_none_or(|found: tree_sitter::Node<'_>| {
                found.byte_range().start > node.byte_range().start
                    || driver == Driver::Statement && js.callee_name(node) == "prepare"
            })
        {
            call = Some(node);
        }
    });
    let call = call.expect("a call");
    let sql = js.arguments(call)[0];
    let edits = bind(&js, call, sql, driver)?;
    let fix = Fix { tier: Tier::A, summary: String::new(), by_hand: String::new(), edits };
    let out = fix.apply(code).expect("edits in order");
    let tree = parser.parse(&out, None).unwrap();
    assert!(!tree.root_node().has_error(), "{out}");
    Ok(out)
}

fn check(driver: Driver, code: &str, expected: &str) {
    assert_eq!(bound(code, driver).as_deref(), Ok(expected), "{code}");
}

fn declines(driver: Driver, code: &str, word: &str) {
    let reason = bound(code, driver).expect_err(code);
    assert!(reason.contains(word), "{code}: {reason}");
}

#[test]
fn binds_node_postgres_values_by_number() {
    let pg = Driver::Pg;
    check(
        pg,
        "pool.query(`SELECT * FROM t WHERE a = '${a}'`);",
        "pool.query('SELECT * FROM t WHERE a = $1', [a]);",
    );
    check(
        pg,
        "const r = await pool.query(\"SELECT * FROM t WHERE a = '\" + req.query.a + \"' AND b = \" + b);",
        "const r = await pool.query(\"SELECT * FROM t WHERE a = $1 AND b = $2\", [req.query.a, b]);",
    );
    check(
        pg,
        "pool.query(`SELECT * FROM t WHERE a = $1 AND b = '${b}'`, [a], cb);",
        "pool.query('SELECT * FROM t WHERE a = $1 AND b = $2', [a, b], cb);",
    );
    check(
        pg,
        "pool.query(`SELECT * FROM t WHERE a = $1 AND b = '${b}'`, values);",
        "pool.query('SELECT * FROM t WHERE a = $1 AND b = $2', [...values, b]);",
    );
    check(
        pg,
        "pool.query({ text: `SELECT * FROM t WHERE a = ${a}` });",
        "pool.query({ text: 'SELECT * FROM t WHERE a = $1', values: [a] });",
    );
    check(
        pg,
        "pool.query(`SELECT * FROM t WHERE name ILIKE '%${q}%' LIMIT ${n}`, (err, rows) => {});",
        "pool.query('SELECT * FROM t WHERE name ILIKE $1 LIMIT $2', [`%${q}%`, n], (err, rows) => {});",
    );
}

#[test]
fn binds_mysql_and_sqlite_values_in_their_order() {
    let my = Driver::Mysql;
    check(
        my,
        "db.query('SELECT * FROM t WHERE a = ' + a + ' AND b = ? AND c = \"' + c + '\"', [b], cb);",
        "db.query('SELECT * FROM t WHERE a = ? AND b = ? AND c = ?', [a, b, c], cb);",
    );
    check(my, "db.query(`SELECT * FROM t LIMIT ${n}`);", "db.query('SELECT * FROM t LIMIT ?', [Number(n)]);");
    check(
        my,
        "db.query({ sql: `SELECT * FROM t WHERE a = '${a}'`, timeout: 5 }, cb);",
        "db.query({ sql: 'SELECT * FROM t WHERE a = ?', timeout: 5, values: [a] }, cb);",
    );
    check(
        Driver::MysqlExecute,
        "conn.execute(`UPDATE t SET a = '${a}' WHERE id = ${id}`)",
        "conn.execute('UPDATE t SET a = ? WHERE id = ?', [a, id])",
    );
    check(
        Driver::Sqlite,
        "db.get('SELECT * FROM t WHERE a = \\'' + a + '\\'', function (err, row) {});",
        "db.get('SELECT * FROM t WHERE a = ?', [a], function (err, row) {});",
    );
    check(
        Driver::Sqlite,
        "db.run(`UPDATE t SET a = '${a}' WHERE b = ?`, req.body.b, done);",
        "db.run(`UPDATE t SET a = ? WHERE b = ?`, a, req.body.b, done);".replace('`', "'").as_str(),
    );
    check(
        Driver::Sqlite,
        "db.all(`SELECT * FROM t\n  WHERE a = '${a}'\n  AND b = '${b}'`, cb2 => {});",
        "db.all(`SELECT * FROM t\n  WHERE a = ?\n  AND b = ?`, [a, b], cb2 => {});",
    );
    check(
        Driver::Sqlite,
        "db.exec(`DELETE FROM t WHERE a = '${a}'`, (err) => {});",
        "db.run('DELETE FROM t WHERE a = ?', [a], (err) => {});",
    );
}

#[test]
fn binds_prepared_statements_where_they_run() {
    let st = Driver::Statement;
    check(
        st,
        "db.prepare(`SELECT * FROM t WHERE a = '${a}'`).get();",
        "db.prepare('SELECT * FROM t WHERE a = ?').get(a);",
    );
    check(
        st,
        "const s = db.prepare('SELECT * FROM t WHERE a = ' + a + ' AND b = ?');\nconst r = s.all(b);",
        "const s = db.prepare('SELECT * FROM t WHERE a = ? AND b = ?');\nconst r = s.all(a, b);",
    );
    check(
        st,
        "db.prepare(`SELECT a FROM t WHERE a LIKE '${a}%'`).pluck().all();",
        "db.prepare('SELECT a FROM t WHERE a LIKE ?').pluck().all(`${a}%`);",
    );
    check(
        st,
        "db.exec(`DELETE FROM t WHERE a = '${a}'`);",
        "db.prepare('DELETE FROM t WHERE a = ?').run(a);",
    );
    check(
        st,
        "db.prepare(`SELECT * FROM t WHERE id IN (${ids.join(',')})`).all();",
        "db.prepare(`SELECT * FROM t WHERE id IN (${ids.map(() => '?').join(', ')})`).all(...ids);",
    );
    check(
        st,
        "function f(req) {\n  const sql =\n    'SELECT id FROM t WHERE owner = ' + req.userId +\n    \" AND item LIKE '%\" + search + \"%' ORDER BY id\";\n  return db.prepare(sql).all();\n}",
        "function f(req) {\n  const sql =\n    'SELECT id FROM t WHERE owner = ?' +\n    \" AND item LIKE ? ORDER BY id\";\n  return db.prepare(sql).all(req.userId, `%${search}%`);\n}",
    );
}

#[test]
fn binds_through_the_libraries_above_the_drivers() {
    check(
        Driver::Sequelize,
        "sequelize.query(`SELECT * FROM t WHERE a = '${req.body.a}'`, { type: QueryTypes.SELECT });",
        "sequelize.query('SELECT * FROM t WHERE a = ?', { type: QueryTypes.SELECT, replacements: [req.body.a] });",
    );
    check(
        Driver::Sequelize,
        "sequelize.query(`SELECT * FROM t WHERE a = '${req.body.a}' AND b = :b`, { replacements: { b } });",
        "sequelize.query('SELECT * FROM t WHERE a = :a AND b = :b', { replacements: { b, a: req.body.a } });",
    );
    check(
        Driver::Knex,
        "knex.raw(`SELECT * FROM t WHERE a = '${a}'`)",
        "knex.raw('SELECT * FROM t WHERE a = ?', [a])",
    );
    check(
        Driver::Prisma { dollar: true },
        "prisma.$queryRawUnsafe(`SELECT * FROM t WHERE a = '${a}'`)",
        "prisma.$queryRaw`SELECT * FROM t WHERE a = ${a}`",
    );
    check(
        Driver::Prisma { dollar: true },
        "prisma.$queryRawUnsafe('SELECT * FROM t WHERE a = ' + a)",
        "prisma.$queryRawUnsafe('SELECT * FROM t WHERE a = $1', a)",
    );
    check(
        Driver::Builder,
        "qb.where(`u.name = '${req.query.name}'`)",
        "qb.where('u.name = :name', { name: req.query.name })",
    );
    check(
        Driver::LibsqlClient,
        "db.execute(`SELECT * FROM t WHERE a = '${a}'`)",
        "db.execute({ sql: 'SELECT * FROM t WHERE a = ?', args: [a] })",
    );
}

#[test]
fn keeps_constant_names_and_fragments() {
    check(
        Driver::Pg,
        "const TABLE = 'users';\npool.query(`SELECT * FROM ${TABLE} WHERE a = '${a}'`);",
        "const TABLE = 'users';\npool.query(`SELECT * FROM ${TABLE} WHERE a = $1`, [a]);",
    );
    check(
        Driver::Pg,
        "const TABLE = 'users';\npool.query('SELECT * FROM ' + TABLE + ' WHERE a = ' + a);",
        "const TABLE = 'users';\npool.query('SELECT * FROM ' + TABLE + ' WHERE a = $1', [a]);",
    );
    check(
        Driver::Pg,
        "const COLS = { a: 'x', b: 'y' };\npool.query(`SELECT * FROM t WHERE a = '${a}' ORDER BY ${COLS[req.query.s] || 'x'}`);",
        "const COLS = { a: 'x', b: 'y' };\npool.query(`SELECT * FROM t WHERE a = $1 ORDER BY ${COLS[req.query.s] || 'x'}`, [a]);",
    );
    check(
        Driver::Pg,
        "const where = `name = '${name}'`;\npool.query(`SELECT * FROM t WHERE ${where} LIMIT 5`);",
        "const where = 'name = $1';\npool.query(`SELECT * FROM t WHERE ${where} LIMIT 5`, [name]);",
    );
}

#[test]
fn lets_a_list_grow_with_the_text() {
    check(
        Driver::Sqlite,
        "function f(req) {\n  let sql = 'SELECT * FROM t WHERE 1=1';\n  if (req.query.a) {\n    sql += ` AND a = '${req.query.a}'`;\n  }\n  if (req.query.b) sql += ' AND b = ' + req.query.b;\n  db.all(sql, (err, rows) => {});\n}",
        "function f(req) {\n  let sql = 'SELECT * FROM t WHERE 1=1';\n  const params = [];\n  if (req.query.a) {\n    sql += ' AND a = ?';\n    params.push(req.query.a);\n  }\n  if (req.query.b) {\n    sql += ' AND b = ?';\n    params.push(req.query.b);\n  }\n  db.all(sql, params, (err, rows) => {});\n}",
    );
    check(
        Driver::Pg,
        "function f(req) {\n  let sql = `SELECT * FROM t WHERE x = '${req.query.x}'`;\n  if (req.query.a) {\n    sql += ` AND a = '${req.query.a}'`;\n  }\n  return pool.query(sql);\n}",
        "function f(req) {\n  let sql = 'SELECT * FROM t WHERE x = $1';\n  const params = [req.query.x];\n  if (req.query.a) {\n    params.push(req.query.a);\n    sql += ` AND a = $${params.length}`;\n  }\n  return pool.query(sql, params);\n}",
    );
}

#[test]
fn declines_what_cannot_be_bound() {
    declines(Driver::Pg, "pool.query(`SELECT * FROM ${t}`);", "table");
    declines(Driver::Pg, "pool.query(`SELECT * FROM t ORDER BY ${c}`);", "fixed list");
    declines(Driver::Pg, "pool.query(`SELECT * FROM t WHERE a = '${a}' ORDER BY b ${dir}`);", "fixed list");
    declines(Driver::Pg, "pool.query(`SELECT * FROM t WHERE ${cond}`);", "piece of SQL");
    declines(Driver::Pg, "pool.query(`SELECT now() - INTERVAL '${n} days'`);", "typed");
    declines(Driver::Pg, "pool.query(`SELECT 1; DELETE FROM t WHERE a = ${a}`);", "several statements");
    declines(Driver::Pg, "pool.query(`SELECT * FROM \"${t}\" WHERE a = 1`);", "table");
    declines(Driver::Pg, "function q(sql) { return pool.query(sql); }", "callers");
    declines(Driver::Mysql, "db.query(`SELECT * FROM t WHERE a = ${a} AND b = ?`, values);", "order");
    declines(
        Driver::Pg,
        "let a = 1; const sql = `SELECT * FROM t WHERE a = ${a}`; a = 2; pool.query(sql);",
        "changed",
    );
}
