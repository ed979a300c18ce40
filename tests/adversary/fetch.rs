//! `webfetch` as a way into the local network: every notation of an inner address, every odd scheme.

use crate::yard::{Yard, letter};
use agent::action::Action;
use agent::policy::{Mode, Policy};
use serde_json::json;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test(flavor = "multi_thread")]
async fn no_inner_address_is_fetched_in_any_notation() {
    let yard = Yard::new();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let met = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&met);
    std::thread::spawn(move || {
        server.incoming().for_each(|_| {
            count.fetch_add(1, Ordering::SeqCst);
        });
    });
    let mut hands = yard.hands(Mode::Yes);
    // Even where the user allowed every host: the address rules are not for policy to relax.
    for host in ["*", "127.0.0.1", "localhost", "*.localhost", "[::1]"] {
        hands.policy.allow_host(host).unwrap();
    }
    for host in [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.1.",
        "0",
        "0.0.0.0",
        "0x0",
        "%31%32%37.0.0.1",
        "１２７.0.0.1",
        "①②⑦.⓪.⓪.①",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[::127.0.0.1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00::1]",
        "[fec0::1]",
        "[ff02::1]",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "foo.localhost",
        "ｌｏｃａｌｈｏｓｔ",
        "printer.local",
        "db.internal",
        "metadata.google.internal",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "169.254.170.2",
        "2852039166",
        "0xa9fea9fe",
        "100.64.0.1",
        "198.18.0.1",
        "192.0.0.192",
        "224.0.0.1",
        "255.255.255.255",
        "168.63.129.16",
        "user@127.0.0.1",
        "user:pw@example.com",
        "example.com@127.0.0.1",
        "127.0.0.1#@example.com",
        "127.0.0.1\\@example.com",
        "127.0.0.1%23.example.com",
        "127.0.0.1%00.example.com",
        "exa\tmple.com@127.0.0.1",
        "1.1.1.1@127.0.0.1",
        "127.0.0.1%2f@example.com",
    ] {
        for url in [
            format!("http://{host}:{port}/"),
            format!("https://{host}:{port}/x?y#z"),
            format!("HTTP:\\\\{host}:{port}/"),
        ] {
            let went = hands.call("webfetch", json!({"url": url, "timeout": 2})).await;
            assert!(!went.is_done(), "{url}: {}", went.text());
        }
    }
    for url in [
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1:1/_x",
        "data:text/plain,x",
        "javascript:1",
        "dict://127.0.0.1/",
        "ldap://127.0.0.1/",
        "jar:http://127.0.0.1/!/",
        "view-source:http://127.0.0.1",
        "unix:/var/run/docker.sock",
        "http+unix://%2fvar%2frun%2fdocker.sock/info",
        "ws://127.0.0.1/",
        "http://",
        "//127.0.0.1/",
        "/etc/passwd",
        "127.0.0.1",
        "blob:http://127.0.0.1/x",
        "about:blank",
        "chrome://version",
        "\u{0}http://127.0.0.1",
        "http:\u{0}//127.0.0.1",
    ] {
        let went = hands.call("webfetch", json!({"url": url, "timeout": 2})).await;
        assert!(!went.is_done(), "{url:?}: {}", went.text());
    }
    assert_eq!(met.load(Ordering::SeqCst), 0, "the server on loopback was reached");
}

#[test]
fn a_host_list_matches_whole_names_and_empty_means_none() {
    let fetch = |host: &str| Action::Fetch { url: format!("https://{host}/"), host: host.into() };
    let nothing = Policy::new(Mode::Yes);
    assert_eq!(letter(&nothing, &fetch("example.com")), 'd');
    let mut policy = Policy::new(Mode::Yes);
    policy.allow_host("docs.example.com").unwrap();
    policy.allow_host("*.wild.example").unwrap();
    for (host, expected) in [
        ("docs.example.com", 'a'),
        ("DOCS.example.com", 'a'),
        ("a.wild.example", 'a'),
        ("a.b.wild.example", 'a'),
        ("example.com", 'd'),
        ("evil-docs.example.com", 'd'),
        ("docs.example.com.evil.com", 'd'),
        ("docs.example.comevil.com", 'd'),
        ("xdocs.example.com", 'd'),
        ("a.docs.example.com", 'd'),
        ("evilwild.example", 'd'),
        ("wild.example.evil.com", 'd'),
        ("docs.example.com\0.evil.com", 'd'),
        ("docs.example.com:80@evil.com", 'd'),
        ("docs-example.com", 'd'),
        ("docs.example.com/evil", 'd'),
        ("", 'd'),
    ] {
        assert_eq!(letter(&policy, &fetch(host)), expected, "{host}");
    }
}
