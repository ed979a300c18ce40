//! Everyday work behind the same walls: what a developer's commands do must simply go on.

use crate::house::stage::has;
use crate::yard::Yard;

#[test]
fn everyday_work_goes_on() {
    let mut yard = Yard::with_git();
    // The toolchain itself: `rustup` would look for its choice in a home that this test does not have.
    let sysroot = std::process::Command::new("rustc").args(["--print", "sysroot"]).output();
    let sysroot =
        sysroot.map(|done| String::from_utf8_lossy(&done.stdout).trim().to_owned()).unwrap_or_default();
    if !sysroot.is_empty() {
        let path = format!("{sysroot}/bin:{}", std::env::var("PATH").unwrap());
        yard.stage = yard.stage.env(&[("PATH", path)]);
    }
    if !yard.is_walled() {
        return;
    }
    yard.stage.write("test_app.py", "import unittest\nimport app\n\n\nclass T(unittest.TestCase):\n    def test_it(self):\n        self.assertEqual(app.main(), 1)\n");
    yard.stage.write(
        "js/package.json",
        "{\"name\":\"x\",\"version\":\"1.0.0\",\"scripts\":{\"test\":\"node --test\"}}",
    );
    yard.stage.write(
        "js/a.test.js",
        "require('node:test')('adds', () => require('node:assert').equal(1 + 1, 2));\n",
    );
    yard.stage.write(
        "rs/Cargo.toml",
        "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[workspace]\n",
    );
    yard.stage.write("rs/src/lib.rs", "#[test]\nfn adds() { assert_eq!(1 + 1, 2); }\n");
    yard.stage.write("Makefile", "all:\n\t@echo made\n");
    let mut commands = vec![
        "git status --short",
        "git diff",
        "git log --oneline",
        "git add test_app.py && git commit -qm 'a test' && git show --stat HEAD",
        "git checkout -qb topic && echo '# x' >> app.py && git commit -qam x && git checkout -q - && git merge -q topic",
        "git stash list; echo '# y' >> app.py; git stash -q && git stash pop -q",
        "git tag v1 && git describe --tags && git branch -d topic",
        "git blame app.py | head -2 && git grep main",
        "seq 100 | sort -rn | head -3 | tr '\\n' ' ' | grep -qx '100 99 98 '",
        "cat <<'X' | wc -l | grep -qx 2\n$HOME\n`x`\nX",
        "diff <(echo a) <(echo a)",
        "f=$(mktemp) && echo x > $f && grep -q x $f && rm $f",
        "d=$(mktemp -d) && cd $d && touch a && ls",
        "(sleep 0.2; echo late > late.txt) & wait; test -s late.txt",
        "sleep 5 & p=$!; kill $p; wait $p; test $? -eq 143",
        "for f in *.py; do wc -l \"$f\"; done",
        "find . -name '*.py' -exec grep -l main {} + | xargs ls -l",
        "tar czf /tmp/x.tgz app.py && tar tzf /tmp/x.tgz",
        "printf 'a\\tb\\n' | awk -F'\\t' '{print $2}' | grep -qx b",
        "echo \"$USER $LANG $TERM\" > /dev/null; test -n \"$PATH\" && test -n \"$HOME\"",
        "python3 -c 'import tempfile; tempfile.NamedTemporaryFile().write(b\"x\")'",
        "date; whoami; id; uname -a; hostname; df . ; ps | head -1",
        "echo out; echo err >&2; false || true",
        "ls -la /usr/bin | head -2; cat /etc/os-release | head -1",
        "mkfifo p && (echo x > p &) && cat p && rm p",
        "chmod +x app.py && ln -s app.py l && rm l && touch -d yesterday app.py",
        "dd if=/dev/urandom bs=1k count=10 2>/dev/null | sha256sum",
        "script=$(mktemp) && echo 'exit 3' > $script && ! bash $script",
        "python3 -m unittest -q",
        "python3 -m venv --without-pip /tmp/v && /tmp/v/bin/python -c 'print(1)'",
        "python3 -c \"import sqlite3; sqlite3.connect('x.db').execute('create table t(a)')\" && rm x.db",
        "python3 -c \"from concurrent.futures import ProcessPoolExecutor as P; print(sum(P(2).map(abs, range(9))))\"",
        "python3 -m http.server 7010 --bind 127.0.0.1 >/dev/null 2>&1 & for i in $(seq 80); do curl -sf http://localhost:7010/app.py >/dev/null && exit 0; sleep 0.1; done; exit 1",
    ];
    if has("make") {
        commands.push("make -s all | grep -qx made");
    }
    if has("npm") {
        commands.push("cd js && npm test --silent");
        commands.push("cd js && node -e \"require('http').createServer((q,r)=>r.end('x')).listen(7011,'127.0.0.1',function(){require('http').get('http://127.0.0.1:7011/',r=>process.exit(r.statusCode==200?0:1))})\"");
    }
    if !sysroot.is_empty() {
        commands.push("cd rs && cargo build -q --offline && cargo test -q --offline");
    }
    if has("gcc") {
        commands.push("cd /tmp && echo 'int main(){return 0;}' > m.c && gcc m.c -o m && ./m");
    }
    let folder = yard.root().join("commands");
    std::fs::create_dir_all(&folder).unwrap();
    for (at, command) in commands.iter().enumerate() {
        std::fs::write(folder.join(format!("{at:02}")), command).unwrap();
    }
    yard.run("export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@b; for f in commands/??; do bash $f >$f.out 2>&1 </dev/null; echo $? >$f.code; done").exits(0);
    let mut wrong = String::new();
    for (at, command) in commands.iter().enumerate() {
        let code = yard.stage.read(&format!("commands/{at:02}.code"));
        if code.trim() != "0" {
            wrong += &format!(
                "`{command}` ended with {}: {}\n",
                code.trim(),
                yard.stage.read(&format!("commands/{at:02}.out"))
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
