//! Who is asking: the address at the other end of the line, seen through our own reverse proxy.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::HeaderMap;
use axum::http::request::Parts;

/// The address a request comes from.
///
/// `X-Forwarded-For` is believed only from a proxy on this machine, and only its last entry, which that proxy wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visitor(pub IpAddr);

impl Visitor {
    /// What limits are counted by: the address, or the /64 of an IPv6 address, since one house has a whole /64.
    #[must_use]
    pub fn neighbourhood(&self) -> String {
        match self.0 {
            IpAddr::V4(v4) => v4.to_string(),
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        Ok(Self(seen(peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)), &parts.headers)))
    }
}

fn seen(peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    if !peer.to_canonical().is_loopback() {
        return peer.to_canonical();
    }
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back().and_then(|value| value.to_str().ok());
    let last = forwarded.and_then(|list| list.rsplit(',').next()).and_then(|ip| ip.trim().parse().ok());
    last.unwrap_or(peer).to_canonical()
}

#[cfg(test)]
mod tests {
    use super::{Visitor, seen};
    use axum::http::HeaderMap;

    #[test]
    fn a_forwarded_address_is_believed_from_this_machine_only() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "198.51.100.7, 203.0.113.9".parse().expect("is a header"));
        for (peer, wanted) in [("127.0.0.1", "203.0.113.9"), ("::1", "203.0.113.9"), ("192.0.2.1", "192.0.2.1")] {
            let peer = peer.parse().expect("is an address");
            assert_eq!(seen(peer, &headers).to_string(), wanted, "{peer}");
        }
    }

    #[test]
    fn one_house_of_ipv6_counts_as_one() {
        let at = |ip: &str| Visitor(ip.parse().expect("is an address")).neighbourhood();
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
    }
}
