//! One self-contained HTML page of a mission: contract, change, gates, transcript. No scripts, nothing loaded from
//! anywhere, every text escaped, secrets hidden: good enough to attach to a ticket.

use super::report::Report;
use super::show::Said;
use crate::text::{printable, redact};
use std::fmt::Write as _;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid #ccc}\
pre{background:#f5f5f5;padding:.7rem;overflow-x:auto;font:13px/1.4 ui-monospace,monospace;white-space:pre-wrap;word-break:break-word}\
table{border-collapse:collapse;width:100%}td,th{border:1px solid #ccc;padding:.3rem .5rem;text-align:left;vertical-align:top}\
.passed{background:#d9f2dd}.failed{background:#f8d7da}.unknown{background:#fff3cd}\
.add{background:#e6ffec}.del{background:#ffebe9}.place{color:#57606a}\
dt{font-weight:600}dd{margin:0 0 .5rem 1rem}details{margin:.5rem 0}summary{cursor:pointer}\
@media(prefers-color-scheme:dark){body{color:#e6e6e6;background:#16181c}pre{background:#22252b}\
.passed{background:#14432a}.failed{background:#5a1d1d}.unknown{background:#4d3b0a}.add{background:#12361f}.del{background:#4a1c1c}}";

/// The policy a browser is told: nothing is fetched, nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

impl Report {
    /// The report as one HTML page.
    pub fn page(&self) -> String {
        page(self, &[])
    }
}

/// The page of a report and of what was said.
pub(super) fn page(report: &Report, said: &[Said]) -> String {
    let title = escaped(&report.title());
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title><style>{STYLE}</style></head><body>\n\
         <h1>{title}</h1>\n<p>Result: <strong>{}</strong> · session {} · model {}</p>\n",
        escaped(&report.status_name()),
        escaped(&report.session_id),
        escaped(&report.model)
    );
    section(&mut out, "Issue", &report.issue);
    section(&mut out, "Summary", &report.summary);
    if !report.findings.is_empty() {
        out.push_str("<h2>What was wrong</h2><ul>\n");
        for finding in &report.findings {
            let words = finding.message.split_whitespace().collect::<Vec<_>>().join(" ");
            let _ = writeln!(
                out,
                "<li><code>{}:{}</code> CWE-{} ({}): {}</li>",
                escaped(&finding.path),
                finding.span.line,
                finding.cwe,
                finding.severity.name(),
                escaped(&words)
            );
        }
        out.push_str("</ul>\n");
    }
    if let Some(contract) = &report.contract {
        out.push_str("<h2>Contract</h2><dl>\n");
        for (name, text) in contract.lines().into_iter().filter(|(_, text)| !text.is_empty()) {
            let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escaped(&text));
        }
        out.push_str("</dl>\n");
    }
    if !report.patch.is_empty() {
        out.push_str("<h2>Change</h2><pre>");
        for line in report.patch.lines() {
            let class = match line.as_bytes().first() {
                Some(b'+') if !line.starts_with("+++") => "add",
                Some(b'-') if !line.starts_with("---") => "del",
                Some(b'@') => "place",
                _ => "",
            };
            let _ = writeln!(out, "<span class=\"{class}\">{}</span>", escaped(line));
        }
        out.push_str("</pre>\n");
    }
    if !report.verification.is_empty() {
        out.push_str("<h2>Gates</h2><table><tr><th>gate</th><th>status</th><th>evidence</th></tr>\n");
        for gate in &report.verification {
            let (name, status) = (escaped(&gate.name), gate.status.name());
            let _ = write!(
                out,
                "<tr><td>{name}</td><td class=\"{status}\">{status}</td><td>{}",
                escaped(&gate.evidence)
            );
            for run in &gate.runs {
                let _ = write!(
                    out,
                    "<details><summary><code>{}</code> on {}</summary><pre>{}</pre></details>",
                    escaped(&run.command),
                    escaped(&run.on),
                    escaped(&run.tail)
                );
            }
            out.push_str("</td></tr>\n");
        }
        out.push_str("</table>\n");
    }
    for (title, notes) in [("To do by hand", &report.by_hand), ("Denied", &report.permission_denials)] {
        section(&mut out, title, &notes.join("\n"));
    }
    if !said.is_empty() {
        out.push_str("<h2>Transcript</h2>\n");
        for one in said {
            let open = if one.is_long() { "" } else { " open" };
            let _ = writeln!(
                out,
                "<details{open}><summary>{}</summary><pre>{}</pre></details>",
                escaped(&one.who),
                escaped(&one.text)
            );
        }
    }
    out.push_str("</body></html>\n");
    out
}

fn section(out: &mut String, title: &str, text: &str) {
    if !text.trim().is_empty() {
        let _ = writeln!(out, "<h2>{title}</h2><pre>{}</pre>", escaped(text));
    }
}

/// Text as HTML shows it, secrets hidden, invisible characters made visible.
fn escaped(text: &str) -> String {
    let text = redact(text);
    let mut out = String::with_capacity(text.len());
    for c in printable(&text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Outcome;

    #[test]
    fn a_page_holds_no_script_and_no_secret() {
        let evil = "<script>alert(1)</script> onload=\"x\" sk-ant-api03-FAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKEFAKE";
        let mut report = Report::failed(Outcome::NotFixed, evil);
        report.issue = evil.into();
        report.patch = format!("+{evil}\n");
        let said = [Said { who: evil.into(), text: evil.into() }];
        let html = page(&report, &said);
        assert!(!html.contains("<script") && !html.contains("onload=\"x"), "{html}");
        assert!(!html.contains("FAKEFAKEFAKE"), "{html}");
        assert!(!html.contains("http://") && !html.contains("https://"), "nothing is loaded from anywhere");
    }
}
