//! Leaving the machine by shell: every door a byte can go through, and servers of the command's own.

use crate::house::stage::has;
use crate::yard::{Case, Yard};
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// `$PORT` is a server on the host's loopback, `$OUT/host.sock` and `@$NAME` are sockets of the host.
const DOORS: &[Case] = &[
    (
        "curl",
        "curl -sm2 http://127.0.0.1:$PORT/",
        "python3 -m http.server --bind 127.0.0.1 7001 & try curl -sfm5 -o l http://127.0.0.1:7001/; r=$?; kill %1; exit $r",
    ),
    ("curl by name", "curl -sm2 http://localhost:$PORT/", "getent hosts localhost"),
    ("wget", "wget -qT2 -t1 -O- http://127.0.0.1:$PORT/", "wget --version > l"),
    ("public address", "curl -sm2 http://1.1.1.1/", "true"),
    ("metadata service", "curl -sm2 http://169.254.169.254/latest/meta-data/", "true"),
    ("shell socket", "exec 3<>/dev/tcp/127.0.0.1/$PORT", "true"),
    ("shell datagram", "echo x > /dev/udp/192.0.2.1/53", "true"),
    (
        "python",
        "python3 -c \"import socket; socket.create_connection(('127.0.0.1',$PORT),2)\"",
        "python3 -c \"import socket as s; a=s.create_server(('127.0.0.1',0)); b=s.create_connection(a.getsockname()); b.send(b'x')\"",
    ),
    (
        "python over six",
        "python3 -c \"import socket; socket.create_connection(('2606:4700::1111',80),2)\"",
        "python3 -c \"import socket as s; a=s.create_server(('::1',0),family=s.AF_INET6); s.create_connection(a.getsockname()[:2])\"",
    ),
    ("name lookup", "getent hosts example.com", "getent hosts localhost"),
    (
        "name as data",
        "python3 -c \"import socket; socket.getaddrinfo('secret.example.com',80)\"",
        "python3 -c \"import socket; socket.getaddrinfo('127.0.0.1',80)\"",
    ),
    (
        "datagram",
        "python3 -c \"import socket as s; s.socket(s.AF_INET,s.SOCK_DGRAM).sendto(b'x',('192.0.2.1',53))\"",
        "python3 -c \"import socket as s; a=s.socket(s.AF_INET,s.SOCK_DGRAM); a.bind(('127.0.0.1',0)); a.sendto(b'x',a.getsockname()); assert a.recv(9)==b'x'\"",
    ),
    (
        "echo request",
        "python3 -c \"import socket as s; s.socket(s.AF_INET,s.SOCK_RAW,1).sendto(b'x'*8,('1.1.1.1',0))\"",
        "true",
    ),
    ("packets", "python3 -c \"import socket as s; s.socket(s.AF_PACKET,s.SOCK_RAW)\"", "true"),
    (
        "virtual machine",
        "python3 -c \"import socket as s; s.socket(s.AF_VSOCK,s.SOCK_STREAM).connect((2,22))\"",
        "true",
    ),
    (
        "kernel messages",
        "python3 -c \"import socket as s; s.socket(s.AF_NETLINK,s.SOCK_RAW,9)\"",
        "python3 -c \"import socket; socket.if_nameindex()\"",
    ),
    (
        "kernel cipher",
        "python3 -c \"import socket as s; s.socket(s.AF_ALG,s.SOCK_SEQPACKET)\"",
        "python3 -c \"import hashlib; hashlib.sha256(b'x')\"",
    ),
    (
        "secure shell",
        "ssh -o BatchMode=yes -o ConnectTimeout=2 -o StrictHostKeyChecking=no -p $PORT x@127.0.0.1 true",
        "ssh -V",
    ),
    ("git over net", "git ls-remote git://127.0.0.1:$PORT/x", "git init -q r && git ls-remote $PWD/r"),
    (
        "git over http",
        "git ls-remote http://127.0.0.1:$PORT/x",
        "git init -q r && git -C r remote add o ../r && git -C r remote -v",
    ),
    (
        "git push",
        "git init -q r && cd r && git commit -q --allow-empty -m x && git push -q http://127.0.0.1:$PORT/x HEAD:x",
        "git init -q r && git init -q --bare b && cd r && git commit -q --allow-empty -m x && git push -q ../b HEAD:refs/heads/x",
    ),
    (
        "git through a program",
        "git -c protocol.ext.allow=always ls-remote \"ext::curl -sm2 http://127.0.0.1:$PORT/\"",
        "git --version",
    ),
    (
        "package install",
        "npm view left-pad --registry http://127.0.0.1:$PORT/ --fetch-retries 0 --fetch-timeout 2000",
        "npm --version",
    ),
    (
        "package script",
        "mkdir p && echo '{\"name\":\"p\",\"version\":\"1.0.0\",\"scripts\":{\"postinstall\":\"curl -sm2 http://127.0.0.1:'$PORT'/\"}}' > p/package.json && echo '{}' > package.json && npm install --offline --no-audit --no-fund ./p",
        "mkdir p && echo '{\"name\":\"p\",\"version\":\"1.0.0\"}' > p/package.json && echo '{}' > package.json && npm install --offline --no-audit --no-fund ./p",
    ),
    (
        "python packages",
        "python3 -m pip download --retries 0 --timeout 2 --index-url http://127.0.0.1:$PORT/ x",
        "python3 -m pip --version || true",
    ),
    (
        "proxy variable",
        "http_proxy=http://127.0.0.1:$PORT curl -sm2 http://example.com/",
        "test -z \"$http_proxy$HTTPS_PROXY\"",
    ),
    (
        "socket of the host",
        "python3 -c \"import socket as s; s.socket(s.AF_UNIX).connect('$OUT/host.sock')\"",
        "python3 -c \"import socket as s; a=s.socket(s.AF_UNIX); a.bind('a.sock'); a.listen(); s.socket(s.AF_UNIX).connect('a.sock')\"",
    ),
    ("socket of the host by curl", "curl -sm2 --unix-socket $OUT/host.sock http://x/", "true"),
    (
        "nameless socket of the host",
        "python3 -c \"import socket as s; s.socket(s.AF_UNIX).connect('\\0$NAME')\"",
        "python3 -c \"import socket as s; a=s.socket(s.AF_UNIX); a.bind('\\0own'); a.listen(); s.socket(s.AF_UNIX).connect('\\0own')\"",
    ),
    (
        "datagram to a socket",
        "python3 -c \"import socket as s; s.socket(s.AF_UNIX,s.SOCK_DGRAM).sendto(b'x','/dev/log')\"",
        "true",
    ),
    (
        "message bus",
        "python3 -c \"import socket as s; s.socket(s.AF_UNIX).connect('/run/dbus/system_bus_socket')\"",
        "true",
    ),
    ("container engine", "curl -sm2 --unix-socket /var/run/docker.sock http://x/info", "true"),
    ("new interface", "ip link add d0 type dummy && ip link set d0 up", "true"),
    ("route", "ip route add default via 127.0.0.1 || route add default gw 127.0.0.1", "true"),
    (
        "bound outside",
        "python3 -c \"import socket as s; s.socket().bind(('192.0.2.9',80))\"",
        "python3 -c \"import socket as s; s.socket().bind(('0.0.0.0',0))\"",
    ),
];

#[test]
fn nothing_leaves_the_machine_and_loopback_is_the_commands_own() {
    let yard = Yard::with_git();
    let met = Arc::new(AtomicUsize::new(0));
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_string();
    let name = format!("agent-adversary-{}", std::process::id());
    let path = UnixListener::bind(yard.outside.join("host.sock")).unwrap();
    let inside = UnixListener::bind(yard.root().join("host.sock")).unwrap();
    let nameless =
        UnixListener::bind_addr(&SocketAddr::from_abstract_name(name.as_bytes()).unwrap()).unwrap();
    let count = Arc::clone(&met);
    std::thread::spawn(move || {
        server.incoming().for_each(|_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
    });
    for listener in [path, inside, nameless] {
        let count = Arc::clone(&met);
        std::thread::spawn(move || {
            listener.incoming().for_each(|_| {
                count.fetch_add(1, Ordering::SeqCst);
            });
        });
    }
    yard.batch(&[("PORT", &port), ("NAME", &name)], DOORS);
    assert_eq!(met.load(Ordering::SeqCst), 0, "a server of the host was reached");
}

#[test]
fn a_database_in_the_same_command_works() {
    let yard = Yard::new();
    if !yard.is_walled() {
        return;
    }
    if has("redis-server") {
        yard.run("redis-server --port 7002 --save '' --daemonize no >/dev/null & sleep 1; redis-cli -p 7002 ping; r=$?; kill %1; exit $r").exits(0);
    }
    // PostgreSQL refuses to run as root, inside as outside.
    if has("postgres") && has("initdb") && !rustix::process::geteuid().is_root() {
        yard.run(
            "set -e; initdb -D /tmp/pg -A trust -U me --no-sync >/dev/null 2>&1; \
             pg_ctl -D /tmp/pg -w -o '-p 7003 -k /tmp -c fsync=off' -l /tmp/pg.log start >/dev/null; \
             psql -h 127.0.0.1 -p 7003 -U me -d postgres -Atc 'select 41+1' | grep -qx 42; \
             psql -h /tmp -p 7003 -U me -d postgres -Atc 'select 1' | grep -qx 1; pg_ctl -D /tmp/pg -m immediate stop >/dev/null",
        )
        .exits(0);
    }
}
