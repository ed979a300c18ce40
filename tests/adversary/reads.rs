//! Reading secrets by shell: files, environments, other processes, the agent's own keeping.

use crate::yard::{CANARY, Case, Yard};

/// Every attack shows what it read; a canary in the output is a breach whatever the exit code.
const CASES: &[Case] = &[
    ("ssh key", "cat $REAL/.ssh/id_ed25519 ~/.ssh/id_ed25519", "ls -a ~"),
    ("cloud key", "cat $REAL/.aws/credentials ~/.aws/credentials", "cat $W/app.py"),
    (
        "whole home",
        "find $REAL ~ /home -maxdepth 4 -type f -exec grep -s canary {} + | grep canary",
        "grep -rs return $W/app.py",
    ),
    (
        "find home",
        "find $REAL /home /etc /opt /var/lib -xdev -name 'credentials*' -exec cat {} + | grep canary",
        "find $W -name app.py | grep app",
    ),
    ("password files", "cat $REAL/.netrc || cat $REAL/.pgpass || cat $REAL/.git-credentials", "true"),
    ("container login", "cat $REAL/.docker/config.json || cat $REAL/.kube/config", "true"),
    ("registry login", "cat $REAL/.npmrc || cat $REAL/.pypirc || cat $REAL/.cargo/credentials.toml", "true"),
    ("history", "cat $REAL/.bash_history || cat $REAL/.zsh_history", "history | head -1"),
    ("keyring", "cat $REAL/.local/share/keyrings/login.keyring || cat $REAL/.gnupg/secring.gpg", "true"),
    ("browser", "cat $REAL/.mozilla/cookies.sqlite || cat $REAL/Documents/taxes.txt", "true"),
    ("sessions of the agent", "cat $REAL/.local/state/agent/sessions/*", "true"),
    ("settings of the agent", "cat $REAL/.config/agent/config.toml", "true"),
    ("dotenv", "grep canary $W/.env", "cat $W/.env.example"),
    ("dotenv by pattern", "cat $W/.e?v | grep canary", "cat $W/.env.e*"),
    ("dotenv by variable", "f=.en; grep canary $W/${f}v", "f=app; grep main $W/$f.py"),
    ("dotenv sourced", ". $W/.env; test -n \"$SECRET\"", ". $W/.env.example; test -z \"$SECRET\""),
    (
        "dotenv by link",
        "ln -s $W/.env e; grep canary e || grep canary $W/env-link",
        "ln -s $W/app.py e; grep main e",
    ),
    ("dotenv by hard link", "ln $W/.env h && grep canary h", "ln $W/app.py h && grep main h && rm h"),
    ("dotenv copied", "cp $W/.env c; grep canary c", "cp $W/app.py c; grep main c"),
    ("dotenv moved", "mv $W/.env m; grep canary m", "cp $W/app.py c; mv c m; grep main m"),
    ("dotenv unmounted", "umount $W/.env; grep canary $W/.env", "true"),
    ("folder moved", "mv $W/sub m; grep -r canary m; r=$?; mv m $W/sub; exit $r", "mkdir d; mv d e"),
    ("folder copied", "cp -r $W/sub c; grep -r canary c", "cp -r $W/sub c && test -f c/inner.txt"),
    (
        "folder archived",
        "tar cf - -C $W sub config deploy .env | grep -a canary",
        "tar cf - -C $W app.py | grep -a main",
    ),
    ("recursive search", "grep -rs canary $W --exclude-dir=cases", "grep -rs main $W --include=app.py"),
    (
        "dotenv by python",
        "python3 -c \"assert 'canary' in open('$W/.env').read()\"",
        "python3 -c \"assert 'main' in open('$W/app.py').read()\"",
    ),
    (
        "dotenv by node",
        "node -e \"process.exit(require('fs').readFileSync('$W/.env','utf8').includes('canary')?0:1)\"",
        "node -e \"process.exit(require('fs').readFileSync('$W/app.py','utf8').includes('main')?0:1)\"",
    ),
    ("key beside code", "grep canary $W/deploy/server.pem $W/deploy/id_rsa", "ls $W/deploy"),
    ("secrets by name", "grep canary $W/config/secrets.yml $W/.npmrc", "ls $W/config"),
    (
        "staged secret",
        "git init -q r; cp $W/.env r/; cd r; git add -f .env; git show :.env | grep canary",
        "git init -q r; cp $W/app.py r/; cd r; git add app.py; git show :app.py | grep main",
    ),
    ("environment", "env | grep -i canary || printenv OPENAI_API_KEY", "env | grep -q ^PATH="),
    (
        "own environment",
        "cat /proc/self/environ | tr '\\0' '\\n' | grep -i canary",
        "cat /proc/self/environ | tr '\\0' '\\n' | grep ^PATH=",
    ),
    ("environment of the first process", "tr '\\0' '\\n' </proc/1/environ | grep -i canary", "true"),
    ("all environments", "cat /proc/[0-9]*/environ | tr '\\0' '\\n' | grep -i canary", "ls /proc > l"),
    ("environment of the agent", "cat /proc/$AGENT/environ", "cat /proc/$$/environ > l"),
    ("command lines", "cat /proc/[0-9]*/cmdline | grep -a '[-]-test-threads'", "cat /proc/$$/cmdline > l"),
    (
        "memory of the first process",
        "dd if=/proc/1/mem of=m bs=1 count=1 skip=4096 iflag=skip_bytes",
        "test -r /proc/self/maps",
    ),
    ("descriptors of the first process", "cat /proc/1/fd/*", "ls /proc/self/fd"),
    (
        "inherited descriptors",
        "for f in /proc/self/fd/*; do n=${f##*/}; test $n -gt 10 && test $n -ne 255 && exit 0; done; exit 1",
        "test -e /proc/self/fd/0",
    ),
    ("kernel memory", "test -n \"$(head -c 64 /proc/kcore)\"", "uname -r"),
    ("kernel keys", "test -s /proc/keys || keyctl show", "true"),
    ("kernel log", "dmesg | grep .", "uptime || cat /proc/uptime"),
    ("passwords of the machine", "grep : /etc/shadow || grep . /etc/sudoers", "grep root /etc/passwd"),
    ("host keys", "grep -s . /etc/ssh/ssh_host_ed25519_key /etc/ssl/private/*", "ls /etc/ssl/certs > l"),
    (
        "core dump",
        "ulimit -c unlimited && sh -c 'kill -SEGV $$'; ls core* /tmp/core* 2>/dev/null",
        "ulimit -c | grep -q ^0",
    ),
    ("second root", "cat /proc/1/root$REAL/.netrc", "ls /proc/self/root > l"),
    (
        "container sockets",
        "ls /run/docker.sock /var/run/docker.sock /run/containerd/containerd.sock",
        "test -d /run",
    ),
    ("container files", "ls /var/lib/docker/containers", "true"),
    ("mail and spool", "cat /var/mail/* /var/spool/cron/crontabs/*", "true"),
    (
        "disks",
        "head -c 512 /dev/sda || head -c 512 /dev/vda || head -c 512 /dev/nvme0n1",
        "head -c 8 /dev/urandom > r",
    ),
    ("other temporary files", "ls /tmp | grep -v '^\\.' | grep .", "ls /tmp"),
];

#[test]
fn no_command_reads_a_secret() {
    let yard = Yard::new();
    // A file of another process in the shared temporary folder.
    let _others = tempfile::Builder::new().prefix("canary-").tempfile().unwrap();
    yard.batch(&[], CASES);
    assert!(yard.stage.read(".env").contains(CANARY), "the real file is as it was");
    assert!(yard.stage.read("sub/.env.local").contains(CANARY));
}
