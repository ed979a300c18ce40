//! Which database driver a call goes to, and so how it wants its parameters.

use super::syntax::Js;
use crate::scan::fix::Site;
use crate::scan::project::SourceFile;
use tree_sitter::Node;

/// What a driver wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Driver {
    /// node-postgres and its like: `$1`, array.
    Pg,
    /// `mysql`/`mysql2` `query`: `?`, array, values escaped by the client.
    Mysql,
    /// `mysql2` `execute`: `?`, array, values sent apart.
    MysqlExecute,
    /// `sqlite3`, `sqlite`: `?`, array or single values, callback.
    Sqlite,
    /// `better-sqlite3`, `libsql`, `node:sqlite`: `prepare(sql).get(a)`.
    Statement,
    /// sql.js `exec(sql, [a])`.
    SqlJs,
    /// `knex.raw(sql, [a])` and `whereRaw`.
    Knex,
    /// `sequelize.query(sql, { replacements: [a] })`.
    Sequelize,
    /// `TypeORM` query builder: `where('a = :a', { a })`.
    Builder,
    /// Prisma `$queryRawUnsafe`.
    Prisma {
        /// Whether its placeholders are `$1` (PostgreSQL) rather than `?`.
        dollar: bool,
    },
    /// `@libsql/client` `execute({ sql, args })`.
    LibsqlClient,
}

/// The driver behind a call: by the rule's word, by the method, by what the file and the project import.
///
/// # Errors
/// When several drivers are possible.
pub(crate) fn driver_of<'t>(js: &Js<'t>, site: &Site<'_>, call: Node<'t>) -> Result<Driver, String> {
    let method = js.callee_name(call);
    let word = site.spec.with.get("driver").map_or("", String::as_str);
    let dollar = || {
        let schema = ["pg", "postgres"].iter().any(|name| site.has_package(name));
        let other =
            ["mysql", "mysql2", "sqlite3", "better-sqlite3"].iter().any(|name| site.has_package(name));
        schema || !other
    };
    Ok(match (word, method) {
        ("prisma", _) => Driver::Prisma { dollar: dollar() },
        ("knex", _) => Driver::Knex,
        ("builder", _) => Driver::Builder,
        ("sequelize", _) => Driver::Sequelize,
        ("pg", _) => Driver::Pg,
        ("typeorm", _) if dollar() => Driver::Pg,
        ("mysql", "execute") => Driver::MysqlExecute,
        ("mysql" | "typeorm", _) => Driver::Mysql,
        ("sqlite", _) => Driver::Sqlite,
        ("statement", _) => Driver::Statement,
        ("sqljs", _) => Driver::SqlJs,
        ("libsql-client", _) => Driver::LibsqlClient,
        _ => guess_driver(site, method)?,
    })
}

/// By packages: those of this file, of the files it imports, then of the project.
fn guess_driver(site: &Site<'_>, method: &str) -> Result<Driver, String> {
    let known: &[(&str, &str, Driver)] = &[
        ("pg", "query", Driver::Pg),
        ("@neondatabase/serverless", "query", Driver::Pg),
        ("@vercel/postgres", "query", Driver::Pg),
        ("pg-promise", "query any one none oneOrNone many manyOrNone result", Driver::Pg),
        ("mysql2", "execute", Driver::MysqlExecute),
        ("mysql2", "query", Driver::Mysql),
        ("mysql", "query", Driver::Mysql),
        ("mariadb", "query execute", Driver::Mysql),
        ("promise-mysql", "query", Driver::Mysql),
        ("sequelize", "query", Driver::Sequelize),
        ("better-sqlite3", "prepare exec", Driver::Statement),
        ("libsql", "prepare exec", Driver::Statement),
        ("sqlite", "prepare exec", Driver::Statement),
        ("bun:sqlite", "prepare query exec run", Driver::Statement),
        ("sqlite3", "get all run each exec prepare", Driver::Sqlite),
        ("sql.js", "exec run each", Driver::SqlJs),
        ("@libsql/client", "execute", Driver::LibsqlClient),
        ("knex", "raw", Driver::Knex),
    ];
    let takes = |methods: &str| methods.split(' ').any(|one| one == method);
    let neighbours: Vec<&SourceFile> = site
        .file
        .module
        .imports
        .iter()
        .filter_map(|import| {
            let from = site.project.files.iter().position(|file| file.path == site.file.path)?;
            let found = site.project.resolve(from, &import.module)?;
            site.project.files.get(found).map(|file| &**file)
        })
        .collect();
    let rings: [&dyn Fn(&str) -> bool; 3] = [
        &|name| site.file.imports(name),
        &|name| neighbours.iter().any(|file| file.imports(name)),
        &|name| site.project.dependencies.iter().any(|package| package == name),
    ];
    for ring in rings {
        let mut found: Vec<Driver> = Vec::new();
        for (package, methods, driver) in known {
            if takes(methods) && ring(package) && !found.contains(driver) {
                // `sqlite` is Node's own module or the promise wrapper, which has the callers of `sqlite3`.
                found.push(*driver);
            }
        }
        match found.as_slice() {
            [] => {}
            [one] => return Ok(*one),
            [Driver::Mysql | Driver::Pg, Driver::Sequelize] => {
                return Ok(Driver::Sequelize);
            }
            _ => {
                return Err(
                    "several database drivers are in reach, so the form of its parameters is not known"
                        .into(),
                );
            }
        }
    }
    match method {
        "prepare" => Ok(Driver::Statement),
        "get" | "all" | "run" | "each" => Ok(Driver::Sqlite),
        _ => Err("the database driver is not known, so neither is the form of its parameters".into()),
    }
}
