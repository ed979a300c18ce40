//! Manifests: what they name as dependencies, and the frameworks among those.

use super::look::{Look, ending_of, folder_of, name_of};
use super::{MAX_MANIFEST, head};
use crate::workspace::Workspace;
use serde_json::Value;

/// Most manifests that are read.
const MAX_MANIFESTS: usize = 24;

/// Manifests deeper than this are left alone.
const MAX_MANIFEST_DEPTH: usize = 3;

/// Whose manifest it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum World {
    Python,
    Node,
    Go,
    Java,
    Php,
    Ruby,
    DotNet,
    Rust,
}

/// Dependencies that say how requests come in and how data is reached.
const FRAMEWORKS: &[(World, &str, &str)] = &[
    (World::Python, "flask", "Flask"),
    (World::Python, "django", "Django"),
    (World::Python, "djangorestframework", "Django REST framework"),
    (World::Python, "fastapi", "FastAPI"),
    (World::Python, "starlette", "Starlette"),
    (World::Python, "aiohttp", "aiohttp"),
    (World::Python, "tornado", "Tornado"),
    (World::Python, "bottle", "Bottle"),
    (World::Python, "falcon", "Falcon"),
    (World::Python, "pyramid", "Pyramid"),
    (World::Python, "quart", "Quart"),
    (World::Python, "sanic", "Sanic"),
    (World::Python, "sqlalchemy", "SQLAlchemy"),
    (World::Python, "psycopg", "psycopg"),
    (World::Python, "psycopg2", "psycopg2"),
    (World::Python, "psycopg2-binary", "psycopg2"),
    (World::Python, "asyncpg", "asyncpg"),
    (World::Python, "mysqlclient", "mysqlclient"),
    (World::Python, "pymysql", "PyMySQL"),
    (World::Node, "express", "Express"),
    (World::Node, "@nestjs/core", "Nest"),
    (World::Node, "fastify", "Fastify"),
    (World::Node, "koa", "Koa"),
    (World::Node, "next", "Next.js"),
    (World::Node, "@hapi/hapi", "hapi"),
    (World::Node, "pg", "pg"),
    (World::Node, "mysql2", "mysql2"),
    (World::Node, "better-sqlite3", "better-sqlite3"),
    (World::Node, "knex", "Knex"),
    (World::Node, "sequelize", "Sequelize"),
    (World::Node, "mongoose", "Mongoose"),
    (World::Node, "typeorm", "TypeORM"),
    (World::Node, "@prisma/client", "Prisma"),
    (World::Go, "github.com/gin-gonic/gin", "Gin"),
    (World::Go, "github.com/labstack/echo", "Echo"),
    (World::Go, "github.com/gofiber/fiber", "Fiber"),
    (World::Go, "github.com/go-chi/chi", "chi"),
    (World::Go, "github.com/gorilla/mux", "gorilla/mux"),
    (World::Go, "gorm.io/gorm", "GORM"),
    (World::Java, "spring-boot", "Spring Boot"),
    (World::Java, "org.springframework", "Spring"),
    (World::Java, "jakarta.ws.rs", "JAX-RS"),
    (World::Java, "io.quarkus", "Quarkus"),
    (World::Java, "io.micronaut", "Micronaut"),
    (World::Java, "hibernate", "Hibernate"),
    (World::Php, "laravel/framework", "Laravel"),
    (World::Php, "symfony/framework-bundle", "Symfony"),
    (World::Php, "slim/slim", "Slim"),
    (World::Ruby, "rails", "Rails"),
    (World::Ruby, "sinatra", "Sinatra"),
    (World::DotNet, "Microsoft.NET.Sdk.Web", "ASP.NET Core"),
    (World::DotNet, "Microsoft.AspNetCore", "ASP.NET Core"),
    (World::DotNet, "Microsoft.EntityFrameworkCore", "Entity Framework Core"),
    (World::Rust, "actix-web", "Actix Web"),
    (World::Rust, "axum", "axum"),
    (World::Rust, "rocket", "Rocket"),
    (World::Rust, "warp", "warp"),
    (World::Rust, "sqlx", "SQLx"),
    (World::Rust, "diesel", "Diesel"),
];

/// One manifest, read.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) path: String,
    pub(super) world: World,
    /// Names of dependencies; for XML and Gradle the whole text is looked through instead.
    dependencies: Vec<String>,
    text: String,
    /// A `package.json` or `composer.json` with a test script of its own.
    pub(super) has_test_script: bool,
    /// A Python file that configures pytest.
    pub(super) configures_pytest: bool,
    main: Option<String>,
}

/// All manifests near the root.
pub(super) struct Manifests {
    pub(super) all: Vec<Manifest>,
    pub(super) paths: Vec<String>,
    pub(super) frameworks: Vec<String>,
    /// Entry points they name.
    pub(super) mains: Vec<String>,
}

impl Manifests {
    pub(super) fn read(workspace: &Workspace, look: &Look) -> Self {
        let near = |path: &&String| path.matches('/').count() <= MAX_MANIFEST_DEPTH;
        let mut all = Vec::new();
        for path in look.files.iter().filter(near) {
            if all.len() == MAX_MANIFESTS {
                break;
            }
            let Some(world) = world_of(path) else { continue };
            let Some(text) = head(workspace, path, MAX_MANIFEST) else { continue };
            all.push(Manifest::parse(path, world, text));
        }
        let mut frameworks: Vec<String> = Vec::new();
        for (world, needle, title) in FRAMEWORKS {
            let named = all.iter().any(|manifest| manifest.world == *world && manifest.names(needle));
            if named && !frameworks.iter().any(|known| known == title) {
                frameworks.push((*title).to_owned());
            }
        }
        let mains = all.iter().filter_map(Manifest::main).collect();
        let paths = all.iter().map(|manifest| manifest.path.clone()).collect();
        Manifests { all, paths, frameworks, mains }
    }
}

impl Manifest {
    fn parse(path: &str, world: World, text: String) -> Self {
        let mut manifest = Manifest {
            path: path.to_owned(),
            world,
            dependencies: Vec::new(),
            text: String::new(),
            has_test_script: false,
            configures_pytest: false,
            main: None,
        };
        let name = name_of(path);
        match name {
            "package.json" | "composer.json" => manifest.take_json(&text),
            "pyproject.toml" | "Pipfile" | "Cargo.toml" => manifest.take_toml(&text),
            "setup.cfg" => manifest.configures_pytest = text.contains("[tool:pytest]"),
            "tox.ini" => manifest.configures_pytest = text.contains("[pytest]"),
            "pytest.ini" => manifest.configures_pytest = true,
            "Gemfile" => {
                let gems = text.lines().filter_map(|line| line.trim().strip_prefix("gem "));
                manifest.dependencies =
                    gems.filter_map(|rest| rest.split(['"', '\'']).nth(1)).map(str::to_owned).collect();
            }
            "go.mod" => {
                let words = text.lines().flat_map(str::split_whitespace).filter(|word| word.contains('/'));
                manifest.dependencies = words.map(str::to_owned).collect();
            }
            _ if ending_of(name) == Some("txt") => {
                manifest.dependencies = text.lines().filter_map(requirement).collect();
            }
            _ => manifest.text = text,
        }
        manifest
    }

    fn take_json(&mut self, text: &str) {
        let Ok(Value::Object(fields)) = serde_json::from_str::<Value>(text) else { return };
        for key in ["dependencies", "devDependencies", "require", "require-dev"] {
            if let Some(Value::Object(dependencies)) = fields.get(key) {
                self.dependencies.extend(dependencies.keys().cloned());
            }
        }
        let script = fields.get("scripts").and_then(|scripts| scripts.get("test"));
        // `npm init` writes a script that only fails.
        self.has_test_script = match script {
            Some(Value::String(script)) => !script.trim().is_empty() && !script.contains("no test specified"),
            Some(Value::Array(scripts)) => !scripts.is_empty(),
            _ => false,
        };
        self.main = fields.get("main").and_then(Value::as_str).map(str::to_owned);
    }

    fn take_toml(&mut self, text: &str) {
        let Ok(table) = text.parse::<toml::Table>() else { return };
        let at = |way: &[&str]| {
            let mut value = table.get(*way.first()?)?;
            for key in &way[1..] {
                value = value.get(key)?;
            }
            Some(value)
        };
        self.configures_pytest = at(&["tool", "pytest"]).is_some();
        let named = |value: Option<&toml::Value>| -> Vec<String> {
            value
                .and_then(toml::Value::as_table)
                .map(|table| table.keys().cloned().collect())
                .unwrap_or_default()
        };
        let listed = |value: Option<&toml::Value>| -> Vec<String> {
            let items = value.and_then(toml::Value::as_array).map(Vec::as_slice).unwrap_or_default();
            items.iter().filter_map(toml::Value::as_str).filter_map(requirement).collect()
        };
        let mut found = listed(at(&["project", "dependencies"]));
        for way in [&["project", "optional-dependencies"][..], &["dependency-groups"]] {
            for group in named(at(way)) {
                found.extend(listed(at(way).and_then(|groups| groups.get(&group))));
            }
        }
        for way in [
            &["dependencies"][..],
            &["dev-dependencies"],
            &["workspace", "dependencies"],
            &["packages"],
            &["dev-packages"],
            &["tool", "poetry", "dependencies"],
            &["tool", "poetry", "dev-dependencies"],
        ] {
            found.extend(named(at(way)));
        }
        for group in named(at(&["tool", "poetry", "group"])) {
            found.extend(named(at(&["tool", "poetry", "group", &group, "dependencies"])));
        }
        self.dependencies = found.into_iter().map(|name| name.to_lowercase().replace('_', "-")).collect();
    }

    /// Whether it names a dependency.
    pub(super) fn names(&self, needle: &str) -> bool {
        match self.world {
            World::Java | World::DotNet => self.text.contains(needle),
            World::Go => self.dependencies.iter().any(|name| {
                name.strip_prefix(needle).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }),
            _ => self.dependencies.iter().any(|name| name == needle),
        }
    }

    fn main(&self) -> Option<String> {
        let main = self.main.as_deref()?.trim_start_matches("./");
        let folder = folder_of(&self.path);
        Some(if folder.is_empty() { main.to_owned() } else { format!("{folder}/{main}") })
    }
}

fn world_of(path: &str) -> Option<World> {
    let name = name_of(path);
    let in_requirements = folder_of(path).rsplit('/').next() == Some("requirements");
    Some(match name {
        "pyproject.toml" | "Pipfile" | "setup.cfg" | "tox.ini" | "pytest.ini" => World::Python,
        "package.json" => World::Node,
        "go.mod" => World::Go,
        "pom.xml" | "build.gradle" | "build.gradle.kts" => World::Java,
        "composer.json" => World::Php,
        "Gemfile" => World::Ruby,
        "Cargo.toml" => World::Rust,
        _ if ending_of(name) == Some("csproj") => World::DotNet,
        _ if ending_of(name) == Some("txt") && (name.starts_with("requirements") || in_requirements) => {
            World::Python
        }
        _ => return None,
    })
}

/// The normalised name in a line of requirements; `None` for options, comments and blanks.
fn requirement(line: &str) -> Option<String> {
    let line = line.trim();
    let end = line
        .find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
        .unwrap_or(line.len());
    let name = &line[..end];
    if name.is_empty() || name.starts_with('-') {
        return None;
    }
    Some(name.to_lowercase().replace(['_', '.'], "-"))
}

/// Frameworks that a source file imports, for repositories whose manifests say nothing.
pub(super) fn imported<'a>(path: &str, source: &'a str) -> impl Iterator<Item = &'static str> + use<'a> {
    let ending = ending_of(path).unwrap_or_default();
    let is_python = ending == "py";
    let is_node = matches!(ending, "js" | "ts" | "mjs" | "cjs" | "mts" | "cts");
    FRAMEWORKS.iter().filter_map(move |(world, name, title)| {
        let imports = match world {
            World::Python if is_python => source.lines().any(|line| {
                let rest = line
                    .trim_start()
                    .strip_prefix("from ")
                    .or_else(|| line.trim_start().strip_prefix("import "));
                rest.and_then(|rest| rest.strip_prefix(name))
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '.', ',']))
            }),
            World::Node if is_node => source.lines().any(|line| {
                (line.contains("require(") || line.contains("from ") || line.contains("import "))
                    && ['"', '\''].iter().any(|quote| line.contains(&format!("{quote}{name}{quote}")))
            }),
            _ => false,
        };
        imports.then_some(*title)
    })
}
