//! SQL fixes in Python: every driver's style, every way of putting a text together, and what is declined.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test that cannot go on says where"
)]

use agent::scan::Scanner;
use agent::scan::project::SourceFile;

fn fixed(code: &str) -> Result<String, String> {
    let findings = Scanner::new().scan_text("app.py", code);
    let finding = findings
        .iter()
        .find(|finding| finding.rule == "python-sql-injection")
        .ok_or("not found".to_owned())?;
    let fix = finding.fix.as_ref().ok_or_else(|| finding.why_no_fix.clone().unwrap_or_default())?;
    let text = fix.apply(code).ok_or("the edits do not fit")?;
    let errors = SourceFile::parse("app.py", text.clone()).map_or(1, |file| file.module.errors);
    if errors > 0 { Err(format!("does not parse:\n{text}")) } else { Ok(text) }
}

fn function(import: &str, body: &str) -> String {
    let indented = format!("    {}\n", body.lines().collect::<Vec<_>>().join("\n    "));
    format!(
        "import {import}\nfrom flask import request\n\nTABLE = 'users'\n\n\ndef f(cur, name, age):\n{indented}"
    )
}

#[test]
fn values_are_bound_in_every_form() {
    let table: &[(&str, &str, &str)] = &[
        (
            "sqlite3",
            "cur.execute(\"SELECT 1 FROM t WHERE n = '\" + name + \"' AND a = \" + str(age))",
            "cur.execute(\"SELECT 1 FROM t WHERE n = ? AND a = ?\", (name, age))",
        ),
        (
            "psycopg2",
            "cur.execute(f\"SELECT 1 FROM t WHERE n = '{name}' AND a > {age}\")",
            "cur.execute(\"SELECT 1 FROM t WHERE n = %s AND a > %s\", (name, age))",
        ),
        (
            "psycopg2",
            "cur.execute(\"SELECT 1 FROM t WHERE x LIKE 'a%' AND n = '\" + name + \"'\")",
            "cur.execute(\"SELECT 1 FROM t WHERE x LIKE 'a%%' AND n = %s\", (name,))",
        ),
        (
            "pymysql",
            "cur.execute(\"SELECT 1 FROM t WHERE n = '%s' AND a = %d\" % (name, age))",
            "cur.execute(\"SELECT 1 FROM t WHERE n = %s AND a = %s\", (name, age))",
        ),
        (
            "MySQLdb",
            "cur.execute('SELECT 1 FROM t WHERE n = \"{}\"'.format(name))",
            "cur.execute('SELECT 1 FROM t WHERE n = %s', (name,))",
        ),
        (
            "sqlite3",
            "cur.execute(\"SELECT 1 FROM t WHERE n = '{n}'\".format(n=name))",
            "cur.execute(\"SELECT 1 FROM t WHERE n = ?\", (name,))",
        ),
        (
            "sqlite3",
            "cur.execute(f\"SELECT 1 FROM {TABLE} WHERE n = '{name}'\")",
            "cur.execute(f\"SELECT 1 FROM {TABLE} WHERE n = ?\", (name,))",
        ),
        (
            "sqlite3",
            "cur.execute(\"SELECT 1 FROM t WHERE n LIKE '%\" + name + \"%'\")",
            "cur.execute(\"SELECT 1 FROM t WHERE n LIKE ?\", (\"%\" + name + \"%\",))",
        ),
        (
            "sqlite3",
            "cur.execute(f\"SELECT 1 FROM t WHERE n LIKE '%{name}%' LIMIT {age}\")",
            "cur.execute(\"SELECT 1 FROM t WHERE n LIKE ? LIMIT ?\", (f\"%{name}%\", age))",
        ),
        (
            "sqlite3",
            "cur.execute(f\"SELECT 1 FROM t WHERE o = ? AND n = '{name}'\", (1,))",
            "cur.execute(\"SELECT 1 FROM t WHERE o = ? AND n = ?\", (1, name))",
        ),
        (
            "sqlite3",
            "cur.execute(f\"SELECT 1 FROM t WHERE n = '{name}' AND o = ?\", (1,))",
            "cur.execute(\"SELECT 1 FROM t WHERE n = ? AND o = ?\", (name, 1,))",
        ),
        (
            "sqlite3",
            "cur.execute(\n    \"SELECT 1 FROM t \"\n    f\"WHERE n = '{name}' \"\n    \"ORDER BY a\"\n)",
            "cur.execute(\n        \"SELECT 1 FROM t \"\n        \"WHERE n = ? \"\n        \"ORDER BY a\", (name,)\n    )",
        ),
        (
            "sqlite3",
            "q = (\"SELECT 1 FROM t \"\n     \"WHERE n = '%s'\") % name\ncur.execute(q)",
            "q = (\"SELECT 1 FROM t \"\n         \"WHERE n = ?\")\n    cur.execute(q, (name,))",
        ),
        (
            "sqlite3",
            "q = \"SELECT 1 FROM t WHERE n = '%s'\"\ncur.execute(q % name)",
            "q = \"SELECT 1 FROM t WHERE n = ?\"\n    cur.execute(q, (name,))",
        ),
        (
            "sqlite3",
            "cur.execute(\"INSERT INTO t (n, a) VALUES ('\" + name + \"', \" + str(age) + \")\")",
            "cur.execute(\"INSERT INTO t (n, a) VALUES (?, ?)\", (name, age))",
        ),
        (
            "sqlite3",
            "cur.execute(f'''\n    UPDATE t SET n = '{name}'\n    WHERE a = {age}\n''')",
            "cur.execute('''\n        UPDATE t SET n = ?\n        WHERE a = ?\n    ''', (name, age))",
        ),
        (
            "sqlite3",
            "q = \"SELECT 1 FROM t WHERE 1 = 1\"\nif name:\n    q += f\" AND n = '{name}'\"\nif age:\n    q += \" AND a = \" + str(age)\ncur.execute(q)",
            "q = \"SELECT 1 FROM t WHERE 1 = 1\"\n    params = []\n    if name:\n        q += \" AND n = ?\"\n        params.append(name)\n    if age:\n        q += \" AND a = ?\"\n        params.append(age)\n    cur.execute(q, params)",
        ),
        (
            "sqlite3",
            "cur.execute(\"SELECT 1 FROM t WHERE n = '\" + request.args['n'] + \"'\")",
            "cur.execute(\"SELECT 1 FROM t WHERE n = ?\", (request.args['n'],))",
        ),
    ];
    let mut wrong = Vec::new();
    for (import, body, expected) in table {
        let result = fixed(&function(import, body));
        let holds = result.as_ref().is_ok_and(|text| text.contains(expected));
        if !holds {
            wrong.push(format!("{body}\nexpected {expected}\ngot {}", result.unwrap_or_else(|error| error)));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n----\n"));
}

#[test]
fn what_cannot_be_bound_is_declined_with_its_reason() {
    let table: &[(&str, &str, &str)] = &[
        ("sqlite3", "cur.execute(\"SELECT 1 FROM \" + name)", "cannot be bound"),
        ("sqlite3", "cur.execute(f\"SELECT 1 FROM t ORDER BY {name}\")", "cannot be bound"),
        ("sqlite3", "cur.execute(f\"SELECT 1 FROM t WHERE {name} = 1\")", "cannot be bound"),
        ("sqlite3", "cur.execute(f\"SELECT 1 FROM t WHERE a IN ({name})\")", "placeholder per value"),
        ("sqlite3", "cur.executescript(f\"DELETE FROM t WHERE n = '{name}'\")", "executescript"),
        ("json", "cur.execute(f\"SELECT 1 FROM t WHERE n = '{name}'\")", "driver"),
        ("sqlite3", "cur.execute(request.args['q'])", "whole statement"),
        ("sqlite3", "cur.execute(f\"SELECT 1 FROM prefix_{name} WHERE a = 1\")", "cannot be bound"),
    ];
    let mut wrong = Vec::new();
    for (import, body, words) in table {
        let result = fixed(&function(import, body));
        if !result.as_ref().is_err_and(|reason| reason.contains(words)) {
            wrong.push(format!(
                "{body}\nexpected a refusal with `{words}`\ngot {}",
                result.unwrap_or_else(|error| error)
            ));
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n----\n"));
}

#[test]
fn other_drivers_and_django_are_written_in_their_own_style() {
    let asyncpg = "import asyncpg\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/u')\nasync def u(name: str, conn=None):\n    return await conn.fetchrow(f\"SELECT 1 FROM t WHERE n = '{name}' AND a = 'x'\")\n";
    assert!(
        fixed(asyncpg).unwrap().contains("conn.fetchrow(\"SELECT 1 FROM t WHERE n = $1 AND a = 'x'\", name)"),
        "{:?}",
        fixed(asyncpg)
    );
    let django = "from django.db import connection\n\n\ndef view(request):\n    with connection.cursor() as cursor:\n        cursor.execute(\"SELECT 1 FROM t WHERE n = '\" + request.GET['n'] + \"'\")\n        return cursor.fetchall()\n";
    assert!(
        fixed(django)
            .unwrap()
            .contains("cursor.execute(\"SELECT 1 FROM t WHERE n = %s\", (request.GET['n'],))"),
        "{:?}",
        fixed(django)
    );
    let raw = "from django.shortcuts import render\nfrom app.models import User\n\n\ndef view(request):\n    users = User.objects.raw(\"SELECT * FROM t WHERE n = '%s'\" % request.GET['n'])\n    return render(request, 'x.html', {'users': users})\n";
    assert!(
        fixed(raw)
            .unwrap()
            .contains("User.objects.raw(\"SELECT * FROM t WHERE n = %s\", [request.GET['n']])"),
        "{:?}",
        fixed(raw)
    );
    let alchemy = "from flask import request\nfrom flask_sqlalchemy import SQLAlchemy\n\ndb = SQLAlchemy()\n\n\ndef view():\n    return db.session.execute(f\"SELECT * FROM t WHERE n = '{request.args.get('n')}'\").all()\n";
    let text = fixed(alchemy).unwrap_or_else(|error| error);
    assert!(
        text.contains(
            "db.session.execute(text(\"SELECT * FROM t WHERE n = :n\"), {\"n\": request.args.get('n')})"
        ) && text.contains("from sqlalchemy import text"),
        "{text}"
    );
}
