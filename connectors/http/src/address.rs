//! Which addresses may be connected to.

use async_trait::async_trait;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use schemars::JsonSchema;
use serde::Deserialize;
use std::{
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

/// Turns names into addresses. The system's resolver unless a test brings another.
#[async_trait]
pub trait Names: Send + Sync + 'static {
    /// The addresses of a host, in the order in which they are to be tried.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

#[async_trait]
impl Names for SystemNames {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|socket| socket.ip()).collect())
    }
}

/// A network in CIDR form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Network(IpNet);

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| "is no network such as 10.20.0.0/16".to_owned())
    }
}

/// An address that may not be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) IpAddr);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the address {} is refused: add its network to allow_networks if it is the target's", self.0)
    }
}

impl std::error::Error for Refused {}

/// Which addresses are open to a target: every public one, and the networks it names.
#[derive(Debug, Clone, Default)]
pub(crate) struct AddressRule {
    allowed: Vec<IpNet>,
}

impl AddressRule {
    pub(crate) fn new(networks: &[Network]) -> Self {
        Self { allowed: networks.iter().map(|network| network.0).collect() }
    }

    /// Passes an address, or says that it is refused. An IPv4 address in IPv6 clothing is judged as the IPv4 address.
    pub(crate) fn permit(&self, address: IpAddr) -> Result<(), Refused> {
        let plain = match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(six) => embedded(six).map_or(address, IpAddr::V4),
        };
        let listed = self.allowed.iter().any(|network| network.contains(&plain) || network.contains(&address));
        if listed || is_public(plain) { Ok(()) } else { Err(Refused(address)) }
    }
}

/// The IPv4 address inside a mapped, translated (RFC 6052) or 6to4 (RFC 3056) one.
fn embedded(six: Ipv6Addr) -> Option<Ipv4Addr> {
    let octets = six.octets();
    if let Some(four) = six.to_ipv4_mapped() {
        return Some(four);
    }
    match octets {
        [0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d] => Some(Ipv4Addr::new(a, b, c, d)),
        [0x20, 0x02, a, b, c, d, ..] => Some(Ipv4Addr::new(a, b, c, d)),
        _ => None,
    }
}

/// Whether the address belongs to the public internet, by the special-purpose registries of RFC 6890.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(four) => {
            let [a, b, c, _] = four.octets();
            !(four.is_unspecified()
                || four.is_loopback()
                || four.is_private()
                || four.is_link_local()
                || four.is_multicast()
                || four.is_broadcast()
                || four.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(six) => {
            let [first, second, ..] = six.segments();
            // Only 2000::/3 is given out; of it, 2001::/23 and 2001:db8::/32 are not for the public.
            (first & 0xe000) == 0x2000 && !(first == 0x2001 && (second < 0x0200 || second == 0x0db8))
        }
    }
}

/// The client's resolver: what it gives out is what is connected to, so the check cannot be answered differently later.
pub(crate) struct GuardedNames {
    pub(crate) names: Arc<dyn Names>,
    pub(crate) rule: AddressRule,
}

impl Resolve for GuardedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, rule) = (self.names.clone(), self.rule.clone());
        Box::pin(async move {
            let found = names.addresses(name.as_str()).await?;
            let mut refused = None;
            let mut open = Vec::with_capacity(found.len());
            for address in found {
                match rule.permit(address) {
                    Ok(()) => open.push(SocketAddr::new(address, 0)),
                    Err(no) => refused = Some(no),
                }
            }
            match (open.is_empty(), refused) {
                (true, Some(no)) => Err(no.into()),
                (true, None) => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into()),
                (false, _) => Ok(Box::new(open.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(networks: &[&str], address: &str) -> bool {
        let networks: Vec<_> = networks.iter().map(|text| Network::try_from((*text).to_owned()).unwrap()).collect();
        AddressRule::new(&networks).permit(address.parse().unwrap()).is_ok()
    }

    #[test]
    fn addresses_that_are_not_public_are_refused() {
        for address in [
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "100.100.100.200",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "::",
            "::1",
            "fe80::1",
            "fd00::1",
            "fd00:ec2::254",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "::7f00:1",
        ] {
            assert!(!permits(&[], address), "{address}");
        }
    }

    #[test]
    fn public_addresses_pass() {
        for address in ["1.1.1.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101", "2001:4860::1"] {
            assert!(permits(&[], address), "{address}");
        }
    }

    #[test]
    fn a_listed_network_opens_itself_and_nothing_else() {
        assert!(permits(&["10.20.0.0/16"], "10.20.3.4"));
        assert!(permits(&["10.20.0.0/16"], "::ffff:10.20.3.4"));
        assert!(!permits(&["10.20.0.0/16"], "10.21.0.1"));
        assert!(!permits(&["10.20.0.0/16"], "127.0.0.1"));
        assert!(permits(&["fd00:1::/32"], "fd00:1::7"));
    }
}
