//! Weak password hashes in JavaScript and TypeScript: a slow, salted hash where passwords are stored, and its
//! own check where they are compared. Both sides change together or nothing does.

use super::answer::framed;
use super::imports::{insert, replace};
use super::password::{Hash, function_name, hash_at, is_of_password};
use super::password_lookup::check_in_code;
use super::password_use::{Use, is_exported, judge, outermost};
use super::syntax::{Js, bare, field, is_function, named, statement_of, walk};
use crate::finding::TextEdit;
use tree_sitter::Node;

/// What the project hashes passwords with.
enum Tool {
    /// `bcrypt` or `bcryptjs`.
    Bcrypt(&'static str),
    /// Node's own scrypt.
    Scrypt,
}

/// The edits that replace every password hash of the file and every comparison with one.
///
/// # Errors
/// When one side is out of sight, or the hash is used in a way that a salted one cannot be.
pub(crate) fn slow_down<'t>(
    js: &Js<'t>,
    has_package: &dyn Fn(&str) -> bool,
    used_elsewhere: &dyn Fn(&str) -> bool,
) -> Result<Vec<TextEdit>, String> {
    let mut hashes = Vec::new();
    walk(js.root, &mut |node| {
        if let Some(hash) = hash_at(js, node).filter(|hash| is_of_password(js, *hash)) {
            hashes.push(hash);
        }
    });
    let first = hashes.first().copied().ok_or("no fast hash of a password is found")?;
    let tool = if has_package("bcrypt") {
        Tool::Bcrypt("bcrypt")
    } else if has_package("bcryptjs") {
        Tool::Bcrypt("bcryptjs")
    } else {
        Tool::Scrypt
    };
    let mut plan = Plan::new(js, tool);
    for hash in &hashes {
        plan.take(*hash, used_elsewhere)?;
    }
    if !(plan.stores && plan.compares) {
        return Err(if plan.stores {
            "the place where the stored hash is compared is not in this file; change both sides together"
                .into()
        } else {
            "the place where the hash is stored is not in this file; change both sides together".into()
        });
    }
    Ok(plan.finish(first))
}

struct Plan<'j, 't> {
    js: &'j Js<'t>,
    tool: Tool,
    module: String,
    hash: String,
    verify: String,
    edits: Vec<TextEdit>,
    stores: bool,
    compares: bool,
    /// A function of the file that does the hashing already keeps its name.
    needs_hash: bool,
}

impl<'j, 't> Plan<'j, 't> {
    fn new(js: &'j Js<'t>, tool: Tool) -> Self {
        let module = match tool {
            Tool::Bcrypt(name) => js.reach_module(name),
            Tool::Scrypt => js.reach_module("crypto"),
        };
        let pick = |names: [&str; 3]| {
            names
                .into_iter()
                .find(|name| !js.has_name(name))
                .map_or_else(|| js.fresh(names[0]), str::to_owned)
        };
        Self {
            js,
            module: module.name,
            hash: pick(["hashPassword", "createPasswordHash", "saltedHash"]),
            verify: pick(["verifyPassword", "passwordMatches", "isPasswordValid"]),
            edits: module.edits,
            tool,
            stores: false,
            compares: false,
            needs_hash: false,
        }
    }

    fn hashed(&self, password: &str) -> String {
        match self.tool {
            Tool::Bcrypt(_) => format!("{}.hashSync({password}, 12)", self.module),
            Tool::Scrypt => format!("{}({password})", self.hash),
        }
    }

    fn verified(&self, password: &str, stored: &str, equal: bool) -> String {
        let mark = if equal { "" } else { "!" };
        match self.tool {
            Tool::Bcrypt(_) => format!("{mark}{}.compareSync({password}, {stored})", self.module),
            Tool::Scrypt => format!("{mark}{}({password}, {stored})", self.verify),
        }
    }

    /// Plans for one hash, whatever becomes of it.
    fn take(&mut self, hash: Hash<'t>, used_elsewhere: &dyn Fn(&str) -> bool) -> Result<(), String> {
        let js = self.js;
        if js.is_building(hash.password) && js.operands(bare(hash.password)).is_none_or(|o| o.len() != 1) {
            return Err("the password is mixed with other text before it is hashed".into());
        }
        if let Some(function) = returned_by(hash.node) {
            return self.take_function(function, hash, used_elsewhere);
        }
        let password = js.text(hash.password).to_owned();
        self.follow(hash.node, &password, hash.password)
    }

    /// A value that is a hash: stored, compared, or given a name first.
    fn follow(&mut self, node: Node<'t>, password: &str, source: Node<'t>) -> Result<(), String> {
        let js = self.js;
        let outer = outermost(node);
        if let Some(declarator) = outer.parent().filter(|p| p.kind() == "variable_declarator") {
            let name = field(declarator, "name").filter(|n| n.kind() == "identifier");
            let name = name.ok_or("the hash is taken apart")?;
            let binding = js.binding(js.text(name), name).ok_or("the hash's name is not found")?;
            if !js.writes(js.text(name), binding.scope).is_empty() {
                return Err("the hash's name is written more than once".into());
            }
            let uses = js.uses(js.text(name), binding.scope, name);
            let judged: Vec<Use<'t>> =
                uses.iter().map(|usage| judge(js, *usage)).collect::<Result<_, _>>()?;
            if let [Use::Asked(asked)] = judged.as_slice() {
                self.ask(*asked, password, source)?;
                return self.forget(name);
            }
            if judged.iter().any(|usage| matches!(usage, Use::Asked(_))) {
                return Err("the same hash is both looked up and used otherwise".into());
            }
            let compared = judged.iter().filter(|u| matches!(u, Use::Compared(..))).count();
            if compared > 0 && compared < judged.len() {
                return Err("the same hash is both stored and compared".into());
            }
            if compared == 0 {
                self.stores = true;
                self.needs_hash = true;
                self.edits.push(replace(node, self.hashed(password)));
                return Ok(());
            }
            for usage in judged {
                if let Use::Compared(comparison, stored, equal) = usage {
                    if !js.same_value(source, comparison) {
                        return Err("the password may have changed before it is compared".into());
                    }
                    self.edits.push(replace(comparison, self.verified(password, js.text(stored), equal)));
                }
            }
            self.compares = true;
            return self.forget(name);
        }
        self.use_up(node, outer, password, source)
    }

    /// Takes the declaration of a hash away that nothing reads any more.
    fn forget(&mut self, name: Node<'t>) -> Result<(), String> {
        let statement = statement_of(name)
            .filter(|s| named(*s).iter().filter(|c| c.kind() == "variable_declarator").count() == 1)
            .ok_or("the hash is declared together with other names")?;
        self.edits.push(whole_line(self.js, statement));
        Ok(())
    }

    /// A hash that is used where it is made.
    fn use_up(
        &mut self,
        node: Node<'t>,
        outer: Node<'t>,
        password: &str,
        source: Node<'t>,
    ) -> Result<(), String> {
        let js = self.js;
        match judge(js, outer)? {
            Use::Asked(asked) => self.ask(asked, password, source)?,
            Use::Stored => {
                self.stores = true;
                self.needs_hash = true;
                self.edits.push(replace(node, self.hashed(password)));
            }
            Use::Compared(comparison, stored, equal) => {
                self.compares = true;
                self.edits.push(replace(comparison, self.verified(password, js.text(stored), equal)));
            }
        }
        Ok(())
    }

    /// A hash that a query looks for.
    fn ask(&mut self, asked: Node<'t>, password: &str, source: Node<'t>) -> Result<(), String> {
        let verified = |stored: &str, equal: bool| self.verified(password, stored, equal);
        let (edits, test) = check_in_code(self.js, asked, &verified)?;
        if !self.js.same_value(source, test) {
            return Err("the password may have changed before it is compared".into());
        }
        self.edits.extend(edits);
        self.compares = true;
        Ok(())
    }

    /// A function that does nothing but hash: it hashes slowly from now on, and its results are followed.
    fn take_function(
        &mut self,
        function: Node<'t>,
        hash: Hash<'t>,
        used_elsewhere: &dyn Fn(&str) -> bool,
    ) -> Result<(), String> {
        let js = self.js;
        let name = function_name(js, function).ok_or("the hashing function has no name")?;
        if function.kind() == "method_definition" {
            return Err("the hash is made by a method, whose callers are not all in sight".into());
        }
        let parameter = js.parameters(function);
        let [parameter] = parameter[..] else {
            return Err("the hashing function takes more than the password".into());
        };
        if js.text(hash.password) != parameter {
            return Err("the hashing function changes the password first".into());
        }
        let binding = js
            .binding(name, function)
            .ok_or("the hashing function is used outside this file; change both sides together")?;
        for usage in js.uses(name, js.root, binding.ident) {
            let call = usage
                .parent()
                .filter(|p| p.kind() == "call_expression" && field(*p, "function") == Some(usage));
            let Some(call) = call else {
                if is_exported(usage) {
                    if used_elsewhere(name) {
                        return Err("the hashing function is compared with in other files; change both sides together".into());
                    }
                    self.stores = true;
                    continue;
                }
                return Err("the hashing function is handed on".into());
            };
            let password = js
                .arguments(call)
                .first()
                .copied()
                .ok_or("the hashing function is called without a password")?;
            let code = js.text(password).to_owned();
            let before = self.edits.len();
            let (stores, needs) = (self.stores, self.needs_hash);
            self.stores = false;
            self.follow(call, &code, password)?;
            if self.stores {
                // Storing calls stay as they are: the function itself changes.
                self.edits.truncate(before);
                self.needs_hash = needs;
            }
            self.stores |= stores;
        }
        let binding_exported =
            binding.ident.parent().and_then(|p| p.parent()).is_some_and(|p| p.kind() == "export_statement");
        if binding_exported {
            if used_elsewhere(name) {
                return Err(
                    "the hashing function is compared with in other files; change both sides together".into(),
                );
            }
            self.stores = true;
        }
        match self.tool {
            Tool::Bcrypt(_) => self.edits.push(replace(hash.node, self.hashed(parameter))),
            Tool::Scrypt => {
                let statement = statement_of(hash.node).filter(|s| s.kind() == "return_statement");
                let lines = self.hash_body(parameter);
                if let Some(statement) = statement {
                    let indent = js.indent(statement);
                    self.edits.push(replace(statement, lines.join(&format!("\n{indent}"))));
                } else {
                    let outer = js.indent(function);
                    let inner = format!("{outer}{}", js.unit());
                    let body = framed(&lines, &inner, "\n");
                    self.edits.push(replace(outermost(hash.node), format!("{{\n{body}{outer}}}")));
                }
            }
        }
        Ok(())
    }

    fn hash_body(&self, password: &str) -> Vec<String> {
        let (q, semi) = (self.js.quote(), self.js.semi());
        let module = &self.module;
        vec![
            format!("const salt = {module}.randomBytes(16){semi}"),
            format!("const key = {module}.scryptSync({password}, salt, 64){semi}"),
            format!("return `${{salt.toString({q}hex{q})}}:${{key.toString({q}hex{q})}}`{semi}"),
        ]
    }

    /// Adds the two functions before the statement of the first hash.
    fn finish(mut self, first: Hash<'t>) -> Vec<TextEdit> {
        let js = self.js;
        if matches!(self.tool, Tool::Scrypt) {
            let (q, semi, unit) = (js.quote(), js.semi(), js.unit());
            let module = &self.module;
            let typed = |kind: &str| if js.typescript { format!(": {kind}") } else { String::new() };
            let mut text = String::new();
            if self.needs_hash {
                let head =
                    format!("function {}(password{}){} {{\n", self.hash, typed("string"), typed("string"));
                text.push_str(&head);
                text.push_str(&framed(&self.hash_body("password"), unit, "\n"));
                text.push_str("}\n\n");
            }
            if self.compares {
                let head = format!(
                    "function {}(password{}, stored{}){} {{\n",
                    self.verify,
                    typed("string"),
                    typed("string"),
                    typed("boolean")
                );
                let split = format!("String(stored).split({q}:{q})");
                let lines = [
                    format!("const [salt, key] = {split}.map((part) => Buffer.from(part, {q}hex{q})){semi}"),
                    "return key !== undefined && key.length === 64 &&".to_owned(),
                    format!(
                        "{unit}{module}.timingSafeEqual(key, {module}.scryptSync(password, salt, 64)){semi}"
                    ),
                ];
                text.push_str(&head);
                text.push_str(&framed(&lines, unit, "\n"));
                text.push_str("}\n\n");
            }
            if js.src.contains("\r\n") {
                text = text.replace('\n', "\r\n");
            }
            let at = top_of(js, first.node);
            let before = js.src.get(..at).unwrap_or("");
            if !before.is_empty() && !before.ends_with("\n\n") && !before.ends_with("\r\n\r\n") {
                text.insert_str(0, if js.src.contains("\r\n") { "\r\n" } else { "\n" });
            }
            self.edits.push(insert(at, text));
        }
        self.edits.sort_by_key(|edit| (edit.start, edit.end));
        self.edits.dedup();
        self.edits
    }
}

/// The start of the top-level statement around a node, its comments included.
fn top_of<'t>(js: &Js<'t>, node: Node<'t>) -> usize {
    let mut at = node;
    while let Some(parent) = at.parent().filter(|p| p.kind() != "program") {
        at = parent;
    }
    let mut start = at.start_byte();
    while let Some(before) = at.prev_sibling().filter(|s| s.kind() == "comment") {
        if js.src.get(before.end_byte()..start).is_none_or(|gap| gap.matches('\n').count() > 1) {
            break;
        }
        start = before.start_byte();
        at = before;
    }
    start
}

/// The function whose only `return` (or expression body) a hash is.
fn returned_by(hash: Node<'_>) -> Option<Node<'_>> {
    let outer = outermost(hash);
    let parent = outer.parent()?;
    if parent.kind() == "arrow_function" {
        return Some(parent);
    }
    let block = parent.parent().filter(|_| parent.kind() == "return_statement")?;
    let function = block.parent().filter(|f| is_function(*f))?;
    (named(block).len() == 1).then_some(function)
}

/// Removes a statement with its line.
fn whole_line(js: &Js<'_>, statement: Node<'_>) -> TextEdit {
    let (start, end) = (statement.start_byte(), statement.end_byte());
    let line = start - js.indent(statement).len();
    let alone = js.src.get(..line).is_some_and(|before| before.is_empty() || before.ends_with('\n'));
    let rest = js.src.get(end..).unwrap_or("");
    match rest.find('\n').filter(|at| rest[..*at].trim().is_empty()) {
        Some(at) if alone => TextEdit { start: line, end: end + at + 1, text: String::new() },
        _ => TextEdit { start, end, text: String::new() },
    }
}
