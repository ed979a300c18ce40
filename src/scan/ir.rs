//! One small tree for all languages: what the flow engine, the rules and the fixers read.
//!
//! A grammar's tree is lowered once per file (`lower/`); from there on nothing knows tree-sitter. Every
//! node keeps its byte place, so that a fixer can edit the text. What has no word of its own here becomes
//! `Other` with its children, so that taint still passes through it.

mod steps;

use std::sync::Arc;

/// Languages with a grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// Python 3.
    Python,
    /// JavaScript, JSX included.
    JavaScript,
    /// TypeScript without JSX.
    TypeScript,
    /// TypeScript with JSX.
    Tsx,
    /// Java.
    Java,
}

/// Bytes `start..end` of the file's text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct At {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A whole file.
#[derive(Debug, Clone)]
pub struct Module {
    /// Its language.
    pub language: Language,
    /// Top-level statements.
    pub body: Block,
    /// Every import of the file, also those inside functions, in order. `require` counts.
    pub imports: Vec<Import>,
    /// The comments that hold `agent:`, in order.
    pub comments: Vec<Comment>,
    /// How many ERROR or MISSING nodes the grammar met.
    pub errors: usize,
}

/// A comment, its mark included.
#[derive(Debug, Clone)]
pub struct Comment {
    /// Place.
    pub at: At,
    /// Text as written, `#` or `//` included.
    pub text: String,
}

/// One name an import binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// The whole import statement (or the `const x = require(…)` statement).
    pub at: At,
    /// The name bound in this file; `*` for a star import, empty for an import for its effect only.
    pub local: String,
    /// The module as written, without `node:`: `flask`, `os.path`, `.dao`, `child_process`, `./db`.
    pub module: String,
    /// The member taken from it; `None` when `local` is the module itself (or its default/namespace).
    pub member: Option<String>,
}

impl Import {
    /// What the local name stands for: `subprocess.run`, `child_process.exec`, `flask`.
    pub fn dotted(&self) -> String {
        match &self.member {
            Some(member) => format!("{}.{member}", self.module),
            None => self.module.clone(),
        }
    }
}

/// Statements of one suite.
#[derive(Debug, Clone, Default)]
pub struct Block {
    /// Place, without braces; empty when there is none.
    pub at: At,
    /// In order.
    pub stmts: Vec<Stmt>,
}

/// A statement.
#[derive(Debug, Clone)]
pub struct Stmt {
    /// Place, a `;` at its end included.
    pub at: At,
    /// What it is.
    pub kind: StmtKind,
}

/// What a statement does.
#[derive(Debug, Clone)]
pub enum StmtKind {
    /// `a = b = value`; a declaration without a value is an assignment of `Null`. Destructuring targets are
    /// `List`/`Map`/`Spread` expressions, a default inside them an `Assign` expression.
    Assign {
        /// Left sides.
        targets: Vec<Expr>,
        /// Right side.
        value: Expr,
        /// `const`, `let`, `var` or a type annotation stood there.
        declares: bool,
        /// Type annotation as written.
        annotation: Option<String>,
    },
    /// `a += value`; `op` without the `=`.
    Augment {
        /// Left side.
        target: Box<Expr>,
        /// `+`, `%`, …
        op: String,
        /// Right side.
        value: Expr,
    },
    /// An expression for its effect.
    Expr(Expr),
    /// `if`/`elif`/`else`: an `elif` is an `If` alone in `other`.
    If {
        /// Condition.
        test: Expr,
        /// When it holds.
        then: Block,
        /// When it does not; empty when there is none.
        other: Block,
    },
    /// `for x in xs`, `for (const x of xs)` with `target` and `over`; `while` and three-part `for` with `test`.
    Loop {
        /// Bound in each turn.
        target: Option<Box<Expr>>,
        /// What is walked over.
        over: Option<Box<Expr>>,
        /// Condition of a `while`.
        test: Option<Box<Expr>>,
        /// Body (a three-part `for`'s start stands before the loop, its step at the end of the body).
        body: Block,
        /// Python's `else`.
        other: Block,
    },
    /// `return`.
    Return(Option<Expr>),
    /// `raise`, `throw`.
    Raise(Option<Expr>),
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `try`.
    Try {
        /// Body.
        body: Block,
        /// `except`/`catch` clauses.
        handlers: Vec<Catch>,
        /// Python's `else`.
        other: Block,
        /// `finally`.
        finally: Block,
    },
    /// `with a as b, c:`.
    With {
        /// Context expressions and what they are bound to.
        items: Vec<(Expr, Option<Expr>)>,
        /// Body.
        body: Block,
    },
    /// A named function.
    Function(Arc<Function>),
    /// A class.
    Class(Arc<Class>),
    /// The names it binds.
    Import(Vec<Import>),
    /// `switch`, `match`.
    Switch {
        /// What is compared.
        subject: Expr,
        /// In order.
        cases: Vec<Case>,
        /// Whether a case without `break` runs into the next (JavaScript).
        falls_through: bool,
    },
    /// `del`, `delete`.
    Delete(Vec<Expr>),
    /// A bare block, `try`-less suites, labelled statements.
    Block(Block),
    /// Anything else, with the expressions in it.
    Other(Vec<Expr>),
}

/// An `except` or `catch` clause.
#[derive(Debug, Clone)]
pub struct Catch {
    /// The whole clause.
    pub at: At,
    /// Exception types; empty catches everything.
    pub types: Vec<Expr>,
    /// Name the exception is bound to.
    pub name: Option<String>,
    /// Body.
    pub body: Block,
}

/// A case of a `switch` or `match`.
#[derive(Debug, Clone)]
pub struct Case {
    /// Place.
    pub at: At,
    /// Values it stands for (`1 | 2` gives two); empty for the default or for a pattern that is no value.
    pub values: Vec<Expr>,
    /// Whether it takes whatever is left.
    pub is_default: bool,
    /// Body.
    pub body: Block,
}

/// A function, method, lambda or arrow.
#[derive(Debug, Clone)]
pub struct Function {
    /// Place, decorators not included.
    pub at: At,
    /// Name; empty when anonymous (a lambda that is assigned to a name keeps it empty).
    pub name: String,
    /// Parameters in order, `self`/`cls` included.
    pub params: Vec<Param>,
    /// Decorator expressions without the `@`.
    pub decorators: Vec<Expr>,
    /// Declared type of what it returns, where the language has one (Java).
    pub returns: Option<String>,
    /// Body; for a lambda or `x => y` one `Return`.
    pub body: Block,
    /// Whether the body is a bare expression (lambda, `x => y`).
    pub is_expression: bool,
    /// Whether it is `async`.
    pub is_async: bool,
    /// Whether it stands directly in a class body.
    pub is_method: bool,
}

/// A parameter.
#[derive(Debug, Clone)]
pub struct Param {
    /// Place, annotation and default included.
    pub at: At,
    /// Name; empty for a destructured one.
    pub name: String,
    /// The destructuring pattern, when it is one.
    pub pattern: Option<Expr>,
    /// Type annotation as written.
    pub annotation: Option<String>,
    /// Default value.
    pub default: Option<Expr>,
    /// How it takes arguments.
    pub kind: ParamKind,
    /// Decorators of the parameter (Nest: `@Query('q')`).
    pub decorators: Vec<Expr>,
}

/// How a parameter takes arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// One argument.
    Plain,
    /// `*args`, `...rest`.
    Rest,
    /// `**kwargs`.
    KeywordRest,
}

/// A class.
#[derive(Debug, Clone)]
pub struct Class {
    /// Place.
    pub at: At,
    /// Name; empty when anonymous.
    pub name: String,
    /// Base classes.
    pub bases: Vec<Expr>,
    /// Decorators without the `@`.
    pub decorators: Vec<Expr>,
    /// Body: methods are `Function` statements, fields are `Assign` statements to a `Name`.
    pub body: Block,
}

/// An expression.
#[derive(Debug, Clone)]
pub struct Expr {
    /// Place without surrounding parentheses.
    pub at: At,
    /// Place with all parentheses around it; equal to `at` when there are none.
    pub outer: At,
    /// What it is.
    pub kind: ExprKind,
}

/// What an expression is.
#[derive(Debug, Clone)]
pub enum ExprKind {
    /// A name; `self` and `this` too.
    Name(String),
    /// `object.name`, `object?.name`.
    Member {
        /// Left.
        object: Box<Expr>,
        /// Right.
        name: String,
        /// Place of the name.
        name_at: At,
    },
    /// `object[index]`.
    Index {
        /// Left.
        object: Box<Expr>,
        /// Inside the brackets.
        index: Box<Expr>,
    },
    /// `object[a:b:c]`; absent parts are left out of `bounds`.
    Slice {
        /// Left.
        object: Box<Expr>,
        /// What stands between the colons, in order, `None` where nothing stands.
        bounds: Vec<Option<Expr>>,
    },
    /// A call.
    Call(Box<Call>),
    /// A text literal: plain, f-string, template literal, implicitly joined.
    Text(Text),
    /// A regular expression literal, its letters between the slashes.
    Regex(String),
    /// A number as written.
    Number(String),
    /// `True`, `false`.
    Bool(bool),
    /// `None`, `null`, `undefined`.
    Null,
    /// Two operands: arithmetic, comparison (`==`, `===`, `in`, `not in`, `is`, …), `and`/`&&`, `or`/`||`,
    /// `??`. `op` as written, with one blank inside `not in` and `is not`.
    Binary {
        /// Operator.
        op: String,
        /// Left.
        left: Box<Expr>,
        /// Right.
        right: Box<Expr>,
    },
    /// `not x`, `!x`, `-x`, `typeof x`.
    Unary {
        /// Operator.
        op: String,
        /// Operand.
        operand: Box<Expr>,
    },
    /// A list, tuple, set or array; also as a target.
    List {
        /// Which.
        kind: ListKind,
        /// Items, `Spread` among them.
        items: Vec<Expr>,
    },
    /// A dict or object; also as a target.
    Map(Vec<Entry>),
    /// `*x`, `...x`; `**x` as an argument or entry.
    Spread(Box<Expr>),
    /// `a if test else b`, `test ? a : b`.
    Conditional {
        /// Condition.
        test: Box<Expr>,
        /// When it holds.
        then: Box<Expr>,
        /// When it does not.
        other: Box<Expr>,
    },
    /// A lambda, arrow or function expression.
    Lambda(Arc<Function>),
    /// `await x`.
    Await(Box<Expr>),
    /// `target := value`, `target = value` as an expression, a default in a destructuring target.
    Assign {
        /// Left.
        target: Box<Expr>,
        /// Right.
        value: Box<Expr>,
    },
    /// `[item for target in over if test]` and its kin.
    Comprehension {
        /// What each turn gives; for a dict the key and the value.
        items: Vec<Expr>,
        /// `target in over`.
        loops: Vec<(Expr, Expr)>,
        /// `if` conditions.
        tests: Vec<Expr>,
    },
    /// A class expression.
    Class(Arc<Class>),
    /// Anything else, with its children: taint of any child passes.
    Other(Vec<Expr>),
}

/// Which brackets a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListKind {
    /// `[…]`.
    List,
    /// `(…,)` or bare.
    Tuple,
    /// `{…}`.
    Set,
}

/// An entry of a dict or object.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Place.
    pub at: At,
    /// Key: a `Text` for `'a'` and for JavaScript's bare `a:`; any expression when computed; `None` for a spread.
    pub key: Option<Expr>,
    /// Value; a shorthand `{a}` has the name here.
    pub value: Expr,
}

/// A call.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is called.
    pub callee: Expr,
    /// Arguments in order, keyword ones among them.
    pub args: Vec<Arg>,
    /// The bytes between and with the parentheses.
    pub args_at: At,
    /// Whether `new` stands before it.
    pub is_new: bool,
    /// A tagged template: `` sql`…` ``; its template is the only argument.
    pub is_tag: bool,
}

/// An argument.
#[derive(Debug, Clone)]
pub struct Arg {
    /// Place, `name=` included.
    pub at: At,
    /// Keyword, when it has one.
    pub name: Option<String>,
    /// Value; `*x`, `**x` and `...x` are `Spread`.
    pub value: Expr,
    /// `**x`.
    pub is_keyword_spread: bool,
}

/// A text literal.
#[derive(Debug, Clone)]
pub struct Text {
    /// Its literal parts and its holes, in order, over all joined pieces.
    pub parts: Vec<TextPart>,
    /// The joined tokens, in order; one unless implicitly concatenated.
    pub pieces: Vec<TextPiece>,
    /// Whether it is a bytes literal.
    pub is_bytes: bool,
}

/// One token of a text literal.
#[derive(Debug, Clone)]
pub struct TextPiece {
    /// Place, prefix and quotes included.
    pub at: At,
    /// `f`, `rb`, …, as written; empty in JavaScript.
    pub prefix: String,
    /// `"`, `'`, `"""`, `'''` or a backtick.
    pub quote: String,
}

/// A part of a text literal.
#[derive(Debug, Clone)]
pub enum TextPart {
    /// Letters.
    Literal {
        /// Place in the file: the letters as written.
        at: At,
        /// Their value, escapes decoded (`{{` is `{` in an f-string).
        value: String,
        /// Index of its piece.
        piece: usize,
    },
    /// An interpolation.
    Hole {
        /// Place, braces (and `$`) included.
        at: At,
        /// What is interpolated.
        expr: Box<Expr>,
        /// Python's `!r`, `!s`, `!a`.
        conversion: Option<char>,
        /// Python's format after the colon, as written.
        format: Option<String>,
        /// Index of its piece.
        piece: usize,
    },
}
