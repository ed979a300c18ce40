//! Which addresses may be reached: public ones, checked at the moment of connecting.
//!
//! Whoever connects resolves names through this guard and connects to nothing else, so an answer that changes
//! between check and use changes nothing. Addresses written in a URL never reach a resolver; they are
//! checked by [`Guard::check_url`] before every hop.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use url::{Host, Url};

/// What is refused of IPv4, with the reason. Sources: the IANA special-purpose address registry.
const REFUSED_4: [(Ipv4Addr, u32, &str); 16] = [
    (Ipv4Addr::UNSPECIFIED, 8, "unspecified"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "shared by a carrier"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "a cloud's metadata service"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local (metadata services live there)"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "reserved for protocols"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "for documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "a 6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "for benchmarks"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "for documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "for documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved or broadcast"),
];

/// What is refused of the global part of IPv6 (`2000::/3`), with the reason.
const REFUSED_6: [(Ipv6Addr, u32, &str); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, "reserved for protocols (Teredo among them)"),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, "for documentation"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4, which hides another address"),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, "for documentation"),
];

/// Where IPv6-only networks put IPv4: `64:ff9b::/96`.
const NAT64: Ipv6Addr = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);

/// Why an address is not public; `None` when it is.
pub fn refusal(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => REFUSED_4
            .iter()
            .find(|(net, bits, _)| (u32::from(*net) ^ u32::from(address)) >> (32 - bits) == 0)
            .map(|(_, _, why)| *why),
        IpAddr::V6(address) => refusal_6(address),
    }
}

fn refusal_6(address: Ipv6Addr) -> Option<&'static str> {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return refusal(IpAddr::V4(mapped));
    }
    let bits = u128::from(address);
    if bits >> 32 == u128::from(NAT64) >> 32 {
        // In a network without IPv4 every IPv4 site looks like this.
        let [.., fourth, third, second, last] = address.octets();
        return refusal(IpAddr::V4(Ipv4Addr::new(fourth, third, second, last)));
    }
    let first = address.segments()[0];
    if first & 0xe000 != 0x2000 {
        return Some(match first {
            0 if address.is_loopback() => "loopback",
            0 if address.is_unspecified() => "unspecified",
            0xfc00..=0xfdff => "private",
            0xfe80..=0xfebf => "link-local",
            0xff00.. => "multicast",
            _ => "not public",
        });
    }
    REFUSED_6
        .iter()
        .find(|(net, length, _)| (u128::from(*net) ^ bits) >> (128 - length) == 0)
        .map(|(_, _, why)| *why)
}

/// A destination that is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Refused {}

/// Decides where a connection may go.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Names that tests give addresses to. Where there are any, no real resolver is asked.
    names: Vec<(String, Vec<IpAddr>)>,
    loopback: bool,
}

impl Guard {
    /// Public addresses only. What is shipped, whatever arguments, environment and settings say.
    pub fn strict() -> Self {
        Self::default()
    }

    /// For tests: these names have these addresses, no other name resolves, and loopback is allowed.
    pub fn for_tests(names: &[(&str, IpAddr)]) -> Self {
        let names = names.iter().map(|(name, address)| ((*name).to_owned(), vec![*address])).collect();
        Self { names, loopback: true }
    }

    /// For tests: one name with several addresses, and nothing else allowed that is not public.
    pub fn resolving(name: &str, addresses: &[IpAddr]) -> Self {
        Self { names: vec![(name.to_owned(), addresses.to_vec())], loopback: false }
    }

    /// Checks all of a URL that can be checked without a resolver.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Refused(format!("only http and https can be fetched, not {}", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused("a URL with a user name or password is not fetched".into()));
        }
        match url.host() {
            Some(Host::Ipv4(address)) => self.check(&url.host_str().unwrap_or_default(), address.into()),
            Some(Host::Ipv6(address)) => self.check(&url.host_str().unwrap_or_default(), address.into()),
            Some(Host::Domain(name)) => self.check_name(name),
            None => Err(Refused("the URL names no host".into())),
        }
    }

    /// Refuses a name that only means something in this machine or network.
    pub fn check_name(&self, name: &str) -> Result<(), Refused> {
        let bare = name.trim_end_matches('.').to_ascii_lowercase();
        let local = ["localhost", "local", "internal", "home.arpa", "localdomain", "onion"];
        let is_local = local.iter().any(|suffix| {
            bare.strip_suffix(suffix).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        });
        if bare.is_empty() || (is_local && !self.loopback) {
            return Err(Refused(format!("{name} is a name of this machine or network")));
        }
        Ok(())
    }

    fn check(&self, name: &dyn fmt::Display, address: IpAddr) -> Result<(), Refused> {
        match refusal(address) {
            Some(why) if !(self.loopback && address.is_loopback()) => {
                Err(Refused(format!("{name} is not a public address: {address} is {why}")))
            }
            _ => Ok(()),
        }
    }

    /// The addresses of a name, with port 0: all of them public, or none at all.
    pub async fn look_up(&self, name: &str) -> Result<Vec<SocketAddr>, Refused> {
        let addresses: Vec<IpAddr> = if self.names.is_empty() && !self.loopback {
            tokio::net::lookup_host((name, 0))
                .await
                .map_err(|error| Refused(format!("{name} has no address: {error}")))?
                .map(|address| address.ip())
                .collect()
        } else {
            self.names.iter().find(|(known, _)| known == name).map(|(_, all)| all.clone()).unwrap_or_default()
        };
        if addresses.is_empty() {
            return Err(Refused(format!("{name} has no address")));
        }
        // One bad address spoils the name: the client may choose any of them.
        for address in &addresses {
            self.check(&name, *address)?;
        }
        Ok(addresses.into_iter().map(|address| SocketAddr::new(address, 0)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_admitted() {
        let check = |address: &str, public: bool| {
            let got = refusal(address.parse().unwrap());
            assert_eq!(got.is_none(), public, "{address}: {got:?}");
        };
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "198.51.99.255",
            "203.0.112.255",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2400:cb00::1",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
        ] {
            check(public, true);
        }
        for refused in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.1.2.3",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.0.192",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.1",
            "192.168.255.255",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::2",
            "::127.0.0.1",
            "::8.8.8.8",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::127.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::8.8.8.8",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:10::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
        ] {
            check(refused, false);
        }
    }

    #[test]
    fn odd_spellings_of_an_address_are_the_address() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://127.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://0177.1/",
            "http://017700000001/",
            "http://127.0.0.1./",
            "http://0/",
            "http://0x0/",
            "http://%31%32%37.0.0.1/",
            "http://１２７.0.0.1/",
            "http://127。0。0。1/",
            "http://①②⑦.⓪.⓪.①/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[0:0:0:0:0:ffff:a9fe:a9fe]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[fe80::1]/",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://169.254.169.254/latest/meta-data/",
            "http://0251.0376.0251.0376/",
            "http://localhost/",
            "http://LOCALHOST/",
            "http://localhost./",
            "http://foo.localhost/",
            "http://lOcAlHoSt:8080/",
            "http://ｌｏｃａｌｈｏｓｔ/",
            "http://printer.local/",
            "http://metadata.google.internal/",
            "http://metadata.google.internal./",
            "https://user@example.com/",
            "https://user:pw@example.com/",
            "https://:pw@example.com/",
            "ftp://example.com/",
            "file:///etc/passwd",
            "gopher://example.com/",
            "data:text/html,x",
            "javascript:alert(1)",
            "ws://example.com/",
        ] {
            let parsed = Url::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            let got = Guard::strict().check_url(&parsed);
            assert!(got.is_err(), "{url} became {parsed}");
        }
        for url in [
            "http://exa\0mple.com/",
            "http://[fe80::1%25eth0]/",
            "http://127.0.0.1%00.example.com/",
            "http:///",
            "http://256.256.256.256/",
            "http://0x7f.1.1.1.1/",
            "http://a b/",
        ] {
            // Those that parse at all name another host: `http:///xis the host x.
            assert!(Url::parse(url).is_err(), "{url:?} became {:?}", Url::parse(url));
        }
        for url in [
            "https://example.com/",
            "http://EXAMPLE.com:8080/x",
            "https://bücher.example/",
            "http://8.8.8.8/",
            "https://locallocalhost.com/",
            "https://internal.example.com/",
            "http://[2606:4700::1111]/",
        ] {
            assert_eq!(Guard::strict().check_url(&Url::parse(url).unwrap()), Ok(()), "{url}");
        }
    }

    #[tokio::test]
    async fn one_private_address_spoils_a_name() {
        let check = async |addresses: &[&str], admitted: bool| {
            let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
            let got = Guard::resolving("site.test", &addresses).look_up("site.test").await;
            assert_eq!(got.is_ok(), admitted, "{addresses:?}: {got:?}");
        };
        check(&["8.8.8.8"], true).await;
        check(&["8.8.8.8", "2606:4700::1111"], true).await;
        check(&["8.8.8.8", "127.0.0.1"], false).await;
        check(&["8.8.8.8", "10.0.0.1", "1.1.1.1"], false).await;
        check(&["2606:4700::1111", "::1"], false).await;
        check(&[], false).await;
    }

    #[tokio::test]
    async fn the_real_resolver_is_asked_by_the_strict_guard() {
        let refused = Guard::strict().look_up("localhost").await.unwrap_err();
        assert!(refused.0.contains("loopback"), "{refused}");
    }
}
