//! Bytes of a page to text a model can read. Linear in the page, whatever the page does.

use htmd::{HtmlToMarkdown, Node};
use std::rc::Rc;

/// How an HTML page is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Headings, links, lists and code kept.
    Markdown,
    /// Words only.
    Text,
    /// As it came.
    Html,
}

/// Elements whose content is not for readers.
const UNREAD: [&str; 8] = ["script", "style", "noscript", "template", "svg", "iframe", "object", "canvas"];
/// Elements without an end.
const VOID: [&str; 11] =
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source"];
/// Elements that a parser opens again and again until they are closed.
const FORMATTING: [&str; 14] =
    ["a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"];
/// Elements that do not break a line.
const INLINE: [&str; 22] = [
    "a", "abbr", "b", "big", "cite", "code", "em", "font", "i", "img", "kbd", "label", "mark", "q", "s",
    "small", "span", "strong", "sub", "sup", "tt", "u",
];

/// Bytes to text by the charset of the content type, of the page's own `<meta>`, or UTF-8.
pub fn decode(bytes: &[u8], content_type: &str, is_html: bool) -> String {
    let label = parameter(content_type).or_else(|| {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
        is_html.then(|| parameter(&start)).flatten()
    });
    let encoding = label
        .and_then(|label| encoding_rs::Encoding::for_label(label.as_bytes()))
        .unwrap_or(encoding_rs::UTF_8);
    encoding.decode(bytes).0.into_owned()
}

/// The value behind `charset=`.
fn parameter(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let rest = lower.split_once("charset=")?.1.trim_start_matches(['"', '\'', ' ']);
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c))).unwrap_or(rest.len());
    (end > 0).then(|| rest[..end].to_owned())
}

/// An HTML page in that format. A page built to choke a parser is shown as its words.
pub fn show(html: String, format: Format) -> String {
    match format {
        Format::Html => html,
        Format::Text => words(&html),
        Format::Markdown => match markdown(&html) {
            Some(markdown) => markdown,
            None => words(&html),
        },
    }
}

/// Markdown, unless parsing or walking the page would take more than it is worth.
fn markdown(html: &str) -> Option<String> {
    /// Deepest tree that is walked by recursion, and the stack to do it on.
    const DEPTH: usize = 400;
    const STACK: usize = 16 * 1024 * 1024;
    if !is_cheap(html) {
        return None;
    }
    let html = html.to_owned();
    let converting = std::thread::Builder::new().stack_size(STACK).spawn(move || {
        let converter = HtmlToMarkdown::builder().skip_tags(UNREAD.to_vec()).build();
        let tree = converter.html_to_tree(&html).ok()?;
        (depth(&tree) <= DEPTH).then(|| converter.tree_to_markdown(&tree))
    });
    converting.ok()?.join().ok().flatten()
}

/// Whether a parser that follows the standard stays near-linear on this page. It searches its open
/// elements at many tags, and repeats open formatting in every block.
fn is_cheap(html: &str) -> bool {
    const SEARCHES: usize = 100_000_000;
    const REPEATS: usize = 2_000_000;
    let (mut tags, mut open, mut formatting) = (0usize, 0usize, 0usize);
    let (mut most_open, mut most_formatting) = (0usize, 0usize);
    let mut rest = html;
    while let Some((_, tag, after)) = next_tag(rest) {
        rest = after;
        tags += 1;
        let name = tag.name();
        let change = |count: usize| if tag.closes() { count.saturating_sub(1) } else { count + 1 };
        if !VOID.contains(&name.as_str()) {
            open = change(open);
            most_open = most_open.max(open);
        }
        if FORMATTING.contains(&name.as_str()) {
            formatting = change(formatting);
            most_formatting = most_formatting.max(formatting);
        }
    }
    tags.saturating_mul(most_open) <= SEARCHES && tags.saturating_mul(most_formatting) <= REPEATS
}

fn depth(tree: &Rc<Node>) -> usize {
    let mut deepest = 0;
    let mut left = vec![(Rc::clone(tree), 1)];
    while let Some((node, depth)) = left.pop() {
        deepest = deepest.max(depth);
        left.extend(node.children.borrow().iter().map(|child| (Rc::clone(child), depth + 1)));
    }
    deepest
}

/// The words of a page: tags gone, blocks on lines of their own.
fn words(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some((before, tag, after)) = next_tag(rest) {
        push_text(before, &mut out);
        rest = after;
        let name = tag.name();
        if UNREAD.contains(&name.as_str()) && !tag.closes() && !tag.text.ends_with('/') {
            rest = behind_end(rest, &name);
        } else if !INLINE.contains(&name.as_str()) {
            let gap = if matches!(name.as_str(), "td" | "th") { ' ' } else { '\n' };
            push_gap(gap, &mut out);
        }
    }
    push_text(rest, &mut out);
    out.trim().to_owned()
}

struct Tag<'a> {
    /// What stands between the angle brackets.
    text: &'a str,
}

impl Tag<'_> {
    fn closes(&self) -> bool {
        self.text.starts_with('/')
    }

    fn name(&self) -> String {
        let text = self.text.trim_start_matches('/');
        let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
        text[..end].to_ascii_lowercase()
    }
}

/// The text before the next tag, the tag, and the text after it. Comments and declarations are tags
/// without a name; a `<` that opens nothing is text.
fn next_tag(html: &str) -> Option<(&str, Tag<'_>, &str)> {
    let mut from = 0;
    loop {
        let at = from + html[from..].find('<')?;
        let inside = &html[at + 1..];
        let opens = inside.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        if !opens {
            from = at + 1;
            continue;
        }
        let (text, after) = match inside.strip_prefix("!--") {
            Some(comment) => ("", comment.split_once("-->").map_or("", |(_, after)| after)),
            None => inside.split_once('>').unwrap_or((inside, "")),
        };
        return Some((&html[..at], Tag { text }, after));
    }
}

/// What follows the end tag of `name`; nothing when it has none.
fn behind_end<'a>(html: &'a str, name: &str) -> &'a str {
    let mut rest = html;
    while let Some(at) = rest.find("</") {
        rest = &rest[at + 2..];
        let same = rest.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        if same {
            return rest.split_once('>').map_or("", |(_, after)| after);
        }
    }
    ""
}

fn push_text(text: &str, out: &mut String) {
    let text = unescape(text);
    for (at, word) in text.split(char::is_whitespace).enumerate() {
        if at > 0 {
            push_gap(' ', out);
        }
        out.push_str(word);
    }
}

/// One gap between words, the widest asked for: a blank, a line, an empty line.
fn push_gap(gap: char, out: &mut String) {
    if out.is_empty() || out.ends_with("\n\n") || (gap == ' ' && out.ends_with([' ', '\n'])) {
        return;
    }
    if gap == '\n' {
        out.truncate(out.trim_end_matches(' ').len());
    }
    out.push(gap);
}

/// Character references of everyday pages.
fn unescape(text: &str) -> String {
    const NAMED: [(&str, &str); 16] = [
        ("amp", "&"),
        ("lt", "<"),
        ("gt", ">"),
        ("quot", "\""),
        ("apos", "'"),
        ("nbsp", " "),
        ("copy", "©"),
        ("mdash", "—"),
        ("ndash", "–"),
        ("hellip", "…"),
        ("lsquo", "‘"),
        ("rsquo", "’"),
        ("ldquo", "“"),
        ("rdquo", "”"),
        ("middot", "·"),
        ("times", "×"),
    ];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        let inside = &rest[at + 1..];
        let end = inside.bytes().take(10).position(|byte| byte == b';');
        let meant = end.and_then(|end| {
            let name = inside.get(..end)?;
            let known = NAMED.iter().find(|(known, _)| *known == name).map(|(_, text)| (*text).to_owned());
            known.or_else(|| {
                let number = name.strip_prefix('#')?;
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code).map(String::from)
            })
        });
        if let (Some(end), Some(meant)) = (end, meant) {
            out.push_str(&meant);
            rest = &inside[end + 1..];
        } else {
            out.push('&');
            rest = inside;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    const PAGE: &str = "<!doctype html><html><head><title>T</title><style>p{}</style></head><body>\
        <script>evil(\"</p>\")</script><!-- <b>no</b> --><h1>Head</h1><p>One <b>bold</b> &amp; \
        <a href=\"https://example.com/x\">link</a>.</p><ul><li>a<li>b</ul><pre><code>let x = 1 &lt; 2;\n</code></pre>\
        <table><tr><td>1</td><td>2</td></tr></table></body></html>";

    #[test]
    fn a_page_becomes_markdown_text_or_stays_html() {
        let markdown = show(PAGE.into(), Format::Markdown);
        for part in ["# Head", "**bold** &", "[link](https://example.com/x)", "let x = 1 < 2;"] {
            assert!(markdown.contains(part), "{part} in {markdown}");
        }
        let text = show(PAGE.into(), Format::Text);
        assert!(text.contains("Head\n\nOne bold & link.\n"), "{text}");
        assert!(
            text.contains("\na\nb\n") && text.contains("let x = 1 < 2;") && text.contains("1 2"),
            "{text}"
        );
        for shown in [&markdown, &text] {
            assert!(!shown.contains("evil") && !shown.contains("p{}") && !shown.contains("no"), "{shown}");
        }
        assert_eq!(show(PAGE.into(), Format::Html), PAGE);
    }

    #[test]
    fn words_survive_broken_html() {
        let check = |html: &str, expected: &str| assert_eq!(words(html), expected, "{html}");
        check("a < b and 1<2", "a < b and 1<2");
        check("a<b", "a");
        check("<p>x", "x");
        check("<script>never closed", "");
        check("<SCRIPT>x</ScRiPt >y", "y");
        check("<!-- open", "");
        check("&#65;&#x42;&nosuch;&amp;&#0;&#99999999;& &", "AB&nosuch;&\u{0}&#99999999;& &");
        check("<日本>語", "<日本>語");
        check("a<br/>b<hr>c", "a\nb\nc");
        check("", "");
    }

    #[test]
    fn pages_built_to_choke_a_parser_take_no_time() {
        let pages = [
            "<div>".repeat(200_000),
            "<b>".repeat(300_000),
            format!("{}{}", "<a href=1>".repeat(2_000), "<p>".repeat(200_000)),
            format!("{}{}", "<div>".repeat(100_000), "</x>".repeat(200_000)),
            "<table>".repeat(150_000),
            "<".repeat(500_000),
            "<!--".repeat(200_000),
            "</".repeat(500_000),
            "<script>".repeat(150_000),
            "&".repeat(500_000),
            "<p>word</p>".repeat(80_000),
        ];
        for page in pages {
            let start = Instant::now();
            let _ = show(page.clone(), Format::Markdown);
            let _ = show(page.clone(), Format::Text);
            let took = start.elapsed();
            assert!(took < Duration::from_secs(30), "{}: {took:?}", &page[..20]);
        }
    }

    #[test]
    fn charsets_are_honoured() {
        let check = |bytes: &[u8], content_type: &str, expected: &str| {
            assert_eq!(decode(bytes, content_type, true), expected, "{content_type}");
        };
        check("grüße".as_bytes(), "text/html", "grüße");
        check(b"gr\xfc\xdfe", "text/html; charset=ISO-8859-1", "grüße");
        check(b"gr\xfc\xdfe", "text/html; Charset=\"windows-1252\"; x=y", "grüße");
        check(b"<meta charset='latin1'>gr\xfc\xdfe", "text/html", "<meta charset='latin1'>grüße");
        check(b"\x93\xfa\x96\x7b", "text/html;charset=shift_jis", "日本");
        check(b"\xef\xbb\xbfgr\xc3\xbc", "text/html; charset=latin1", "grü");
        check(b"a\xffb", "text/html; charset=nonsense", "a\u{fffd}b");
    }
}
