//! The proxy between a client and a server on loopback that plays the internet.

use super::*;
use crate::network::Fixed;
use std::net::{IpAddr, Ipv4Addr};
use tokio::io::{AsyncBufReadExt as _, BufReader};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A server that answers every request with its own name and what it got, and echoes tunnels.
async fn server() -> (u16, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (from, mut to) = stream.into_split();
                let mut from = BufReader::new(from);
                let mut head = String::new();
                loop {
                    let mut line = String::new();
                    if from.read_line(&mut line).await.unwrap_or(0) == 0 || line == "\r\n" {
                        break;
                    }
                    head += &line;
                }
                let length = head.lines().find_map(|line| {
                    line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
                });
                let mut body = vec![0; length.unwrap_or(0)];
                let _ = from.read_exact(&mut body).await;
                let got = format!("{head}[{}]", String::from_utf8_lossy(&body));
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{got}",
                    got.len()
                );
                let _ = to.write_all(answer.as_bytes()).await;
                // Whatever comes behind would be a second request.
                let mut more = String::new();
                let _ = tokio::time::timeout(Duration::from_millis(300), from.read_line(&mut more)).await;
                if !more.is_empty() {
                    let _ = to.write_all(format!("SMUGGLED {more}").as_bytes()).await;
                }
            });
        }
    });
    (port, task)
}

/// A proxy that admits `host:port` alone, over this guard.
async fn proxy(guard: Guard, admitted: &str) -> (SocketAddr, Arc<Proxy>) {
    let admitted = admitted.to_owned();
    let gate = Fixed(
        move |host: &str, port: u16| {
            if format!("{host}:{port}") == admitted { Ok(()) } else { Err("not allowed".into()) }
        },
    );
    let proxy = Arc::new(Proxy::new(Arc::new(gate), guard));
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = Arc::clone(&proxy);
    tokio::spawn(async move { serving.serve(listener).await });
    (address, proxy)
}

async fn say(address: SocketAddr, words: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(words).await.unwrap();
    let mut out = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut out)).await;
    String::from_utf8_lossy(&out).into_owned()
}

fn names() -> Guard {
    Guard::for_tests(&[("site.test", LOOPBACK), ("other.test", LOOPBACK)])
}

#[tokio::test]
async fn carries_requests_and_tunnels_to_the_host_that_is_admitted() {
    let (port, _server) = server().await;
    let (address, proxy) = proxy(names(), &format!("site.test:{port}")).await;
    let plain = say(address, format!("GET http://site.test:{port}/a HTTP/1.1\r\n\r\n").as_bytes()).await;
    assert!(plain.starts_with("HTTP/1.1 200") && plain.contains("GET /a HTTP/1.1"), "{plain}");
    let sent = format!("POST http://site.test:{port}/ HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody");
    assert!(say(address, sent.as_bytes()).await.contains("[body]"));
    let tunnel = format!("CONNECT site.test:{port} HTTP/1.1\r\n\r\nGET /t HTTP/1.1\r\nHost: x\r\n\r\n");
    let tunnel = say(address, tunnel.as_bytes()).await;
    assert!(tunnel.starts_with("HTTP/1.1 200 Connection established\r\n\r\nHTTP/1.1 200 OK"), "{tunnel}");
    let (carried, refused) = proxy.told();
    assert_eq!((carried.len(), refused.len()), (1, 0), "{carried:?} {refused:?}");
    assert!(
        carried[0].starts_with(&format!("site.test:{port}: ")) && !carried[0].contains(" 0 "),
        "{carried:?}"
    );
}

#[tokio::test]
async fn refuses_what_is_not_admitted_whatever_it_looks_like() {
    let (port, _server) = server().await;
    let (address, proxy) = proxy(names(), &format!("site.test:{port}")).await;
    for (words, status) in [
        (format!("CONNECT other.test:{port} HTTP/1.1\r\n\r\n"), 403),
        ("CONNECT site.test:22 HTTP/1.1\r\n\r\n".into(), 403),
        (format!("CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n"), 403),
        (format!("CONNECT [::ffff:127.0.0.1]:{port} HTTP/1.1\r\n\r\n"), 403),
        (format!("CONNECT localhost:{port} HTTP/1.1\r\n\r\n"), 403),
        ("CONNECT 169.254.169.254:80 HTTP/1.1\r\n\r\n".into(), 403),
        ("GET http://169.254.169.254/latest/meta-data HTTP/1.1\r\n\r\n".into(), 403),
        (format!("CONNECT site.test:{port}@other.test:{port} HTTP/1.1\r\n\r\n"), 400),
        (format!("CONNECT evil.site.test:{port} HTTP/1.1\r\n\r\n"), 403),
        (format!("CONNECT site.test.evil.example:{port} HTTP/1.1\r\n\r\n"), 403),
        (format!("CONNECT site.test\0.evil.example:{port} HTTP/1.1\r\n\r\n"), 400),
        (format!("GET http://site.test:{port}/ HTTP/1.1\r\nHost: other.test:{port}\r\n\r\n"), 400),
        (format!("GET http://site.test:{port}/ HTTP/1.1\nHost: other.test\n\r\n\r\n"), 400),
    ] {
        let answer = say(address, words.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{words:?}: {answer}");
    }
    assert!(proxy.told().0.is_empty(), "{:?}", proxy.told());
    assert!(proxy.told().1.iter().any(|line| line.starts_with("other.test:")), "{:?}", proxy.told());
}

#[tokio::test]
async fn a_request_behind_a_request_is_not_carried() {
    let (port, _server) = server().await;
    let (address, _proxy) = proxy(names(), &format!("site.test:{port}")).await;
    for words in [
        format!(
            "GET http://site.test:{port}/ HTTP/1.1\r\n\r\nGET http://other.test:{port}/ HTTP/1.1\r\n\r\n"
        ),
        format!(
            "POST http://site.test:{port}/ HTTP/1.1\r\nContent-Length: 2\r\n\r\nokGET / HTTP/1.1\r\nHost: other.test\r\n\r\n"
        ),
    ] {
        let answer = say(address, words.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("SMUGGLED"), "{answer}");
        assert!(!answer.contains("other.test"), "{answer}");
    }
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_also_when_it_is_admitted() {
    for addresses in [&["10.0.0.1"][..], &["8.8.8.8", "127.0.0.1"], &["::ffff:169.254.169.254"], &["fd00::1"]]
    {
        let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
        let (address, proxy) =
            proxy(Guard::resolving("rebound.example", &addresses), "rebound.example:443").await;
        let answer = say(address, b"CONNECT rebound.example:443 HTTP/1.1\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        assert!(proxy.told().1[0].contains("is not a public address"), "{:?}", proxy.told());
    }
    // The guard that is shipped, and the machine's own resolver.
    let (address, _proxy) = proxy(Guard::strict(), "printer.local:80").await;
    assert!(say(address, b"GET http://printer.local/ HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 403"));
}

#[tokio::test]
async fn slow_long_and_broken_clients_do_not_stop_it() {
    let (port, _server) = server().await;
    let (address, _proxy) = proxy(names(), &format!("site.test:{port}")).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(TcpStream::connect(address).await.unwrap());
    }
    let long = format!("GET http://site.test/{} HTTP/1.1\r\n\r\n", "a".repeat(20_000));
    assert!(say(address, long.as_bytes()).await.starts_with("HTTP/1.1 4"));
    assert!(say(address, &vec![0xff; 20_000]).await.starts_with("HTTP/1.1 4"));
    let mut torn = TcpStream::connect(address).await.unwrap();
    torn.write_all(b"CONNECT si").await.unwrap();
    drop(torn);
    let plain = say(address, format!("GET http://site.test:{port}/a HTTP/1.1\r\n\r\n").as_bytes()).await;
    assert!(plain.starts_with("HTTP/1.1 200"), "{plain}");
}
