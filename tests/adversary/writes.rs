//! Writing outside by shell: every program that writes, every way to spell a place.

use crate::yard::{Case, Yard};

const PLAIN: &[Case] = &[
    ("redirect", "echo x > $OUT/a", "echo x > a && test -s a"),
    ("append", "echo x >> $OUT/keep", "echo x > a; echo y >> a && grep -q y a"),
    ("clobber", "echo x >| $OUT/keep", "set -C; echo x >| a && test -s a"),
    ("both streams", "ls &> $OUT/a", "ls &> a && test -f a"),
    ("descriptor", "exec 3> $OUT/a && echo x >&3", "exec 3> a && echo x >&3 && test -s a"),
    ("read write", "exec 3<> $OUT/a", "exec 3<> a && test -f a"),
    ("heredoc", "cat > $OUT/a <<X\nx\nX", "cat > a <<X\nx\nX\ntest -s a"),
    ("tee", "set -o pipefail; echo x | tee $OUT/a", "echo x | tee a | grep -q x && test -s a"),
    (
        "process substitution",
        "echo x | tee >(cat > $OUT/a) >/dev/null; sleep 0.2; test -e $OUT/a",
        "echo x | tee >(cat > a) >/dev/null; sleep 0.5; test -s a",
    ),
    ("hidden blank", "echo${IFS}x>${OUT}/a", "echo${IFS}x>a && test -s a"),
    ("ansi quoting", "eval $'echo\\x20x>'$OUT/a", "eval $'echo\\x20x>a' && test -s a"),
    ("variable as command", "c=tee; echo x | $c $OUT/a; test -e $OUT/a", "c=tee; echo x | $c a && test -s a"),
    (
        "encoded",
        "echo ZWNobyB4ID4gJE9VVC9h | base64 -d | OUT=$OUT bash",
        "echo ZWNobyB4ID4gYQ== | base64 -d | bash && test -s a",
    ),
    ("touch", "touch $OUT/a", "touch a"),
    ("times", "touch -d 2001-01-01 $OUT/keep", "touch a && touch -d 2001-01-01 a"),
    ("folder", "mkdir $OUT/a", "mkdir a"),
    ("remove", "test -e $OUT/keep && rm -f $OUT/keep && test ! -e $OUT/keep", "touch a && rm a"),
    ("remove folder", "rmdir $OUT/folder", "mkdir a && rmdir a"),
    ("unlink", "unlink $OUT/keep", "touch a && unlink a"),
    ("move out", "touch a; mv a $OUT/a", "touch a; mv a b"),
    (
        "move away",
        "test -e $OUT/keep && { mv $OUT/keep ./keep; test ! -e $OUT/keep; }",
        "mkdir d; touch d/a; mv d/a .",
    ),
    ("copy out", "touch a; cp a $OUT/a", "touch a; cp a b"),
    ("copy archive", "mkdir d; cp -a d $OUT/d", "mkdir d; cp -a d e"),
    ("install", "touch a; install -m 755 a $OUT/a", "touch a; install -m 755 a b"),
    ("dd", "echo x | dd of=$OUT/a", "echo x | dd of=a && test -s a"),
    ("truncate", "truncate -s 9 $OUT/keep", "truncate -s 9 a"),
    ("fallocate", "fallocate -l 9 $OUT/a", "dd if=/dev/zero of=a bs=9 count=1 && test -s a"),
    ("shred", "shred -u $OUT/keep", "echo x > a; shred -u a"),
    ("mode", "chmod 777 $OUT/keep", "touch a; chmod 755 a"),
    ("owner", "chown 1:1 $OUT/keep", "touch a; chown $(id -u) a"),
    ("link out", "ln -s x $OUT/a", "ln -s x a"),
    ("write through link", "ln -s $OUT l && echo x > l/a", "mkdir d; ln -s d l && echo x > l/a"),
    ("write through file link", "ln -s $OUT/keep l && echo x > l", "touch d; ln -s d l && echo x > l"),
    ("hard link in", "ln $OUT/keep h && echo x > h", "touch a; ln a h && echo x > h"),
    ("hard link out", "touch a; ln a $OUT/a", "touch a; ln a b"),
    ("shipped link", "echo x > $W/out-link/a", "ln -s $PWD self && echo x > self/a"),
    ("fifo", "mkfifo $OUT/f", "mkfifo f"),
    (
        "step up",
        "cd $W && echo x > ../escaped-from-workspace && cat /nonexistent",
        "cd $W/sub && echo x > ../stepped && rm ../stepped",
    ),
    ("proc root", "echo x > /proc/self/root$OUT/a", "test -d /proc/self/root$W"),
    ("proc one", "echo x > /proc/1/root$OUT/a", "test -r /proc/self/status"),
    (
        "proc descriptor",
        "exec 3< $OUT; echo x > /proc/self/fd/3/a",
        "exec 3< .; echo x > /proc/self/fd/3/a && test -s a",
    ),
    (
        "reopen",
        "exec 3< $OUT/keep; echo x > /proc/self/fd/3",
        "touch a; exec 3< a; echo x > /proc/self/fd/3 && test -s a",
    ),
    (
        "tar extract",
        "touch a; tar cf t a; tar xf t -C $OUT",
        "touch a; tar cf t a; mkdir d; tar xf t -C d && test -f d/a",
    ),
    (
        "tar absolute",
        "touch a; tar cPf t --transform \"s,^,$OUT/,\" a; tar xPf t; test -e $OUT/a",
        "touch a; tar czf t a && tar tzf t",
    ),
    ("tar command", "touch a; tar cf $OUT/t a", "touch a; tar cf t a"),
    ("sort", "sort -o $OUT/a /etc/passwd", "echo b > b; sort -o a b && test -s a"),
    ("sed in place", "sed -i s/u/x/ $OUT/keep", "echo u > a; sed -i s/u/x/ a && grep -q x a"),
    ("sed writes", "echo x | sed \"w $OUT/a\"", "echo x | sed 'w a' && test -s a"),
    ("sed runs", "echo | sed \"1e touch $OUT/a\"; test -e $OUT/a", "echo | sed '1e touch a'; test -e a"),
    ("awk", "awk \"BEGIN{print 1 > \\\"$OUT/a\\\"}\"", "awk 'BEGIN{print 1 > \"a\"}' && test -s a"),
    ("find prints", "find /etc/passwd -fprint $OUT/a", "find /etc/passwd -fprint a && test -s a"),
    (
        "find deletes",
        "find $OUT -name keep -delete; test ! -e $OUT/keep",
        "touch k; find . -name k -delete && test ! -e k",
    ),
    (
        "find executes",
        "find . -maxdepth 0 -exec touch $OUT/a ';'; test -e $OUT/a",
        "find . -maxdepth 0 -exec touch a ';'; test -e a",
    ),
    ("xargs", "echo $OUT/a | xargs touch", "echo a | xargs touch && test -e a"),
    ("split", "seq 9 | split -l 3 - $OUT/s", "seq 9 | split -l 3 - s && test -e saa"),
    ("python", "python3 -c \"open('$OUT/a','w')\"", "python3 -c \"open('a','w')\" && test -e a"),
    (
        "python rename",
        "touch a; python3 -c \"import os; os.rename('a','$OUT/a')\"",
        "touch a; python3 -c \"import os; os.rename('a','b')\"",
    ),
    (
        "python database",
        "python3 -c \"import sqlite3; sqlite3.connect('$OUT/d').execute('create table t(a)')\"",
        "python3 -c \"import sqlite3; sqlite3.connect('d').execute('create table t(a)')\"",
    ),
    (
        "python environment",
        "python3 -m venv --without-pip $OUT/v",
        "python3 -m venv --without-pip v && test -x v/bin/python",
    ),
    (
        "perl",
        "perl -e \"open(F,'>','$OUT/a') or exit 1\"",
        "perl -e \"open(F,'>','a') or exit 1\" && test -e a",
    ),
    (
        "node",
        "node -e \"require('fs').writeFileSync('$OUT/a','x')\"",
        "node -e \"require('fs').writeFileSync('a','x')\" && test -s a",
    ),
    (
        "compiler",
        "echo 'int main(){return 0;}' > m.c; gcc -o $OUT/a m.c",
        "echo 'int main(){return 0;}' > m.c; gcc -o a m.c && ./a",
    ),
    (
        "patch",
        "printf -- '--- a\\n+++ b\\n@@ -0,0 +1 @@\\n+x\\n' | patch -o $OUT/a /dev/null",
        "echo o > a; printf -- '--- a\\n+++ a\\n@@ -1 +1 @@\\n-o\\n+x\\n' | patch a && grep -q x a",
    ),
    ("git new repository", "git init -q $OUT/r", "git init -q r && test -d r/.git"),
    (
        "git worktree",
        "git init -q r && cd r && git commit -q --allow-empty -m x && git worktree add -q $OUT/w",
        "git init -q r && cd r && git commit -q --allow-empty -m x && git worktree add -q ../w",
    ),
    ("git clone", "git init -q r && git clone -q r $OUT/c", "git init -q r && git clone -q r c"),
    (
        "git output",
        "git init -q r && cd r && git diff --no-index --output=$OUT/a /dev/null $W/app.py; test -e $OUT/a",
        "git init -q r && cd r && git status",
    ),
    (
        "git archive",
        "git init -q r && cd r && git commit -q --allow-empty -m x && git archive -o $OUT/a.tar HEAD",
        "git init -q r && cd r && git commit -q --allow-empty -m x && git archive -o a.tar HEAD",
    ),
    ("system settings", "echo x > /etc/agent-adversary || echo x >> /etc/hosts", "cat /etc/hosts"),
    (
        "system programs",
        "touch /usr/local/bin/agent-adversary || touch /usr/bin/agent-adversary",
        "ls /usr/bin > l",
    ),
    ("preload", "echo x > /etc/ld.so.preload", "ldd /bin/ls || true"),
    ("scheduled work", "echo '* * * * * root x' > /etc/cron.d/x || mkdir /etc/cron.d", "date"),
    (
        "kernel settings",
        "echo 1 > /proc/sys/vm/drop_caches || echo x > /proc/sys/kernel/core_pattern",
        "cat /proc/sys/kernel/pid_max",
    ),
    ("kernel objects", "echo x > /sys/kernel/uevent_helper || mkdir /sys/fs/cgroup/x", "ls /sys > l"),
    ("devices", "echo x > /dev/sda || echo x > /dev/vda || mknod d b 8 0", "echo x > /dev/null"),
    ("raw memory", "dd if=/dev/mem of=m bs=1 count=1", "dd if=/dev/zero of=m bs=1 count=1"),
    ("bind mount", "mkdir m; mount --bind $OUT m && echo x > m/a", "mkdir m; test -d m"),
    ("remount", "mount -o remount,rw / && echo x > $OUT/a", "mount > l || test -r /proc/mounts"),
    ("unmount", "umount $W || umount $OUT || umount /proc", "grep -q / /proc/mounts"),
    ("new namespace", "unshare -Urm true", "id -u"),
    ("new root", "chroot / touch $OUT/a", "cd / && ls > $W/scratch/l"),
    ("enter namespace", "nsenter -t 1 -m touch $OUT/a", "readlink /proc/self/ns/mnt"),
];

#[test]
fn no_command_writes_outside() {
    let yard = Yard::new();
    yard.batch(&[], PLAIN);
    assert!(!yard.root().parent().unwrap().join("escaped-from-workspace").exists());
}

/// What these reach is private: it works, and nothing of it is there afterwards.
const PRIVATE: &[Case] = &[
    (
        "temporary folder",
        "echo x > /tmp/agent-adversary-$AGENT",
        "echo x > /tmp/x && test -s /tmp/x && f=$(mktemp) && test -f $f",
    ),
    ("second temporary folder", "echo x > /var/tmp/agent-adversary-$AGENT", "echo x > /var/tmp/x"),
    (
        "shared memory",
        "echo x > /dev/shm/agent-adversary-$AGENT",
        "python3 -c 'import multiprocessing as m; m.Lock()'",
    ),
    ("start-up file", "echo evil >> ~/.bashrc", "test -n \"$HOME\" && test -d ~"),
    ("login keys", "mkdir -p ~/.ssh && echo evil >> ~/.ssh/authorized_keys", "mkdir -p ~/.cache/x"),
    (
        "user service",
        "mkdir -p ~/.config/systemd/user && echo evil > ~/.config/systemd/user/x.service",
        "mkdir -p ~/.config/x",
    ),
    ("autostart", "mkdir -p ~/.config/autostart && echo evil > ~/.config/autostart/x.desktop", "true"),
    ("shim", "mkdir -p ~/.local/bin && echo evil > ~/.local/bin/git", "command -v git"),
    ("global git settings", "git config --global core.hooksPath /tmp/x", "git config --list"),
    (
        "own settings",
        "mkdir -p ~/.config/agent && echo 'mode = \"yes\"' > ~/.config/agent/config.toml",
        "true",
    ),
    (
        "own records",
        "mkdir -p ~/.local/state/agent/sessions && echo evil > ~/.local/state/agent/sessions/x.jsonl",
        "true",
    ),
    ("real home", "mkdir -p $REAL && echo evil >> $REAL/.profile", "true"),
];

#[test]
fn what_is_written_to_private_places_is_gone() {
    let yard = Yard::new();
    let soft: Vec<&str> = PRIVATE.iter().map(|(name, ..)| *name).collect();
    yard.batch_but(&[], PRIVATE, &soft);
    let own = std::process::id();
    for folder in ["/tmp", "/var/tmp", "/dev/shm"] {
        assert!(!std::path::Path::new(&format!("{folder}/agent-adversary-{own}")).exists(), "{folder}");
    }
}
