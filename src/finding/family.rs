//! The families of weaknesses: their names, their CWE, and the words people use for them.

use super::facts::FAMILIES;
use serde::{Deserialize, Serialize};

/// A family of weaknesses: what an issue, a rule and a prompt page talk about.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    /// CWE-1395.
    VulnerableDependency,
    /// What a rule of one's own looks for, when no other family fits.
    #[default]
    Other,
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
