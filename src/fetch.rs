//! The guarded fetcher: pictures by https address, taken once, when an issue is added.
//!
//! An editor's address is a stranger's address: it may lead into our own network. So names are resolved by us, every
//! address is looked at before anything connects to it (after each redirect too, since each is a new connection),
//! only https is spoken, and size, time and the number of redirects are bounded. No proxy of the environment is used,
//! because it would do the resolving.

pub mod one_click;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use rustls::{ClientConfig, RootCertStore};

/// Largest file that is taken: a camera's finest JPEG has about 15 MB.
pub const FILE_BYTES_MAX: usize = 20 * 1024 * 1024;
/// A picture's server that needs longer is down.
const TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// Content networks redirect once or twice.
const REDIRECTS_MAX: usize = 5;
/// What we call ourselves, so that a server's owner can tell who asked.
const AGENT: &str = concat!("Broadsheet/", env!("CARGO_PKG_VERSION"), " (newsletter pictures)");

/// Why nothing was fetched.
#[derive(Debug, thiserror::Error)]
pub enum NotFetched {
    #[error("{0} is not an https address; write one, or put the file beside the issue")]
    NotHttps(String),
    #[error("{0} leads into a private network, where nothing is fetched from; put the file beside the issue")]
    Private(String),
    #[error("the server answered {0}; open the address in a browser and look")]
    Status(u16),
    #[error("the file has more than {} MB; save it smaller and put it beside the issue", FILE_BYTES_MAX >> 20)]
    TooHeavy,
    #[error("it did not come within {} seconds; try again, or put the file beside the issue", TIMEOUT.as_secs())]
    TimedOut,
    #[error("it redirects more than {REDIRECTS_MAX} times; write the last address")]
    Redirects,
    #[error("the server could not be reached: {0}")]
    Unreachable(String),
}

/// Where from things may be fetched.
#[derive(Clone, Debug, Default)]
pub struct Reach {
    /// Also from private networks, and from servers whose certificate one of `roots` has signed. Tests only.
    pub allow_private: bool,
    /// Certificates (DER) to trust beside Mozilla's.
    pub roots: Vec<Vec<u8>>,
}

/// Fetches files. Cheap to clone; keeps connections.
#[derive(Clone, Debug)]
pub struct Fetcher {
    client: reqwest::Client,
    allow_private: bool,
}

impl Fetcher {
    /// # Errors
    /// When TLS can't be set up, or a given root is no certificate.
    pub fn new(reach: &Reach) -> anyhow::Result<Self> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in &reach.roots {
            roots.add(root.clone().into())?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let allow_private = reach.allow_private;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            .dns_resolver(Guard { allow_private })
            .redirect(redirects(allow_private))
            .user_agent(AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self { client, allow_private })
    }

    /// The bytes at an https address. What they are is for the caller to find out, from the bytes.
    ///
    /// # Errors
    /// [`NotFetched`], which says what to do.
    pub async fn get(&self, address: &str) -> Result<Vec<u8>, NotFetched> {
        let url = url::Url::parse(address).ok().filter(|url| url.scheme() == "https" && url.host().is_some());
        let url = url.ok_or_else(|| NotFetched::NotHttps(address.to_owned()))?;
        // Addresses in figures are never resolved, so they are looked at here.
        if !self.allow_private && host_is_private(&url) {
            return Err(NotFetched::Private(address.to_owned()));
        }
        let mut answer = self.client.get(url).send().await.map_err(|error| reason(&error, address))?;
        if !answer.status().is_success() {
            return Err(NotFetched::Status(answer.status().as_u16()));
        }
        if answer.content_length().is_some_and(|length| length > FILE_BYTES_MAX as u64) {
            return Err(NotFetched::TooHeavy);
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| reason(&error, address))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > FILE_BYTES_MAX {
                return Err(NotFetched::TooHeavy);
            }
        }
        Ok(bytes)
    }
}

fn redirects(allow_private: bool) -> Policy {
    Policy::custom(move |attempt| {
        if attempt.previous().len() > REDIRECTS_MAX {
            return attempt.error(Stop::Redirects);
        }
        if attempt.url().scheme() != "https" {
            return attempt.error(Stop::NotHttps);
        }
        if !allow_private && host_is_private(attempt.url()) {
            return attempt.error(Stop::Private);
        }
        attempt.follow()
    })
}

/// Why our own guards stopped a fetch; found again in the client's chain of causes.
#[derive(Clone, Copy, Debug, thiserror::Error)]
enum Stop {
    #[error("too many redirects")]
    Redirects,
    #[error("redirected to an address that is not https")]
    NotHttps,
    #[error("a private address")]
    Private,
}

fn reason(error: &reqwest::Error, address: &str) -> NotFetched {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    let mut deepest = String::new();
    while let Some(error) = cause {
        match error.downcast_ref::<Stop>() {
            Some(Stop::Redirects) => return NotFetched::Redirects,
            Some(Stop::NotHttps) => return NotFetched::NotHttps(address.to_owned()),
            Some(Stop::Private) => return NotFetched::Private(address.to_owned()),
            None => {}
        }
        deepest = error.to_string();
        cause = error.source();
    }
    if error.is_timeout() { NotFetched::TimedOut } else { NotFetched::Unreachable(deepest) }
}

/// Resolves names and lets only public addresses through.
struct Guard {
    allow_private: bool,
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            // One private address among public ones is somebody's trick, not somebody's server.
            if !allow_private && found.iter().any(|address| is_private(address.ip())) {
                return Err(Stop::Private.into());
            }
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

fn host_is_private(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => is_private(ip.into()),
        Some(url::Host::Ipv6(ip)) => is_private(ip.into()),
        Some(url::Host::Domain(name)) => name.trim_end_matches('.').eq_ignore_ascii_case("localhost"),
        None => true,
    }
}

/// Whether an address is not of the public internet (IANA's special-purpose registries, RFC 6890).
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_private_v4(ip),
        IpAddr::V6(ip) => is_private_v6(ip),
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip.is_broadcast()
        || ip.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
}

fn is_private_v6(ip: Ipv6Addr) -> bool {
    let parts = ip.segments();
    let embedded = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        is_private_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // Mapped (::ffff:0:0/96), compatible (::/96), translated (64:ff9b::/96), 6to4 (2002::/16).
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        [0x64, 0xff9b, 1, ..] | [0x100, 0, 0, 0, ..] | [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] => true,
        // Only 2000::/3 is in use; unique local, link-local and multicast lie outside.
        [first, ..] => first & 0xe000 != 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::is_private;

    #[test]
    fn only_addresses_of_the_public_internet_are_reached() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.8",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "::127.0.0.1",
            "2001::1",
        ] {
            assert!(is_private(private.parse().unwrap()), "{private}");
        }
        for public in ["93.184.216.34", "1.1.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "::ffff:1.1.1.1"] {
            assert!(!is_private(public.parse().unwrap()), "{public}");
        }
    }
}
