//! dev probe
#![allow(clippy::print_stdout, reason = "dev")]
use agent::scan::{rules, Scanner};
#[test]
fn js_examples() {
    let set = rules::embedded();
    assert!(set.broken.is_empty(), "{:#?}", set.broken);
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut bad = 0;
    for rule in set.rules.iter().filter(|r| r.id.starts_with("javascript") && r.id.contains(&only)) {
        for (n, v) in rule.examples.vulnerable.iter().enumerate() {
            let path = v.path.clone().unwrap_or("app.js".into());
            let mut text = v.code.clone();
            let found: Vec<_> = Scanner::new().scan_text(&path, &text).into_iter().filter(|f| f.rule == rule.id).collect();
            if found.is_empty() { bad += 1; println!("MISSED {} vulnerable #{n}\n{}", rule.id, v.code); continue; }
            for _ in 0..8 {
                let fixes: Vec<_> = Scanner::new().scan_text(&path, &text).into_iter().filter(|f| f.rule == rule.id).collect();
                let Some(fix) = fixes.iter().find_map(|f| f.fix.clone()) else { break };
                text = fix.apply(&text).unwrap();
            }
            if let Some(fixed) = &v.fixed && *fixed != text {
                bad += 1;
                println!("DIFFERS {} #{n}: why {:?}\n--- got\n{text}\n--- want\n{fixed}", rule.id, found[0].why_no_fix);
            }
            if v.fixed.is_some() {
                let left: Vec<_> = Scanner::new().scan_text(&path, &text);
                if !left.is_empty() { println!("note: left in {} #{n}: {:?}", rule.id, left.iter().map(|f| (&f.rule, &f.why_no_fix)).collect::<Vec<_>>()); }
            }
            if let Some(word) = &v.declines && !found[0].why_no_fix.as_deref().unwrap_or("").contains(word.as_str()) {
                bad += 1;
                println!("DECLINES {} #{n}: {:?} want {word}", rule.id, found[0].why_no_fix);
            }
        }
        for (n, s) in rule.examples.safe.iter().enumerate() {
            let (code, path) = match s { rules::Safe::Text(t) => (t.clone(), "app.js".to_owned()), rules::Safe::File { code, path } => (code.clone(), path.clone()) };
            let found = Scanner::new().scan_text(&path, &code);
            for f in &found { bad += 1; println!("FALSE {} safe #{n}: {} line {} {:?}", rule.id, f.rule, f.span.line, f.flow); }
        }
    }
    assert_eq!(bad, 0);
}
#[test]
fn show_example() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/orders-node");
    let names = ["src/app.js","src/db.js","src/sessions.js","src/server.js","src/routes/auth.js","src/routes/orders.js","src/routes/files.js","src/routes/tools.js"];
    let texts: Vec<(String,String)> = names.iter().map(|n| ((*n).to_owned(), std::fs::read_to_string(root.join(n)).unwrap())).collect();
    let refs: Vec<(&str,&str)> = texts.iter().map(|(a,b)|(a.as_str(),b.as_str())).collect();
    for f in Scanner::new().scan_texts(&refs) {
        println!("{} {}:{} {:?} fix={} why={:?}", f.rule, f.path, f.span.line, f.within, f.fix.is_some(), f.why_no_fix);
    }
}
