//! Text on its way out: cut to size, secrets hidden, made printable.

pub mod hidden;
pub mod known;
pub mod stream;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use regex::{Captures, Regex};
use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::{LazyLock, OnceLock};

/// A text cut to a byte budget, and how much was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clipped<'a> {
    /// The part that fits; never splits a code point.
    pub text: &'a str,
    /// Bytes that were cut.
    pub left_out: usize,
}

/// Cuts `text` to at most `max` bytes at a code point boundary.
pub fn clip(text: &str, max: usize) -> Clipped<'_> {
    let end = text.floor_char_boundary(max);
    Clipped { text: &text[..end], left_out: text.len() - end }
}

/// Replaces known secret shapes, and the values made known by [`known::know`], by `[redacted:kind]`. Lines are neither added nor removed, so line numbers
/// hold; a text without a known shape is borrowed. This is a net below the walls, not one of them.
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut out = Cow::Borrowed(text);
    // What one shape leaves behind can give another its beginning; it never gives a shape back its own.
    for _ in 0..4 {
        let mut changed = false;
        for at in SHAPES.candidates(&out) {
            let Some(regex) = SHAPES.regex(at) else { continue };
            if let Cow::Owned(new) = regex.replace_all(&out, |found: &Captures<'_>| hide(&KINDS[at], found)) {
                changed |= new != *out;
                out = Cow::Owned(new);
            }
        }
        if !changed {
            break;
        }
    }
    if let Cow::Owned(new) = redact_values(&out, &known::values()) {
        out = Cow::Owned(new);
    }
    match out {
        Cow::Owned(new) if new == text => Cow::Borrowed(text),
        out => out,
    }
}

/// Replaces exact values (of secrets in the scrubbed environment) by `[redacted:environment]`. Values
/// shorter than 8 bytes are left: they would tear up ordinary words.
pub fn redact_values<'a>(text: &'a str, values: &[String]) -> Cow<'a, str> {
    const HIDDEN: &str = "[redacted:environment]";
    let mut values: Vec<&str> = values
        .iter()
        .map(String::as_str)
        .filter(|value| value.len() >= 8 && !HIDDEN.contains(value) && text.contains(value))
        .collect();
    // The longest first: one value may be part of another.
    values.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
    values.into_iter().fold(Cow::Borrowed(text), |text, value| Cow::Owned(text.replace(value, HIDDEN)))
}

/// Hides the values in a file that holds secrets, line by line: names before `=` or `:` stay, as do empty
/// lines and the frame of a key block; what is after a name, or a line of any other form, is hidden.
pub fn mask(text: &str) -> String {
    let lines: Vec<Cow<'_, str>> = text.split('\n').map(mask_line).collect();
    lines.join("\n")
}

fn mask_line(line: &str) -> Cow<'_, str> {
    let trimmed = line.trim();
    if trimmed.is_empty() || (trimmed.starts_with("-----") && trimmed.ends_with("-----")) {
        return Cow::Borrowed(line);
    }
    let Some(found) = NAME.as_ref().and_then(|name| name.captures(line)) else {
        return Cow::Borrowed("[redacted:line]");
    };
    let (head, name) =
        (found.get(0).map_or("", |head| head.as_str()), found.get(1).map_or("", |name| name.as_str()));
    let value = line[head.len()..].trim();
    // The padded end of a key block looks like a name with nothing or `=` after it.
    let plain = name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    match value {
        "" | "|" | ">" if plain || head.trim_end().ends_with(':') => Cow::Borrowed(line),
        "" => Cow::Borrowed("[redacted:line]"),
        _ if value.starts_with('=') => Cow::Borrowed("[redacted:line]"),
        _ => Cow::Owned(format!("{head}[redacted:value]")),
    }
}

/// A name and what parts it from its value.
static NAME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"^[ \t]*(?:export[ \t]+|-[ \t]+)?["']?([A-Za-z_][A-Za-z0-9_.-]{0,63})["']?[ \t]*[:=][ \t]*"#)
        .ok()
});

/// A file name for people and models: as [`printable`], line ends and tabs made visible too.
pub fn printable_name(name: &str) -> Cow<'_, str> {
    match printable(name) {
        shown if shown.contains(['\n', '\t']) => Cow::Owned(shown.replace('\n', "\\n").replace('\t', "\\t")),
        shown => shown,
    }
}

/// Makes control sequences, bidi controls and invisible characters visible as `\u{…}`, so that text from
/// outside can be shown on a terminal without driving it. Keeps `\n` and `\t`; a `\r` before `\n` is
/// dropped, since that pair only ends a line.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unseen) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\r' && characters.peek() == Some(&'\n') {
            continue;
        }
        if is_unseen(character) {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// Whether a character drives the terminal, turns the direction of text or cannot be seen.
fn is_unseen(character: char) -> bool {
    match character {
        '\n' | '\t' | ' '..='~' => false,
        '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => true,
        _ => matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}'),
    }
}

/// A kind of secret and how it looks. Where the pattern has two groups, the first is kept and the second
/// hidden; else the whole match is.
struct Shape {
    kind: &'static str,
    /// One of these stands in every text that holds one, in lower case: most texts hold none, and the pattern
    /// is not even compiled.
    needles: &'static [&'static str],
    pattern: &'static str,
    /// Whether a text of that look is one, beyond what a pattern can say.
    really: fn(&str) -> bool,
}

/// Finds which shapes a text may hold, and compiles those at first use.
struct Shapes {
    needles: Option<AhoCorasick>,
    /// For each needle, which shape it is for.
    owners: Vec<usize>,
    each: Vec<OnceLock<Option<Regex>>>,
}

/// A needle set that cannot be built would leave every shape a candidate; a test holds that all compile.
static SHAPES: LazyLock<Shapes> = LazyLock::new(|| {
    let all: Vec<(usize, &str)> = KINDS
        .iter()
        .enumerate()
        .flat_map(|(at, shape)| shape.needles.iter().map(move |needle| (at, *needle)))
        .collect();
    let needles = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::ContiguousNFA))
        .build(all.iter().map(|(_, needle)| needle));
    Shapes {
        needles: needles.ok(),
        owners: all.iter().map(|(at, _)| *at).collect(),
        each: KINDS.iter().map(|_| OnceLock::new()).collect(),
    }
});

impl Shapes {
    /// The shapes of which a needle stands in the text, in order.
    fn candidates(&self, text: &str) -> Vec<usize> {
        let Some(needles) = &self.needles else { return (0..KINDS.len()).collect() };
        let mut seen = vec![false; KINDS.len()];
        for found in needles.find_overlapping_iter(text) {
            seen[self.owners[found.pattern().as_usize()]] = true;
        }
        (0..KINDS.len()).filter(|at| seen[*at]).collect()
    }

    fn regex(&self, at: usize) -> Option<&Regex> {
        // A Unicode word boundary is slow and means nothing here: all these secrets are ASCII.
        let compile = || Regex::new(&KINDS[at].pattern.replace(r"\b", r"(?-u:\b)")).ok();
        self.each[at].get_or_init(compile).as_ref()
    }
}

fn hide(shape: &Shape, found: &Captures<'_>) -> String {
    let whole = found.get(0).map_or("", |all| all.as_str());
    let (kept, secret) = match (found.get(1), found.get(2)) {
        (Some(kept), Some(secret)) => (kept.as_str(), secret.as_str()),
        _ => ("", whole),
    };
    if !(shape.really)(secret) {
        return whole.to_owned();
    }
    let after = &whole[(kept.len() + secret.len()).min(whole.len())..];
    let first = if secret.starts_with('\n') { "\n" } else { "" };
    let lines = "\n".repeat(secret.matches('\n').count() - first.len());
    format!("{kept}{first}[redacted:{}]{lines}{after}", shape.kind)
}

const fn shape(kind: &'static str, needles: &'static [&'static str], pattern: &'static str) -> Shape {
    Shape { kind, needles, pattern, really: |_| true }
}

const KINDS: &[Shape] = &[
    shape(
        "private-key",
        &["private key"],
        r#"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----)((?:[ \t\r\n"'+,0-9:|>#*-]|\\[rn])*(?:[A-Za-z-]{2,30}: [^\n]{0,200}\n[ \t\r\n]*){0,4}[A-Za-z0-9+/=]{40,}(?:\n-[A-Za-z0-9+/=]|-[ \t]|[A-Za-z0-9+/=\t\r\n"'+, :|>#*]|\\[rn])*)"#,
    ),
    shape("age-key", &["age-secret-key-1"], r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}\b"),
    shape("aws-access-key", &["akia", "asia", "abia", "acca"], r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b"),
    Shape {
        kind: "aws-secret-key",
        needles: &["aws"],
        pattern: r#"(?i-u)(\baws_?(?:secret_?)?(?:access_?)?key["']?[ \t]*(?:=>|[:=])[ \t]*["']?)([A-Za-z0-9/+]{40})\b"#,
        really: is_mixed,
    },
    shape("gcp-api-key", &["aiza"], r"\bAIza[0-9A-Za-z_-]{35}"),
    shape("gcp-oauth-token", &["ya29."], r"\bya29\.[0-9A-Za-z_-]{20,}"),
    shape("google-client-secret", &["gocspx-"], r"\bGOCSPX-[A-Za-z0-9_-]{24,}"),
    shape("azure-storage-key", &["accountkey="], r"(\bAccountKey=)([A-Za-z0-9+/]{86}==)"),
    shape("azure-shared-key", &["sharedaccesskey="], r"(\bSharedAccessKey=)([A-Za-z0-9+/]{43}=)"),
    shape("azure-sas", &["sig="], r"([?&]sig=)([A-Za-z0-9%+/]{40,}(?:%3D|=))"),
    shape("azure-client-secret", &["q~"], r"\b[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    shape("github-token", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], r"\bgh[pousr]_[A-Za-z0-9]{36,255}"),
    shape("github-token", &["github_pat_"], r"\bgithub_pat_[A-Za-z0-9_]{22,255}"),
    shape(
        "gitlab-token",
        &["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glimt-", "glagent-", "glsoat-", "gloas-"],
        r"\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|oas)-[A-Za-z0-9_-]{20,}",
    ),
    shape("slack-token", &["xox", "xapp-"], r"\b(?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,}"),
    shape(
        "slack-webhook",
        &["hooks.slack.com/"],
        r"(\bhooks\.slack\.com/(?:services|workflows)/)([A-Za-z0-9_/-]{20,})",
    ),
    shape(
        "discord-webhook",
        &["/api/webhooks/"],
        r"(\bdiscord(?:app)?\.com/api/webhooks/[0-9]{5,}/)([A-Za-z0-9_-]{20,})",
    ),
    shape(
        "stripe-key",
        &["sk_live_", "sk_test_", "rk_live_", "rk_test_"],
        r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
    ),
    shape("stripe-webhook-secret", &["whsec_"], r"\bwhsec_[A-Za-z0-9+/]{24,}"),
    shape("anthropic-key", &["sk-ant-"], r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    shape("openrouter-key", &["sk-or-v1-"], r"\bsk-or-v1-[0-9a-f]{32,}"),
    shape("openai-key", &["sk-"], r"\bsk-(?:(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}|[A-Za-z0-9]{32,})"),
    shape("groq-key", &["gsk_"], r"\bgsk_[A-Za-z0-9]{40,}"),
    shape("xai-key", &["xai-"], r"\bxai-[A-Za-z0-9]{60,}"),
    shape("perplexity-key", &["pplx-"], r"\bpplx-[A-Za-z0-9]{40,}"),
    shape("replicate-token", &["r8_"], r"\br8_[A-Za-z0-9]{37}\b"),
    shape("huggingface-token", &["hf_"], r"\bhf_[A-Za-z0-9]{30,}"),
    shape("npm-token", &["npm_"], r"\bnpm_[A-Za-z0-9]{36}"),
    shape("pypi-token", &["pypi-"], r"\bpypi-[A-Za-z0-9_-]{40,}"),
    shape("rubygems-key", &["rubygems_"], r"\brubygems_[0-9a-f]{48}"),
    shape("crates-token", &["cio"], r"\bcio[A-Za-z0-9]{32}\b"),
    shape("docker-token", &["dckr_"], r"\bdckr_(?:pat|oat)_[A-Za-z0-9_-]{24,}"),
    shape("sendgrid-key", &["sg."], r"\bSG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{32,64}"),
    shape("twilio-key", &["sk"], r"\bSK[0-9a-f]{32}\b"),
    shape("mailgun-key", &["key-"], r"\bkey-[0-9a-f]{32}\b"),
    shape("mailchimp-key", &["-us"], r"\b[0-9a-f]{32}-us[0-9]{1,2}\b"),
    shape("telegram-token", &[":aa"], r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}"),
    shape("digitalocean-token", &["doo_v1_", "dop_v1_", "dor_v1_"], r"\bdo[opr]_v1_[0-9a-f]{64}"),
    shape(
        "shopify-token",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}",
    ),
    shape("square-token", &["sq0"], r"\bsq0[a-z]{3}-[A-Za-z0-9_-]{22,}"),
    shape("newrelic-key", &["nrak-"], r"\bNRAK-[A-Z0-9]{27}"),
    shape("databricks-token", &["dapi"], r"\bdapi[0-9a-f]{32}\b"),
    shape("doppler-token", &["dp."], r"\bdp\.(?:pt|st|ct|sa)\.[A-Za-z0-9._-]{40,}"),
    shape("vault-token", &["hvs.", "hvb.", "hvr."], r"\bhv[sbr]\.[A-Za-z0-9_-]{24,}"),
    shape("terraform-token", &[".atlasv1."], r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    shape("linear-key", &["lin_api_"], r"\blin_api_[A-Za-z0-9]{32,}"),
    shape("notion-token", &["ntn_", "secret_"], r"\b(?:ntn_|secret_)[A-Za-z0-9]{43}"),
    shape("atlassian-token", &["atatt3"], r"\bATATT3[A-Za-z0-9_=-]{50,}"),
    shape("figma-token", &["figd_"], r"\bfigd_[A-Za-z0-9_-]{36,}"),
    shape("grafana-token", &["glsa_", "glc_"], r"\bgl(?:sa|c)_[A-Za-z0-9+/=_]{32,}"),
    shape("sentry-token", &["sntrys_", "sntryu_"], r"\bsntry[su]_[A-Za-z0-9+/=_]{40,}"),
    shape("postman-key", &["pmak-"], r"\bPMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    shape("supabase-token", &["sbp_"], r"\bsbp_[0-9a-f]{40}"),
    shape("planetscale-token", &["pscale_"], r"\bpscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.-]{32,}"),
    shape("fly-token", &["fm1_", "fm2_"], r"\bfm[12]_[A-Za-z0-9+/=_]{60,}"),
    shape("jwt", &["eyj"], r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    Shape {
        kind: "url-password",
        needles: &["://"],
        pattern: r#"(\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^ \t\r\n/:@"'<>\[\]{}`]{0,64}:)([^ \t\r\n/@"'<>\[\]{}$%`:][^ \t\r\n/@"'<>\[\]{}`]{0,256})@"#,
        really: |password| !password.bytes().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.')),
    },
    Shape {
        kind: "connection-password",
        needles: &["password", "pwd"],
        pattern: r#"(?i)(\b(?:server|data source|host|user id|uid|username)=[^;"'\r\n\[]{1,200};(?:[^"'\r\n\[]{0,200};)?[ \t]*(?:password|pwd)[ \t]*=[ \t]*)([^;"' \t\r\n\[{$%<][^;"'\r\n\[]*)"#,
        really: |_| true,
    },
    Shape {
        kind: "authorization",
        needles: &["authorization"],
        pattern: r#"(?i-u)(\b(?:proxy-)?authorization["']?[ \t]*[:=,][ \t]*["']?(?:bearer|basic|token)[ \t]+)([A-Za-z0-9._~+/=-]{8,})"#,
        really: |_| true,
    },
    Shape {
        kind: "bearer-token",
        needles: &["bearer"],
        pattern: r"(?i-u)(\bbearer[ \t]+)([A-Za-z0-9._~+/=-]{20,})",
        really: is_mixed,
    },
    Shape {
        kind: "high-entropy",
        needles: &["secret", "token", "passwd", "password", "key"],
        pattern: r#"(?i-u)((?:secret|token|passwd|password|api_?-?key|access_?-?key|private_?-?key|auth_?-?key)[a-z0-9_]{0,20}["'\]]{0,2}[ \t]*(?:=>|:=|[:=])[ \t]*[bBrR]?["'])([A-Za-z0-9+/=_-]{20,512})["']"#,
        really: |value| is_mixed(value) && entropy(value) >= 3.7,
    },
];

/// Letters and at least two digits: no word, no identifier of words.
fn is_mixed(value: &str) -> bool {
    value.bytes().any(|byte| byte.is_ascii_alphabetic())
        && value.bytes().filter(u8::is_ascii_digit).take(2).count() == 2
}

/// Shannon entropy in bits a byte.
fn entropy(value: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in value.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let all = f64::from(u32::try_from(value.len()).unwrap_or(u32::MAX));
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) / all)
        .map(|p| -p * p.log2())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Obviously fake filler of a given length.
    fn fake(length: usize) -> String {
        "FAKEcanary0".chars().cycle().take(length).collect()
    }

    fn upper(length: usize) -> String {
        fake(length).to_uppercase()
    }

    fn hex(length: usize) -> String {
        "fa4e".chars().cycle().take(length).collect()
    }

    fn samples() -> Vec<(&'static str, String)> {
        let pem = format!(
            "-----BEGIN RSA PRIVATE KEY-----\n{}\n{}\n-----END RSA PRIVATE KEY-----",
            fake(64),
            fake(30)
        );
        vec![
            ("private-key", pem.clone()),
            ("private-key", pem.replace("RSA ", "").replace('\n', "\\n")),
            ("private-key", pem.replace('\n', "\n10 - ")),
            ("private-key", pem.replace('\n', "\n-")),
            ("private-key", pem.replace('\n', "\n 10 | ")),
            ("age-key", format!("AGE-SECRET-KEY-1{}", upper(58))),
            ("aws-access-key", format!("AKIA{}", upper(16))),
            ("aws-secret-key", format!("aws_secret_access_key = {}", fake(40))),
            ("gcp-api-key", format!("AIza{}", fake(35))),
            ("gcp-oauth-token", format!("ya29.{}", fake(60))),
            ("google-client-secret", format!("GOCSPX-{}", fake(28))),
            ("azure-storage-key", format!("AccountName=x;AccountKey={}==", fake(86))),
            ("azure-shared-key", format!("SharedAccessKey={}=", fake(43))),
            ("azure-sas", format!("https://x.example/c?sv=1&sig={}%3D", fake(43))),
            ("azure-client-secret", format!("abc8Q~{}", fake(34))),
            ("github-token", format!("ghp_{}", fake(36))),
            ("github-token", format!("gho_{}", fake(36))),
            ("github-token", format!("github_pat_{}", fake(82))),
            ("gitlab-token", format!("glpat-{}", fake(20))),
            ("slack-token", format!("xoxb-{}", fake(24))),
            ("slack-webhook", format!("https://hooks.slack.com/services/T0/B0/{}", fake(24))),
            ("discord-webhook", format!("https://discord.com/api/webhooks/123456/{}", fake(60))),
            ("stripe-key", format!("sk_live_{}", fake(24))),
            ("stripe-webhook-secret", format!("whsec_{}", fake(32))),
            ("anthropic-key", format!("sk-ant-api03-{}", fake(40))),
            ("openrouter-key", format!("sk-or-v1-{}", hex(64))),
            ("openai-key", format!("sk-proj-{}", fake(48))),
            ("openai-key", format!("sk-{}", fake(48))),
            ("groq-key", format!("gsk_{}", fake(52))),
            ("xai-key", format!("xai-{}", fake(80))),
            ("perplexity-key", format!("pplx-{}", fake(48))),
            ("replicate-token", format!("r8_{}", fake(37))),
            ("huggingface-token", format!("hf_{}", fake(34))),
            ("npm-token", format!("npm_{}", fake(36))),
            ("pypi-token", format!("pypi-{}", fake(100))),
            ("rubygems-key", format!("rubygems_{}", hex(48))),
            ("crates-token", format!("cio{}", fake(32))),
            ("docker-token", format!("dckr_pat_{}", fake(27))),
            ("sendgrid-key", format!("SG.{}.{}", fake(22), fake(43))),
            ("twilio-key", format!("SK{}", hex(32))),
            ("mailgun-key", format!("key-{}", hex(32))),
            ("mailchimp-key", format!("{}-us12", hex(32))),
            ("telegram-token", format!("123456789:AA{}", fake(33))),
            ("digitalocean-token", format!("dop_v1_{}", hex(64))),
            ("shopify-token", format!("shpat_{}", hex(32))),
            ("square-token", format!("sq0atp-{}", fake(22))),
            ("newrelic-key", format!("NRAK-{}", upper(27))),
            ("databricks-token", format!("dapi{}", hex(32))),
            ("doppler-token", format!("dp.pt.{}", fake(43))),
            ("vault-token", format!("hvs.{}", fake(90))),
            ("terraform-token", format!("{}.atlasv1.{}", fake(14), fake(67))),
            ("linear-key", format!("lin_api_{}", fake(40))),
            ("notion-token", format!("ntn_{}", fake(43))),
            ("atlassian-token", format!("ATATT3{}", fake(180))),
            ("figma-token", format!("figd_{}", fake(40))),
            ("grafana-token", format!("glsa_{}_{}", fake(32), hex(8))),
            ("sentry-token", format!("sntrys_{}", fake(80))),
            ("postman-key", format!("PMAK-{}-{}", hex(24), hex(34))),
            ("supabase-token", format!("sbp_{}", hex(40))),
            ("planetscale-token", format!("pscale_tkn_{}", fake(43))),
            ("fly-token", format!("fm2_{}", fake(120))),
            ("jwt", format!("eyJ{}.eyJ{}.{}", fake(20), fake(40), fake(43))),
            ("url-password", "postgres://app:FAKE-canary@db:5432/x".into()),
            ("url-password", "redis://:FAKE-canary@cache/0".into()),
            ("connection-password", "Server=db;User Id=sa;Password=FAKE-canary;".into()),
            ("authorization", format!("Authorization: Bearer {}", fake(30))),
            ("authorization", "'Authorization': 'Basic RkFLRTpjYW5hcnk='".into()),
            ("bearer-token", format!("curl -H \"bearer {}\"", fake(40))),
            ("high-entropy", "app.config['SECRET_KEY'] = 'FAKE9f2c7d1b4e8a6035canary'".into()),
            ("high-entropy", "  \"api_key\": \"FAKE9f2c7d1b4e8a6035canary\",".into()),
        ]
    }

    #[test]
    fn every_pattern_compiles() {
        assert!(SHAPES.needles.is_some());
        for (at, shape) in KINDS.iter().enumerate() {
            assert!(SHAPES.regex(at).is_some(), "{}", shape.kind);
            let is_lower = |needle: &&str| !needle.is_empty() && needle.to_lowercase() == **needle;
            assert!(!shape.needles.is_empty() && shape.needles.iter().all(is_lower), "{}", shape.kind);
        }
    }

    #[test]
    fn hides_every_known_kind_of_secret_and_keeps_what_is_around_it() {
        let samples = samples();
        for shape in KINDS {
            assert!(samples.iter().any(|(kind, _)| *kind == shape.kind), "no sample of {}", shape.kind);
        }
        for (kind, sample) in samples {
            let text = format!("before é\nx = {sample} # after\n");
            let hidden = redact(&text);
            assert!(hidden.contains(&format!("[redacted:{kind}]")), "{kind}: {hidden}");
            assert!(!hidden.contains("canary") && !hidden.contains("FAKEc"), "{kind}: {hidden}");
            assert!(hidden.starts_with("before é\n") && hidden.ends_with(" # after\n"), "{kind}: {hidden}");
            assert_eq!(hidden.matches('\n').count(), text.matches('\n').count(), "{kind}: {hidden}");
            assert_eq!(redact(&hidden), hidden, "{kind}");
        }
    }

    #[test]
    fn leaves_ordinary_code_alone() {
        for text in [
            "token = get_token_from_request(request)",
            "password = os.environ[\"DATABASE_PASSWORD\"]",
            "const apiKey = process.env.STRIPE_SECRET_KEY_FOR_TESTING_ONLY;",
            "SECRET_KEY = \"change-me-please-change-me\"",
            "password_field_name = \"current_password_confirmation\"",
            "if text.contains(\"-----BEGIN RSA PRIVATE KEY-----\") { return true }",
            "-----BEGIN CERTIFICATE-----\nMIIBfakefakefakefakefakefakefakefakefakefakefake\n-----END CERTIFICATE-----",
            "url = f\"postgres://{user}:{password}@{host}/db\"",
            "url = \"postgres://$USER:$PASSWORD@localhost/db\"",
            "url = \"https://user:%s@host\" % password",
            "https://example.com:8080/path?x=1 and me@example.com",
            "http://localhost:3000/a@b",
            "git@github.com:owner/name.git",
            "ssh://git@example.com:22/x",
            "class=\"sk-folding-cube sk-cube-grid-with-long-name\"",
            "The bearer of this letter is authenticated; Bearer authentication is required",
            "Authorization: Bearer <token>",
            "headers[\"Authorization\"] = \"Bearer \" + token",
            "sha256 = \"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
            "commit e783220aa0c55ad015a3bf4f1b2b0b822cd15d6c",
            "integrity \"sha512-9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08==\"",
            "key-value-store key-0123 monkey-business npm_config_registry npm_lifecycle_event",
            "github_pattern = r\"github_pat_[A-Za-z0-9]\"",
            "eyJhbGciOi is how a JWT begins",
            "SKU1234567890 and SK-II",
            "user id=5; password check=done",
            "d41d8cd98f00b204e9800998ecf8427e  empty.txt",
        ] {
            assert!(matches!(redact(text), Cow::Borrowed(_)), "{text}: {}", redact(text));
        }
    }

    #[test]
    fn hides_exact_values_of_the_environment() {
        let check = |text: &str, values: &[&str], expected: &str| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            assert_eq!(redact_values(text, &values), expected);
        };
        check("key FAKE-canary-1 x", &["FAKE-canary-1"], "key [redacted:environment] x");
        check("FAKE-canary-1-longer", &["FAKE-canary-1", "FAKE-canary-1-longer"], "[redacted:environment]");
        check("short: abc", &["abc", ""], "short: abc");
        check("nothing here", &["FAKE-canary-1"], "nothing here");
        assert!(matches!(redact_values("clean", &["FAKE-canary".into()]), Cow::Borrowed(_)));
    }

    #[test]
    fn makes_what_drives_or_deceives_a_terminal_visible() {
        for (text, expected) in [
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("a\u{7}\u{8}\0\u{7f}", "a\\u{7}\\u{8}\\u{0}\\u{7f}"),
            ("over\rwritten", "over\\u{d}written"),
            ("line\r\nline", "line\r\nline"),
            ("a\u{202e}b\u{2066}c\u{2069}", "a\\u{202e}b\\u{2066}c\\u{2069}"),
            ("a\u{200e}\u{200f}\u{200b}\u{200d}\u{feff}", "a\\u{200e}\\u{200f}\\u{200b}\\u{200d}\\u{feff}"),
            ("\u{e0041}\u{e007f}", "\\u{e0041}\\u{e007f}"),
        ] {
            assert_eq!(printable(text), expected.replace('\r', ""), "{text:?}");
        }
        for clean in ["", "plain\n\ttext", "é ü 漢字 مرحبا 🎉 ñ", "\\u{202e} spelt out"] {
            assert!(matches!(printable(clean), Cow::Borrowed(_)), "{clean:?}");
        }
    }

    #[test]
    fn shows_the_names_in_a_secret_file_and_none_of_its_values() {
        for (line, expected) in [
            ("KEY=FAKE-canary", "KEY=[redacted:value]"),
            ("export KEY = \"FAKE-canary\" # why", "export KEY = [redacted:value]"),
            ("  \"password\": \"FAKE-canary\",", "  \"password\": [redacted:value]"),
            ("db:", "db:"),
            ("EMPTY=", "EMPTY="),
            ("# old: FAKE-canary", "[redacted:line]"),
            ("machine host login me password FAKE-canary", "[redacted:line]"),
            ("https://me:FAKE-canary@host", "https:[redacted:value]"),
            ("FAKEcanary==", "[redacted:line]"),
            ("FAKEcanary=", "[redacted:line]"),
            ("FAKEcanary", "[redacted:line]"),
            ("-----BEGIN PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----"),
            ("", ""),
        ] {
            assert_eq!(mask(line), expected);
        }
        assert_eq!(mask("A=1\n\nx\n"), "A=[redacted:value]\n\n[redacted:line]\n");
        assert!(NAME.is_some());
    }

    #[test]
    fn a_file_name_stays_on_one_line() {
        assert_eq!(printable_name("a\nb\tc\u{1b}"), "a\\nb\\tc\\u{1b}");
        assert!(matches!(printable_name("plain name.rs"), Cow::Borrowed(_)));
    }

    #[test]
    fn cuts_at_a_code_point() {
        for (text, max, expected, left_out) in
            [("abc", 9, "abc", 0), ("abc", 2, "ab", 1), ("aé", 2, "a", 2), ("é", 0, "", 2)]
        {
            assert_eq!(clip(text, max), Clipped { text: expected, left_out });
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn redacting_twice_changes_nothing_more(
            picks in proptest::collection::vec((0..70_usize, "[ -~\n]{0,12}"), 0..6),
        ) {
            let samples = samples();
            let text: String =
                picks.iter().fold(String::new(), |text, (at, noise)| text + noise + &samples[at % samples.len()].1);
            let once = redact(&text).into_owned();
            let twice = redact(&once).into_owned();
            prop_assert_eq!(&twice, &once);
            prop_assert_eq!(once.matches('\n').count(), text.matches('\n').count());
        }

        #[test]
        fn any_text_can_be_redacted_and_printed(text in "\\PC{0,40}(\\x1b|\u{202e}|\u{e0041}|\r|\n)?.{0,40}") {
            let _ = redact(&text);
            let shown = printable(&text);
            prop_assert!(!shown.chars().any(is_unseen));
            prop_assert_eq!(printable(&shown), shown.clone());
        }
    }
}
