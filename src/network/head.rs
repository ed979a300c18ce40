//! What a client asks a proxy for, read strictly: one host, one port, one body of known length.
//!
//! What two readers could understand differently is refused, so that the host that was judged is the host that
//! is reached.

use url::Host;

/// Longest host name; see RFC 1035.
const MAX_HOST: usize = 253;
/// Most fields of a head.
const MAX_FIELDS: usize = 100;
/// Fields that speak to the next hop alone, and are not passed on.
const HOP: [&str; 10] = [
    "connection",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) how: How,
}

/// How it is to be reached.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum How {
    /// Bytes both ways.
    Tunnel,
    /// One request and its answer: the head as the host gets it, and how many bytes of body follow.
    Request { head: Vec<u8>, body: u64 },
}

/// Why a request is not carried out, with its status.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault(pub(super) u16, pub(super) &'static str);

/// Reads a head, all of it up to and with the empty line.
pub(super) fn parse(head: &[u8]) -> Result<Wanted, Fault> {
    let bad = Fault(400, "the request cannot be read");
    let text = std::str::from_utf8(head).map_err(|_| Fault(400, "the request is not text"))?;
    let text = text.strip_suffix("\r\n\r\n").ok_or(bad)?;
    // A line end that only some readers see, or a NUL that ends the host for some of them.
    let bare = text.replace("\r\n", "\n");
    if bare.contains(|c: char| c.is_control() && c != '\n' && c != '\t')
        || text.matches('\n').count() != text.matches("\r\n").count()
    {
        return Err(Fault(400, "the request holds a control character"));
    }
    let mut lines = bare.split('\n');
    let first = lines.next().unwrap_or_default();
    let [method, target, version] = first.split(' ').collect::<Vec<_>>()[..] else {
        return Err(Fault(400, "the request line is not one of HTTP"));
    };
    if !matches!(version, "HTTP/1.1" | "HTTP/1.0") {
        return Err(Fault(505, "only HTTP/1.1 is spoken here"));
    }
    if method.is_empty() || method.len() > 32 || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(Fault(400, "the method is not one of HTTP"));
    }
    let fields = fields(lines)?;
    if method == "CONNECT" {
        let (host, port) = authority(target)?;
        let port = port.ok_or(Fault(400, "CONNECT needs a port"))?;
        return Ok(Wanted { host, port, how: How::Tunnel });
    }
    let rest = strip_scheme(target)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (place, path) = rest.split_at(end);
    if path.contains('#') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Fault(400, "the address holds what must be escaped"));
    }
    let (host, port) = authority(place)?;
    let port = port.unwrap_or(80);
    agrees(&fields, &host, port)?;
    let body = body(&fields)?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    let shown = if port == 80 { host.clone() } else { format!("{host}:{port}") };
    let mut out = format!("{method} {slash}{path} HTTP/1.1\r\nHost: {shown}\r\nConnection: close\r\n");
    // What `Connection` names is for this hop too.
    let named: Vec<String> = values(&fields, "connection")
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    for (name, value) in &fields {
        let lower = name.to_ascii_lowercase();
        if !HOP.contains(&lower.as_str()) && (!named.contains(&lower) || lower == "content-length") {
            for piece in [name, ": ", value, "\r\n"] {
                out.push_str(piece);
            }
        }
    }
    out.push_str("\r\n");
    Ok(Wanted { host, port, how: How::Request { head: out.into_bytes(), body } })
}

fn strip_scheme(target: &str) -> Result<&str, Fault> {
    const SCHEME: &str = "http://";
    match target.get(..SCHEME.len()) {
        Some(scheme) if scheme.eq_ignore_ascii_case(SCHEME) => Ok(&target[SCHEME.len()..]),
        _ if target.starts_with('/') || target == "*" => {
            Err(Fault(400, "this is a proxy: the request must name the whole address"))
        }
        _ => Err(Fault(400, "only http is carried here; https goes through CONNECT")),
    }
}

fn fields<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Vec<(&'a str, &'a str)>, Fault> {
    let mut all = Vec::new();
    for line in lines {
        // A folded line continues the one before for some readers only.
        let (name, value) = line.split_once(':').ok_or(Fault(400, "a field has no name"))?;
        let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(token) {
            return Err(Fault(400, "a field's name is not one of HTTP"));
        }
        all.push((name, value.trim_matches([' ', '\t'])));
        if all.len() > MAX_FIELDS {
            return Err(Fault(431, "too many fields"));
        }
    }
    Ok(all)
}

fn values<'a>(fields: &'a [(&str, &str)], wanted: &'a str) -> impl Iterator<Item = &'a str> {
    fields.iter().filter(move |(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| *value)
}

/// `Host` must not say something else than the address does: a server goes by it.
fn agrees(fields: &[(&str, &str)], host: &str, port: u16) -> Result<(), Fault> {
    let mut named = values(fields, "host");
    let (first, second) = (named.next(), named.next());
    match (first, second) {
        (None, _) => Ok(()),
        (Some(one), None) => {
            let (name, named_port) = authority(one)?;
            if name == host && named_port.unwrap_or(80) == port {
                Ok(())
            } else {
                Err(Fault(400, "`Host` names another host than the address"))
            }
        }
        _ => Err(Fault(400, "`Host` comes twice")),
    }
}

/// A body of stated length, or none. Chunks are not taken: where they end is what readers differ about.
fn body(fields: &[(&str, &str)]) -> Result<u64, Fault> {
    if values(fields, "transfer-encoding").next().is_some() {
        return Err(Fault(411, "a body must state its length; chunks are not taken here"));
    }
    let mut lengths = values(fields, "content-length");
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(0),
        (Some(length), None) if !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit()) => {
            length.parse().map_err(|_| Fault(413, "the body is too long"))
        }
        _ => Err(Fault(400, "the body's length is not clear")),
    }
}

/// `host` or `host:port`. Addresses are refused in every notation: names are what is granted.
pub(super) fn authority(text: &str) -> Result<(String, Option<u16>), Fault> {
    if text.contains('@') {
        return Err(Fault(400, "an address with a user name is not carried"));
    }
    if text.contains(['[', ']']) {
        return Err(Fault(403, "addresses in numbers are refused; name the host"));
    }
    let (name, port) = match text.split_once(':') {
        None => (text, None),
        Some((name, digits)) => {
            // `0443` and `+443` are 443 to some.
            let plain = (1..=5).contains(&digits.len())
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && !digits.starts_with('0');
            let port = digits.parse::<u16>().ok().filter(|_| plain);
            (name, Some(port.ok_or(Fault(400, "the port is not a number from 1 to 65535"))?))
        }
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if name.is_empty() || name.len() > MAX_HOST || !name.split('.').all(label) {
        return Err(Fault(400, "the host is not a name"));
    }
    match Host::parse(&name) {
        Ok(Host::Domain(same)) if same == name => {}
        Ok(Host::Ipv4(_) | Host::Ipv6(_)) => {
            return Err(Fault(403, "addresses in numbers are refused; name the host"));
        }
        _ => return Err(Fault(400, "the host is not a name")),
    }
    if !name.contains('.') {
        return Err(Fault(403, "a name without a dot belongs to this machine or network"));
    }
    Ok((name, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Wanted, Fault> {
        parse(text.as_bytes())
    }

    #[test]
    fn a_tunnel_names_one_host_and_one_port() {
        let check = |target: &str, expected: Result<(&str, u16), u16>| {
            let got = read(&format!("CONNECT {target} HTTP/1.1\r\nHost: whatever\r\n\r\n"));
            match (got, expected) {
                (Ok(Wanted { host, port, how: How::Tunnel }), Ok(wanted)) => {
                    assert_eq!((host.as_str(), port), wanted, "{target}");
                }
                (Err(Fault(status, _)), Err(wanted)) => assert_eq!(status, wanted, "{target}"),
                (got, _) => panic!("{target}: {got:?}"),
            }
        };
        check("example.com:443", Ok(("example.com", 443)));
        check("EXAMPLE.com.:443", Ok(("example.com", 443)));
        check("xn--bcher-kva.example:8443", Ok(("xn--bcher-kva.example", 8443)));
        check("example.com", Err(400));
        for target in [
            "169.254.169.254:80",
            "127.0.0.1:22",
            "0x7f.1:80",
            "2130706433:80",
            "017700000001:80",
            "127.1:80",
            "0:80",
            "[::1]:80",
            "[::ffff:127.0.0.1]:80",
            "[fe80::1%25eth0]:80",
            "1.2.3.4.:443",
            "localhost:80",
            "metadata:80",
        ] {
            check(target, Err(403));
        }
        for target in [
            "example.com:0",
            "example.com:00443",
            "example.com:+443",
            "example.com:443:80",
            "example.com:65536",
            "example.com:443@evil.example:443",
            "user@example.com:443",
            "example.com:",
            ":443",
            "example..com:443",
            "exa mple.com:443",
            "example.com:443\t",
            "example.com%00.evil.example:443",
            "example.com/x:443",
            "exämple.com:443",
            "example.com\\.evil.example:443",
            "http://example.com:443",
            "256.256.256.256:80",
            "-.-.:",
            "example.com..:443",
        ] {
            check(target, Err(400));
        }
    }

    #[test]
    fn a_request_reaches_the_host_its_address_names() {
        let wanted = read(
            "POST http://example.com:8080/a?b=c HTTP/1.1\r\nhost: example.com:8080\r\nProxy-Authorization: Basic x\r\n\
             Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-Kept: 2\r\nContent-Length: 3\r\nUpgrade: websocket\r\n\r\n",
        )
        .unwrap();
        let How::Request { head, body } = wanted.how else { panic!("no request") };
        assert_eq!((wanted.host.as_str(), wanted.port, body), ("example.com", 8080, 3));
        assert_eq!(
            String::from_utf8(head).unwrap(),
            "POST /a?b=c HTTP/1.1\r\nHost: example.com:8080\r\nConnection: close\r\nX-Kept: 2\r\nContent-Length: 3\r\n\r\n"
        );
        let plain = read("GET HTTP://Example.com?x HTTP/1.0\r\n\r\n").unwrap();
        let How::Request { head, .. } = plain.how else { panic!("no request") };
        assert!(String::from_utf8(head).unwrap().starts_with("GET /?x HTTP/1.1\r\nHost: example.com\r\n"));
    }

    #[test]
    fn what_two_readers_could_take_differently_is_refused() {
        for (text, status) in [
            ("GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n", 400),
            ("GET http://a.example/ HTTP/1.1\r\nHost: a.example:81\r\n\r\n", 400),
            ("GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n", 400),
            ("GET http://a.example/ HTTP/1.1\r\nHost : a.example\r\n\r\n", 400),
            ("GET http://a.example/ HTTP/1.1\r\nX: 1\r\n folded\r\n\r\n", 400),
            ("GET http://a.example/ HTTP/1.1\r\nX: 1\nHost: b.example\r\n\r\n", 400),
            ("GET http://a.example/ HTTP/1.1\r\nX: 1\rHost: b.example\r\n\r\n", 400),
            ("GET http://a.example/ HTTP/1.1\r\nX: a\0b\r\n\r\n", 400),
            ("GET http://a.example\0.b.example/ HTTP/1.1\r\n\r\n", 400),
            ("POST http://a.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
            (
                "POST http://a.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
                411,
            ),
            ("POST http://a.example/ HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 400),
            ("POST http://a.example/ HTTP/1.1\r\nContent-Length: +3\r\n\r\n", 400),
            ("POST http://a.example/ HTTP/1.1\r\nContent-Length: 3, 4\r\n\r\n", 400),
            ("POST http://a.example/ HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
            ("GET https://a.example/ HTTP/1.1\r\n\r\n", 400),
            ("GET ftp://a.example/ HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", 400),
            ("GET  http://a.example/ HTTP/1.1\r\n\r\n", 400),
            ("GET http://a.example/ HTTP/2\r\n\r\n", 505),
            ("get http://a.example/ HTTP/1.1\r\n\r\n", 400),
            ("GET http://u:p@a.example/ HTTP/1.1\r\n\r\n", 400),
            ("GET http://a.example\\@b.example/ HTTP/1.1\r\n\r\n", 400),
            ("GET http://a.example/é HTTP/1.1\r\n\r\n", 400),
            ("GET http://169.254.169.254/latest HTTP/1.1\r\n\r\n", 403),
            ("GET http://a.example/ HTTP/1.1\r\n", 400),
            ("", 400),
        ] {
            assert_eq!(read(text).map_err(|fault| fault.0), Err(status), "{text:?}");
        }
        let many = format!("GET http://a.example/ HTTP/1.1\r\n{}\r\n", "X: 1\r\n".repeat(101));
        assert_eq!(read(&many).unwrap_err().0, 431);
    }

    proptest! {
        #[test]
        fn any_head_is_read_or_refused(head in "\\PC*|(CONNECT|GET|POST) [ -~]{0,60} HTTP/1\\.1\r\n([A-Za-z-]{1,12}:[ -~\t\r\n]{0,30}\r\n){0,4}\r\n") {
            if let Ok(Wanted { host, how, .. }) = parse(head.as_bytes()) {
                prop_assert!(host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-_".contains(&b)), "{host}");
                prop_assert!(host.parse::<std::net::IpAddr>().is_err());
                if let How::Request { head, .. } = how {
                    let text = String::from_utf8(head).unwrap();
                    prop_assert_eq!(text.matches("\r\n\r\n").count(), 1);
                    prop_assert!(text.ends_with("\r\n\r\n"));
                    prop_assert_eq!(text.to_ascii_lowercase().matches("\r\nhost:").count(), 1);
                }
            }
        }
    }
}
