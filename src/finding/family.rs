//! The families of weaknesses: their names, their CWE, and the words people use for them.

use serde::{Deserialize, Serialize};

/// A family of weaknesses: what an issue, a rule and a prompt page talk about.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// CWE-89.
    SqlInjection,
    /// CWE-78.
    CommandInjection,
    /// CWE-22.
    PathTraversal,
    /// CWE-798.
    HardcodedSecret,
    /// CWE-916.
    WeakPasswordHash,
    /// CWE-502.
    UnsafeDeserialization,
    /// CWE-209.
    ErrorDisclosure,
    /// CWE-79.
    CrossSiteScripting,
    /// CWE-918.
    ServerSideRequestForgery,
    /// CWE-94.
    CodeInjection,
    /// CWE-1336.
    TemplateInjection,
    /// CWE-943.
    NosqlInjection,
    /// CWE-90.
    LdapInjection,
    /// CWE-643.
    XpathInjection,
    /// CWE-611.
    XmlExternalEntity,
    /// CWE-601.
    OpenRedirect,
    /// CWE-113.
    HeaderInjection,
    /// CWE-117.
    LogInjection,
    /// CWE-532.
    SensitiveLogging,
    /// CWE-330.
    WeakRandomness,
    /// CWE-328.
    WeakHash,
    /// CWE-327.
    WeakCipher,
    /// CWE-295.
    TlsVerification,
    /// CWE-347.
    JwtVerification,
    /// CWE-614.
    InsecureCookie,
    /// CWE-352.
    CsrfDisabled,
    /// CWE-942.
    CorsMisconfiguration,
    /// CWE-915.
    MassAssignment,
    /// CWE-1321.
    PrototypePollution,
    /// CWE-208.
    TimingAttack,
    /// CWE-377.
    InsecureTempFile,
    /// CWE-732.
    InsecurePermissions,
    /// CWE-1333.
    RegexDenialOfService,
    /// CWE-434.
    UnrestrictedUpload,
    /// CWE-501.
    TrustBoundary,
    /// CWE-306.
    MissingAuthentication,
    /// CWE-639.
    MissingAuthorization,
    /// CWE-307.
    MissingRateLimit,
}

/// What is known of a family: its words, its page, its CWE.
pub struct FamilyFacts {
    /// The family.
    pub family: Family,
    /// Kebab-case name, as in rule files and `--family`.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Main CWE number.
    pub cwe: u32,
    /// Lower-case words an issue uses for it.
    pub words: &'static [&'static str],
}

/// All families, in the order of their CWE's rank in the wild.
pub const FAMILIES: &[FamilyFacts] = &[
    FamilyFacts {
        family: Family::SqlInjection,
        name: "sql-injection",
        title: "SQL injection",
        cwe: 89,
        words: &[
            "sql injection",
            "sqli",
            "sql-injection",
            "injectable query",
            "unparameterised",
            "unparameterized",
        ],
    },
    FamilyFacts {
        family: Family::CommandInjection,
        name: "command-injection",
        title: "OS command injection",
        cwe: 78,
        words: &["command injection", "shell injection", "command-injection", "os command", "remote command"],
    },
    FamilyFacts {
        family: Family::PathTraversal,
        name: "path-traversal",
        title: "path traversal",
        cwe: 22,
        words: &[
            "path traversal",
            "directory traversal",
            "path-traversal",
            "file inclusion",
            "arbitrary file",
        ],
    },
    FamilyFacts {
        family: Family::HardcodedSecret,
        name: "hardcoded-secret",
        title: "hard-coded secret",
        cwe: 798,
        words: &[
            "hard-coded",
            "hardcoded",
            "hard coded",
            "secret in the code",
            "secret in code",
            "embedded credential",
            "committed secret",
            "secret key in",
        ],
    },
    FamilyFacts {
        family: Family::WeakPasswordHash,
        name: "weak-password-hash",
        title: "weak password hashing",
        cwe: 916,
        words: &[
            "password hash",
            "hashing",
            "md5",
            "sha1",
            "sha-1",
            "weak hash",
            "unsalted",
            "password storage",
            "weak-password-hash",
        ],
    },
    FamilyFacts {
        family: Family::UnsafeDeserialization,
        name: "unsafe-deserialization",
        title: "unsafe deserialisation",
        cwe: 502,
        words: &[
            "deserialization",
            "deserialisation",
            "deserialize",
            "deserialise",
            "pickle",
            "yaml.load",
            "unpickl",
            "node-serialize",
        ],
    },
    FamilyFacts {
        family: Family::ErrorDisclosure,
        name: "error-disclosure",
        title: "error details sent to the client",
        cwe: 209,
        words: &[
            "error detail",
            "stack trace",
            "stacktrace",
            "traceback",
            "exception message",
            "error message",
            "error disclosure",
            "error-disclosure",
            "information leak",
            "leaks error",
            "leaking error",
            "internal error",
        ],
    },
    FamilyFacts {
        family: Family::CrossSiteScripting,
        name: "cross-site-scripting",
        title: "cross-site scripting",
        cwe: 79,
        words: &["cross-site scripting", "cross site scripting", "xss", "html injection", "unescaped output"],
    },
    FamilyFacts {
        family: Family::ServerSideRequestForgery,
        name: "server-side-request-forgery",
        title: "server-side request forgery",
        cwe: 918,
        words: &[
            "ssrf",
            "server-side request forgery",
            "server side request forgery",
            "request forgery on the server",
        ],
    },
    FamilyFacts {
        family: Family::CodeInjection,
        name: "code-injection",
        title: "code injection",
        cwe: 94,
        words: &["code injection", "code execution", "eval injection", "eval(", "arbitrary code"],
    },
    FamilyFacts {
        family: Family::TemplateInjection,
        name: "template-injection",
        title: "template injection",
        cwe: 1336,
        words: &["template injection", "ssti", "render_template_string"],
    },
    FamilyFacts {
        family: Family::NosqlInjection,
        name: "nosql-injection",
        title: "NoSQL injection",
        cwe: 943,
        words: &["nosql injection", "no-sql injection", "nosql", "mongo injection", "operator injection"],
    },
    FamilyFacts {
        family: Family::LdapInjection,
        name: "ldap-injection",
        title: "LDAP injection",
        cwe: 90,
        words: &["ldap injection", "ldapi", "ldap filter"],
    },
    FamilyFacts {
        family: Family::XpathInjection,
        name: "xpath-injection",
        title: "XPath injection",
        cwe: 643,
        words: &["xpath injection", "xpath"],
    },
    FamilyFacts {
        family: Family::XmlExternalEntity,
        name: "xml-external-entity",
        title: "XML external entities",
        cwe: 611,
        words: &["xxe", "external entit", "xml external", "entity expansion", "billion laughs"],
    },
    FamilyFacts {
        family: Family::OpenRedirect,
        name: "open-redirect",
        title: "open redirect",
        cwe: 601,
        words: &["open redirect", "unvalidated redirect", "open-redirect", "url redirect"],
    },
    FamilyFacts {
        family: Family::HeaderInjection,
        name: "header-injection",
        title: "response splitting",
        cwe: 113,
        words: &["header injection", "response splitting", "crlf injection", "header splitting"],
    },
    FamilyFacts {
        family: Family::LogInjection,
        name: "log-injection",
        title: "log injection",
        cwe: 117,
        words: &["log injection", "log forging", "log-injection", "forged log"],
    },
    FamilyFacts {
        family: Family::SensitiveLogging,
        name: "sensitive-logging",
        title: "secrets in logs",
        cwe: 532,
        words: &[
            "secrets in log",
            "passwords in log",
            "password in log",
            "password logged",
            "logs password",
            "logs the password",
            "logging secret",
            "sensitive log",
            "personal data in log",
            "tokens in log",
        ],
    },
    FamilyFacts {
        family: Family::WeakRandomness,
        name: "weak-randomness",
        title: "predictable random values",
        cwe: 330,
        words: &[
            "weak random",
            "insecure random",
            "predictable random",
            "predictable token",
            "weak-random",
            "math.random",
            "guessable token",
        ],
    },
    FamilyFacts {
        family: Family::WeakHash,
        name: "weak-hash",
        title: "weak hash",
        cwe: 328,
        words: &["weak hash", "weak-hash", "broken hash", "md5", "sha1", "sha-1", "weak digest"],
    },
    FamilyFacts {
        family: Family::WeakCipher,
        name: "weak-cipher",
        title: "weak encryption",
        cwe: 327,
        words: &[
            "weak cipher",
            "weak encryption",
            "broken encryption",
            "weak crypto",
            "ecb mode",
            "static iv",
            "insecure cipher",
            "key size",
            "weak-cipher",
        ],
    },
    FamilyFacts {
        family: Family::TlsVerification,
        name: "tls-verification",
        title: "TLS verification switched off",
        cwe: 295,
        words: &[
            "tls verification",
            "certificate verification",
            "certificate validation",
            "verify=false",
            "rejectunauthorized",
            "ssl verification",
            "host key",
            "tls-verification",
        ],
    },
    FamilyFacts {
        family: Family::JwtVerification,
        name: "jwt-verification",
        title: "JWT not verified",
        cwe: 347,
        words: &["jwt", "json web token", "token signature", "alg none", "algorithm none"],
    },
    FamilyFacts {
        family: Family::InsecureCookie,
        name: "insecure-cookie",
        title: "insecure cookie",
        cwe: 614,
        words: &[
            "insecure cookie",
            "cookie flag",
            "httponly",
            "samesite",
            "secure flag",
            "secure attribute",
            "secure cookie",
            "session cookie",
        ],
    },
    FamilyFacts {
        family: Family::CsrfDisabled,
        name: "csrf-disabled",
        title: "CSRF protection switched off",
        cwe: 352,
        words: &["csrf", "cross-site request forgery", "cross site request forgery"],
    },
    FamilyFacts {
        family: Family::CorsMisconfiguration,
        name: "cors-misconfiguration",
        title: "open CORS policy",
        cwe: 942,
        words: &["cors", "cross-origin"],
    },
    FamilyFacts {
        family: Family::MassAssignment,
        name: "mass-assignment",
        title: "mass assignment",
        cwe: 915,
        words: &["mass assignment", "mass-assignment", "overposting", "over-posting"],
    },
    FamilyFacts {
        family: Family::PrototypePollution,
        name: "prototype-pollution",
        title: "prototype pollution",
        cwe: 1321,
        words: &["prototype pollution", "prototype-pollution", "__proto__"],
    },
    FamilyFacts {
        family: Family::TimingAttack,
        name: "timing-attack",
        title: "comparison that leaks timing",
        cwe: 208,
        words: &[
            "timing attack",
            "timing-unsafe",
            "timing unsafe",
            "constant time",
            "constant-time",
            "timing side",
        ],
    },
    FamilyFacts {
        family: Family::InsecureTempFile,
        name: "insecure-temp-file",
        title: "insecure temporary file",
        cwe: 377,
        words: &["temporary file", "temp file", "mktemp", "tempfile"],
    },
    FamilyFacts {
        family: Family::InsecurePermissions,
        name: "insecure-permissions",
        title: "open file permissions",
        cwe: 732,
        words: &["file permission", "0777", "world-writable", "world writable", "chmod", "umask"],
    },
    FamilyFacts {
        family: Family::RegexDenialOfService,
        name: "regex-denial-of-service",
        title: "regular expression denial of service",
        cwe: 1333,
        words: &[
            "redos",
            "regular expression denial",
            "regex denial",
            "catastrophic backtracking",
            "regex injection",
        ],
    },
    FamilyFacts {
        family: Family::UnrestrictedUpload,
        name: "unrestricted-upload",
        title: "unrestricted upload",
        cwe: 434,
        words: &["unrestricted upload", "file upload", "unrestricted file"],
    },
    FamilyFacts {
        family: Family::TrustBoundary,
        name: "trust-boundary",
        title: "request data kept in the session unchecked",
        cwe: 501,
        words: &["trust boundary", "trust-boundary", "session pollution"],
    },
    FamilyFacts {
        family: Family::MissingAuthentication,
        name: "missing-authentication",
        title: "missing authentication",
        cwe: 306,
        words: &[
            "missing authentication",
            "unauthenticated",
            "without login",
            "no authentication",
            "missing auth",
        ],
    },
    FamilyFacts {
        family: Family::MissingAuthorization,
        name: "missing-authorization",
        title: "missing ownership check",
        cwe: 639,
        words: &[
            "missing authorization",
            "missing authorisation",
            "idor",
            "insecure direct object",
            "ownership check",
            "access control",
            "object level authorization",
            "object-level authorization",
        ],
    },
    FamilyFacts {
        family: Family::MissingRateLimit,
        name: "missing-rate-limit",
        title: "missing rate limit",
        cwe: 307,
        words: &["rate limit", "rate-limit", "brute force", "brute-force", "throttl"],
    },
];

impl Family {
    /// The facts of this family.
    pub fn facts(self) -> &'static FamilyFacts {
        FAMILIES.iter().find(|facts| facts.family == self).unwrap_or(&FAMILIES[0])
    }

    /// The family of a kebab-case name.
    pub fn named(name: &str) -> Option<Family> {
        FAMILIES.iter().find(|facts| facts.name == name).map(|facts| facts.family)
    }
}
