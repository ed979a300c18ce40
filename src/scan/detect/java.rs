//! What surrounds a finding in Java.

use crate::scan::ir::Function;
use crate::scan::project::SourceFile;

/// Words of a function in which a number that can be guessed does harm.
const SECRET_WORDS: &[&str] = &[
    "token", "session", "cookie", "passw", "secret", "salt", "nonce", "otp", "csrf", "auth", "remember",
    "credential", "apikey", "api_key", "voucher", "verification", "cipher", "encrypt", "signature", "resetcode",
];

/// Whether a function serves requests, or speaks of something that must not be guessed.
pub(super) fn is_sensitive(file: &SourceFile, chain: &[&Function]) -> bool {
    chain.iter().any(|function| {
        let serves = function.params.iter().any(|param| {
            matches!(
                param.annotation.as_deref(),
                Some("HttpServletRequest" | "HttpServletResponse" | "ServletRequest" | "HttpSession")
            )
        });
        let text = function.at.of(&file.text).to_lowercase();
        serves || SECRET_WORDS.iter().any(|word| text.contains(word))
    })
}
