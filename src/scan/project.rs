//! The files of one scan: texts, trees, and who imports whom.

use super::ir::{Block, Expr, Import, Language, Module, StmtKind};
use super::lower;
use super::rules::{RuleSet, embedded};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

/// A file with its tree.
#[derive(Debug)]
pub struct SourceFile {
    /// Workspace-relative path.
    pub path: String,
    /// Its text as scanned.
    pub text: SourceText,
    /// Its tree, made when it is first looked at.
    pub module: Tree,
}

/// A file's text, shared by all who look at it.
#[derive(Debug, Clone)]
pub struct SourceText(Arc<str>);

impl SourceText {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::ops::Deref for SourceText {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<[u8]> for SourceText {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// The tree of a text; it is made at the first look.
#[derive(Debug)]
pub struct Tree {
    language: Language,
    text: SourceText,
    module: OnceLock<Module>,
}

impl Tree {
    /// Whether it was made.
    pub(super) fn is_made(&self) -> bool {
        self.module.get().is_some()
    }
}

impl std::ops::Deref for Tree {
    type Target = Module;

    fn deref(&self) -> &Module {
        self.module.get_or_init(|| {
            lower::lower(self.language, &self.text).unwrap_or_else(|| Module {
                language: self.language,
                body: super::ir::Block::default(),
                imports: Vec::new(),
                comments: Vec::new(),
                // A grammar that gives nothing has understood nothing.
                errors: usize::MAX,
            })
        })
    }
}

/// All files of a scan.
#[derive(Debug, Clone)]
pub struct Project {
    /// What is looked for in them.
    pub rules: &'static RuleSet,
    /// In the order of their paths.
    pub files: Vec<Arc<SourceFile>>,
    /// Names of packages the manifests ask for, lower case (`requirements.txt`, `pyproject.toml`, `package.json`).
    pub dependencies: Vec<String>,
    /// Names of example environment files (`.env.example`), workspace-relative.
    pub env_examples: Vec<String>,
    /// Property files and their texts, by path.
    pub(super) properties: BTreeMap<String, String>,
    by_path: Arc<BTreeMap<String, usize>>,
    /// Which Java files declare a class, and which extend one, once somebody asked.
    types: Arc<OnceLock<Types>>,
    /// Where the imports of each file lead, once somebody asked.
    links: Vec<Arc<OnceLock<HashMap<String, Link>>>>,
    /// The files each file may import, once somebody asked.
    reach: Vec<Arc<OnceLock<Vec<usize>>>>,
}

/// What an import binds a local name to.
#[derive(Debug, Clone)]
pub(super) struct Link {
    /// Place in the file's imports.
    pub(super) import: usize,
    /// What the name stands for.
    pub(super) dotted: String,
    /// The project's file that the module is.
    pub(super) module: Option<usize>,
    /// The project's file that the member is.
    pub(super) submodule: Option<usize>,
}

/// Files by the classes they declare and by the types those extend.
#[derive(Debug, Default)]
struct Types {
    declaring: HashMap<String, Vec<usize>>,
    extending: HashMap<String, Vec<usize>>,
}

impl Types {
    fn note(&mut self, file: usize, block: &Block) {
        let put = |map: &mut HashMap<String, Vec<usize>>, name: &str| {
            let files = map.entry(name.to_owned()).or_default();
            if files.last() != Some(&file) {
                files.push(file);
            }
        };
        for stmt in &block.stmts {
            let StmtKind::Class(class) = &stmt.kind else { continue };
            put(&mut self.declaring, &class.name);
            for base in class.bases.iter().filter_map(Expr::as_name) {
                put(&mut self.extending, base);
            }
            self.note(file, &class.body);
        }
    }
}

impl SourceFile {
    /// A text as the file at `path`; it is parsed when its tree is first looked at. `None` for a language without a
    /// grammar.
    pub fn parse(path: &str, text: String) -> Option<Self> {
        let language = lower::language_of(path)?;
        Some(Self::unread(path.to_owned(), SourceText(text.into()), language))
    }

    fn unread(path: String, text: SourceText, language: Language) -> Self {
        let module = Tree { language, text: text.clone(), module: OnceLock::new() };
        Self { path, text, module }
    }

    /// The same file without its tree: it is made anew when somebody looks.
    pub(super) fn without_tree(&self) -> Self {
        Self::unread(self.path.clone(), self.text.clone(), self.language())
    }

    /// The file's language.
    pub fn language(&self) -> Language {
        // The tree's own field: asking makes no tree.
        self.module.language
    }

    /// Whether the file imports a module, or something from it or below it.
    pub fn imports(&self, module: &str) -> bool {
        // No tree is made of a text that does not even hold the word.
        let word = module.split('.').find(|part| !part.is_empty()).unwrap_or(module);
        if !self.module.is_made() && !self.text.contains(word) {
            return false;
        }
        self.module.imports.iter().any(|import| is_or_below(&import.module, module))
    }

    /// The import that binds a local name.
    pub fn import_of(&self, local: &str) -> Option<&Import> {
        self.module.imports.iter().rev().find(|import| import.local == local)
    }

    /// Line of a byte, from 1.
    pub fn line(&self, byte: usize) -> usize {
        let end = byte.min(self.text.len());
        self.text.get(..end).map_or(0, |before| before.matches('\n').count()) + 1
    }
}

/// Whether `module` is `wanted` or one of its submodules.
fn is_or_below(module: &str, wanted: &str) -> bool {
    module.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']))
}

impl Default for Project {
    fn default() -> Self {
        Self {
            rules: embedded(),
            files: Vec::new(),
            dependencies: Vec::new(),
            env_examples: Vec::new(),
            properties: BTreeMap::new(),
            by_path: Arc::default(),
            types: Arc::default(),
            links: Vec::new(),
            reach: Vec::new(),
        }
    }
}

impl Project {
    /// A project of these files.
    pub fn new(files: Vec<Arc<SourceFile>>) -> Self {
        let by_path: BTreeMap<_, _> =
            files.iter().enumerate().map(|(index, file)| (file.path.clone(), index)).collect();
        let links = files.iter().map(|_| Arc::default()).collect();
        let reach = files.iter().map(|_| Arc::default()).collect();
        Self { files, by_path: Arc::new(by_path), links, reach, ..Self::default() }
    }

    /// The same project with one file in another text; `None` when that text gives no tree.
    pub fn with_text(&self, file: usize, text: String) -> Option<Self> {
        let mut next = self.clone();
        let path = self.files.get(file)?.path.clone();
        next.files[file] = Arc::new(SourceFile::parse(&path, text)?);
        next.links[file] = Arc::default();
        next.reach[file] = Arc::default();
        Some(next)
    }

    /// The `changed` files, and all that import one of them, however far away.
    pub(super) fn importers_of(&self, changed: Vec<bool>) -> Vec<bool> {
        let mut touched = changed;
        if !touched.contains(&true) {
            return touched;
        }
        let imported: Vec<&[usize]> = (0..self.files.len()).map(|file| self.reach(file)).collect();
        loop {
            let mut grew = false;
            for (file, others) in imported.iter().enumerate() {
                if !touched[file] && others.iter().any(|other| touched[*other]) {
                    touched[file] = true;
                    grew = true;
                }
            }
            if !grew {
                return touched;
            }
        }
    }

    /// Every file of the project that an import of this one may lead to.
    pub(super) fn reach(&self, file: usize) -> &[usize] {
        self.reach[file].get_or_init(|| {
            let mut found = self.imported_by(file);
            found.sort_unstable();
            found.dedup();
            found
        })
    }

    /// Takes over what an earlier project with the same paths knows of the files that did not change.
    pub(super) fn learn_from(&mut self, earlier: &Project) {
        for at in 0..self.files.len() {
            if Arc::ptr_eq(&self.files[at], &earlier.files[at]) {
                self.links[at] = Arc::clone(&earlier.links[at]);
                self.reach[at] = Arc::clone(&earlier.reach[at]);
            }
        }
    }

    /// Gives up trees until those that are left belong to no more text than `most` bytes: of files that are `done`
    /// first those that the fewest import.
    pub(super) fn forget_trees(&mut self, most: usize, is_done: &dyn Fn(usize) -> bool) {
        let mut popular = vec![0usize; self.files.len()];
        for reach in self.reach.iter().filter_map(|reach| reach.get()) {
            for file in reach {
                popular[*file] += 1;
            }
        }
        let mut made: Vec<usize> =
            (0..self.files.len()).filter(|file| self.files[*file].module.is_made()).collect();
        let mut held: usize = made.iter().map(|file| self.files[*file].text.len()).sum();
        // What nobody imports is not asked for again before a fix is made in it.
        made.sort_by_key(|file| (popular[*file] > 0, !is_done(*file), popular[*file]));
        for file in made {
            let useless = popular[file] == 0 && is_done(file);
            if held <= most && !useless {
                break;
            }
            held -= self.files[file].text.len();
            self.files[file] = Arc::new(self.files[file].without_tree());
        }
    }

    /// Every file of the project that an import of this one may lead to, packages on the way among them.
    fn imported_by(&self, file: usize) -> Vec<usize> {
        let mut found = Vec::new();
        if self.files[file].language() == Language::Java {
            // Names of the same package need no import.
            let java = |other: &usize| self.files[*other].language() == Language::Java;
            return (0..self.files.len()).filter(java).collect();
        }
        for import in &self.files[file].module.imports {
            let mut module = match &import.member {
                Some(member) if import.module.ends_with('.') => format!("{}{member}", import.module),
                Some(member) => format!("{}.{member}", import.module),
                None => import.module.clone(),
            };
            found.extend(self.resolve(file, &import.module));
            loop {
                found.extend(self.resolve(file, &module));
                let Some((before, _)) = module.rsplit_once('.') else { break };
                module.truncate(before.len());
            }
        }
        found
    }

    fn types(&self) -> &Types {
        self.types.get_or_init(|| {
            let mut types = Types::default();
            for (file, source) in self.files.iter().enumerate() {
                if source.language() == Language::Java {
                    types.note(file, &source.module.body);
                }
            }
            types
        })
    }

    /// The Java files that declare a class of this name.
    pub(super) fn declaring(&self, name: &str) -> &[usize] {
        self.types().declaring.get(name).map_or(&[], Vec::as_slice)
    }

    /// The Java files with a class that extends or implements a type of this name.
    pub(super) fn extending(&self, name: &str) -> &[usize] {
        self.types().extending.get(name).map_or(&[], Vec::as_slice)
    }

    /// The text of the property file that a resource name means.
    pub(super) fn property_file(&self, name: &str) -> Option<&str> {
        let wanted = name.trim_start_matches("classpath:").trim_start_matches(['.', '/']);
        let mut found = self.properties.iter().filter(|(path, _)| {
            path.strip_suffix(wanted).is_some_and(|before| before.is_empty() || before.ends_with('/'))
        });
        found.next().map(|(_, text)| text.as_str())
    }

    /// What an import of a file binds a local name to.
    pub(super) fn link(&self, file: usize, local: &str) -> Option<&Link> {
        self.links.get(file)?.get_or_init(|| self.link_all(file)).get(local)
    }

    fn link_all(&self, file: usize) -> HashMap<String, Link> {
        let mut links = HashMap::new();
        for (at, import) in self.files[file].module.imports.iter().enumerate() {
            let other = |module: &str| self.resolve(file, module).filter(|found| *found != file);
            let submodule = import.member.as_ref().and_then(|member| {
                let dot = if import.module.ends_with('.') { "" } else { "." };
                other(&format!("{}{dot}{member}", import.module))
            });
            let link = Link { import: at, dotted: import.dotted(), module: other(&import.module), submodule };
            // Of two imports of one name the last one counts.
            links.insert(import.local.clone(), link);
        }
        links
    }

    /// The file that a module name written in `from` stands for: `.dao`, `app.dao`, `./dao`.
    pub fn resolve(&self, from: usize, module: &str) -> Option<usize> {
        let file = self.files.get(from)?;
        match file.language() {
            Language::Python => self.resolve_python(&file.path, module),
            Language::Java => None,
            _ => self.resolve_javascript(&file.path, module),
        }
    }

    fn resolve_python(&self, path: &str, module: &str) -> Option<usize> {
        let dots = module.len() - module.trim_start_matches('.').len();
        let below = module[dots..].replace('.', "/");
        let mut folder: Vec<&str> = path.split('/').collect();
        folder.pop();
        let try_at = |folder: &[&str]| {
            let mut parts: Vec<&str> = folder.to_vec();
            parts.extend(below.split('/').filter(|part| !part.is_empty()));
            let stem = parts.join("/");
            let module = if stem.is_empty() { None } else { self.by_path.get(&format!("{stem}.py")) };
            let package =
                if stem.is_empty() { "__init__.py".to_owned() } else { format!("{stem}/__init__.py") };
            module.or_else(|| self.by_path.get(&package)).copied()
        };
        if dots > 0 {
            folder.truncate(folder.len().checked_sub(dots - 1)?);
            return try_at(&folder);
        }
        // A plain name is looked for beside the file, then in every folder above it.
        loop {
            if let Some(found) = try_at(&folder) {
                return Some(found);
            }
            folder.pop()?;
        }
    }

    fn resolve_javascript(&self, path: &str, module: &str) -> Option<usize> {
        if !module.starts_with('.') {
            return None;
        }
        let mut parts: Vec<&str> = path.split('/').collect();
        parts.pop();
        for part in module.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                name => parts.push(name),
            }
        }
        let stem = parts.join("/");
        // TypeScript writes `./dao.js` for `dao.ts`.
        let bare = stem.strip_suffix(".js").unwrap_or(&stem);
        std::iter::once(stem.clone())
            .chain(["js", "mjs", "cjs", "ts", "tsx", "jsx"].iter().map(|ending| format!("{bare}.{ending}")))
            .chain(["js", "ts"].iter().map(|ending| format!("{stem}/index.{ending}")))
            .find_map(|candidate| self.by_path.get(&candidate).copied())
    }
}
