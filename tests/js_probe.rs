//! dev probe
#![allow(clippy::print_stdout, reason = "dev")]
use agent::scan::{Scanner, rules};
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
            let found: Vec<_> =
                Scanner::new().scan_text(&path, &text).into_iter().filter(|f| f.rule == rule.id).collect();
            if found.is_empty() {
                bad += 1;
                println!("MISSED {} vulnerable #{n}\n{}", rule.id, v.code);
                continue;
            }
            for _ in 0..8 {
                let fixes: Vec<_> = Scanner::new()
                    .scan_text(&path, &text)
                    .into_iter()
                    .filter(|f| f.rule == rule.id)
                    .collect();
                let Some(fix) = fixes.iter().find_map(|f| f.fix.clone()) else { break };
                text = fix.apply(&text).unwrap();
            }
            if let Some(fixed) = &v.fixed
                && *fixed != text
            {
                bad += 1;
                println!(
                    "DIFFERS {} #{n}: why {:?}\n--- got\n{text}\n--- want\n{fixed}",
                    rule.id, found[0].why_no_fix
                );
            }
            if v.fixed.is_some() {
                let left: Vec<_> = Scanner::new().scan_text(&path, &text);
                if !left.is_empty() {
                    println!(
                        "note: left in {} #{n}: {:?}",
                        rule.id,
                        left.iter().map(|f| (&f.rule, &f.why_no_fix)).collect::<Vec<_>>()
                    );
                }
            }
            if let Some(word) = &v.declines
                && !found[0].why_no_fix.as_deref().unwrap_or("").contains(word.as_str())
            {
                bad += 1;
                println!("DECLINES {} #{n}: {:?} want {word}", rule.id, found[0].why_no_fix);
            }
        }
        for (n, s) in rule.examples.safe.iter().enumerate() {
            let (code, path) = match s {
                rules::Safe::Text(t) => (t.clone(), "app.js".to_owned()),
                rules::Safe::File { code, path } => (code.clone(), path.clone()),
            };
            let found = Scanner::new().scan_text(&path, &code);
            for f in &found {
                bad += 1;
                println!("FALSE {} safe #{n}: {} line {} {:?}", rule.id, f.rule, f.span.line, f.flow);
            }
        }
    }
    assert_eq!(bad, 0);
}
#[test]
fn show_example() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/orders-node");
    let names = [
        "src/app.js",
        "src/db.js",
        "src/sessions.js",
        "src/server.js",
        "src/routes/auth.js",
        "src/routes/orders.js",
        "src/routes/files.js",
        "src/routes/tools.js",
    ];
    let texts: Vec<(String, String)> =
        names.iter().map(|n| ((*n).to_owned(), std::fs::read_to_string(root.join(n)).unwrap())).collect();
    let refs: Vec<(&str, &str)> = texts.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    for f in Scanner::new().scan_texts(&refs) {
        println!(
            "{} {}:{} {:?} fix={} why={:?}",
            f.rule,
            f.path,
            f.span.line,
            f.within,
            f.fix.is_some(),
            f.why_no_fix
        );
    }
}
#[test]
fn scan_dir() {
    let Ok(dir) = std::env::var("DIR") else { return };
    let mut texts: Vec<(String, String)> = Vec::new();
    let mut open = vec![std::path::PathBuf::from(&dir)];
    while let Some(d) = open.pop() {
        for e in std::fs::read_dir(&d).unwrap() {
            let p = e.unwrap().path();
            let n = p.file_name().unwrap().to_str().unwrap().to_owned();
            if p.is_dir() {
                if n != "node_modules" && n != ".git" && !n.contains("vendor") {
                    open.push(p);
                }
                continue;
            }
            if [".js", ".ts", ".tsx", ".mjs", ".jsx", ".cjs"].iter().any(|x| n.ends_with(x))
                && !n.contains(".min.")
            {
                if let Ok(t) = std::fs::read_to_string(&p) {
                    texts.push((p.strip_prefix(&dir).unwrap().to_str().unwrap().to_owned(), t));
                }
            }
        }
    }
    let scan = |texts: &Vec<(String, String)>| {
        let refs: Vec<(&str, &str)> = texts.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        Scanner::new().scan_texts(&refs)
    };
    let t0 = std::time::Instant::now();
    let found = scan(&texts);
    println!("{} files {:?}", texts.len(), t0.elapsed());
    for f in &found {
        println!(
            "{} {}:{} {:?} {:?} why={:?}",
            f.rule,
            f.path,
            f.span.line,
            f.severity,
            f.fix.as_ref().map(|x| &x.summary),
            f.why_no_fix
        );
    }
    if std::env::var("FIX").is_ok() {
        for _ in 0..200 {
            let found = scan(&texts);
            let Some(f) = found.into_iter().find(|f| f.fix.is_some()) else { break };
            let slot = texts.iter_mut().find(|t| t.0 == f.path).unwrap();
            slot.1 = f.fix.unwrap().apply(&slot.1).unwrap();
        }
        let out = std::env::var("FIX").unwrap();
        for (p, t) in &texts {
            let to = std::path::Path::new(&out).join(p);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            #[allow(clippy::disallowed_methods, reason = "dev")]
            std::fs::write(to, t).unwrap();
        }
    }
}
