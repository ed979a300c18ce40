//! Processes: storms, daemons, signals, tracing; and hangs: what never ends, ends at the limit.

use crate::yard::{Case, Yard};
use agent::policy::Mode;
use serde_json::json;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const CASES: &[Case] = &[
    ("kill the agent", "kill -9 $AGENT", "sleep 9 & kill $! && ! wait $!"),
    ("kill a stranger", "kill -9 $VICTIM", "kill -0 $$"),
    ("stop a stranger", "kill -STOP $VICTIM", "true"),
    ("see strangers", "grep -l agent-adversary-victim /proc/[0-9]*/cmdline", "ps -e > l || ls /proc > l"),
    (
        "trace the first process",
        "python3 -c \"import ctypes; l=ctypes.CDLL(None,use_errno=True); exit(0 if l.ptrace(16,1,0,0)==0 else 1)\"",
        "python3 -c 'import ctypes'",
    ),
    (
        "trace a child",
        "python3 -c \"import ctypes,os; l=ctypes.CDLL(None); exit(0 if l.ptrace(0,0,0,0)==0 else 1)\"",
        "true",
    ),
    (
        "read memory of another",
        "python3 -c \"import ctypes; l=ctypes.CDLL(None); b=ctypes.create_string_buffer(64); exit(0 if l.process_vm_readv(1,b,1,b,1,0)>0 else 1)\"",
        "true",
    ),
    ("new rights", "sudo -n true || su -c true", "id"),
    (
        "set-id program",
        "cp /bin/sh s && chmod u+s s && ./s -pc 'grep -q NoNewPrivs:.0 /proc/self/status'",
        "cp /bin/true s && ./s",
    ),
    ("capabilities", "grep -q 'CapEff:.*[1-9a-f]' /proc/self/status", "grep CapEff /proc/self/status"),
    ("no filter", "grep -q 'Seccomp:.0' /proc/self/status", "grep -q 'Seccomp:.2' /proc/self/status"),
    ("host name", "hostname evil", "hostname > l || cat /proc/sys/kernel/hostname > l"),
    ("clock", "date -s 2001-01-01", "date > l"),
    ("reboot", "python3 -c \"import ctypes; exit(0 if ctypes.CDLL(None).reboot(0)==0 else 1)\"", "true"),
    ("modules", "insmod /nonexistent.ko || modprobe dummy", "true"),
    (
        "terminal input",
        "python3 -c \"import fcntl,os; fcntl.ioctl(os.open('/dev/tty',os.O_RDWR),0x5412,b'x')\"",
        "test ! -t 0",
    ),
    ("system manager", "systemctl start x || service x start || at now < /dev/null || crontab -l", "true"),
    ("priority", "nice -n -10 sh -c 'test $(nice) -lt 0'", "nice -n 5 true"),
    (
        "locked memory",
        "python3 -c \"import ctypes; exit(0 if ctypes.CDLL(None).keyctl(0,-3,0)>0 else 1)\"",
        "true",
    ),
];

#[test]
fn nothing_outside_can_be_touched() {
    let yard = Yard::new();
    let mut victim = Command::new("sh")
        .args(["-c", "exec sleep 300 # agent-adversary-victim"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // A number that only exists outside.
    let number = victim.id().max(5000).to_string();
    let number = if victim.id() > 4096 { victim.id().to_string() } else { number };
    yard.batch(&[("VICTIM", &number)], CASES);
    assert!(victim.try_wait().unwrap().is_none(), "the stranger lives");
    victim.kill().unwrap();
    victim.wait().unwrap();
}

/// Whether a process with this text in its command line is alive on the host.
fn is_alive(mark: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        line.windows(mark.len()).any(|window| window == mark.as_bytes())
            && entry.file_name().to_str().and_then(|name| name.parse().ok()) != Some(std::process::id())
    })
}

fn is_gone_soon(mark: &str) -> bool {
    (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(30));
        !is_alive(mark)
    })
}

#[test]
fn what_is_left_behind_ends_with_the_command() {
    let yard = Yard::new();
    if !yard.is_walled() {
        return;
    }
    let began = Instant::now();
    for (at, leave) in [
        "sleep MARK &",
        "nohup sleep MARK >/dev/null 2>&1 &",
        "setsid sleep MARK &",
        "(setsid sh -c 'trap \"\" TERM HUP; sleep MARK' &)",
        "sleep MARK & disown",
        "python3 -c \"import os,time\nif os.fork()==0:\n os.setsid()\n if os.fork()==0: os.execvp('sleep',['sleep','MARK'])\n\" ",
        "coproc sleep MARK",
        "exec 9> >(sleep MARK)",
    ]
    .iter()
    .enumerate()
    {
        let mark = format!("{}.{}{at}", 1700 + at, std::process::id());
        yard.run(&format!("{}\nsleep 0.1; true", leave.replace("MARK", &mark))).exits(0);
        assert!(is_gone_soon(&mark), "{leave} lives on");
    }
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
    // In the same command a server in the background is there as long as it is needed.
    yard.run("python3 -m http.server --bind 127.0.0.1 7004 >/dev/null 2>&1 & for i in $(seq 80); do curl -sfm5 http://127.0.0.1:7004/app.py | grep -q main && exit 0; sleep 0.1; done; exit 1").exits(0);
}

#[test]
fn storms_are_contained() {
    let yard = Yard::new();
    if !yard.is_walled() {
        return;
    }
    let began = Instant::now();
    yard.run("for i in $(seq 400); do sleep 30.61 & done; kill -9 -1");
    assert!(is_gone_soon("30.61"), "children of the storm live on");
    assert!(began.elapsed() < Duration::from_secs(20));
    yard.run("seq 20 | xargs -P 8 -n 1 sh -c 'echo $0 > /dev/null'").exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_ends_ends_at_the_limit() {
    let yard = Yard::new();
    if !yard.is_walled() {
        return;
    }
    Command::new("mkfifo").arg(yard.root().join("pipe")).status().unwrap();
    let hands = yard.hands(Mode::Auto);
    for command in [
        "cat pipe",
        "cat /dev/zero",
        "yes",
        "sleep 600",
        "trap '' TERM INT HUP; while :; do sleep 1; done",
        "tail -f app.py",
        "while :; do :; done",
        "python3 -c \"import re; re.match('(a+)+$','a'*64+'b')\"",
        "git log --no-pager; sleep 600",
    ] {
        let began = Instant::now();
        let went = hands.call("bash", json!({"command": command, "timeout": 700})).await;
        assert!(began.elapsed() < Duration::from_secs(6), "{command}: {:?}", began.elapsed());
        assert!(went.text().contains("stopped at the limit"), "{command}: {}", went.text());
        assert!(went.text().len() < 70_000, "{command}: {}", went.text().len());
    }
    // Standard input is closed: what asks gets an end at once.
    let began = Instant::now();
    let went = hands.call("bash", json!({"command": "cat; read x; echo over"})).await;
    assert!(went.text().contains("over") && began.elapsed() < Duration::from_secs(5), "{went:?}");
    let went = hands.call("bash", json!({"command": "seq 200000 | tail -1"})).await;
    assert!(went.text().starts_with("200000\n"), "{went:?}");
    let went = hands
        .call("bash", json!({"command": "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo end"}))
        .await;
    assert!(went.is_done() && went.text().contains("end") && went.text().len() < 70_000);
    let went = hands.call("bash", json!({"command": "head -c 100000 /dev/urandom; echo end"})).await;
    assert!(went.is_done() && went.text().contains("end"));
}
